"""Pictures of what the layers of a trained run compute."""

from dcgan_tf.layer_figures.maps import activation_grid, article_grid

__all__ = ["activation_grid", "article_grid"]
