"""Thousands of damaged, hostile and unusual images given to `dcgan_tf.prepare`, which must not crash or hang.

    python -m experiments.faults.damaged_input                   # 10,000: a minute or two
    python -m experiments.faults.damaged_input --count=500

Every file must be among the packed images or, with a reason, among those left out. The command prints a table by kind,
the peak memory and the seconds. The exit code is 1 if `prepare` crashed, took too long or did not count a file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.console import progress
from dcgan_tf.errors import UserError

FLAGS = absl_flags.FLAGS
SECONDS_PER_IMAGE, LEAST_SECONDS = 0.1, 120.0  # a process that takes longer counts as hung
ROOT = Path(__file__).parents[2]


def pack_damaged(count: int, seed: int) -> dict:
    """Make the files, pack them in a process of its own, and read what it counted.

    Returns:
      kinds: kind -> tried, read, left out, reasons (with their numbers) and crashes, the files not counted at all.
      code, seconds, peak_mb: of the process; code is None if it hung. error: its standard error.
    """
    from experiments.faults.damaged_images import fill, write_entries
    from experiments.framework.timing import PEAK_MEMORY

    with tempfile.TemporaryDirectory(prefix="damaged-") as temporary:
        images, cache = Path(temporary) / "images", Path(temporary) / "packed"
        named = dict(progress(fill(images, count, seed), "writing damaged images", count))
        named |= {f"entries/{name}": kind for name, kind in write_entries(images / "entries")}
        command = [sys.executable, "-m", "dcgan_tf.prepare", "--dataset=folder", f"--data_dir={images}"]
        command += [f"--cache_dir={cache}", "--image_size=32", "--held_out=0", "--crop=none"]
        started = time.monotonic()
        try:
            limit = max(LEAST_SECONDS, SECONDS_PER_IMAGE * count)
            end = subprocess.run(
                [sys.executable, "-c", PEAK_MEMORY, *command], cwd=ROOT, capture_output=True, text=True, timeout=limit
            )
            code, peak, error = end.returncode, int(end.stdout.split()[-1]) / 1024, end.stderr
        except subprocess.TimeoutExpired:
            code, peak, error = None, float("nan"), "it hung"
        seconds = time.monotonic() - started
        read, left_out = set(), {}
        for path in cache.glob("*.json"):
            manifest = json.loads(path.read_text())
            read, left_out = {image["name"] for image in manifest["images"]}, manifest["left_out"]
    kinds = {}
    for kind in dict.fromkeys(named.values()):
        names = [name for name in named if named[name] == kind]
        reasons = Counter(left_out[name] for name in names if name in left_out)
        row = {"tried": len(names), "read": sum(name in read for name in names), "left out": sum(reasons.values())}
        row["crashes"] = sum(name not in read and name not in left_out for name in names)
        kinds[kind] = row | {"reasons": dict(reasons.most_common())}
    return {"kinds": kinds, "code": code, "seconds": seconds, "peak_mb": peak, "error": error[-2000:]}


def main() -> None:
    if FLAGS.count < 1:
        raise UserError(f"--count={FLAGS.count}: it must be at least 1.")
    found = {"count": FLAGS.count, "seed": FLAGS.seed} | pack_damaged(FLAGS.count, FLAGS.seed)
    if FLAGS.out:
        from dcgan_tf.files import write_text

        write_text(Path(FLAGS.out), json.dumps(found, indent=1) + "\n")
    print("| kind | tried | read | left out | crashes | reasons |\n|---|---|---|---|---|---|")
    for kind, row in found["kinds"].items():
        reasons = ", ".join(f"{reason} ({n:,})" for reason, n in row["reasons"].items())
        print(f"| {kind} | {row['tried']:,} | {row['read']:,} | {row['left out']:,} | {row['crashes']} | {reasons} |")
    print(f"Exit code {found['code']}, {found['seconds']:.0f} s, peak of memory {found['peak_mb']:,.0f} MB.")
    bad = found["code"] != 0 or any(row["crashes"] for row in found["kinds"].values())
    if bad:
        print(found["error"], file=sys.stderr)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    cli.define("count", 10_000, "files")
    cli.define("seed", 0, "determines every byte of them")
    cli.define("out", "", "JSON file for the results; empty: only printed")
    cli.run(main, __doc__)
