"""How good generated images are: one file a metric, and `comparison.py` for all of them together."""
