"""Kernel distance: the squared maximum mean discrepancy of two sets of features under a cubic kernel."""

from __future__ import annotations

import numpy as np

SUBSETS = 100
SUBSET_SIZE = 1000


def kernel_distance(a: np.ndarray, b: np.ndarray, draw: np.random.Generator) -> float:
    """Mean unbiased MMD^2 over random subsets, with the kernel (x.y / d + 1)^3 (Bińkowski et al. 2018, section 4).

    It is unbiased, and so may be slightly negative for similar sets.

    Args:
      a, b: float [N, d], [M, d]; N and M at least 2. Subsets have 1,000 rows, or as many as there are.
      draw: chooses the subsets.
    """
    size = min(SUBSET_SIZE, len(a), len(b))
    a, b = a.astype(np.float32, copy=False), b.astype(np.float32, copy=False)
    values = [
        mmd2(a[draw.choice(len(a), size, replace=False)], b[draw.choice(len(b), size, replace=False)])
        for _ in range(SUBSETS if size < max(len(a), len(b)) else 1)  # the whole sets have but one subset
    ]
    return float(np.mean(values))


def mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased estimate of MMD^2 for x and y of one size, float [n, d] (Gretton et al. 2012, eq. 4)."""
    n, d = x.shape

    def kernel(u, v):
        k = u @ v.T / d + 1
        return k * k * k  # several times as fast as k**3

    def off_diagonal_mean(k):
        return (k.sum(dtype=np.float64) - np.trace(k, dtype=np.float64)) / (n * (n - 1))

    between = kernel(x, y).mean(dtype=np.float64)
    return float(off_diagonal_mean(kernel(x, x)) + off_diagonal_mean(kernel(y, y)) - 2 * between)
