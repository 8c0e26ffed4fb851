"""What D is shown of images: changed at random, real and generated ones alike, so that it cannot learn them by heart.

The change is differentiable, and G learns through it (DiffAugment, Zhao et al. 2020). Of its three kinds only the
translation is here, the one that the recipe study found to help; the others are in `experiments/recipes/parts.py`.
"""

from __future__ import annotations

from dcgan_tf.backend import tf


def translated(images, draws):
    """Images moved by up to an eighth of the side, down or up and right or left; zeros, mid-grey, come in.

    Args:
      images: float32 [N, H, H, C] in [-1, 1].
      draws: float32 [N, 2] in [0, 1): how far down and how far right, from none to most.

    Returns:
      float32 [N, H, H, C].
    """
    _, side, _, _ = images.shape
    most = side // 8
    moved = whole(draws, 2 * most + 1) - most
    # Pixel p comes from pixel p - moved, which lies `most` further in once padded.
    source = tf.range(side) + most - moved[:, :, None]
    images = tf.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    rows_moved = tf.gather(images, source[:, 0], axis=1, batch_dims=1)
    return tf.gather(rows_moved, source[:, 1], axis=2, batch_dims=1)


def whole(draws, n: int):
    """[0, 1) -> int32 0 .. n - 1, all equally likely."""
    return tf.cast(draws * n, tf.int32)
