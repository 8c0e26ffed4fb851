"""Filling holes in images with a trained DCGAN: `complete` is its face."""

from dcgan_tf.inpainting.completing import Completion, complete

__all__ = ["Completion", "complete"]
