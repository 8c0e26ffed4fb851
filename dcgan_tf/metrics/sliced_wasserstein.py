"""Sliced Wasserstein distance between the patches of two image sets, scale by scale (Karras et al. 2018, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

PATCH = 7
PATCHES = 128  # of an image, at each level
DIRECTIONS = 512  # 4 repeats x 128, as in the paper
DIRECTIONS_OF_HALVES = 64  # for the standard error; the same for every half, so that they do not add to it
SMALLEST = 16  # pixels of the last level
# Beyond 4,096 images there are fewer patches per image, so that those of a level and a set take at most 308 MB.
MOST_PATCHES = 2**19
DIRECTIONS_AT_ONCE = 32
# Burt & Adelson's filter, which the paper's pyramid uses.
_FILTER = np.array([1, 4, 6, 4, 1], np.float32) / 16

Halves = Sequence[tuple[np.ndarray, np.ndarray]]


def sliced_wasserstein(
    a: np.ndarray, b: np.ndarray, draw: np.random.Generator, halves: Halves = (), directions: int = DIRECTIONS
) -> tuple[dict[int, float], list[float]]:
    """Compute the distance at every level of a Laplacian pyramid, times 1e3 as in the paper.

    It compares textures and colours at each scale, but not their places in the image. The channels of each set are
    normalised to mean 0 and variance 1 first, as in the paper. It is biased: the distance of two samples of one
    distribution is above 0, and falls with the number of images. This is so even for a set and itself, whose patches
    are drawn twice. Compare only distances of equal N.

    Args:
      a, b: uint8 [N, S, S, C], both of one size N.
      draw: chooses patches and directions.
      halves: pairs of index arrays into a and b.
      directions: number of directions to project onto; fewer are faster and less exact.

    Returns:
      Side of the level in pixels (S, S/2, ... 16) -> distance; and the mean over levels for each pair of halves.
    """
    distances, of_halves = {}, []
    for level in range(levels(a.shape[1])):
        x, y = descriptors(a, level, draw), descriptors(b, level, draw)
        lines = random_directions(directions, x.shape[2:], draw)
        distances[a.shape[1] >> level] = 1e3 * projected_distance(x, y, lines)
        of_halves.append([1e3 * projected_distance(x[i], y[j], lines[:DIRECTIONS_OF_HALVES]) for i, j in halves])
    return distances, [float(mean) for mean in np.mean(of_halves, axis=0)]


def levels(size: int) -> int:
    """Number of levels in the pyramid of images of `size` pixels, a power of two."""
    return max(1, size.bit_length() - SMALLEST.bit_length() + 1)


def descriptors(images: np.ndarray, level: int, draw: np.random.Generator) -> np.ndarray:
    """Draw random patches of one level of the images' Laplacian pyramids.

    Args:
      images: uint8 [N, S, S, C].
      level: 0 is the finest; the last one is the residual, with the brightness.
      draw: chooses the patches.

    Returns:
      Float32 [N, patches, C, 7 * 7]; 128 patches per image, fewer beyond 4,096 images.
    """
    n, channels = len(images), images.shape[3]
    patches = max(1, min(PATCHES, MOST_PATCHES // n))
    found = np.empty((n, patches, channels, PATCH, PATCH), np.float32)
    for i in range(0, n, 128):
        band = laplacian(images[i : i + 128].astype(np.float32), level)
        windows = np.lib.stride_tricks.sliding_window_view(band, (PATCH, PATCH), axis=(1, 2))  # [n, y, x, C, 7, 7]
        y, x = draw.integers(0, windows.shape[1], (2, len(band), patches))
        found[i : i + 128] = windows[np.arange(len(band))[:, None], y, x]
    return found.reshape(n, patches, channels, PATCH**2)


def random_directions(count: int, shape: tuple[int, ...], draw: np.random.Generator) -> np.ndarray:
    """Draw unit vectors, uniform on the sphere: float64 [count, C, 49]."""
    directions = draw.standard_normal((count, *shape))
    return directions / np.sqrt(np.square(directions).sum(axis=(1, 2), keepdims=True))


def projected_distance(x: np.ndarray, y: np.ndarray, directions: np.ndarray) -> float:
    """Mean over directions of the Wasserstein-1 distance of two sets of patches, normalised and projected.

    Args:
      x, y: float32 [N, patches, C, 49], both of one shape.
      directions: [D, C, 49].
    """

    def sorted_projections(patches: np.ndarray, some: np.ndarray) -> np.ndarray:
        weights, offset = some
        projections = weights @ patches.reshape(-1, weights.shape[1]).T + offset
        projections.sort(axis=1)
        return projections

    def pieces(patches: np.ndarray):
        # Projecting (x - mean) / std equals x . (direction / std) minus a number, which needs no copy of x.
        mean, std = _channel_moments(patches)
        scaled = directions / np.where(std > 0, std, 1.0)[:, None]  # std is 0 if a set has no contrast at a level
        offset = -(scaled * mean[:, None]).sum(axis=(1, 2))
        scaled = scaled.reshape(len(directions), -1).astype(np.float32)
        for i in range(0, len(directions), DIRECTIONS_AT_ONCE):
            piece = slice(i, i + DIRECTIONS_AT_ONCE)
            yield scaled[piece], offset[piece, None].astype(np.float32)

    def distance(some: tuple) -> float:
        # In one dimension, the optimal transport pairs the points in order.
        difference = sorted_projections(x, some[0])
        difference -= sorted_projections(y, some[1])
        return np.abs(difference, out=difference).mean(axis=1, dtype=np.float64).sum()

    with ThreadPoolExecutor(2) as pool:  # NumPy sorts without the GIL; two threads limit the memory
        return float(sum(pool.map(distance, zip(pieces(x), pieces(y)))) / len(directions))


def _channel_moments(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation [C] over float32 [N, patches, C, 49], summed in float64."""
    sums = squares = 0.0
    for part in patches:
        sums = sums + part.sum(axis=(0, 2), dtype=np.float64)
        squares = squares + np.square(part).sum(axis=(0, 2), dtype=np.float64)
    count = patches.size / patches.shape[2]
    mean = sums / count
    return mean, np.sqrt((squares / count - mean**2).clip(0))


def laplacian(images: np.ndarray, level: int) -> np.ndarray:
    """Compute one level of the Laplacian pyramid of float32 [n, S, S, C]: float32 [n, S >> level, S >> level, C]."""
    last = level == levels(images.shape[1]) - 1
    for _ in range(level):
        images = downsample(images)
    return images if last else images - upsample(downsample(images))


def downsample(images: np.ndarray) -> np.ndarray:
    """Smooth images and keep every second pixel, float32 [n, H, W, C] -> [n, H / 2, W / 2, C]."""
    return _smooth(_smooth(images, 1), 2)[:, ::2, ::2]


def upsample(images: np.ndarray) -> np.ndarray:
    """Double the size: insert zeros between the pixels, smooth, and multiply by 4 to compensate for the zeros."""
    n, height, width, channels = images.shape
    large = np.zeros((n, 2 * height, 2 * width, channels), np.float32)
    large[:, ::2, ::2] = 4 * images
    return _smooth(_smooth(large, 1), 2)


def _smooth(images: np.ndarray, axis: int) -> np.ndarray:
    """Filter along one axis, mirrored at the ends."""
    pad = [(0, 0)] * 4
    pad[axis] = (2, 2)
    padded = np.pad(images, pad, "reflect")
    result = np.zeros_like(images)
    for k, weight in enumerate(_FILTER):
        result += weight * padded.take(range(k, k + images.shape[axis]), axis)
    return result
