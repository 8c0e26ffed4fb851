"""Pictures: grids, animations, curves, layer figures and their report."""

from dcgan_tf.layer_figures.maps import activation_grid, article_grid

__all__ = ["activation_grid", "article_grid"]
