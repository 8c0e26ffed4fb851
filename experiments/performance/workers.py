"""The overhead of `--strategy`, and the speed of two workers.

    python -m experiments.performance.workers                # about ten minutes on two cores
    python -m experiments.performance.workers --rounds=2 --steps=4 --turns=10

Overhead: the same network with and without a strategy of one replica, step by step in turns in one process, and a
second one without a strategy as control. Scaling: trainings by `python -m dcgan_tf.train` in turns, each worker bound
to one core of this machine: one worker on one core, two workers on two cores, and one process on both, as is usual.
"""

from __future__ import annotations

import csv
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.console import progress
from dcgan_tf.errors import UserError
from experiments.framework.timing import format_row, summarize, time_interleaved

FLAGS = absl_flags.FLAGS
ROOT = Path(__file__).parents[2]
SIZES = {"g_width": 32, "d_width": 32, "batch_size": 64}


def measure_overhead(turns: int) -> dict[str, list[float]]:
    """Time steps: ratios to a network without a strategy, one a turn, of a second such network and of one replica."""
    import numpy as np

    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.config import preset
    from dcgan_tf.distributed.replicas import compile_train_steps
    from dcgan_tf.gan.dcgan import DCGAN

    config, variants = preset("article", **SIZES), {}
    batch = Batch.unlabelled(np.random.default_rng(0).integers(0, 256, (1, 1, 64, 64, 64, 3), np.uint8))
    none = tf.distribute.get_strategy()
    strategies = {"none": none, "none again": none, "one replica": tf.distribute.MirroredStrategy(["CPU:0"])}
    for name, strategy in strategies.items():
        with strategy.scope():
            train_steps = compile_train_steps(DCGAN(config))
        variants[name] = lambda count, train_steps=train_steps: [
            np.asarray(train_steps(batch, tf.constant(step, tf.int64))) for step in range(count)
        ]
    seconds = time_interleaved(variants, turns, 1)
    first = seconds.pop("none")
    return {name: [a / b for a, b in zip(values, first)] for name, values in seconds.items()}


def measure_step_time(folder: Path, cores: list[str], steps: int) -> float:
    """Train anew with one worker for each of `cores` (taskset's lists): median seconds of a step."""
    from experiments.framework.processes import worker_environments

    run = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, "-m", "dcgan_tf.train", "--dataset=folder", "--data_dir=images", "--epochs=1000"]
    command += [f"--{name}={value}" for name, value in SIZES.items()]
    command += ["--evaluate_every=0", f"--max_steps={steps}", f"--run_dir={run / 'run'}"]
    environments = worker_environments() if len(cores) == 2 else [{}]
    processes = [
        subprocess.Popen(
            ["taskset", "-c", core, *command],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=subprocess.DEVNULL,
        )
        for core, environment in zip(cores, environments)
    ]
    if any(process.wait() for process in processes):
        raise UserError("a training failed: its error is above.")
    with open(run / "run" / "metrics.csv", newline="") as file:
        times = [float(row["time"]) for row in csv.DictReader(file)]
    return statistics.median(times[2:])


def main() -> None:
    if FLAGS.rounds < 1 or FLAGS.steps < 4 or FLAGS.turns < 2:
        raise UserError("--rounds must be at least 1, --steps at least 4 and --turns at least 2.")
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise UserError("two cores are needed.")
    first, second = (str(core) for core in usable[:2])
    for name, values in measure_overhead(FLAGS.turns).items():
        _print(f"{name}, over no strategy", values)
        logarithms = [math.log(value) for value in values]
        error = statistics.stdev(logarithms) / math.sqrt(len(values))
        print(f"  geometric mean {math.exp(statistics.fmean(logarithms)):.3f}, standard error {error:.3f}", flush=True)
    kinds = {"one core": [first], "two workers, a core each": [first, second], "both cores": [f"{first},{second}"]}
    seconds = {name: [] for name in kinds}
    from experiments.framework.processes import Workshop

    with tempfile.TemporaryDirectory(prefix="workers-") as folder:
        Workshop(Path(folder), 300, FLAGS.steps)
        for turn in progress(range(FLAGS.rounds), "trainings", unit="rounds"):
            for name in list(kinds)[:: 1 if turn % 2 else -1]:
                seconds[name].append(measure_step_time(Path(folder), kinds[name], FLAGS.steps))
    for name, values in seconds.items():
        _print(f"a step, {name}", values, "s")
    alone, two, both = seconds.values()
    _print("two workers: one core's time over twice theirs", [a / (2 * t) for a, t in zip(alone, two)])
    _print("two workers over one process on both cores", [t / b for t, b in zip(two, both)])


def _print(name: str, values: list[float], unit: str = "") -> None:
    print(format_row(summarize(name, unit, values)), flush=True)


if __name__ == "__main__":
    cli.define("rounds", 5, "trainings of each kind")
    cli.define("steps", 12, "steps of a training")
    cli.define("turns", 150, "steps of each network with and without a strategy, in turns")
    cli.run(main, __doc__)
