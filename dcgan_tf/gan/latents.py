"""Paths through the latent space."""

from __future__ import annotations

import itertools

import numpy as np


def walk(z: np.ndarray, between: int, latent: str) -> np.ndarray:
    """The latents on the way from each row of `z` to the next.

    Args:
      z: float [n, latent_dim], n at least 2.
      between: steps from one row to the next, at least 1.
      latent: "normal": along great circles, so that lengths stay those of N(0, 1) (White 2016), a straight line
        would pass through lengths that G has hardly seen; "uniform": straight, which stays in the cube.

    Returns:
      float32 [(n - 1) * between + 1, latent_dim], from the first row to the last, both included.
    """
    path = spherical if latent == "normal" else linear
    shares = np.arange(between) / between
    parts = [path(a, b, shares) for a, b in itertools.pairwise(z)]
    return np.concatenate([*parts, z[-1:]]).astype("float32")


def linear(a: np.ndarray, b: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points at the given shares of the straight line from a to b, [len(shares), latent_dim]."""
    return a + shares[:, None] * (b - a)


def spherical(a: np.ndarray, b: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points on the great circle through the directions of a and b; the length goes linearly from |a| to |b|."""
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    cosine = np.clip(a @ b / (lengths[0] * lengths[1]), -1.0, 1.0)
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-6:  # the same or the opposite direction: no one great circle
        return linear(a, b, shares)
    t = shares[:, None]
    direction = (np.sin((1 - t) * angle) * a / lengths[0] + np.sin(t * angle) * b / lengths[1]) / np.sin(angle)
    return direction * ((1 - t) * lengths[0] + t * lengths[1])
