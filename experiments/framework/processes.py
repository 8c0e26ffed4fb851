"""A short run in processes of its own, what disturbs it, and whether it ends as the undisturbed one. For `faults`."""

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

from experiments.framework.compare_runs import differences

ROOT = Path(__file__).parents[2]
CHECKPOINT_EVERY = 10
PATIENCE = 300.0  # seconds before a process counts as hung
SETTINGS = ["--dataset=folder", "--data_dir=images", "--image_size=32", "--g_width=4", "--d_width=4", "--latent_dim=8"]
SETTINGS += ["--batch_size=8", "--ema=0.99", "--epochs=1000", "--keep_checkpoints=2", "--keep_every_epochs=0"]
SETTINGS += [f"--checkpoint_every={CHECKPOINT_EVERY}", "--sample_every=8", "--histogram_every=20"]
SETTINGS += ["--evaluate_every=30", "--sample_grid=2x3"]


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, what it said, and what it wrote to its error output."""

    code: int
    out: str
    err: str


class Workshop:
    """A folder with images (squares of random colours), and runs below it that pack them anew.

    Args:
      folder: where everything is written; it must be there.
      images: how many.
      steps: of a whole run.
      more: settings besides `SETTINGS`.
    """

    def __init__(self, folder: Path, images: int, steps: int, *more: str):
        self.folder, self.steps, self._more = folder, steps, more
        self._metrics_at_start: dict[int, int] = {}  # by process: the file's number
        (folder / "images").mkdir(exist_ok=True)
        corners = np.random.default_rng(0).integers(0, 256, (images, 2, 2, 3), np.uint8)
        for n, four in enumerate(corners):
            picture = Image.fromarray(four).resize((96, 96), Image.Resampling.BILINEAR)
            picture.save(folder / "images" / f"{n:04d}.jpg", quality=95)

    def start(self, run: str, *more: str, env: dict[str, str] | None = None) -> subprocess.Popen:
        """`python -m dcgan_tf.train` of a run, with a pack of its own, started."""
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

    def train(self, run: str, *more: str, env: dict[str, str] | None = None) -> Ended:
        """The same, to its end."""
        return ended(self.start(run, *more, env=env))

    def steps_done(self, run: str) -> int:
        """Steps that `metrics.csv` has a whole line of."""
        path = self.folder / run / "run" / "metrics.csv"
        return max(0, path.read_bytes().count(b"\n") - 1) if path.exists() else 0

    def checkpoint(self, run: str) -> int:
        """The step of the newest checkpoint, 0 without one."""
        found = (self.folder / run / "run" / "checkpoints").glob("step-*.npz")
        return max((int(path.stem[5:]) for path in found), default=0)

    def trained(self, run: str, process: subprocess.Popen) -> bool:
        """Whether a process has come to its first step: then it has made `metrics.csv` anew."""
        return _inode(self.folder / run / "run" / "metrics.csv") != self._metrics_at_start[process.pid]

    def lost(self, run: str, process: subprocess.Popen | None = None) -> int:
        """Steps with a line in `metrics.csv` since the newest checkpoint; of a process: those that it did itself."""
        if process and not self.trained(run, process):
            return 0
        return max(0, self.steps_done(run) - self.checkpoint(run))

    def phase(self, run: str, process: subprocess.Popen | None = None) -> str:
        """What a run was doing when it died, by what lies in its folders; of a process: what it left there itself."""
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
        if not (folder / "run" / "train.log").exists() or (process and not self.trained(run, process)):
            return "before the first step" if any((folder / "packed").glob("*.json")) else "starting"
        if self.checkpoint(run) >= self.steps:
            return "after the last step"
        return "in a step, or between writes"

    def differences(self, run: str, reference: str) -> list[str]:
        """In what a finished run is not the reference, bit for bit, and what was left over."""
        ours, theirs = (self.folder / name / "run" for name in (run, reference))
        if not checkpoint_of(ours, self.steps).exists():
            return [str(checkpoint_of(Path(), self.steps))]
        left = [path.name for path in (self.folder / run).rglob(".*.tmp")]
        return differences(ours, theirs) + [f"{name} left over" for name in left]

    def remove(self, run: str) -> None:
        shutil.rmtree(self.folder / run, ignore_errors=True)


def checkpoint_of(run: Path, step: int) -> Path:
    return run / "checkpoints" / f"step-{step:08d}.npz"


def _inode(path: Path) -> int:
    return path.stat().st_ino if path.exists() else 0


def continued_at(end: Ended) -> int | None:
    """The step that a process said it goes on from; None if it said none: from the start, or it did not come so far."""
    said = re.search(r"continues at step ([\d,]+)\.", end.out)
    return int(said[1].replace(",", "")) if said else None


def ended(process: subprocess.Popen) -> Ended:
    """Wait for the end of a process; one that hangs is killed, with code -9."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return Ended(process.returncode, out, err)


def kill(process: subprocess.Popen) -> Ended:
    """SIGKILL, as the system does when memory runs out."""
    process.kill()
    return ended(process)


def wait_until(process: subprocess.Popen, condition: Callable[[], bool]) -> bool:
    """Whether `condition` came to hold before the process ended; halted at that moment, so that it still holds."""
    give_up = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < give_up:
        if condition():
            os.kill(process.pid, signal.SIGSTOP)
            _wait_for_halt(process)
            if condition():
                return True
            os.kill(process.pid, signal.SIGCONT)  # over before it halted: the next time
        time.sleep(0.0005)
    return False


def _wait_for_halt(process: subprocess.Popen) -> None:
    # The signal takes effect a moment after it was sent: the state is the third field, after the name in brackets.
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZ":
        time.sleep(0.0005)


def two_workers() -> list[dict[str, str]]:
    """The environment of each of two workers on this machine, at ports that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": n}} for n in range(2)]
    return [{"TF_CONFIG": json.dumps(task)} for task in tasks]


def one_sentence(end: Ended) -> bool:
    """Whether a process ended as a user's error does: code 2 and one line."""
    return end.code == 2 and re.fullmatch(r"error: [^\n]+\n", end.err) is not None
