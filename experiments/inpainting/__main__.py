"""The search for z with other restarts, objectives, optimisers, rates and norms, on a run's held-out images.

    python -m experiments.inpainting --run=runs/lfw-stable                    # all parts, 64 images
    python -m experiments.inpainting --run=runs/lfw-stable --only=restarts --iterations=200

Parts: `restarts` (1, 4, 16 starts), `settings` (the slides', the paper's and the non-saturating objective, Adam and
momentum), `rates`, `norm` (the weight of the density of |z|), `iterations`, `descent` (the loss of the best start over
the iterations, median over images), `recovery` (of images that G drew), `speed` (all images in one batch against one
after the other, and the share of the speed of TensorFlow's matrix product). The hole is the centre; PSNR is measured in
the hole after blending.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.errors import UserError
from experiments.framework import timing

FLAGS = absl_flags.FLAGS
cli.define("run", "", "folder of the run (default: the newest in runs/)")
cli.define("num_images", 64, "number of held-out images")
cli.define("iterations", 500, "iterations of each search")
cli.define("only", "", "parts, separated by commas; empty: all")
cli.define("rounds", 5, "rounds of `speed`; in each, every form takes its turn")
cli.define(
    "output",
    "experiments/inpainting/results/inpainting.json",
    "JSON file for the results; parts that are not asked for stay in it",
)
cli.define("figure", "experiments/inpainting/results/inpainting_descent.png", "PNG for `descent`")

RESTARTS = 4
RATES = {"adam": (0.003, 0.01, 0.03, 0.1, 0.3), "momentum": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)}
NORM_WEIGHTS = (0.0, 0.1, 1.0, 10.0, 100.0)
PIECE = 20  # iterations of one turn of `speed`


class Study:
    """Searches over the same images, with the same hole and the same starts."""

    def __init__(self, gan, images: np.ndarray, known: np.ndarray, iterations: int):
        self.gan, self.images, self.known, self.iterations = gan, images, known, iterations

    def search_and_score(self, label: str, objective="paper", restarts: int = RESTARTS, **settings) -> dict:
        """One row: search and score the completions."""
        from dcgan_tf.inpainting.blending import blend
        from dcgan_tf.inpainting.scores import compute_scores
        from dcgan_tf.inpainting.search import search

        started = time.perf_counter()
        settings = {"iterations": self.iterations} | settings
        found = search(self.gan, self.images, self.known, objective, restarts=restarts, **settings)
        seconds = time.perf_counter() - started
        proposals = self.gan.decode(found.z)
        near = np.abs(proposals.astype(float) - self.images).mean(axis=3)
        values = compute_scores(self.images, blend(self.images, proposals, self.known, "poisson"), self.known)
        return {
            "label": label,
            "psnr_hole": _spread(values["psnr_hole"]),
            "ssim_hole": _spread(values["ssim_hole"]),
            "l1_known": float(near[self.known].mean()),
            "norm_of_z": float(np.linalg.norm(found.z, axis=1).mean()),
            "loss": float(np.median(found.loss)),
            "seconds": seconds,
        }

    def vary_restarts(self) -> list[dict]:
        return [self.search_and_score(f"{count} start{'s' * (count > 1)}", restarts=count) for count in (1, 4, 16)]

    def vary_settings(self) -> list[dict]:
        from dcgan_tf.inpainting.options import LossName, OptimizerName

        kinds = [(loss, optimizer) for loss in get_args(LossName) for optimizer in get_args(OptimizerName)]
        return [self.search_and_score(f"{loss}, {optimizer}", loss, optimizer=optimizer) for loss, optimizer in kinds]

    def vary_rates(self) -> list[dict]:
        kinds = [(optimizer, rate) for optimizer, rates in RATES.items() for rate in rates]
        return [self.search_and_score(f"{kind} {rate:g}", optimizer=kind, learning_rate=rate) for kind, rate in kinds]

    def vary_norm(self) -> list[dict]:
        from dcgan_tf.inpainting.search import OBJECTIVES

        if self.gan.config.latent == "uniform":
            return []  # such z are clipped, and their norm has no weight
        kinds = {f"norm weight {w:g}": dataclasses.replace(OBJECTIVES["paper"], norm_weight=w) for w in NORM_WEIGHTS}
        return [self.search_and_score(label, objective) for label, objective in kinds.items()]

    def vary_iterations(self) -> list[dict]:
        return [self.search_and_score(f"{count} iterations", iterations=count) for count in (50, 100, 200, 500, 1000)]

    def follow_descent(self) -> list[dict]:
        """The median over images of the best start's loss, and how often it rises between marks 25 iterations apart."""
        from dcgan_tf.inpainting.search import search

        found = search(self.gan, self.images, self.known, restarts=RESTARTS, iterations=self.iterations)
        best = np.take_along_axis(found.history, found.best[None, :, None], axis=2)[:, :, 0]
        quartiles = np.percentile(best, (25, 50, 75), axis=1)
        marks = quartiles[1, ::25]
        rises = int((np.diff(marks) > 0).sum())
        _draw(quartiles, Path(FLAGS.figure))
        return [{"label": "median of the best start", "rises": rises, "marks": [float(value) for value in marks]}]

    def recover_generated(self) -> list[dict]:
        """Complete images that G drew: is a z found whose image is the same in the hole too?"""
        from dcgan_tf.inpainting.scores import compute_scores
        from dcgan_tf.inpainting.search import search

        images = self.gan.generate(min(8, len(self.images)), seed=1)
        known, rows = self.known[: len(images)], []
        for objective in ("slides", "paper"):
            found = search(self.gan, images, known, objective, restarts=16, iterations=self.iterations)
            psnr = compute_scores(images, self.gan.decode(found.z), known)["psnr_image"]
            over = float((psnr > 30).mean())
            rows.append(
                {"label": objective, "psnr_image": _spread(psnr), "least": float(psnr.min()), "over_30_dB": over}
            )
        return rows

    def measure_speed(self) -> list[dict]:
        """Time all searches in one batch, image by image and start by start; also the share of the peak."""
        from dcgan_tf.inpainting.masks import importance
        from dcgan_tf.inpainting.search import LEARNING_RATES, OBJECTIVES, Search
        from experiments.framework.flop import search_flop

        config, count = self.gan.config, len(self.images)
        weights = np.stack([importance(known) for known in self.known])

        def make_turn(images: int, starts: int) -> Callable[[int], None]:
            one = Search(
                self.gan, OBJECTIVES["paper"], "adam", LEARNING_RATES["adam"], 3 * PIECE, images * starts, False
            )
            z = self.gan.sample_latents(images * starts)
            given = [np.repeat(values[:images], starts, axis=0) for values in (self.images, weights)]
            return lambda times: one.run(z, *given, times * PIECE)

        product = timing.make_product("tf", config.precision)
        variants = {
            "together": make_turn(count, RESTARTS),
            "image": make_turn(1, RESTARTS),
            "start": make_turn(1, 1),
            "product": lambda times: product(10 * times),
        }
        seconds = timing.time_interleaved(variants, FLAGS.rounds, 3)
        together, image, start = (np.array(seconds[name]) / PIECE for name in ("together", "image", "start"))
        peak = 2 * timing.matrix_side() ** 3 * 10 / np.median(seconds["product"])
        flop = search_flop(config) / config.batch_size * count * RESTARTS
        return [
            {
                "label": f"{count} images x {RESTARTS} starts",
                "seconds_of_500_iterations": _spread(500 * together),
                "times_faster_than_image_by_image": _spread(image * count / together),
                "times_faster_than_start_by_start": _spread(start * RESTARTS * count / together),
                "of_peak": float(flop / np.median(together) / peak),
                "peak_gflop_per_second": float(peak / 1e9),
            }
        ]


