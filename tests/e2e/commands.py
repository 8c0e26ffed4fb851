"""Running the commands as a user does: a process each, with a tiny network and a small folder of images."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
TINY = ["--image_size=32", "--g_width=4", "--d_width=4", "--latent_dim=8", "--batch_size=8", "--sample_grid=2x3"]
PATIENCE = 180.0  # seconds before a process counts as hung, on a machine that is busy otherwise


def make_images(folder: Path, n: int, seed: int = 0) -> Path:
    """`n` smooth pictures of 36x36 pixels, each other colours."""
    folder.mkdir(parents=True)
    corners = np.random.default_rng(seed).integers(0, 256, (n, 2, 2, 3), np.uint8)
    for i, four in enumerate(corners):
        Image.fromarray(four).resize((36, 36), Image.Resampling.BILINEAR).save(folder / f"{i:03d}.jpg", quality=95)
    return folder


def environment(**more: str) -> dict[str, str]:
    """As on a server: no display, and nothing set that the commands should see to themselves."""
    ours = ("DISPLAY", "MPLBACKEND", "TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND", "PYTHONPATH")
    return {k: v for k, v in os.environ.items() if k not in ours} | {"PYTHONPATH": str(ROOT)} | more


def start(command: str, *args: str, cwd: Path, env: dict | None = None, **popen) -> subprocess.Popen:
    """`python -m dcgan_tf.<command> <args>`, started."""
    return subprocess.Popen(
        [sys.executable, "-m", f"dcgan_tf.{command}", *args],
        cwd=cwd, env=env or environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen,
    )  # fmt: skip


def ended(process: subprocess.Popen) -> subprocess.CompletedProcess:
    """What `process` said, and how it ended."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run(command: str, *args: str, cwd: Path, env: dict | None = None, **popen) -> subprocess.CompletedProcess:
    """`python -m dcgan_tf.<command> <args>`, from start to end."""
    return ended(start(command, *args, cwd=cwd, env=env, **popen))


def wait_until(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    """Return when `condition` holds; fail if the process ends before."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None or time.monotonic() > give_up:
            end = ended(process)
            raise AssertionError(f"not reached; the process ended with {end.returncode}:\n{end.stdout}\n{end.stderr}")
        time.sleep(0.001)


def stop_while(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    """Halt the process (SIGSTOP) at a moment at which `condition` holds, however short it is."""
    while True:
        wait_until(process, condition)
        os.kill(process.pid, signal.SIGSTOP)
        _wait_for_halt(process.pid)
        if condition():
            return
        os.kill(process.pid, signal.SIGCONT)  # it was over before the process halted: wait for the next time


def _wait_for_halt(pid: int) -> None:
    # The signal takes effect a moment after it was sent: the state is the third field, after the name in brackets.
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZ":
        time.sleep(0.0005)


def line_count(path: Path) -> int:
    """Whole lines in the file, 0 if it is not there."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill(process: subprocess.Popen) -> None:
    """SIGKILL, as the system does when memory runs out; a halted process too."""
    process.kill()
    process.communicate()


def checkpoint_arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def same_arrays(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Bit for bit: also -0.0 and 0.0 are told apart."""
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and a[name].shape == b[name].shape and a[name].tobytes() == b[name].tobytes()
        for name in a
    )
