"""Plots of the losses over training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcgan_tf.console import printable
from dcgan_tf.files import replacing

# Okabe and Ito's palette: these colours remain distinct under colour blindness.
BLUE, ORANGE = "#0072B2", "#D55E00"


def save_loss_curves(
    path: Path, steps: np.ndarray, losses: dict[str, np.ndarray], steps_per_epoch: int, title: str
) -> None:
    """Plot losses against the step, with a second axis for epochs at the top.

    Args:
      path: the PNG to write.
      steps: int [n], increasing.
      losses: label -> float [n], at most two.
      steps_per_epoch: steps in an epoch.
      title: title of the plot.

    Raises:
      UserError: the disk is full or the file may not be written.
    """
    from matplotlib.figure import Figure  # pyplot would look for a display

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    window = max(1, len(steps) // 100)
    mean = f" (mean of {window} steps)" if window > 1 else ""
    smoothed = {label: moving_average(values, window) for label, values in losses.items()}
    for (label, values), colour in zip(losses.items(), (BLUE, ORANGE)):
        axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.6)
        axes.plot(steps, smoothed[label], color=colour, linewidth=1.8, label=f"{label}{mean}")
    # The losses of the first steps are far larger than the rest: they do not set the range of the y axis.
    later = np.concatenate([values[len(values) // 50 :] for values in losses.values()])
    low, high = np.percentile(later, [0, 99.5])
    margin = 0.05 * (high - low) or 0.1
    axes.set(xlabel="step", ylabel="loss")
    axes.set_title(printable(title), parse_math=False)  # a "$" in the name of a folder starts no formula
    axes.set(xlim=(steps[0], steps[-1] + 1), ylim=(low - margin, high + margin))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    epochs = axes.secondary_xaxis(
        "top",
        functions=(lambda s: np.divide(s, steps_per_epoch), lambda e: np.multiply(e, steps_per_epoch)),
    )
    epochs.set_xlabel("epoch")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def moving_average(values: np.ndarray, window: int) -> np.ndarray:
    """Compute the mean of each value and the `window` - 1 values before it (fewer at the start): float [n]."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return (sums[ends] - sums[starts]) / (ends - starts)
