"""The page of an evaluation: images, their metrics, and the training images nearest to them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

from dcgan_tf.console import printable
from dcgan_tf.files import replacing
from dcgan_tf.metrics.memorisation import Nearest
from dcgan_tf.metrics.results import METRICS, Evaluation
from dcgan_tf.pictures.curves import BLUE, ORANGE
from dcgan_tf.pictures.grids import make_grid

GRID = (4, 10)  # rows and columns of images of each kind
PAIRS = 10


def save_quality_page(path: Path, evaluation: Evaluation) -> None:
    """Write the page as PNG, atomically.

    From top to bottom it has: generated images beside held-out real ones; the metrics of both, at equal numbers of
    images, with standard errors; the generated images nearest to the training set above their nearest training images,
    and the held-out ones likewise. A copy shows as a pair of equal images.
    """
    from matplotlib.figure import Figure  # pyplot would look for a display

    has_real = len(evaluation.unseen) > 0
    metrics = list(evaluation.columns[-1].metrics)
    rows = 2 if len(metrics) <= 10 else 3
    figure = Figure(figsize=(13, 9.6 + 1.9 * (rows - 2)), layout="constrained")
    about = evaluation.about
    source = f"{about['run']}, step {about['step']:,}" if "run" in about else about["images"]
    # A "$" in the name of a folder starts no formula.
    figure.suptitle(printable(f"{source}  against  {about['real']}"), fontsize=12, parse_math=False)
    top, middle, bottom = np.ravel(np.asarray(figure.subfigures(3, 1, height_ratios=[2.6, 1.7 * rows, 1.9])))

    left, right = top.subplots(1, 2)
    _show(left, evaluation.fakes, evaluation.columns[0].what)
    _show(right, evaluation.unseen, "real, held out from training") if has_real else right.axis("off")

    # Only the last columns are of equal numbers of images, and so comparable.
    compared = evaluation.columns[-2:] if has_real else evaluation.columns
    panels = middle.subplots(rows, -(-len(metrics) // rows), squeeze=False).ravel()
    for panel in panels[len(metrics) :]:
        panel.axis("off")
    for panel, name in zip(panels, metrics):
        metric = METRICS[name]
        for place, column in enumerate(compared):
            m = column.metrics[name]
            colour = ORANGE if column.what == "held out" else BLUE
            panel.barh(place, m.value, xerr=m.spread, color=colour, height=0.7, error_kw={"linewidth": 1})
            number = f"{m.value:.{metric.decimals}f}" if abs(m.value) < 1e5 else f"{m.value:.3g}"
            panel.text(0.98, place, number, transform=panel.get_yaxis_transform(),
                       ha="right", va="center", fontsize=9)  # fmt: skip
        panel.set_title(
            "\n".join(
                textwrap.wrap(
                    f"{metric.title} ({metric.better}{' is better' if metric.better != 'as real' else ''})", 30
                )
            ),
            fontsize=8.5,
        )
        panel.set_yticks(range(len(compared)), [f"{c.what}\nN={c.count:,}" for c in compared], fontsize=7.5)
        panel.tick_params(axis="x", labelsize=7)
        panel.set_xlim(min(0.0, panel.get_xlim()[0]), 1.35 * panel.get_xlim()[1])  # room for the number
        panel.set_ylim(len(compared) - 0.4, -0.6)
        panel.spines[["top", "right"]].set_visible(False)

    pairs = [(evaluation.columns[0].what, evaluation.fakes, evaluation.fakes_nearest)]
    if evaluation.unseen_nearest:
        pairs.append(("held out", evaluation.unseen, evaluation.unseen_nearest))
    for axes, (what, images, near) in zip(np.atleast_1d(bottom.subplots(1, len(pairs))), pairs):
        _show_pairs(axes, what, images, evaluation.training, near)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _show(axes, images: np.ndarray, title: str) -> None:
    count = min(len(images), GRID[0] * GRID[1])
    axes.imshow(_rgb(make_grid(images[:count], GRID[1], gap=2)), interpolation="nearest")
    axes.set_title(title, fontsize=10)
    axes.axis("off")


def _show_pairs(axes, what: str, images: np.ndarray, training: np.ndarray, near: Nearest) -> None:
    closest = np.argsort(near.distance, kind="stable")[:PAIRS]
    pairs = np.concatenate([images[closest], training[near.index[closest]]])
    axes.imshow(_rgb(make_grid(pairs, len(closest), gap=2)), interpolation="nearest")
    axes.set_title(
        f"{what}, the nearest to the training set (above), and its nearest image there (below)\n"
        f"distance at 16x16 px: {near.distance[closest[0]]:.1f} to {near.distance[closest[-1]]:.1f} grey levels here, "
        f"median of all {np.median(near.distance):.1f}",
        fontsize=8.5,
    )
    axes.axis("off")


def _rgb(image: np.ndarray) -> np.ndarray:
    return np.broadcast_to(image, (*image.shape[:2], 3))