PARTS: dict[str, Callable[[Study], list[dict]]] = {
    "restarts": Study.vary_restarts,
    "settings": Study.vary_settings,
    "rates": Study.vary_rates,
    "norm": Study.vary_norm,
    "iterations": Study.vary_iterations,
    "descent": Study.follow_descent,
    "recovery": Study.recover_generated,
    "speed": Study.measure_speed,
}


def _spread(values) -> list[float]:
    """[mean, standard deviation]."""
    return [float(np.mean(values)), float(np.std(values))]


def _draw(quartiles: np.ndarray, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes, steps = figure.subplots(), np.arange(quartiles.shape[1])
    axes.fill_between(steps, quartiles[0], quartiles[2], color="#0072B2", alpha=0.25, label="quartiles of the images")
    axes.plot(steps, quartiles[1], color="#0072B2", label="median of the images")
    axes.set(xlabel="iteration", ylabel="objective of the best start", yscale="log")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def table(rows: list[dict]) -> str:
    """A table in Markdown with a column for each figure."""
    if not rows:
        return "(nothing to vary)"
    names = [name for name in rows[0] if name != "marks"]
    lines = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |", "|---" * len(names) + "|"]

    def format_value(value) -> str:
        if isinstance(value, list):
            return f"{value[0]:.4g} ± {value[1]:.2g}"
        return value if isinstance(value, str) else f"{value:.4g}"

    return "\n".join([*lines, *("| " + " | ".join(format_value(row[name]) for name in names) + " |" for row in rows)])


def main() -> None:
    parts = FLAGS.only.split(",") if FLAGS.only else list(PARTS)
    for part in parts:
        if part not in PARTS:
            raise UserError(f"--only={part}: it can be {', '.join(PARTS)}.")
    from dcgan_tf.datasets.packing import open_packed
    from dcgan_tf.files import write_text
    from dcgan_tf.inpainting import masks
    from dcgan_tf.inpainting.inputs import draw_held_out_images
    from dcgan_tf.inpainting.options import InpaintOptions
    from dcgan_tf.training import loading

    gan, step = loading.load_with_step(FLAGS.run or None, "last")
    options = InpaintOptions(run=FLAGS.run, num_images=FLAGS.num_images, iterations=FLAGS.iterations)
    images = np.stack([r.network_input() for r in draw_held_out_images(open_packed(gan.config), gan.config, options)])
    known = np.broadcast_to(masks.make("centre", gan.config.image_size), images.shape[:3])
    study, output = Study(gan, images, known, FLAGS.iterations), Path(FLAGS.output)
    results = json.loads(output.read_text()) if output.exists() else {}
    for part in parts:
        results[part] = {"step": step, "images": len(images), "rows": PARTS[part](study)}
        print(f"\n{part}\n{table(results[part]['rows'])}", flush=True)
        write_text(output, json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    cli.run(main, __doc__)
