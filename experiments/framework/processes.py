"""Short training runs in processes of their own, stopped and compared with an undisturbed run. Used by `faults`."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.framework.compare_runs import find_differences

ROOT = Path(__file__).parents[2]
CHECKPOINT_EVERY = 10
PATIENCE = 300.0  # seconds before a process counts as hung
SETTINGS = ["--dataset=folder", "--data_dir=images", "--image_size=32", "--g_width=4", "--d_width=4", "--latent_dim=8"]
SETTINGS += ["--batch_size=8", "--ema=0.99", "--epochs=1000", "--keep_checkpoints=2", "--keep_every_epochs=0"]
SETTINGS += [f"--checkpoint_every={CHECKPOINT_EVERY}", "--sample_every=8", "--histogram_every=20"]
SETTINGS += ["--evaluate_every=30", "--sample_grid=2x3"]


@dataclass(frozen=True)
class Outcome:
    """How a process ended: its exit code, its standard output and its standard error."""

    code: int
    out: str
    err: str


class Workshop:
    """A folder with images (squares of random colours), and below it runs that each pack the images anew.

    Args:
      folder: where everything is written; it must exist.
      images: number of images.
      steps: number of steps of a whole run.
      more: flags besides `SETTINGS`.
    """

    def __init__(self, folder: Path, images: int, steps: int, *more: str):
        self.folder, self.steps, self._more = folder, steps, more
        self._metrics_at_start: dict[int, int] = {}  # by process: the inode of the file
        (folder / "images").mkdir(exist_ok=True)
        corners = np.random.default_rng(0).integers(0, 256, (images, 2, 2, 3), np.uint8)
        for n, four in enumerate(corners):
            picture = Image.fromarray(four).resize((96, 96), Image.Resampling.BILINEAR)
            picture.save(folder / "images" / f"{n:04d}.jpg", quality=95)

    def start(self, run: str, *more: str, env: dict[str, str] | None = None) -> subprocess.Popen:
        """Start `python -m dcgan_tf.train` on a run with a packed set of its own."""
        places = [f"--run_dir={run}/run", f"--cache_dir={run}/packed", f"--max_steps={self.steps}"]
        before = _inode(self.folder / run / "run" / "metrics.csv")
        process = subprocess.Popen(
            [sys.executable, "-m", "dcgan_tf.train", *SETTINGS, *self._more, *places, *more],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._metrics_at_start[process.pid] = before
        return process

    def train(self, run: str, *more: str, env: dict[str, str] | None = None) -> Outcome:
        """Start it and wait for its end."""
        return wait_for(self.start(run, *more, env=env))

    def steps_done(self, run: str) -> int:
        """Number of whole lines of steps in `metrics.csv`."""
        path = self.folder / run / "run" / "metrics.csv"
        return max(0, path.read_bytes().count(b"\n") - 1) if path.exists() else 0

    def checkpoint(self, run: str) -> int:
        """The step of the newest checkpoint, 0 without one."""
        found = (self.folder / run / "run" / "checkpoints").glob("step-*.npz")
        return max((int(path.stem[5:]) for path in found), default=0)

    def has_trained(self, run: str, process: subprocess.Popen) -> bool:
        """Whether a process has reached its first step, at which it writes `metrics.csv` anew."""
        return _inode(self.folder / run / "run" / "metrics.csv") != self._metrics_at_start[process.pid]

    def lost_steps(self, run: str, process: subprocess.Popen | None = None) -> int:
        """Steps in `metrics.csv` since the newest checkpoint; with `process`, 0 if it made no step itself."""
        if process and not self.has_trained(run, process):
            return 0
        return max(0, self.steps_done(run) - self.checkpoint(run))

    def phase(self, run: str, process: subprocess.Popen | None = None) -> str:
        """What a run was doing when it ended, read from its files; with `process`, from files that it wrote itself."""
        folder = self.folder / run
        temporary = f".*.{process.pid}.tmp" if process else ".*.tmp"
        if any((folder / "packed").glob(temporary)):
            return "packing"
        if any((folder / "run" / "checkpoints").glob(temporary)):
            return "writing a checkpoint"
        if any((folder / "run" / "samples").glob(temporary)):
            return "writing samples"
        if any((folder / "run").rglob(temporary)):
            return "writing another file"
        if not (folder / "run" / "train.log").exists() or (process and not self.has_trained(run, process)):
            return "before the first step" if any((folder / "packed").glob("*.json")) else "starting"
        if self.checkpoint(run) >= self.steps:
            return "after the last step"
        return "in a step, or between writes"

    def find_differences(self, run: str, reference: str) -> list[str]:
        """Names of files and arrays that differ from the reference by any bit, and of temporary files left over."""
        ours, theirs = (self.folder / name / "run" for name in (run, reference))
        if not checkpoint_path(ours, self.steps).exists():
            return [str(checkpoint_path(Path(), self.steps))]
        left = [path.name for path in (self.folder / run).rglob(".*.tmp")]
        return find_differences(ours, theirs) + [f"{name} left over" for name in left]

    def remove(self, run: str) -> None:
        shutil.rmtree(self.folder / run, ignore_errors=True)


def checkpoint_path(run: Path, step: int) -> Path:
    return run / "checkpoints" / f"step-{step:08d}.npz"


def _inode(path: Path) -> int:
    return path.stat().st_ino if path.exists() else 0


def read_start_step(end: Outcome) -> int | None:
    """The step from which a process said it continues; None if it named none."""
    said = re.search(r"continues at step ([\d,]+)\.", end.out)
    return int(said[1].replace(",", "")) if said else None


def wait_for(process: subprocess.Popen) -> Outcome:
    """Wait for the end of a process. One that hangs is killed, and its code is -9."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return Outcome(process.returncode, out, err)


def kill(process: subprocess.Popen) -> Outcome:
    """Send SIGKILL, as the system does when memory runs out."""
    process.kill()
    return wait_for(process)


def wait_until(process: subprocess.Popen, condition: Callable[[], bool]) -> bool:
    """Wait until `condition` holds and halt the process there; False if the process ended before."""
    give_up = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < give_up:
        if condition():
            os.kill(process.pid, signal.SIGSTOP)
            _wait_for_halt(process)
            if condition():
                return True
            os.kill(process.pid, signal.SIGCONT)  # no longer true when it halted: wait for the next time
        time.sleep(0.0005)
    return False


def _wait_for_halt(process: subprocess.Popen) -> None:
    # The signal takes effect shortly after it was sent. The state is the third field, after the name in brackets.
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZ":
        time.sleep(0.0005)


def worker_environments() -> list[dict[str, str]]:
    """The environment variables of two workers on this machine, at ports that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": n}} for n in range(2)]
    return [{"TF_CONFIG": json.dumps(task)} for task in tasks]


def is_one_sentence(end: Outcome) -> bool:
    """Whether a process ended with a user's error: code 2 and one line."""
    return end.code == 2 and re.fullmatch(r"error: [^\n]+\n", end.err) is not None
