"""Measurements of the generator's quality during training, against its training images."""

from __future__ import annotations

import math

import numpy as np

from dcgan_tf.console import say
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.metrics.comparison import LEAST_IMAGES, QuickScores
from dcgan_tf.training.metrics_log import format_number, frechet_distances

SEED = 1 << 31  # added to the run's seed, which is below it, so that no sample grid shows measured images


class Quality:
    """The measurements of a run.

    Args:
      real: uint8 [N, S, S, C], what is learned from.
      past: `read_metrics` of the steps done before.

    Attributes:
      frechet: steps done -> Fréchet distance, of every measurement of the run so far.
    """

    def __init__(self, real: np.ndarray, past: dict[str, np.ndarray]):
        self._real = real
        self._scores: QuickScores | None = None  # made when it is needed, as it takes a second
        self.frechet = frechet_distances(past)

    @property
    def best(self) -> int | None:
        """The steps done at the least Fréchet distance, the first of equals; None before the first measurement."""
        return min(self.frechet, key=self.frechet.__getitem__, default=None)

    @property
    def real_ms_ssim(self) -> float:
        """MS-SSIM of the real images; nan before the first measurement."""
        return self._scores.ms_ssim if self._scores else math.nan

    def measure(self, gan: DCGAN, done: int) -> dict[str, float]:
        """The scores of `gan` after `done` steps, always on images of the same z; none where the set is too small."""
        seed = gan.config.seed
        if self._scores is None:
            self._scores = QuickScores(self._real, seed)
            if not self._scores.count:
                say(f"The quality is not measured: {len(self._real)} images are too few, {LEAST_IMAGES} are needed.")
        if not self._scores.count:
            return {}
        # Rounded as in the file: a continued run, which reads them there, must choose the same best step.
        scores = {
            name: float(format_number(v)) for name, v in self._scores(lambda n: gan.generate(n, SEED + seed)).items()
        }
        self.frechet[done] = scores["frechet"]
        say(
            f"step {done:,}: Fréchet {scores['frechet']:.1f}{' (best)' if self.best == done else ''}, "
            f"sliced Wasserstein {scores['sliced_wasserstein']:.1f}, precision {scores['precision']:.2f}, "
            f"recall {scores['recall']:.2f}"
        )
        return scores
