"""Metrics of the quality of generated images: one module per metric, and `comparison` for all of them."""
