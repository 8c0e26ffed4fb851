"""Diversity by MS-SSIM, the similarity of two random images of one set (Odena et al. 2017)."""

from __future__ import annotations

import numpy as np

from dcgan_tf.backend import tf

PAIRS = 2000
PAIRS_AT_ONCE = 200
# Wang et al. 2003, from the finest scale to the coarsest.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def scales(size: int) -> int:
    """Number of the five scales that fit images of `size` pixels; the 11-pixel window needs 16 at the coarsest.

    It is 2 for 32 px, 3 for 64 px and 4 for 128 px, so that values of different sizes are not comparable.
    """
    return min(len(WEIGHTS), size.bit_length() - 4)


def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """MS-SSIM of each pair of images of a and b, uint8 [n, S, S, C] each: float64 [n], 1 for equal images.

    The weights of the scales used are normalised to the sum 1.
    """
    weights = np.array(WEIGHTS[: scales(a.shape[1])])
    parts = [
        tf.image.ssim_multiscale(
            tf.constant(a[i : i + PAIRS_AT_ONCE]), tf.constant(b[i : i + PAIRS_AT_ONCE]), 255, weights / weights.sum()
        ).numpy()
        for i in range(0, len(a), PAIRS_AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.float64)


def pair_similarities(images: np.ndarray, draw: np.random.Generator, among: np.ndarray | None = None) -> np.ndarray:
    """MS-SSIM of random pairs of different images, float64 [pairs]; 2,000 pairs, or as many as there are images.

    The metric is their mean. It is higher for more similar images. A value below that of real images is not better.

    Args:
      images: uint8 [N, S, S, C].
      draw: chooses the pairs.
      among: the indices of the images to choose from, at least two; None: all.
    """
    among = np.arange(len(images)) if among is None else among
    n = len(among)
    pairs = min(PAIRS, n)
    first = draw.permutation(n)[:pairs]
    second = (first + draw.integers(1, n, pairs)) % n
    return similarity(images[among[first]], images[among[second]])
