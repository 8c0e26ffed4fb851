"""The cost of each image of a very large set at a start, and of reading from a set in parts.

    python -m experiments.performance.scale                   # 50,000 files: a minute
    python -m experiments.performance.scale --images=500000

`python -m dcgan_tf.prepare` is started on two sets that are packed already, one with a tenth of the files. The
difference is the cost of listing files, checking each for changes and reading the manifest. Then batches of 64 images
from random places in 300 files and in one file are timed in turns; the system's page cache holds them all.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.console import progress
from dcgan_tf.errors import UserError

FLAGS = absl_flags.FLAGS
FILES, IN_FILE, BATCH = 300, 64, 64
FOLDER = 1000  # files in a folder


def measure_start(folder: Path, count: int) -> tuple[float, float]:
    """Time `prepare` on a packed set of `count` copies of one small image: seconds and peak memory in bytes."""
    from PIL import Image

    from experiments.framework.timing import PEAK_MEMORY

    image = folder / "image.png"
    Image.new("RGB", (8, 8)).save(image)
    for n in progress(range(count), f"writing {count:,} images", count):
        path = folder / "images" / f"{n // FOLDER:05d}" / f"image-{n:08d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.read_bytes())
    command = [sys.executable, "-c", PEAK_MEMORY, sys.executable, "-m", "dcgan_tf.prepare", "--dataset=folder"]
    command += [f"--data_dir={folder / 'images'}", f"--cache_dir={folder / 'packed'}", "--image_size=32", "--crop=none"]
    for _ in ("packs", "finds it packed"):
        started = time.perf_counter()
        end = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - started
    return seconds, 1024 * int(end.stdout)


def time_reading(folder: Path, rounds: int, seed: int) -> dict[str, list[float]]:
    """Time a batch from many files and from one: seconds, one value a round."""
    from dcgan_tf.datasets.shards import Shards
    from experiments.framework.timing import time_interleaved

    rng = np.random.default_rng(seed)
    files = [folder / f"{n}.npy" for n in range(FILES)]
    images = rng.integers(0, 256, (FILES * IN_FILE, 64, 64, 3), np.uint8)
    for file, part in zip(files, np.split(images, FILES)):
        np.save(file, part)
    np.save(folder / "one.npy", images)
    sets = {
        f"{FILES} files": Shards(files, [IN_FILE] * FILES, images.shape[1:]),
        "one file": np.load(folder / "one.npy", mmap_mode="r"),
    }

    def batches(images):
        return lambda count: [images[rng.integers(0, len(images), BATCH)] for _ in range(count)]

    return time_interleaved({name: batches(images) for name, images in sets.items()}, rounds, 20)


def main() -> None:
    if FLAGS.images < 10 or FLAGS.rounds < 1:
        raise UserError("--images must be at least 10, --rounds at least 1.")
    with tempfile.TemporaryDirectory(prefix="scale-") as temporary:
        folder = Path(temporary)
        counts, ends = (FLAGS.images // 10, FLAGS.images), []
        for count in counts:
            (folder / str(count)).mkdir()
            ends.append(measure_start(folder / str(count), count))
        more = counts[1] - counts[0]
        seconds, memory = ((b - a) / more for a, b in zip(*ends))
        print(f"a start, each of {more:,} images more: {1e6 * seconds:.1f} microseconds, {memory:.0f} bytes of memory")
        for name, values in time_reading(folder, FLAGS.rounds, FLAGS.seed).items():
            low, middle, high = 1000 * np.percentile(values, [0, 50, 100])
            print(f"{BATCH} images of {name}: {middle:.2f} [{low:.2f}, {high:.2f}] ms")


if __name__ == "__main__":
    cli.define("images", 50_000, "number of files of the larger set")
    cli.define("rounds", 10, "rounds; in each, both take a turn of twenty batches")
    cli.define("seed", 0, "determines which images a batch reads")
    cli.run(main, __doc__)
