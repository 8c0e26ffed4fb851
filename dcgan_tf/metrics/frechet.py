"""Fréchet distance between two sets of features, each taken as one Gaussian."""

from __future__ import annotations

import numpy as np


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|mu_a - mu_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2)), S with n - 1 in the denominator (Heusel et al. 2017, eq. 6).

    It is biased: the distance of two samples of one distribution is above 0, and falls with the number of images.
    Compare only distances of equal N, and take N above the number of features.

    Args:
      a, b: float [N, d], [M, d]; N and M at least 2.

    Returns:
      The distance, 0 for equal moments.
    """
    return frechet_of_moments(*moments(a), *moments(b))


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean [d] and the covariance [d, d] of float [n, d], summed in float64."""
    n, d = features.shape
    mean, squares = features.mean(axis=0, dtype=np.float64), np.zeros((d, d))
    for i in range(0, n, 4096):  # in parts, because a float64 copy of all would need too much memory
        centred = features[i : i + 4096] - mean
        squares += centred.T @ centred
    return mean, squares / (n - 1)


def frechet_of_moments(mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray) -> float:
    """Compute the distance of two Gaussians from their means [d] and covariances [d, d]."""
    # (S_a S_b)^(1/2) has the trace of (S_a^(1/2) S_b S_a^(1/2))^(1/2), which is symmetric and so has real roots.
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(0)).sum()
    return float(max(0.0, np.square(mean_a - mean_b).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross))
