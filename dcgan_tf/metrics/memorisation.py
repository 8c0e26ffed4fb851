"""Memorisation: are generated images nearer to training images than unseen real ones are?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcgan_tf.console import Progress
from dcgan_tf.metrics.neighbours import squared_distances

SIDE = 16  # pixels: a blurred picture, which is nearer to everything, must not look like a copy


@dataclass(frozen=True)
class Nearest:
    """The nearest training image of each image of a set.

    Attributes:
      index: which training image, int64 [n].
      distance: root mean square difference to it at 16x16 pixels, grey levels 0 to 255, float64 [n].
    """

    index: np.ndarray
    distance: np.ndarray


def nearest(images: np.ndarray, training: np.ndarray, shown: Progress | None = None) -> Nearest:
    """Compare uint8 [n, S, S, C] with all of uint8 [N, S, S, C], both at 16x16 by averaging squares of pixels."""
    small, small_training = reduced(images), reduced(training)
    index, distance = np.empty(len(images), np.int64), np.empty(len(images))
    for rows, squared in squared_distances(small, small_training):
        index[rows] = squared.argmin(axis=1)
        # Anew from the differences: a distance near zero does not survive |a|^2 + |b|^2 - 2ab.
        differences = small[rows].astype(np.float64) - small_training[index[rows]]
        distance[rows] = np.sqrt(np.square(differences).mean(axis=1))
        if shown:
            shown.advance(len(differences))
    return Nearest(index, distance)


def copying(fakes: np.ndarray, held_out: np.ndarray) -> float:
    """Share of pairs (fake, unseen real image) in which the fake is nearer to the training set; a tie counts half.

    The Mann-Whitney statistic of Meehan et al. 2020, section 3, as a share: 1/2 where fakes keep the distance of unseen
    images, 1 where every one is a copy.

    Args:
      fakes, held_out: distances, float [n] and [m].
    """
    order = np.sort(held_out)
    nearer = len(order) - np.searchsorted(order, fakes, "right")
    equal = len(order) - np.searchsorted(order, fakes, "left") - nearer
    return float((nearer + 0.5 * equal).mean() / len(order))


def reduced(images: np.ndarray) -> np.ndarray:
    """uint8 [n, S, S, C] at 16x16, as float32 [n, 256 * C]."""
    n, size, _, channels = images.shape
    block = size // SIDE
    small = np.empty((n, SIDE, SIDE, channels), np.float32)
    for i in range(0, n, 4096):  # a mapped set is read piece by piece
        part = np.asarray(images[i : i + 4096])
        small[i : i + 4096] = part.reshape(-1, SIDE, block, SIDE, block, channels).mean(axis=(2, 4), dtype=np.float32)
    return small.reshape(n, -1)
