"""The numbers that a run records: the one list behind `metrics.csv`, TensorBoard and the train step."""

from __future__ import annotations

from typing import NamedTuple


class RunMetric(NamedTuple):
    """One recorded number.

    Attributes:
      name: its column in `metrics.csv`.
      tag: its name in TensorBoard, which groups by the part before the slash.
    """

    name: str
    tag: str


# Of every step, from the last update of each network. sigma(D(x)) is D's probability of "real".
STEP_METRICS = (
    RunMetric("d_loss", "loss/discriminator"),  # the sum of the terms of D's loss
    RunMetric("g_loss", "loss/generator"),
    RunMetric("d_loss_real", "loss_parts/discriminator_on_real"),
    RunMetric("d_loss_fake", "loss_parts/discriminator_on_fake"),
    RunMetric("d_x", "probability_of_real/D(x)"),  # mean sigma(D(x)) over real images
    RunMetric("d_g_z", "probability_of_real/D(G(z))"),  # mean sigma(D(G(z))) in D's update
    RunMetric("d_grad_norm", "gradient_norm/discriminator"),  # L2 norm over all weights
    RunMetric("g_grad_norm", "gradient_norm/generator"),
)
# Of generated images against real ones, after the steps that `--evaluate_every` names.
SCORES = (
    RunMetric("frechet", "quality/frechet_fault_features"),
    RunMetric("sliced_wasserstein", "quality/sliced_wasserstein"),
    RunMetric("precision", "quality/precision"),
    RunMetric("recall", "quality/recall"),
    RunMetric("coverage", "quality/coverage"),
    RunMetric("ms_ssim", "quality/ms_ssim"),
)
STEP_NAMES = tuple(metric.name for metric in STEP_METRICS)
SCORE_NAMES = tuple(metric.name for metric in SCORES)
