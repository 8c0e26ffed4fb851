"""Recipes at equal time: each is trained for 5 or 60 minutes of two cores and measured at every fifth of them.

    python -m experiments.recipes.compare --stage=five_minutes --packages=PATH/node_modules

Minutes are converted to steps by step times that are measured in turns in one process and kept in the results. Other
work on the machine therefore does not change what is trained. The command continues where it stopped; started again
while it runs, the second process takes other runs. `--packages` has the trained network that judges the images
(`npm install nsfwjs`). `python -m experiments.recipes.curves` writes the tables and figures.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.errors import UserError
from experiments.recipes.arms import ARMS, SETS, Arm, name_run, scores_at

FLAGS = absl_flags.FLAGS
for _name in SETS:
    cli.define(f"{_name}_dir", f"data/{_name}", f"folder of {_name}")
cli.define("cache_dir", "data/packed", "folder for decoded images")
cli.define("stage", "five_minutes", "widths, five_minutes or hour")
cli.define("arms", "", "arms with commas between; empty: the stage's")
cli.define("sets", "", "sets with commas between; empty: the stage's")
cli.define("seeds", "", "seeds with commas between; empty: the stage's")
cli.define("minutes", 0.0, "length of each run; 0: the stage's")
cli.define("packages", "", "folder node_modules with nsfwjs")
cli.define("runs", "runs/recipes", "folder for the runs")
cli.define("out", "experiments/recipes/results/compare", "folder of the results: a JSON file for each run")

MARKS = 5
ROUNDS, STEPS_PER_TURN = 7, 5  # of timing
CONFIRMED = ("article", "fast", "stable", "stable_16", "modern_32", "torch_example")


@dataclass(frozen=True)
class Stage:
    """Runs of some arms on some sets with some seeds, for `minutes` of two cores each."""

    minutes: float
    arms: tuple[str, ...]
    sets: tuple[str, ...] = tuple(SETS)
    seeds: tuple[int, ...] = (1, 2, 3)


STAGES = {
    "widths": Stage(5, ("stable_8", "stable_16", "stable_32", "stable"), ("lfw", "synthetic_road"), (0,)),
    "five_minutes": Stage(5, CONFIRMED),
    "hour": Stage(60, CONFIRMED),
}


def make_config(arm: Arm, dataset: str, seed: int, **settings):
    """The config of one run."""
    import dcgan_tf

    loader, crop = SETS[dataset]
    data = {"dataset": loader, "crop": crop, "data_dir": FLAGS[f"{dataset}_dir"].value, "cache_dir": FLAGS.cache_dir}
    return dcgan_tf.preset(arm.preset, **{**data, "seed": seed, **arm.settings, **settings})


def measure_step_times(names: list[str]) -> dict[str, float]:
    """Measure the median seconds per step of each arm, in turns in this process."""
    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.distributed.replicas import compile_train_steps
    from dcgan_tf.gan.dcgan import DCGAN
    from experiments.framework import peers, timing

    def make_turn(arm: Arm) -> Callable[[int], object]:
        config = make_config(arm, "lfw", 0, decay=0.0)  # a falling rate needs the number of steps
        shape = (config.d_steps, config.batch_size, config.image_size, config.image_size, config.channels)
        images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        if arm.peer:
            peer = getattr(peers, arm.peer)(config)
            return lambda count: [peer(images, step) for step in range(count)]
        train_steps, batch = compile_train_steps(DCGAN(config)), Batch.unlabelled(images[None])
        return lambda count: [train_steps(batch, tf.constant(step, tf.int64)).numpy() for step in range(count)]

    seconds = timing.time_interleaved({name: make_turn(ARMS[name]) for name in names}, ROUNDS, STEPS_PER_TURN)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def read_step_times(names: list[str], file: Path) -> dict[str, float]:
    """Seconds per step of the arms: read from `file`, or measured.

    Times that are added later are measured beside one that is known and scaled by it: times in turns give ratios that
    hold at another hour, their seconds do not.
    """
    from dcgan_tf.files import write_text

    with filelock.FileLock(file.with_suffix(".lock")):  # a second process waits, in place of measuring beside this one
        times = json.loads(file.read_text()) if file.exists() else {}
        if missing := [name for name in names if name not in times]:
            known = next(iter(times), missing[0])
            measured = measure_step_times(list(dict.fromkeys([known, *missing])))
            scale = times.get(known, measured[known]) / measured[known]
            times |= {name: scale * measured[name] for name in missing}
            write_text(file, json.dumps(times, indent=2) + "\n")
    return times


def train_ours(config, folder: Path, steps: int) -> Iterator[tuple[int, dict[str, Callable]]]:
    """Train with the package and yield, at each mark, the step and the generators that there are.

    Yields:
      step, {"raw": generate, "averaged": generate}: each (n, seed) -> uint8 [n, S, S, C].
    """
    import dcgan_tf
    from dcgan_tf.training import checkpoints
    from dcgan_tf.training.run_directory import RunDirectory

    run = dcgan_tf.train(config, folder)
    if run.signal:
        raise SystemExit(128 + run.signal)
    for mark in marks(steps):
        gan = dcgan_tf.load(folder, checkpoint=mark)
        generators = {"raw": functools.partial(gan.generate, raw=True)}
        if gan.ema_generator:
            generators["averaged"] = gan.generate
        yield mark, generators
    checkpoints.prune(RunDirectory(folder).checkpoints, steps, 1, 0)


def train_peer(arm: Arm, config, folder: Path, steps: int) -> Iterator[tuple[int, dict[str, Callable]]]:
    """As `train_ours`, for a peer; it keeps its state at each mark, so that it too can be continued."""
    from dcgan_tf.batch import Batch
    from dcgan_tf.console import progress
    from dcgan_tf.datasets.batching import batches
    from dcgan_tf.datasets.packing import open_packed
    from experiments.framework import peers

    peer = getattr(peers, arm.peer)(config)
    folder.mkdir(parents=True, exist_ok=True)
    first = 0
    for mark in marks(steps):
        state = folder / f"step-{mark:08d}.pt"
        if state.exists():
            peer.restore(state)
        else:
            data = batches(Batch.unlabelled(open_packed(config).training), config, first, mark)
            for step in progress(range(first, mark), f"{arm.peer}, to step {mark:,}", unit="steps"):
                peer(next(data).images, step)
            peer.save(state)
        first = mark
        yield mark, {"raw": peer.generate}


def marks(steps: int) -> list[int]:
    """The steps at which a run is measured; `steps` is a multiple of `MARKS`."""
    return list(range(steps // MARKS, steps + 1, steps // MARKS))


def run_one(name: str, dataset: str, seed: int, minutes: float, step_seconds: float, folder: Path, judge) -> dict:
    """Train one arm for its minutes and measure it at each mark; images of the last mark are kept beside the run."""
    from dcgan_tf.pictures.grids import make_grid, save_png
    from experiments.recipes.judge import COUNT

    arm = ARMS[name]
    steps = MARKS * max(1, math.floor(60 * minutes / step_seconds / MARKS))
    once = 10**9  # nothing else is made than what is measured
    settings = {"max_steps": steps, "epochs": once, "checkpoint_every": steps // MARKS, "keep_checkpoints": once}
    settings |= {"keep_every_epochs": 0, "evaluate_every": 0, "sample_every": once, "histogram_every": once}
    config = make_config(arm, dataset, seed, **settings)
    trained = train_peer(arm, config, folder, steps) if arm.peer else train_ours(config, folder, steps)
    measured = []
    for step, generators in trained:
        if "averaged" in generators and step < steps:  # measuring takes as long as a tenth of a run of five minutes
            del generators["raw"]
        scores = {kind: judge(generate(COUNT, 1)) for kind, generate in generators.items()}
        measured.append({"step": step, "seconds": step * step_seconds} | scores)
    kept = generators["averaged" if "averaged" in generators else "raw"]
    save_png(folder / "images.png", make_grid(kept(32, 2), 8))
    about = {"arm": name, "title": arm.title, "dataset": dataset, "seed": seed, "minutes": minutes, "steps": steps}
    return about | {"real_beside": judge.real_beside, "measured": measured}


def main() -> None:
    if FLAGS.stage not in STAGES:
        raise UserError(f"--stage={FLAGS.stage}: it can be {', '.join(STAGES)}.")
    stage = STAGES[FLAGS.stage]
    arms, sets = choose("arms", stage.arms, ARMS), choose("sets", stage.sets, SETS)
    seeds = read_seeds(FLAGS.seeds) if FLAGS.seeds else stage.seeds
    from dcgan_tf.console import say
    from dcgan_tf.datasets.packing import open_packed
    from dcgan_tf.files import write_text
    from experiments.recipes.judge import Judge

    out, minutes = Path(FLAGS.out), FLAGS.minutes or stage.minutes
    out.mkdir(parents=True, exist_ok=True)
    times = read_step_times(arms, out / "step_times.json")
    for dataset in sets:
        judge = None
        for seed in seeds:
            for name in arms:
                stem = name_run(minutes, dataset, name, seed)
                if (out / f"{stem}.json").exists():
                    continue
                judge = judge or Judge(open_packed(make_config(ARMS[name], dataset, 0)).training, Path(FLAGS.packages))
                with claim(Path(FLAGS.runs) / f"{stem}.lock") as free:
                    if free and not (out / f"{stem}.json").exists():
                        folder = Path(FLAGS.runs) / stem
                        result = run_one(name, dataset, seed, minutes, times[name], folder, judge)
                        write_text(out / f"{stem}.json", json.dumps(result, indent=1) + "\n")
                        trained_frechet = scores_at(result)["trained_frechet"]
                        say(f"{stem}: {result['steps']:,} steps; trained Fréchet {trained_frechet:.2f}")


def choose(flag: str, default: tuple[str, ...], known: dict) -> list[str]:
    """The names that a flag lists, or the default ones."""
    names = FLAGS[flag].value.split(",") if FLAGS[flag].value else list(default)
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"--{flag}={FLAGS[flag].value}: {unknown[0]} is unknown; there are {', '.join(known)}.")
    return names


def read_seeds(text: str) -> list[int]:
    """Read "1,2,3"."""
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError:
        raise UserError(f"--seeds={text}: whole numbers with commas between, as 1,2,3.") from None


@contextlib.contextmanager
def claim(lock: Path) -> Iterator[bool]:
    """Whether no other process makes this run; until the block ends, no other one will."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = filelock.FileLock(lock)
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        held.release()


if __name__ == "__main__":
    cli.run(main, __doc__)
