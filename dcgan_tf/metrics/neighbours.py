"""Precision, recall, density and coverage, from neighbourhoods in feature space."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

K_PRECISION = 3  # Kynkäänniemi et al. 2019
K_DENSITY = 5  # Naeem et al. 2020
MOST_DISTANCES = 2**23  # computed at a time, to limit memory


def neighbourhood_measures(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """Measure how much of each set lies in the neighbourhoods of the other.

    The neighbourhood of a point is the ball that reaches to its k-th nearest neighbour in its own set.

    Args:
      real, fake: float [N, d] each, of one size N above 5; with unequal sizes the measures would favour the larger set.

    Returns:
      precision: share of fakes in the neighbourhood of a real one, k = 3 (fidelity);
      recall: share of reals in the neighbourhood of a fake one, k = 3 (diversity) (Kynkäänniemi et al. 2019, eq. 2);
      density: mean number of real neighbourhoods that a fake lies in, divided by k = 5; above 1 if fakes are
        concentrated where the real images are densest;
      coverage: share of reals with a fake in their neighbourhood, k = 5 (Naeem et al. 2020, eqs. 3 and 4).

    Raises:
      ValueError: the sets are of unequal size or too small.
    """
    if len(real) != len(fake) or len(real) <= K_DENSITY:
        raise ValueError(f"sets of one size above {K_DENSITY} are needed, not of {len(real)} and {len(fake)}")
    real, fake = real.astype(np.float32), fake.astype(np.float32)
    real_3, real_5 = radii(real, K_PRECISION, K_DENSITY)
    (fake_3,) = radii(fake, K_PRECISION)
    precise = np.zeros(len(fake), bool)
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    inside = 0
    for rows, distances in squared_distances(real, fake):
        precise |= (distances <= real_3[rows, None]).any(axis=0)
        recalled[rows] = (distances <= fake_3).any(axis=1)
        near = distances <= real_5[rows, None]
        covered[rows] = near.any(axis=1)
        inside += near.sum()
    return {
        "precision": float(precise.mean()),
        "recall": float(recalled.mean()),
        "density": float(inside / (K_DENSITY * len(fake))),
        "coverage": float(covered.mean()),
    }


def radii(points: np.ndarray, *ks: int) -> list[np.ndarray]:
    """Squared distance [N] of every point to its k-th nearest other point, for each k."""
    found = np.empty((len(ks), len(points)), np.float32)
    for rows, distances in squared_distances(points, points):
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = -1.0  # the point itself comes first
        nearest = np.partition(distances, ks, axis=1)
        found[:, rows] = nearest[:, ks].T
    return list(found)


def squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the squared Euclidean distances of float32 [N, d] to [M, d] in parts: (rows, float32 [rows, M])."""
    middle = b.mean(axis=0)  # centred, so that fewer digits cancel
    a, b = a - middle, b - middle
    norms_b = np.square(b).sum(axis=1)
    rows = max(1, MOST_DISTANCES // len(b))
    for start in range(0, len(a), rows):
        part = a[start : start + rows]
        distances = np.square(part).sum(axis=1)[:, None] + norms_b - 2 * (part @ b.T)
        yield slice(start, start + len(part)), distances.clip(0)
