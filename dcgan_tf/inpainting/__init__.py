"""Filling holes in images with a trained DCGAN. TensorFlow is imported when `complete` is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from dcgan_tf.gan.dcgan import DCGAN
    from dcgan_tf.inpainting.completing import Completion

__all__ = ["complete"]


def complete(gan: DCGAN, images: np.ndarray, known: np.ndarray, **settings) -> Completion:
    """Fill the holes of uint8 images [N, H, W, C], where bool `known` [N, H, W] is False; see `completing.complete`."""
    from dcgan_tf.inpainting import completing

    return completing.complete(gan, images, known, **settings)
