"""Check that the metrics respond to damage: real images, damaged more and more, against real images of the same set.

    python -m experiments.metrics.checks --real=PATH

There are four kinds of damage, each from none to much: blur, noise, dropped modes (only a part of the drive is left)
and copies of training images among fresh ones. The command writes a figure and a JSON file.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from absl import flags as absl_flags
from PIL import Image, ImageFilter

from dcgan_tf import cli

FLAGS = absl_flags.FLAGS
cli.define("real", "data/driving_sim", "folder of real images, in time order if it is a driving set")
cli.define("num_images", 500, "images on each side")
cli.define("cache_dir", "data/packed", "folder for decoded images")
cli.define("seed", 0, "determines which images are drawn")
cli.define(
    "out", "experiments/metrics/results/checks.png", "PNG for the figure; the numbers are written beside it as .json"
)

# Kind of damage -> its strengths, and their unit.
DAMAGE = {
    "blur": ([0.0, 0.5, 1.0, 2.0, 4.0], "Gaussian blur, sigma in pixels"),
    "noise": ([0.0, 5.0, 10.0, 20.0, 40.0], "noise, sigma in grey levels"),
    "modes dropped": ([0.0, 0.25, 0.5, 0.75, 0.9], "share of the drive left out"),
    "copies": ([0.0, 0.25, 0.5, 0.75, 1.0], "share of copied training images"),
}


def damage(kind: str, strength: float, fresh: np.ndarray, copied: np.ndarray, draw) -> np.ndarray:
    """Damage `fresh` images, uint8 [n, S, S, C], in one way; `copied` are the training images to copy."""
    if kind == "blur":
        return np.stack([np.asarray(Image.fromarray(i).filter(ImageFilter.GaussianBlur(strength))) for i in fresh])
    if kind == "noise":
        return np.clip(np.rint(fresh + draw.normal(0, 1, fresh.shape) * strength), 0, 255).astype(np.uint8)
    n = len(fresh)
    if kind == "modes dropped":  # fresh images are in time order, so their first part is one stretch of the drive
        return fresh[draw.integers(0, max(1, round(n * (1 - strength))), n)] if strength else fresh
    copies = draw.permutation(n) < round(strength * n)
    return np.where(copies[:, None, None, None], copied[draw.permutation(n)], fresh)


def measure(images: np.ndarray, count: int, seed: int) -> dict:
    """Measure all metrics for every damage: {kind: [{metric: {value, spread}} for each strength]}."""
    from dcgan_tf.console import Progress
    from dcgan_tf.evaluation.sets import draw_rows
    from dcgan_tf.metrics.comparison import Sample, compare
    from dcgan_tf.metrics.features import FaultFeatures, extract
    from dcgan_tf.metrics.memorisation import find_nearest
    from dcgan_tf.metrics.results import HALVES

    network = FaultFeatures()
    training, fresh, unseen = (images[np.sort(rows)] for rows in np.split(draw_rows(len(images), 3 * count, seed), 3))

    def sample(x: np.ndarray) -> Sample:
        return Sample(x, extract(network, x), find_nearest(x, training).distance)

    reference, unseen_distances = sample(training), find_nearest(unseen, training).distance
    results = {}
    with Progress("measuring", sum((1 + HALVES) * len(s) for s, _ in DAMAGE.values()), "rounds") as shown:
        for kind, (strengths, _) in DAMAGE.items():
            results[kind] = []
            for strength in strengths:
                x = damage(kind, strength, fresh, training, np.random.default_rng(seed))
                found = compare(reference, sample(x), unseen_distances, seed, shown)
                results[kind].append({name: {"value": m.value, "spread": m.spread} for name, m in found.items()})
    return results


def draw_figure(path: Path, results: dict, count: int, what: str) -> None:
    """Draw a row for each metric and a column for each kind of damage."""
    from matplotlib.figure import Figure

    from dcgan_tf.files import replacing
    from dcgan_tf.metrics.results import METRICS
    from dcgan_tf.pictures.curves import BLUE

    names = list(next(iter(results.values()))[0])
    figure = Figure(figsize=(11, 1.55 * len(names) + 0.6), layout="constrained")
    figure.suptitle(f"Metrics of damaged real images ({what}, N = {count}): value ± standard error")
    axes = figure.subplots(len(names), len(DAMAGE), squeeze=False, sharey="row")
    for r, name in enumerate(names):
        metric = METRICS[name]
        for c, (kind, (strengths, unit)) in enumerate(DAMAGE.items()):
            panel = axes[r, c]
            values = [found[name]["value"] for found in results[kind]]
            panel.errorbar(
                strengths, values, [found[name]["spread"] for found in results[kind]], color=BLUE, marker="o", ms=4
            )
            panel.grid(alpha=0.3)
            panel.tick_params(labelsize=7)
            if c == 0:
                short = metric.title.replace(", ", ",\n").replace(" of random", "\nof random")
                short = short.replace(" distance x1e3", "\ndistance x1e3").replace(
                    "nearer to the training set than", "nearer to training\nset than"
                )
                panel.set_ylabel(f"{short}\n({metric.better})", fontsize=7.5)
            if r == 0:
                panel.set_title(kind, fontsize=10)
            if r == len(names) - 1:
                panel.set_xlabel(unit, fontsize=8)
    for row, name in zip(axes, names):  # values from nearly 0 to hundreds: a square root shows both ends
        if name in ("sliced_wasserstein", "frechet", "kernel"):
            row[0].set_yscale(
                "function", functions=(lambda v: np.sign(v) * np.sqrt(np.abs(v)), lambda v: np.sign(v) * v**2)
            )
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def main() -> None:
    import dcgan_tf
    from dcgan_tf.datasets.packing import open_packed
    from dcgan_tf.errors import UserError
    from dcgan_tf.files import write_text

    dataset = "sully_chen" if (Path(FLAGS.real) / "data.txt").exists() else "folder"
    config = dcgan_tf.preset("article", dataset=dataset, data_dir=FLAGS.real, cache_dir=FLAGS.cache_dir, held_out=0.0)
    images = open_packed(config).images
    if FLAGS.num_images < 20 or 3 * FLAGS.num_images > len(images):
        raise UserError(
            f"--num_images={FLAGS.num_images}: it can be from 20 to {len(images) // 3}, a third of the set."
        )
    results = measure(images, FLAGS.num_images, FLAGS.seed)
    path = Path(FLAGS.out)
    write_text(
        path.with_suffix(".json"), json.dumps({"n": FLAGS.num_images, "seed": FLAGS.seed} | results, indent=1) + "\n"
    )
    draw_figure(path, results, FLAGS.num_images, Path(FLAGS.real).name)
    print(path)


if __name__ == "__main__":
    cli.run(main, __doc__)
