"""The study behind the `stable` preset: which training tricks help a DCGAN in equal wall-clock time.

    python -m experiments.recipes --driving_dir=PATH --lfw_dir=PATH        # all stages; continues where it stopped
    python -m experiments.recipes --stage=screen --seconds=20 --out=PATH   # a shorter stage

Equal wall-clock time is converted to steps: the step time of every variant is measured first, interleaved in one
process, and each run gets as many steps as fit into the budget. Other work on the machine then does not change the
result.

Stages: `screen` adds every trick alone to one base, on two sets at small size and width; `third_set` repeats those that
helped on a third set. `combine` puts together what helped, and `seeds` repeats the base and the best combination.
`precision` compares float32 and bfloat16 at equal steps with three seeds. `confirm` compares the `stable` recipe with
the article's at full size and width. Every run keeps an averaged generator besides the raw one; both are measured.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.config import PRESETS
from dcgan_tf.errors import UserError

FLAGS = absl_flags.FLAGS
cli.define("driving_dir", "data/driving_sim", "a driving set in Sully Chen's layout")
cli.define("lfw_dir", "data/lfw", "LFW, with a folder for each person")
cli.define("road_dir", "data/synthetic_road", "folder of synthetic_road; drawn if it does not exist")
cli.define("cache_dir", "data/packed", "folder for decoded images")
cli.define("stage", "", "screen, third_set, combine, seeds, precision, confirm or confirm_seed; empty: all in turn")
cli.define("seconds", 0.0, "wall-clock budget of a run; 0: the stage's own")
cli.define(
    "out", "experiments/recipes/results", "folder of the results: a JSON file and a grid for each run, and a table"
)
cli.define("figures", "experiments/recipes/figures", "folder for the figures of the stages")

EMA = 0.99  # for short runs: it averages over about 100 steps
BASE = {"g_steps": 1, "precision": "bfloat16"}


@dataclass(frozen=True)
class Variant:
    """Settings of `Config` and parts of `experiments.recipes.parts` that differ from the article's recipe."""

    title: str
    settings: dict = field(default_factory=dict)
    parts: dict = field(default_factory=dict)


VARIANTS = {
    "article": Variant("article: float32, 1D:2G"),
    "fast": Variant("bfloat16, 1D:2G", {"precision": "bfloat16"}),
    "base": Variant("base: bfloat16, 1D:1G", BASE),
    "smoothing": Variant("base + label smoothing 0.1", BASE, {"label_smoothing": 0.1}),
    "translate": Variant("base + DiffAugment translation", BASE, {"augment": "translation"}),
    "spectral": Variant("base + spectral norm in place of BN", BASE, {"spectral": "without_bn"}),
    "ttur": Variant("base + D 4e-4, G 1e-4 (TTUR)", BASE, {"d_learning_rate": 4e-4, "g_learning_rate": 1e-4}),
    "rate_4e-4": Variant("base + both 4e-4", BASE | {"learning_rate": 4e-4}),
    "resize": Variant("base + resize-convolutions 3x3", BASE | {"upsampling": "resize"}),
    "batch_32": Variant("base + batch 32", BASE | {"batch_size": 32}),
    "batch_128": Variant("base + batch 128", BASE | {"batch_size": 128}),
    "narrow_d": Variant("base + D of half the width", BASE | {"d_width": 0.5}),
    "wider": Variant("base + 1.5 times the width", BASE | {"g_width": 1.5, "d_width": 1.5}),
}
SINGLE = tuple(VARIANTS)
TWO = BASE | {"learning_rate": 4e-4}
VARIANTS |= {
    "rate_32": Variant("base + 4e-4, batch 32", TWO | {"batch_size": 32}),
    "two": Variant("base + 4e-4, translation", TWO, {"augment": "translation"}),
    "three": Variant("base + 4e-4, translation, batch 32", TWO | {"batch_size": 32}, {"augment": "translation"}),
    "four": Variant(
        "base + 4e-4, translation, batch 32, resize-convolutions",
        TWO | {"batch_size": 32, "upsampling": "resize"}, {"augment": "translation"},
    ),
    "stable": Variant("the preset stable", PRESETS["stable"][1]),
}  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """Runs of some variants on all `sets` with all `seeds`, at one size and width, for `seconds` or `steps` each."""

    variants: tuple[str, ...]
    image_size: int
    width: int
    seconds: float = 0.0
    steps: int = 0
    seeds: tuple[int, ...] = (0,)
    sets: tuple[str, ...] = ("driving_sim", "lfw", "synthetic_road")


