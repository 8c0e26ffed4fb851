"""The metrics by name, and the result of an evaluation: as a table, JSON and CSV. No TensorFlow is needed here."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass

import numpy as np

from dcgan_tf.metrics.memorisation import Nearest
from dcgan_tf.metrics.neighbours import K_DENSITY

LEAST_IMAGES = 4 * K_DENSITY  # half of them must still have a fifth neighbour
HALVES = 5  # random halves of both sets, for the spread


@dataclass(frozen=True)
class Metric:
    """How a metric is shown.

    Attributes:
      title: its name in a table.
      better: "lower", "higher", or "as real" where neither end is good.
      decimals: digits worth printing.
    """

    title: str
    better: str
    decimals: int


METRICS = {
    "sliced_wasserstein": Metric("sliced Wasserstein distance x1e3", "lower", 1),
    "frechet": Metric("Fréchet distance, random features", "lower", 2),
    "kernel": Metric("kernel distance x1e3, random features", "lower", 1),
    "precision": Metric("precision (k=3)", "higher", 3),
    "recall": Metric("recall (k=3)", "higher", 3),
    "density": Metric("density (k=5)", "higher", 3),
    "coverage": Metric("coverage (k=5)", "higher", 3),
    "ms_ssim": Metric("MS-SSIM of random pairs", "as real", 3),
    "copying": Metric("nearer to the training set than unseen images", "as real", 3),
    "fid": Metric("FID, Inception-2015", "lower", 2),
    "kid": Metric("KID x1e3, Inception-2015", "lower", 1),
}


@dataclass(frozen=True)
class Measured:
    """A value, and its standard error over samples of this size."""

    value: float
    spread: float


@dataclass(frozen=True)
class Column:
    """One comparison with the real training images.

    Attributes:
      what: "generated", "measured" (images of a folder) or "held out" (real ones).
      count: images on each side.
      metrics: by their names in `METRICS`.
    """

    what: str
    count: int
    metrics: dict[str, Measured]


@dataclass(frozen=True)
class Evaluation:
    """The result.

    Attributes:
      about: what was compared, with what: names, seed, networks.
      columns: the generated images; the same at the held-out set's size, if that is smaller; the held-out real images.
      fakes, unseen: the images, uint8 [N, S, S, C] (`unseen`: the held-out ones, possibly none).
      training: all real images that could be copied, uint8 [M, S, S, C].
      fakes_nearest, unseen_nearest: the training image nearest to each.
    """

    about: dict
    columns: list[Column]
    fakes: np.ndarray
    unseen: np.ndarray
    training: np.ndarray
    fakes_nearest: Nearest
    unseen_nearest: Nearest | None

    def table(self) -> str:
        """What was compared, and the metrics as lines of text, value and standard error for each column."""
        about = self.about
        source = f"{about['run']}, step {about['step']:,}" if "run" in about else about["images"]
        size, held_out = about["image_size"], f"{about['real_held_out']:,} held out by {about['split']}"
        prepared = f"{size}x{size}x{about['channels']}, crop {about['crop']}"
        heads = [f"{c.what} (N={c.count:,})" for c in self.columns]
        width = max(len(METRICS[name].title) for name in self.columns[0].metrics)
        lines = [f"{source} against {about['real']} ({prepared}; {held_out}); seed {about['seed']}"]
        lines += [" " * width + "".join(f"  {head:>22}" for head in heads) + "  better"]
        for name in self.columns[0].metrics:
            metric = METRICS[name]
            cells = [
                f"{_shown(c.metrics[name], metric.decimals) if name in c.metrics else '-':>22}" for c in self.columns
            ]
            lines.append(f"{metric.title:<{width}}  {'  '.join(cells)}  {metric.better}")
        return "\n".join(lines)

    def to_json(self) -> str:
        columns = [asdict(column) for column in self.columns]
        return json.dumps(self.about | {"columns": columns}, indent=2) + "\n"

    def to_csv(self) -> str:
        """A line for each metric and column."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["metric", "images", "n", "seed", "value", "spread", "better"])
        for column in self.columns:
            for name, m in column.metrics.items():
                values = [f"{m.value:.9g}", f"{m.spread:.3g}"]
                writer.writerow([name, column.what, column.count, self.about["seed"], *values, METRICS[name].better])
        return text.getvalue()


def _shown(measured: Measured, decimals: int) -> str:
    return f"{measured.value:.{decimals}f} ± {measured.spread:.{decimals}f}"
