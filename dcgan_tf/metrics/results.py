"""The metrics by name, and the result of an evaluation as a table, JSON and CSV. TensorFlow is not imported here."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass

import numpy as np

from dcgan_tf.metrics.memorisation import Nearest
from dcgan_tf.metrics.neighbours import K_DENSITY

LEAST_IMAGES = 4 * K_DENSITY  # so that half of them still have a fifth neighbour
HALVES = 5  # random halves of both sets, for the standard error


@dataclass(frozen=True)
class Metric:
    """How a metric is printed.

    Attributes:
      title: its name in a table.
      better: "lower", "higher", or "as real" if neither extreme is good.
      decimals: the number of decimals to print.
    """

    title: str
    better: str
    decimals: int


METRICS = {
    "sliced_wasserstein": Metric("sliced Wasserstein distance x1e3", "lower", 1),
    "frechet": Metric("Fréchet distance, fault features", "lower", 2),
    "kernel": Metric("kernel distance x1e3, fault features", "lower", 1),
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
    """The result of an evaluation.

    Attributes:
      about: the names of the sets, the seed and the networks.
      columns: of the generated images; of the same at the size of the held-out set, if that is smaller; of the held-out
        real images.
      fakes, unseen: the generated and the held-out images, uint8 [N, S, S, C]; `unseen` may be empty.
      training: all real images that could have been copied, uint8 [M, S, S, C].
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
        """Format the result as text: the sets compared, and a line per metric with value and standard error."""
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
                f"{_format(c.metrics[name], metric.decimals) if name in c.metrics else '-':>22}" for c in self.columns
            ]
            lines.append(f"{metric.title:<{width}}  {'  '.join(cells)}  {metric.better}")
        return "\n".join(lines)

    def to_json(self) -> str:
        columns = [asdict(column) for column in self.columns]
        return json.dumps(self.about | {"columns": columns}, indent=2) + "\n"

    def to_csv(self) -> str:
        """Format the result as CSV, a line for each metric and column."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["metric", "images", "n", "seed", "value", "spread", "better"])
        for column in self.columns:
            for name, m in column.metrics.items():
                values = [f"{m.value:.9g}", f"{m.spread:.3g}"]
                writer.writerow([name, column.what, column.count, self.about["seed"], *values, METRICS[name].better])
        return text.getvalue()


def _format(measured: Measured, decimals: int) -> str:
    return f"{measured.value:.{decimals}f} ± {measured.spread:.{decimals}f}"