STAGES = {
    "screen": Stage(SINGLE, 32, 16, seconds=40, sets=("driving_sim", "lfw")),
    "third_set": Stage(
        ("article", "fast", "base", "translate", "rate_4e-4", "resize", "batch_32"), 32, 16, seconds=40,
        sets=("synthetic_road",),
    ),
    "combine": Stage(("rate_32", "two", "three", "four"), 32, 16, seconds=40),
    "seeds": Stage(("base", "four"), 32, 16, seconds=40, seeds=(1, 2), sets=("driving_sim", "lfw")),
    "precision": Stage(("article", "fast"), 32, 32, steps=500, seeds=(0, 1, 2), sets=("driving_sim", "lfw")),
    "confirm": Stage(("article", "stable"), 64, 64, seconds=240, sets=("driving_sim", "lfw")),
    "confirm_seed": Stage(("article", "stable"), 64, 64, seconds=240, seeds=(1,), sets=("driving_sim",)),
}  # fmt: skip


def make_config(variant: str, dataset: str, stage: Stage, seed: int):
    """The config of one run. The widths of a variant are factors of the stage's."""
    import dcgan_tf

    settings = {"ema": EMA} | VARIANTS[variant].settings
    for name in ("g_width", "d_width"):
        settings[name] = round(settings.get(name, 1.0) * stage.width)
    where = {
        "driving_sim": ("sully_chen", FLAGS.driving_dir),
        "lfw": ("lfw", FLAGS.lfw_dir),
        "synthetic_road": ("synthetic_road", FLAGS.road_dir),
    }
    loader, folder = where[dataset]
    crop = "square" if dataset == "synthetic_road" else "auto"
    data = {"dataset": loader, "data_dir": folder, "cache_dir": FLAGS.cache_dir, "crop": crop}
    return dcgan_tf.preset("article", **data, **settings, image_size=stage.image_size, seed=seed)


