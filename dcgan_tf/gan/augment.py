"""Random changes to the images that D sees, the same kind for real and for generated ones.

They keep D from learning its images by heart. G learns through them, since they are differentiable (DiffAugment, Zhao
et al. 2020). Of DiffAugment's three kinds only translation is here, the one that helped in `experiments/recipes`, whose
`parts.py` has the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dcgan_tf.backend import tf


class Augmentation(NamedTuple):
    """A change that D's images undergo.

    Attributes:
      draws: random numbers that it takes for each image.
      apply: (images float32 [N, H, W, C] in [-1, 1], float32 [N, draws] in [0, 1)) -> images of the same shape.
    """

    draws: int
    apply: Callable


def translate(images, draws):
    """Shift each image by up to an eighth of its side, vertically and horizontally; zeros (mid-grey) come in.

    Args:
      images: float32 [N, H, H, C] in [-1, 1].
      draws: float32 [N, 2] in [0, 1): the shift down and to the right, from the least to the most.

    Returns:
      float32 [N, H, H, C].
    """
    _, side, _, _ = images.shape
    most = side // 8
    shift = to_integers(draws, 2 * most + 1) - most
    # Pixel p comes from pixel p - shift, which lies `most` further in once padded.
    source = tf.range(side) + most - shift[:, :, None]
    images = tf.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    rows_shifted = tf.gather(images, source[:, 0], axis=1, batch_dims=1)
    return tf.gather(rows_shifted, source[:, 1], axis=2, batch_dims=1)


def mirror_half(images, draws):
    """Mirror the images whose draw is below 1/2, left to right.

    Args:
      images: float32 [N, H, W, C].
      draws: float32 [N, 1] in [0, 1).

    Returns:
      float32 [N, H, W, C].
    """
    return tf.where(draws[:, :, None, None] < 0.5, tf.reverse(images, [2]), images)


def to_integers(draws, n: int):
    """[0, 1) -> int32 0 .. n - 1, all equally likely."""
    return tf.cast(draws * n, tf.int32)


AUGMENTATIONS = {
    "none": Augmentation(0, lambda images, draws: images),
    "translation": Augmentation(2, translate),
}
