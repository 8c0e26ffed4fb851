"""The time until images are as good as those of the article's recipe after 1,500 steps.

    python -m experiments.recipes.time_to_quality --data_dir=PATH    # hours on two cores; makes what is missing

Each variant is trained on the same images. Every 100 steps 1,000 images of the same z are compared with 1,000 training
images. A variant's seconds are its steps times its step time. Step times are measured interleaved in one process
afterwards (`--times` measures them anew), so the training may run beside other work. Measuring is not counted.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.errors import UserError

FLAGS = absl_flags.FLAGS
cli.define("data_dir", "data/driving_sim", "a driving set in Sully Chen's layout")
cli.define("cache_dir", "data/packed", "folder for decoded images")
cli.define("only", "", "one variant; empty: all, starting with the article")
cli.define("steps", 1500, "steps of the article's recipe, which set the aim")
cli.define("most_steps", 4500, "steps after which another variant gives up")
cli.define("every", 100, "steps between measurements")
cli.define("seed", 0, "seed of the networks, the order of images, and z")
cli.define("times", False, "measure the step times anew")
cli.define("figure", "experiments/recipes/figures/time_to_quality.png", "PNG for the figure")
cli.define("out", "experiments/recipes/results/time_to_quality", "folder of the results: a JSON file for each variant")

VARIANTS = {"article": "article", "fast": "fast", "stable": "stable", "torch_example": "article"}  # name -> preset
TITLES = {"article": "article", "fast": "fast", "stable": "stable", "torch_example": "PyTorch's examples/dcgan"}


def make_config(variant: str):
    import dcgan_tf

    data = {"dataset": "sully_chen", "data_dir": FLAGS.data_dir, "cache_dir": FLAGS.cache_dir, "seed": FLAGS.seed}
    own = {"g_steps": 1} if variant == "torch_example" else {}
    return dcgan_tf.preset(VARIANTS[variant], **data, **own)


class Ours:
    """A DCGAN of the package with the peers' interface: called with batches and step, it returns losses."""

    def __init__(self, config):
        from dcgan_tf.distributed.replicas import compile_train_step
        from dcgan_tf.gan.dcgan import DCGAN

        self.gan = DCGAN(config)
        self._train_step = compile_train_step(self.gan)

    def __call__(self, batches, step):
        from dcgan_tf.backend import tf
        from dcgan_tf.batch import Batch

        metrics = self._train_step(Batch.unlabelled(batches), tf.constant(step, tf.int64))
        return {name: float(value) for name, value in metrics.items()}

    def generate(self, n: int, seed: int) -> np.ndarray:
        return self.gan.generate(n, seed)


def make_gan(variant: str):
    config = make_config(variant)
    if variant != "torch_example":
        return Ours(config)
    from experiments.framework.peers import TorchExample

    return TorchExample(config)


def train(variant: str, aim: float | None) -> dict:
    """Train until the sliced Wasserstein distance is at most `aim`; None: for `--steps`. Returns all measurements."""
    from dcgan_tf.batch import Batch
    from dcgan_tf.console import progress, say
    from dcgan_tf.datasets.batching import batches
    from dcgan_tf.datasets.packing import open_packed
    from dcgan_tf.metrics.comparison import QuickScores
    from experiments.framework.random_features import RandomFeatures

    config = make_config(variant)
    training = open_packed(config).training
    scores, gan = QuickScores(training, seed=0, network=RandomFeatures()), make_gan(variant)
    steps = FLAGS.most_steps if aim else FLAGS.steps
    data, measured = batches(Batch.unlabelled(training), config, 0, steps), []
    for step in progress(range(steps), variant, unit="steps"):
        gan(next(data).images, step)
        if (step + 1) % FLAGS.every == 0:
            measured.append({"steps": step + 1} | scores(lambda n: gan.generate(n, seed=1)))
            say(f"{variant}, step {step + 1:,}: sliced Wasserstein {measured[-1]['sliced_wasserstein']:.1f}")
            if aim and measured[-1]["sliced_wasserstein"] <= aim:
                break
    return {"variant": variant, "seed": FLAGS.seed, "measured": measured}


def measure_step_times(rounds: int = 8, steps: int = 3) -> dict[str, list[float]]:
    """Measure the seconds per step of each variant, in turns in this process: one value a round."""
    from dcgan_tf.backend import tf
    from experiments.framework.timing import time_interleaved

    def make_turn(variant: str):
        gan, config = make_gan(variant), make_config(variant)
        shape = (config.d_steps, config.batch_size, config.image_size, config.image_size, config.channels)
        batch = tf.constant(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
        return lambda count: [gan(batch, step) for step in range(count)]

    return time_interleaved({variant: make_turn(variant) for variant in VARIANTS}, rounds, steps)


def main() -> None:
    if FLAGS.only not in ("", *VARIANTS):
        raise UserError(f"--only={FLAGS.only}: it can be {', '.join(VARIANTS)}.")
    from dcgan_tf.files import write_text

    out = Path(FLAGS.out)
    aim = None
    for variant in VARIANTS:
        file = out / f"{variant}-{FLAGS.seed}.json"
        if not file.exists() and FLAGS.only in ("", variant):
            write_text(file, json.dumps(train(variant, aim), indent=1) + "\n")
        if variant == "article":
            if not file.exists():
                raise UserError(f"{file} is missing: the article's recipe, which sets the aim, must run first.")
            aim = json.loads(file.read_text())["measured"][-1]["sliced_wasserstein"]
    times_file = out / "step_times.json"
    if FLAGS.times or not times_file.exists():
        write_text(times_file, json.dumps(measure_step_times(), indent=1) + "\n")
    times = json.loads(times_file.read_text())
    seconds = {variant: float(np.median(values)) for variant, values in times.items()}
    files = {variant: out / f"{variant}-{FLAGS.seed}.json" for variant in VARIANTS}
    measured = {v: json.loads(file.read_text())["measured"] for v, file in files.items() if file.exists()}
    print(f"aim: sliced Wasserstein distance {aim:.1f}")
    for variant, rows in measured.items():
        reached = next((m["steps"] for m in rows if m["sliced_wasserstein"] <= aim), None)
        last = f"not in {rows[-1]['steps']:,} steps, {rows[-1]['steps'] * seconds[variant]:,.0f} s"
        when = f"{reached:,} steps, {reached * seconds[variant]:,.0f} s" if reached else last
        print(f"{variant:14s} {seconds[variant]:.3f} s/step; {when}")
    draw(measured, seconds, aim, Path(FLAGS.figure))


def draw(measured: dict[str, list[dict]], seconds: dict[str, float], aim: float, path: Path) -> None:
    """Draw the sliced Wasserstein distance over seconds of training, a line for each variant."""
    from matplotlib.figure import Figure  # pyplot would need a display

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for (variant, rows), color, marker in zip(measured.items(), ("#0072B2", "#E69F00", "#009E73", "#999999"), "osD^"):
        x = [row["steps"] * seconds[variant] for row in rows]
        y = [row["sliced_wasserstein"] for row in rows]
        title = f"{TITLES[variant]}, {seconds[variant]:.2f} s a step"
        axes.plot(x, y, color=color, marker=marker, markersize=4, label=title)
    axes.axhline(
        aim, color="black", linewidth=1, linestyle="--", label=f"article after {FLAGS.steps:,} steps: {aim:.1f}"
    )
    axes.set(
        xscale="log",
        xlabel="seconds of training (two cores)",
        ylabel="sliced Wasserstein distance x1e3 (lower is better)",
    )
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    cli.run(main, __doc__)