def measure_step_times(variants: tuple[str, ...], stage: Stage, rounds: int = 7, steps: int = 3) -> dict[str, float]:
    """Measure the median seconds per step of each variant, in turns in this process."""
    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.console import progress
    from dcgan_tf.distributed.replicas import compile_train_step
    from experiments.recipes import parts

    runners = {}
    for name in variants:
        config = make_config(name, "driving_sim", stage, 0)
        shape = (config.d_steps, config.batch_size, config.image_size, config.image_size, config.channels)
        batch = Batch.unlabelled(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
        train_step = compile_train_step(parts.make(config, **VARIANTS[name].parts))
        runners[name] = (train_step, batch)
        for step in range(2):  # tracing is not counted
            train_step(batch, tf.constant(step, tf.int64))
    seconds = {name: [] for name in variants}
    for _ in progress(range(rounds), f"step times at width {stage.width}", unit="rounds"):
        for name, (train_step, batch) in runners.items():
            started = time.perf_counter()
            for step in range(steps):
                float(train_step(batch, tf.constant(step, tf.int64))["g_loss"])
            seconds[name].append((time.perf_counter() - started) / steps)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def read_step_times(stage: Stage, file: Path) -> dict[str, float]:
    """Seconds per step of the stage's variants: read from `file`, which stages of a size share, or measured."""
    from dcgan_tf.files import write_text

    times = json.loads(file.read_text()) if file.exists() else {}
    if missing := [variant for variant in stage.variants if variant not in times]:
        known = next(iter(times), missing[0])
        measured = measure_step_times(tuple(dict.fromkeys([known, *missing])), stage)
        # Interleaved times give ratios that hold at another time; their seconds do not.
        scale = times.get(known, measured[known]) / measured[known]
        times |= {variant: scale * measured[variant] for variant in missing}
        write_text(file, json.dumps(times, indent=2) + "\n")
    return times


def run_one(variant: str, dataset: str, stage: Stage, seed: int, steps: int, grid_file: Path, scores) -> dict:
    """Train one variant for `steps` steps and measure it; `grid_file` gets raw and averaged images side by side."""
    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.console import progress
    from dcgan_tf.datasets.batching import batches
    from dcgan_tf.datasets.packing import open_packed
    from dcgan_tf.distributed.replicas import compile_train_step
    from dcgan_tf.pictures.grids import make_grid, save_png
    from experiments.recipes import parts

    config = make_config(variant, dataset, stage, seed)
    training = open_packed(config).training
    gan = parts.make(config, **VARIANTS[variant].parts)
    data, train_step = batches(Batch.unlabelled(training), config, 0, steps), compile_train_step(gan)
    started, d_losses = time.perf_counter(), []
    for step in progress(range(steps), f"{variant} on {dataset}, seed {seed}", unit="steps"):
        d_losses.append(train_step(next(data), tf.constant(step, tf.int64))["d_loss"])
    seconds = time.perf_counter() - started

    measured = {
        "raw": scores(lambda n: gan.generate(n, seed=1, raw=True)),
        "averaged": scores(lambda n: gan.generate(n, seed=1)),
    }
    halves = [make_grid(gan.generate(24, seed=2, raw=raw), 6) for raw in (True, False)]
    save_png(grid_file, make_grid(np.stack(halves), 2, gap=8))
    about = {"variant": variant, "dataset": dataset, "seed": seed, "steps": steps, "seconds": seconds}
    about |= {"title": VARIANTS[variant].title, "order": list(VARIANTS).index(variant), "image_size": stage.image_size}
    return about | {"d_loss": float(np.mean(d_losses[-100:]))} | measured


def run_stage(name: str, out: Path) -> None:
    """Make all runs of a stage that have no result yet, set by set."""
    from dcgan_tf.console import say
    from dcgan_tf.datasets.packing import open_packed
    from dcgan_tf.files import write_text
    from dcgan_tf.metrics.comparison import QuickScores
    from experiments.framework.random_features import RandomFeatures

    stage = STAGES[name]
    times = read_step_times(stage, out / f"step_times-{stage.image_size}px-width{stage.width}.json")
    budget = FLAGS.seconds or stage.seconds
    for dataset in stage.sets:
        config = make_config("article", dataset, stage, 0)
        scores = None
        for seed in stage.seeds:
            for variant in stage.variants:
                stem = f"{name}-{dataset}-{variant}-{seed}"
                if (out / f"{stem}.json").exists():
                    continue
                scores = scores or QuickScores(open_packed(config).training, seed=0, network=RandomFeatures())
                steps = stage.steps or max(10, int(budget / times[variant]))
                result = run_one(variant, dataset, stage, seed, steps, out / f"{stem}.png", scores)
                write_text(out / f"{stem}.json", json.dumps(result, indent=2) + "\n")
                values = "; ".join(
                    f"{which}: Fréchet {result[which]['frechet']:.1f}, sliced Wasserstein "
                    f"{result[which]['sliced_wasserstein']:.1f}, recall {result[which]['recall']:.2f}"
                    for which in ("raw", "averaged")
                )
                say(f"{stem}: {steps:,} steps; {values}")


def main() -> None:
    stages = [FLAGS.stage] if FLAGS.stage else list(STAGES)
    if FLAGS.stage not in ("", *STAGES):
        raise UserError(f"--stage={FLAGS.stage}: it can be {', '.join(STAGES)}.")
    from experiments.recipes import report

    for stage in stages:
        run_stage(stage, Path(FLAGS.out))
    for path in report.write_report(Path(FLAGS.out), Path(FLAGS.figures)):
        print(path)


if __name__ == "__main__":
    cli.run(main, __doc__)
