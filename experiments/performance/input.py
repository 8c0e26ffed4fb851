"""The speed of the input, and the cost of Python around the step and of the start.

    python -m experiments.performance.input --data_dir=PATH

PATH is a driving set in Sully Chen's layout. The parts are decode (Pillow alone), load (with crop and resize), pack
(into a new cache), feed (batches from a packed set), wait (of the step for its input), overhead (of Python around a
tiny step) and start (from the command to its first step). Files are read from the system's page cache. Temporary files
take 0.8 GB for --frames=63825.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.config import Config
from dcgan_tf.errors import UserError
from experiments.framework.timing import format_row, summarize, time_interleaved
from experiments.performance import running_costs

FLAGS = absl_flags.FLAGS
PARTS = ("decode", "load", "pack", "feed", "wait", "overhead", "start")
SETTINGS = "data_dir cache_dir crop image_size latent_dim g_width d_width batch_size d_steps g_steps precision"
cli.define_config(*SETTINGS.split(), "steps_per_call")
FLAGS.set_default("preset", "fast")
cli.define("only", ",".join(PARTS), "parts to measure, separated by commas")
cli.define("rounds", 7, "rounds; in each, every variant takes its turn (start: half as many)")
cli.define("images", 2000, "number of images in one turn of decode, load and pack")
cli.define("frames", 63825, "number of images of the large set; the default is that of Sully Chen's set of 2018")
cli.define("steps", 40, "calls of the step in wait")
cli.define("tiny_steps", 3000, "steps of each run of overhead")
cli.define("output", "experiments/performance/results/input.json", "JSON file for the results")

LEAST = {"rounds": 1, "images": 2, "frames": 1, "steps": 1, "tiny_steps": 200}
CORES = os.cpu_count() or 1
NO_END = 10**9  # steps


@dataclass
class Bench:
    """The data set of `config`, on which is measured, and a temporary folder."""

    config: Config
    folder: Path

    @cached_property
    def paths(self) -> list[str]:
        """Usable frames spread over the set; each is read once before it is timed."""
        from dcgan_tf.datasets import registry
        from dcgan_tf.datasets.images import BadImage

        listed, usable = registry.find(self.config).images, []
        for i in np.linspace(0, len(listed) - 1, min(FLAGS.images, len(listed))).astype(int):
            with contextlib.suppress(BadImage):
                self.load(listed[i].path)
                usable.append(listed[i].path)
        if len(usable) < 2:
            raise UserError(
                f"{self.config.resolved_data_dir}: fewer than two usable images; choose another --data_dir."
            )
        return usable

    @cached_property
    def packed(self):
        from dcgan_tf.datasets.packing import open_packed

        return open_packed(self.config)

    @property
    def packed_config(self) -> Config:
        """The config, after the set is packed."""
        len(self.packed.images)
        return self.config

    def load(self, path: str) -> np.ndarray:
        from dcgan_tf.datasets.images import load

        return load(path, self.config.image_size, self.config.resolved_crop, self.config.channels)

    def time_on_threads(self, name: str, work) -> list[dict]:
        """Time `work` on every path, with one thread and with one for each core."""
        with ThreadPoolExecutor(CORES) as pool:
            variants = {
                f"{name}, 1 thread": lambda n: [work(path) for path in self.paths[:n]],
                f"{name}, all {CORES} cores": lambda n: list(pool.map(work, self.paths[:n])),
            }
            seconds = time_interleaved(variants, FLAGS.rounds, len(self.paths))
        return [summarize(label, "images/s", [1 / s for s in values]) for label, values in seconds.items()]


def decode(bench: Bench) -> list[dict]:
    """Time decoding by Pillow alone, the limit of all other parts."""
    from PIL import Image

    def pixels(path: str) -> None:
        with Image.open(path) as image:
            image.load()

    return bench.time_on_threads("decode alone", pixels)


def load(bench: Bench) -> list[dict]:
    """Time decoding, cropping and resizing."""
    return bench.time_on_threads("decode, crop, resize", bench.load)


def pack(bench: Bench) -> list[dict]:
    """Time `open_packed` on a set that is not packed, and only loading the same images."""
    from dcgan_tf.datasets.packing import open_packed

    for n in {2, len(bench.paths)}:
        (bench.folder / f"{n}").mkdir()
        for i, path in enumerate(bench.paths[:n]):
            (bench.folder / f"{n}" / f"{i}.jpg").symlink_to(os.path.abspath(path))
        (bench.folder / f"{n}" / "data.txt").write_text("".join(f"{i}.jpg 0.0\n" for i in range(n)))

    def packing(n: int) -> None:
        cache = tempfile.mkdtemp(dir=bench.folder)
        open_packed(replace(bench.config, data_dir=str(bench.folder / f"{n}"), cache_dir=cache, held_out=0.0))

    with ThreadPoolExecutor(CORES) as pool:
        variants = {"load": lambda n: list(pool.map(bench.load, bench.paths[:n])), "pack": packing}
        seconds = time_interleaved(variants, FLAGS.rounds, len(bench.paths))
    shares = [100 * least / ours for least, ours in zip(seconds["load"], seconds["pack"])]
    return [
        summarize(f"pack {len(bench.paths):,} images", "images/s", [1 / s for s in seconds["pack"]]),
        summarize(f"pack, share of decode, crop, resize on {CORES} cores", "%", shares),
        summarize(f"first use of {FLAGS.frames:,} images, estimated", "s", [FLAGS.frames * s for s in seconds["pack"]]),
    ]


def feed(bench: Bench) -> list[dict]:
    """Time the batches of the pipeline without a step between them."""
    from dcgan_tf.batch import Batch
    from dcgan_tf.datasets.batching import batches

    training, rows = bench.packed.training, []
    path = bench.folder / f"repeated-to-{FLAGS.frames}-images.npy"
    large = np.lib.format.open_memmap(path, "w+", np.uint8, (FLAGS.frames, *training.shape[1:]))
    for start in range(0, len(large), len(training)):
        large[start : start + len(training)] = training[: len(large) - start]
    large.flush()

    def make_turn(images: np.ndarray):
        data = batches(Batch.unlabelled(images), bench.config, 0, NO_END)

        def take(n: int) -> None:
            for _ in range(n):
                batch = next(data)
            int(batch.images[0, 0, 0, 0, 0])  # waits until a GPU has the batch

        return take

    sets = {f"feed from {len(training):,} images": training}
    sets[f"feed from {len(large):,} repeated images"] = np.lib.format.open_memmap(path, "r")
    seconds = time_interleaved({label: make_turn(images) for label, images in sets.items()}, FLAGS.rounds, 200)
    for label, values in seconds.items():
        for unit, count in (("batches/s", 1), ("images/s", bench.config.d_steps * bench.config.batch_size)):
            rows.append(summarize(label, unit, [count / s for s in values]))
    return rows


def wait(bench: Bench) -> list[dict]:
    """Time how long each step waits for its input, with losses fetched as in the training loop."""
    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.console import progress
    from dcgan_tf.datasets.batching import batches, stack_steps
    from dcgan_tf.distributed.replicas import compile_train_steps
    from dcgan_tf.gan.dcgan import DCGAN

    train_steps, k = compile_train_steps(DCGAN(bench.config)), bench.config.steps_per_call
    data = batches(Batch.unlabelled(bench.packed.training), bench.config, 0, NO_END)
    waits, steps = [], []
    for call in progress(range(FLAGS.steps + 2), "measuring", unit="calls"):
        started = time.perf_counter()
        batch = stack_steps(data, k)
        fed = time.perf_counter()
        np.asarray(train_steps(batch, tf.constant(call * k, tf.int64)))
        waits.append(1000 * (fed - started) / k)
        steps.append(1000 * (time.perf_counter() - started) / k)
    waits, steps = waits[2:], steps[2:]  # tracing, warm-up
    late, share = float(np.percentile(waits, 95)), 100 / float(np.median(steps))
    return [
        summarize(f"step with its wait, preset {bench.config.preset}", "ms", steps),
        summarize("wait for the input", "ms", waits),
        summarize("wait, 95th percentile", "ms", [late]),
        summarize("wait, share of the step", "%", [share * float(np.median(waits))], "at most 2"),
        summarize("wait, share of the step, 95th percentile", "%", [share * late], "at most 2"),
    ]


def main() -> None:
    names = [name.strip() for name in FLAGS.only.split(",")]
    if unknown := [name for name in names if name not in PARTS]:
        raise UserError(
            f"--only={FLAGS.only}: {unknown[0] or 'nothing'} is not a part; the parts are {', '.join(PARTS)}."
        )
    if low := [name for name, least in LEAST.items() if FLAGS[name].value < least]:
        raise UserError(f"--{low[0]}={FLAGS[low[0]].value}: it must be at least {LEAST[low[0]]}.")
    config = replace(cli.read_config(), dataset="sully_chen")

    from dcgan_tf.files import write_text

    measures = {"decode": decode, "load": load, "pack": pack, "feed": feed, "wait": wait}
    measures |= {
        "overhead": lambda bench: running_costs.measure_overhead(bench.folder, FLAGS.tiny_steps, FLAGS.rounds),
        "start": lambda bench: running_costs.measure_start(bench.packed_config, bench.folder, (FLAGS.rounds + 1) // 2),
    }
    busy, parts = os.getloadavg()[0], {}
    with tempfile.TemporaryDirectory(prefix="benchmark-input-") as folder:
        bench = Bench(config, Path(folder))
        for name in (name for name in PARTS if name in names):
            parts[name] = measures[name](bench)
            print(*map(format_row, parts[name]), sep="\n", flush=True)
    about = {"preset": config.preset, "set": config.data_name, "batch_size": config.batch_size}
    about |= {"cores": CORES, "load_before": round(busy, 2)}
    write_text(Path(FLAGS.output), json.dumps(about | {"parts": parts}, indent=1) + "\n")
    print(f"Median [least, most]; {CORES} cores, load {busy:.1f} before it began. Results: {FLAGS.output}")


if __name__ == "__main__":
    cli.run(main, __doc__)
