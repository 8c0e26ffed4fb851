"""The demo before and after: `--preset=quick` as in 0.1.0 and as it is, trained, measured, drawn side by side.

    python -m experiments.recipes.demo --packages=PATH/node_modules    # 10 minutes on two quiet cores

The one of 0.1.0 makes its 2,688 steps, the other trains for the minutes of the preset on this machine.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.config import PRESETS

FLAGS = absl_flags.FLAGS
SEED = 1  # the recipe was chosen with seed 0
# The preset of 0.1.0, as differences from `article`.
BEFORE = {
    "dataset": "synthetic_road", "crop": "square", "g_width": 32, "d_width": 16, "batch_size": 32, "g_steps": 1,
    "ema": 0.995, "epochs": 24,
}  # fmt: skip
RECIPES = {"before": BEFORE, "after": PRESETS["quick"][1]}
ROWS, COLUMNS = 5, 8


def train(name: str, packages: Path) -> tuple[dict, np.ndarray]:
    """Train one of the two and measure 1,000 of its images; returns the results and the images to show."""
    import dcgan_tf
    from dcgan_tf.datasets.packing import open_packed
    from experiments.recipes.judge import COUNT, Judge

    quiet = {"sample_every": 10**9, "evaluate_every": 0, "histogram_every": 10**9}
    where = {"data_dir": FLAGS.road_dir, "cache_dir": FLAGS.cache_dir}
    config = dcgan_tf.preset("article", **RECIPES[name] | quiet | where, seed=SEED)
    training = open_packed(config).training  # drawn first, so that the time is that of training
    started = time.perf_counter()
    run = dcgan_tf.train(config, Path(FLAGS.runs) / f"demo-{name}")
    seconds = time.perf_counter() - started
    judge = Judge(training, packages)
    result = {"steps": run.step, "seconds": seconds, "measured": judge(run.gan.generate(COUNT, 1))}
    return result | {"real_beside": judge.real_beside}, run.gan.generate(ROWS * COLUMNS, 2)


def draw(images: dict[str, np.ndarray], results: dict[str, dict], path: Path) -> None:
    """Draw both grids beside each other."""
    from matplotlib.figure import Figure

    from dcgan_tf.files import replacing
    from dcgan_tf.pictures.grids import make_grid

    figure = Figure(figsize=(11, 3.9), layout="constrained")
    for panel, (name, shown) in zip(figure.subplots(1, len(images)), images.items()):
        panel.imshow(make_grid(shown, COLUMNS))
        panel.axis("off")
        steps, frechet = results[name]["steps"], results[name]["measured"]["trained_frechet"]
        panel.set_title(f"{name}: {steps:,} steps, trained Fréchet distance {frechet:.1f}", fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="jpeg", dpi=110, pil_kwargs={"quality": 90})


def main() -> None:
    from dcgan_tf.files import write_text

    results, images = {}, {}
    for name in RECIPES:
        results[name], images[name] = train(name, Path(FLAGS.packages))
        measured = {key: round(value, 3) for key, value in results[name]["measured"].items()}
        print(f"{name}: {results[name]['steps']:,} steps, {results[name]['seconds']:.0f} s: {measured}")
    write_text(Path(FLAGS.out), json.dumps(results, indent=1) + "\n")
    draw(images, results, Path(FLAGS.figure))
    print(FLAGS.figure)


if __name__ == "__main__":
    cli.define("road_dir", "data/synthetic_road", "folder of synthetic_road; drawn if it does not exist")
    cli.define("cache_dir", "data/packed", "folder for decoded images")
    cli.define("packages", "", "folder node_modules with nsfwjs")
    cli.define("runs", "runs/recipes", "folder for the runs")
    cli.define("out", "experiments/recipes/results/demo.json", "JSON file for the results")
    cli.define("figure", "experiments/recipes/figures/demo.jpg", "JPEG for the figure")
    cli.run(main, __doc__)
