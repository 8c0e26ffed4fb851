"""Training runs on full and read-only file systems. Used by `faults`; mounting needs root."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dcgan_tf.console import progress
from experiments.faults.kills import REFERENCE, finish
from experiments.framework.processes import Workshop, is_one_sentence, kill, wait_for, wait_until

UNMOUNTABLE = [{"skipped": "file systems may not be mounted here (root is needed)"}]
ROOM = "size=64m"  # many times what a run needs


@contextlib.contextmanager
def mount(path: Path, *options: str) -> Iterator[bool]:
    """Mount a file system at `path` until the block ends; yields False if this user may not mount one."""
    path.mkdir(parents=True, exist_ok=True)
    there = subprocess.run(["mount", *options, str(path)], capture_output=True).returncode == 0
    try:
        yield there
    finally:
        if there:
            subprocess.run(["umount", str(path)], check=True, capture_output=True)


def _mount_again(path: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True, capture_output=True)


# Whether to fill the disk now, while the process is halted.
Moment = Callable[[Workshop, str, subprocess.Popen], bool]


def _temporary(pattern: str) -> Moment:
    return lambda w, run, process: any((w.folder / run).glob(pattern.format(pid=process.pid)))


def _steps(count: int) -> Moment:
    return lambda w, run, process: w.has_trained(run, process) and w.steps_done(run) >= count


def _between_samples_and_checkpoint(w: Workshop, run: str, process: subprocess.Popen) -> bool:
    return (w.folder / run / "run" / "samples" / "train_00_0031.png").exists() and w.steps_done(run) < 38


def _locked(w: Workshop, run: str, _process: subprocess.Popen) -> bool:
    owner, data = (w.folder / run / "run" / name for name in (".pid", "data.json"))
    return owner.exists() and owner.stat().st_size > 0 and not data.exists()


# What is written -> when to fill the disk, and what the sentence must name. Few lines of text need a new block of the
# disk: in metrics.csv that of step 38, between samples (32) and checkpoint (40); histograms are written at step 20.
# Several lines are written at once, so the process may be halted some steps later.
KINDS: dict[str, tuple[Moment, str]] = {
    "pack": (_temporary("packed/.*.npy.{pid}.tmp"), r"packed/folder-\S+\.npy"),
    "folder of the run": (_temporary("packed/*.json"), r"run"),
    "config.json, data.json": (_locked, r"run/(config|data)\.json"),
    "metrics.csv, train.log": (_between_samples_and_checkpoint, r"run/(metrics\.csv|train\.log)"),
    "samples": (_steps(2), r"run/samples/train_\d+_\d+\.png"),
    "TensorBoard events": (_steps(17), r"run/tensorboard"),
    "checkpoint": (_temporary("run/checkpoints/.*.{pid}.tmp"), r"run/checkpoints/step-\d+\.npz"),
    "pictures at the end": (_temporary("run/.*.gif.{pid}.tmp"), r"run/\w+\.(gif|png)"),
}


def try_full_disks(workshop: Workshop, count: int, rng: np.random.Generator) -> list[dict]:
    """Fill the disk before each kind of write, then try disks of random sizes; with room again a run must continue."""
    kinds = list(KINDS) if count >= len(KINDS) else rng.choice(list(KINDS), count, replace=False).tolist()
    tries = [_try_full_at(workshop, kind) for kind in progress(kinds, "disk, by kind of write", unit="kinds")]
    reference, sizes = workshop.folder / REFERENCE, count - len(kinds)
    whole = sum(path.stat().st_size for path in reference.rglob("*") if path.is_file())
    for n in progress(range(sizes), "disk, by size", unit="sizes"):
        size = int(whole * (n + rng.uniform(0.1, 0.9)) / sizes)
        tries.append(_try_size(workshop, f"disk-{n}", max(4096, size)))
    return tries if all("skipped" not in each for each in tries) else UNMOUNTABLE


def _try_full_at(workshop: Workshop, kind: str, attempts: int = 4) -> dict:
    """Fill the disk to its last block while the trainer is halted just before a kind of write."""
    moment, named = KINDS[kind]
    tried = {"phase": f"writing {kind}", "lost": 0, "survived": False, "differences": ["never at this write"]}
    for attempt in range(attempts):  # the last bytes may have been written before it was halted
        run = f"full-{list(KINDS).index(kind)}-{attempt}"
        with mount(workshop.folder / run, "-t", "tmpfs", "-o", ROOM, "tmpfs") as there:
            if not there:
                return UNMOUNTABLE[0]
            process = workshop.start(run)
            if not wait_until(process, lambda: moment(workshop, run, process)):  # noqa: B023
                kill(process)
                continue
            ballast = workshop.folder / run / "ballast"
            _fill(ballast)
            process.send_signal(signal.SIGCONT)
            end = wait_for(process)
            ballast.unlink()
            tried |= {"run": run, "code": end.code, "said": end.err.strip()[-300:]}
            hit = re.fullmatch(rf"error: {re.escape(run)}/{named}: .*", end.err.strip()) is not None
            tried |= {"named": hit, "checkpoint": workshop.checkpoint(run), "lost": workshop.lost_steps(run, process)}
            if not hit and is_one_sentence(end) and attempt < attempts - 1:
                continue  # it was refused at another write
            finish(workshop, run, [tried])
            tried["survived"] &= is_one_sentence(end) and hit
            break
    return tried


def _fill(ballast: Path) -> None:
    """Write until no block is free."""
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        size = os.statvfs(ballast).f_frsize
        while True:
            file.write(bytes(256 * size if os.statvfs(ballast).f_bfree > 256 else size))


def _try_size(workshop: Workshop, run: str, size: int) -> dict:
    """Train on a disk of `size` bytes, then with room."""
    with mount(workshop.folder / run, "-t", "tmpfs", "-o", f"size={size}", "tmpfs") as there:
        if not there:
            return UNMOUNTABLE[0]
        process = workshop.start(run)
        end = wait_for(process)
        tried = {"run": run, "phase": "of a size by chance", "size": size, "said": end.err.strip()[-300:]}
        tried |= {"code": end.code, "checkpoint": workshop.checkpoint(run), "lost": workshop.lost_steps(run, process)}
        _mount_again(workshop.folder / run, ROOM)
        finish(workshop, run, [tried])
        tried["survived"] &= end.code == 0 or is_one_sentence(end)
        return tried


def try_read_only(workshop: Workshop, _count: int, rng: np.random.Generator) -> list[dict]:
    """Make folders read-only: a new run's, the packed set's, a continued run's. With the images' it must train."""
    tries = []
    for place in ("run", "packed"):
        run = f"read-only-{place}"
        with mount(workshop.folder / run / place, "-t", "tmpfs", "-o", f"ro,{ROOM}", "tmpfs") as there:
            if not there:
                return UNMOUNTABLE
            tries.append(_expect_refusal(workshop, run, f"folder of the {'new run' if place == 'run' else 'pack'}"))
        finish(workshop, run, tries)
        tries[-1]["survived"] &= tries[-1]["sentence"]

    run = "read-only-later"
    with mount(workshop.folder / run, "-t", "tmpfs", "-o", ROOM, "tmpfs"):
        process, wanted = workshop.start(run), int(rng.integers(12, workshop.steps - 5))
        wait_until(process, lambda: workshop.steps_done(run) >= wanted)
        kill(process)
        _mount_again(workshop.folder / run, "ro")
        tries.append(_expect_refusal(workshop, run, "folder of a run that goes on"))
        _mount_again(workshop.folder / run, "rw")
        finish(workshop, run, tries)
        tries[-1]["survived"] &= tries[-1]["sentence"]

    images = workshop.folder / "images"
    with mount(images, "--bind", str(images)):
        _mount_again(images, "bind,ro")
        run = "read-only-images"
        tries.append({"run": run, "phase": "folder of the images: trains as ever", "lost": 0})
        finish(workshop, run, tries)
    return tries


def _expect_refusal(workshop: Workshop, run: str, what: str) -> dict:
    """Train where it cannot be done, and record how the process ended."""
    end = workshop.train(run)
    checkpoint = workshop.checkpoint(run)
    said = {"said": end.err.strip()[-300:], "code": end.code, "sentence": is_one_sentence(end)}
    return {"run": run, "phase": what, "checkpoint": checkpoint, "lost": 0} | said
