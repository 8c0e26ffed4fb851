"""Warnings about a run: the discriminator wins, the images collapse, or they become worse. Each is given once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from dcgan_tf.config import Config

# D's loss below which it wins: about 7 % of its loss where it can tell nothing, which is 1.39 for cross-entropy, 2 for
# hinge and 0.25 for lsgan. The loss of wgan_gp has no such scale.
WON = {"non_saturating": 0.1, "saturating": 0.1, "hinge": 0.1, "lsgan": 0.02}
DECAY = 0.98  # per step, of the moving average of D's loss: single batches vary
PASSING = 200  # steps: D wins the first hundred in most runs, then G catches up
LASTING = 200  # consecutive steps: longer than D wins in a healthy run
DRAWS_SOMETHING = 1000  # steps: before, all images are alike because G has learned little (MS-SSIM 0.94 after 300)
ALIKE = 0.25  # MS-SSIM above that of real images; a healthy run was 0.19 above after 1,000 steps, and falling
LOOKS_REAL = 0.05  # precision: while no image looks real, a recall of 0 says nothing about the variety
WORSE = 1.5  # times the best Fréchet distance: far more than it varies between measurements
WORSE_ON_END = 3  # consecutive measurements


class Health:
    """Returns at most one warning per problem.

    Args:
      config: the run's.
      past: `read_metrics` of the steps done before; warnings about them are not repeated.
    """

    def __init__(self, config: Config, past: dict[str, np.ndarray]):
        self._given = {f"--{name}={value}" for name, value in dataclasses.asdict(config).items()}
        self._won = WON.get(config.loss, -math.inf)
        self._d_loss, self._low = math.nan, 0  # the moving average, and for how many steps it has been low
        self._measured: list[dict[str, float]] = []
        for row in zip(*past.values()):
            metrics = dict(zip(past, row))
            self.look(int(metrics["step"]) + 1, metrics)

    def look(self, done: int, metrics: dict[str, float], real_ms_ssim: float = math.nan) -> list[str]:
        """Return the warnings that are due after `done` steps.

        Args:
          metrics: of the last step, with the scores of `QuickScores` if they were measured after it.
          real_ms_ssim: MS-SSIM of the real images.
        """
        sentences = [self._winning(done, metrics["d_loss"])]
        if math.isfinite(metrics.get("frechet", math.nan)):
            self._measured.append(metrics | {"done": done})
            sentences += [self._collapsing(real_ms_ssim), self._worsening()]
        return [f"step {done:,}: {sentence}" for sentence in sentences if sentence]

    def _winning(self, done: int, d_loss: float) -> str | None:
        self._d_loss = d_loss if math.isnan(self._d_loss) else DECAY * self._d_loss + (1 - DECAY) * d_loss
        if self._low == LASTING:  # warned before
            return None
        self._low = self._low + 1 if done > PASSING and self._d_loss < self._won else 0
        if self._low < LASTING:
            return None
        tips = self._keep_untried("more --g_steps", "a smaller --d_width", "--loss=hinge", "another --seed")
        return (
            f"the discriminator has been winning for {LASTING} steps (its mean loss is {self._d_loss:.3f}) and leaves "
            f"the generator little to learn from; if the grids no longer get better, start over with {tips}."
        )

    def _collapsing(self, real_ms_ssim: float) -> str | None:
        if not self._first_time(lambda measured: has_collapsed(measured, real_ms_ssim)):
            return None
        last = self._measured[-1]
        tips = self._keep_untried(
            "--g_steps=1", "a smaller --learning_rate", "a larger --batch_size", "--ema=0.999 for calmer samples"
        )
        return (
            f"the images show little variety (MS-SSIM {last['ms_ssim']:.2f}, {real_ms_ssim:.2f} for real ones; recall "
            f"{last['recall']:.2f}), a sign of mode collapse; take --checkpoint=best, or start over with {tips}."
        )

    def _worsening(self) -> str | None:
        if not self._first_time(gets_worse):
            return None
        best = min(self._measured, key=lambda m: m["frechet"])
        return (
            f"the last {WORSE_ON_END} Fréchet distances are above {WORSE} times the best, {best['frechet']:.1f}: "
            f"further training makes the images worse; --checkpoint=best is step {best['done']:,}."
        )

    def _first_time(self, trouble: Callable[[list], bool]) -> bool:
        """Whether there is trouble after the last measurement, and there was none after any before."""
        earlier = range(1, len(self._measured))
        return trouble(self._measured) and not any(trouble(self._measured[:n]) for n in earlier)

    def _keep_untried(self, *tips: str) -> str:
        """The tips that the run does not follow already, as a choice in words."""
        *most, last = [tip for tip in tips if tip.split()[0] not in self._given]
        return f"{', '.join(most)} or {last}"


def has_collapsed(measured: list[dict[str, float]], real_ms_ssim: float) -> bool:
    """Whether both last measurements show images that are much alike, or real-looking ones of few kinds."""

    def shows_it(m: dict[str, float]) -> bool:
        alike = m["ms_ssim"] > real_ms_ssim + ALIKE
        of_few_kinds = m["recall"] == 0 and m["precision"] >= LOOKS_REAL
        return m["done"] >= DRAWS_SOMETHING and (alike or of_few_kinds)

    return len(measured) >= 2 and all(map(shows_it, measured[-2:]))


def gets_worse(measured: list[dict[str, float]]) -> bool:
    """Whether the last measurements are all much worse than the best, which then is one before them."""
    best = min(m["frechet"] for m in measured)
    return all(m["frechet"] > WORSE * best for m in measured[-WORSE_ON_END:])
