"""Memorisation: whether generated images are nearer to training images than unseen real ones are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcgan_tf.console import Progress
from dcgan_tf.metrics.neighbours import squared_distances

SIDE = 16  # pixels: at this size a blurred image, which is nearer to every other, does not look like a copy


@dataclass(frozen=True)
class Nearest:
    """The nearest training image of each image of a set.

    Attributes:
      index: of the training image, int64 [n].
      distance: root mean square difference to it at 16x16 pixels, grey levels 0 to 255, float64 [n].
    """

    index: np.ndarray
    distance: np.ndarray


def find_nearest(images: np.ndarray, training: np.ndarray, bar: Progress | None = None) -> Nearest:
    """Find the nearest training image of each image.

    Args:
      images: uint8 [n, S, S, C].
      training: uint8 [N, S, S, C]; both are compared at 16x16 pixels, by averages over blocks.
      bar: advanced by one for each image.
    """
    small, small_training = shrink(images), shrink(training)
    index, distance = np.empty(len(images), np.int64), np.empty(len(images))
    for rows, squared in squared_distances(small, small_training):
        index[rows] = squared.argmin(axis=1)
        # Recomputed from the differences, because |a|^2 + |b|^2 - 2ab is inexact near zero.
        differences = small[rows].astype(np.float64) - small_training[index[rows]]
        distance[rows] = np.sqrt(np.square(differences).mean(axis=1))
        if bar:
            bar.advance(len(differences))
    return Nearest(index, distance)


def copying(fakes: np.ndarray, held_out: np.ndarray) -> float:
    """Share of pairs (fake, unseen real image) in which the fake is nearer to the training set; a tie counts half.

    This is the Mann-Whitney statistic of Meehan et al. 2020, section 3, as a share. It is 1/2 if fakes are as far from
    the training set as unseen images, and 1 if every fake is a copy.

    Args:
      fakes, held_out: distances to the training set, float [n] and [m].
    """
    order = np.sort(held_out)
    nearer = len(order) - np.searchsorted(order, fakes, "right")
    equal = len(order) - np.searchsorted(order, fakes, "left") - nearer
    return float((nearer + 0.5 * equal).mean() / len(order))


def shrink(images: np.ndarray) -> np.ndarray:
    """Average uint8 [n, S, S, C] over blocks to 16x16 pixels, float32 [n, 256 * C]."""
    n, size, _, channels = images.shape
    block = size // SIDE
    small = np.empty((n, SIDE, SIDE, channels), np.float32)
    for i in range(0, n, 4096):  # in parts, because the set may be a memory map
        part = np.asarray(images[i : i + 4096])
        small[i : i + 4096] = part.reshape(-1, SIDE, block, SIDE, block, channels).mean(axis=(2, 4), dtype=np.float32)
    return small.reshape(n, -1)
