"""All metrics of one image set against another, with their standard errors over samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dcgan_tf.console import Progress
from dcgan_tf.metrics.features import FaultFeatures, extract
from dcgan_tf.metrics.frechet import frechet_distance
from dcgan_tf.metrics.kernel import kernel_distance
from dcgan_tf.metrics.memorisation import copying
from dcgan_tf.metrics.ms_ssim import pair_similarities
from dcgan_tf.metrics.neighbours import neighbourhood_measures
from dcgan_tf.metrics.results import HALVES, LEAST_IMAGES, Measured
from dcgan_tf.metrics.sliced_wasserstein import sliced_wasserstein

QUICK_IMAGES = 1000
QUICK_DIRECTIONS = 128


@dataclass(frozen=True)
class Sample:
    """Images to measure, with their features.

    Attributes:
      images: uint8 [N, S, S, C], in random order, so that the first n are a random sample too.
      features: of the fault network, float32 [N, d].
      to_training: distance of each image to its nearest training image, float64 [N], or None if it is not needed.
      inception: Inception features, float32 [N, 2048], or None without the weights.
    """

    images: np.ndarray
    features: np.ndarray
    to_training: np.ndarray | None = None
    inception: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    def part(self, rows) -> Sample:
        """Return the sample of some rows (a slice or an index array)."""
        distances, inception = self.to_training, self.inception
        return Sample(
            self.images[rows],
            self.features[rows],
            None if distances is None else distances[rows],
            None if inception is None else inception[rows],
        )


def compare(
    reference: Sample, sample: Sample, unseen: np.ndarray | None, seed: int, bar: Progress | None = None
) -> dict[str, Measured]:
    """Compute every metric that the two samples allow, by its name in `METRICS`.

    The spread is the standard deviation over random halves of all sets. A half has twice the variance of the whole, and
    two halves of one set share half of it. The two effects cancel (the delete-half jackknife, Shao & Wu 1989).

    Args:
      reference: real images.
      sample: the images to measure, as many as in `reference`, at least 20.
      unseen: distances of unseen real images to their nearest training image, for `copying`; None: it is left out.
      seed: random seed of the halves, patches, directions and pairs.
      bar: advanced by one for each of `1 + HALVES` rounds.

    Raises:
      ValueError: the samples are of unequal size or too small.
    """
    n = len(reference)
    if n != len(sample) or n < LEAST_IMAGES:
        raise ValueError(f"samples of one size from {LEAST_IMAGES} are needed, not of {n} and {len(sample)}")
    draw = np.random.default_rng([seed, n])

    def half() -> np.ndarray:
        return np.sort(draw.choice(n, n // 2, replace=False))

    halves = [(half(), half()) for _ in range(HALVES)]
    distances, of_halves = sliced_wasserstein(reference.images, sample.images, draw, halves)
    rounds = []
    for i, j in [(np.arange(n), np.arange(n)), *halves]:
        rounds.append(_other_metrics(reference, sample, i, j, unseen, draw))
        if bar:
            bar.advance()
    whole = {"sliced_wasserstein": float(np.mean(list(distances.values())))} | rounds[0]
    spread = {name: np.std([of_half[name] for of_half in rounds[1:]], ddof=1) for name in rounds[0]}
    spread["sliced_wasserstein"] = np.std(of_halves, ddof=1)
    return {name: Measured(value, float(spread[name])) for name, value in whole.items()}


def _other_metrics(
    reference: Sample, sample: Sample, i: np.ndarray, j: np.ndarray, unseen: np.ndarray | None, draw
) -> dict[str, float]:
    """Compute all metrics but the sliced Wasserstein distance, of rows i of the reference and j of the sample."""
    features, sample_features = reference.features[i], sample.features[j]
    values = {
        "frechet": frechet_distance(features, sample_features),
        "kernel": 1e3 * kernel_distance(features, sample_features, draw),
        **neighbourhood_measures(features, sample_features),
        "ms_ssim": float(pair_similarities(sample.images, draw, j).mean()),
    }
    if unseen is not None and sample.to_training is not None:
        some = draw.permutation(unseen)[
            : len(unseen) * len(j) // len(sample)
        ]  # a sample too, and halved like the others
        values["copying"] = copying(sample.to_training[j], some)
    if reference.inception is not None and sample.inception is not None:
        features, sample_features = reference.inception[i], sample.inception[j]
        values["fid"] = frechet_distance(features, sample_features)
        values["kid"] = 1e3 * kernel_distance(features, sample_features, draw)
    return values


class QuickScores:
    """The cheap metrics against a fixed sample of real images. They take seconds, for use during training.

    Args:
      real: the images to sample from, uint8 [N, S, S, C].
      seed: random seed of the sample and of the metrics.
      network: extracts the features; None: `FaultFeatures`.

    Attributes:
      count: the number of images compared, at most 1,000; 0 if the set is too small.
      ms_ssim: MS-SSIM of random pairs of the real images.
      network, features: the network, and its features of the real images, float32 [count, d].
    """

    def __init__(self, real: np.ndarray, seed: int, network: Callable | None = None):
        self._seed = seed
        self.count = min(QUICK_IMAGES, len(real)) if len(real) >= LEAST_IMAGES else 0
        self.network = network or FaultFeatures()
        self._real = real[np.random.default_rng([seed, 0]).permutation(len(real))[: self.count]]
        if self.count:
            self.features = extract(self.network, self._real)
        self.ms_ssim = float(pair_similarities(self._real, self._draw()).mean()) if self.count else float("nan")

    def _draw(self) -> np.random.Generator:
        return np.random.default_rng([self._seed, 1])

    def __call__(self, generate: Callable[[int], np.ndarray]) -> dict[str, float]:
        """Measure `generate(count)`, uint8 [count, S, S, C]; the same images give the same numbers."""
        fakes = generate(self.count)
        draw = self._draw()
        distances, _ = sliced_wasserstein(self._real, fakes, draw, directions=QUICK_DIRECTIONS)
        features = extract(self.network, fakes)
        near = neighbourhood_measures(self.features, features)
        return {
            "frechet": frechet_distance(self.features, features),
            "sliced_wasserstein": float(np.mean(list(distances.values()))),
            "precision": near["precision"],
            "recall": near["recall"],
            "coverage": near["coverage"],
            "ms_ssim": float(pair_similarities(fakes, draw).mean()),
        }
