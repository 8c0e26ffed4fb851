"""How well losses of one run, published at some iterations, fit the runs that were made here.

The logarithms of losses are taken as normally distributed about the mean of the runs at each iteration. Their deviation
is pooled over a window of iterations, each about its own mean, so that the slope of the curve does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WINDOW = 10  # iterations on either side from which the deviation between batches is estimated
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Curve:
    """The logarithm of the loss of one batch of one more run, at some iterations.

    Attributes:
      mean: of the runs, [points].
      deviation: of one more run about that mean, [points].
      freedom: degrees of freedom of the deviation, [points].
    """

    mean: np.ndarray
    deviation: np.ndarray
    freedom: np.ndarray

    def band(self, confidence: float = CONFIDENCE) -> tuple[np.ndarray, np.ndarray]:
        """The band that holds this share of losses: (low, high), [points] each."""
        from scipy.stats import t as student

        half = student.ppf((1 + confidence) / 2, self.freedom) * self.deviation
        return np.exp(self.mean - half), np.exp(self.mean + half)

    def scores(self, losses: np.ndarray) -> np.ndarray:
        """How many deviations the logarithms of other losses lie above the mean, [points]."""
        return (np.log(losses) - self.mean) / self.deviation


def fit_curve(losses: np.ndarray, points: list[int]) -> Curve:
    """The curve at some iterations; `losses` is [iterations, runs], at least two runs."""
    runs, fitted = losses.shape[1], []
    for t in points:
        window = np.log(losses[max(0, t - WINDOW) : t + WINDOW + 1])
        freedom = len(window) * (runs - 1)
        deviation = np.sqrt(np.square(window - window.mean(axis=1, keepdims=True)).sum() / freedom)
        fitted.append((np.log(losses[t]).mean(), deviation * np.sqrt(1 + 1 / runs), freedom))
    return Curve(*np.array(fitted).T)


def leave_one_out(losses: dict[str, np.ndarray], points: list[int]) -> dict[str, np.ndarray]:
    """The scores of each run by the curve of the others: name -> [runs, points]."""
    found = {}
    for name, values in losses.items():
        rest = [np.delete(values, seed, axis=1) for seed in range(values.shape[1])]
        found[name] = np.array([fit_curve(r, points).scores(values[points, seed]) for seed, r in enumerate(rest)])
    return found


def sum_scores(scores: np.ndarray) -> np.ndarray:
    """The sum over the last axis over the root of its length: about N(0, 1) if the scores are independent N(0, 1)."""
    return scores.sum(axis=-1) / np.sqrt(scores.shape[-1])


def left_out_coverage(losses: dict[str, np.ndarray]) -> float:
    """Share of each run's losses, every 20 iterations, within the band of the other runs; 0.95 if the band is right."""
    found = []
    for values in losses.values():
        points = list(range(0, len(values), 20))
        for seed in range(values.shape[1]):
            low, high = fit_curve(np.delete(values, seed, axis=1), points).band()
            found.append((low <= values[points, seed]) & (values[points, seed] <= high))
    return float(np.mean(found))
