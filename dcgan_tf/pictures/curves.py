"""Losses over training as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcgan_tf.files import replacing

# Okabe & Ito's colours: told apart by the colour-blind.
BLUE, ORANGE = "#0072B2", "#D55E00"


def save_loss_curves(path: Path, steps: np.ndarray, losses: dict[str, np.ndarray], steps_per_epoch: int, title: str):
    """Losses against the step, with the epochs marked above.

    Args:
      path: the PNG to write.
      steps: int [n], rising.
      losses: label -> float [n], at most two.
      steps_per_epoch: where an epoch ends.
      title: what run this is.
    """
    from matplotlib.figure import Figure  # without pyplot no display is looked for

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    window = max(1, len(steps) // 100)
    mean = f" (mean of {window} steps)" if window > 1 else ""
    smoothed = {label: moving_average(values, window) for label, values in losses.items()}
    for (label, values), colour in zip(losses.items(), (BLUE, ORANGE)):
        axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.6)
        axes.plot(steps, smoothed[label], color=colour, linewidth=1.8, label=f"{label}{mean}")
    # The first steps shoot far out; the picture is about the rest.
    seen = np.concatenate([values[len(values) // 50 :] for values in losses.values()])
    low, high = np.percentile(seen, [0, 99.5])
    margin = 0.05 * (high - low) or 0.1
    axes.set(xlabel="step", ylabel="loss", title=title)
    axes.set(xlim=(steps[0], steps[-1] + 1), ylim=(low - margin, high + margin))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    above = axes.secondary_xaxis("top", functions=(lambda s: s / steps_per_epoch, lambda e: e * steps_per_epoch))
    above.set_xlabel("epoch")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def moving_average(values: np.ndarray, window: int) -> np.ndarray:
    """Mean of each value and the `window` - 1 before it (fewer at the start)."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return (sums[ends] - sums[starts]) / (ends - starts)
