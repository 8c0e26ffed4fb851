"""Write drawn dashcam frames in the layout of Sully Chen's 2018 data set.

The folder holds the frames `0.jpg`, `1.jpg`, ... and `data.txt` with a line for each frame, such as
`0.jpg 0.000000,2018-07-01 17:09:44:912`: the steering angle in degrees (right positive) and the time.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import as_completed
from datetime import datetime, timedelta
from pathlib import Path

from PIL import Image

from dcgan_tf.console import Progress
from dcgan_tf.datasets.synthetic_road.drive import FRAMES_PER_DRIVE, FRAMES_PER_SECOND
from dcgan_tf.datasets.synthetic_road.scene import draw_frame
from dcgan_tf.errors import UserError
from dcgan_tf.processes import worker_processes

JPEG_QUALITY = 90
ANGLES_FILE = "data.txt"


def draw_set(folder: Path, num_frames: int, seed: int) -> None:
    """Draw frames and their angles into a new folder, on all cores.

    The files depend only on `num_frames` and `seed`. They are written to a temporary folder, which is renamed at the
    end, so `folder` is complete once it has a `data.txt`. If it has one already, nothing is done.

    Args:
      folder: the folder to create; it may exist if it is empty.
      num_frames: number of frames, at least 1.
      seed: random seed, at least 0.

    Raises:
      UserError: the folder cannot be written or holds other files, or a number is too small.
    """
    if num_frames < 1:
        raise UserError(f"synthetic_road needs at least 1 frame, not {num_frames}: ask for more frames.")
    if seed < 0:
        raise UserError(f"synthetic_road needs a seed of 0 or more, not {seed}: choose another seed.")
    if (folder / ANGLES_FILE).exists():
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} holds other files and no {ANGLES_FILE}: choose another folder, or empty it.")
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)  # of a killed process with the same number
        unfinished.mkdir(parents=True)
        angles = _draw_frames(unfinished, num_frames, seed)
        lines = [f"{n}.jpg {angle:.6f},{time_stamp(seed, n)}\n" for n, angle in enumerate(angles)]
        (unfinished / ANGLES_FILE).write_text("".join(lines))
        _move(unfinished, folder)
    except OSError as error:
        raise UserError(
            f"Cannot write the drawn frames to {folder} ({error}): free or choose another place."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def time_stamp(seed: int, index: int) -> str:
    """Format the time of frame `index` as `YYYY-MM-DD HH:MM:SS:ms`, milliseconds not padded, as in the real set."""
    drive, step = divmod(index, FRAMES_PER_DRIVE)
    first_day = datetime(2018, 7, 1, 9) + timedelta(days=seed % 365)
    moment = first_day + timedelta(minutes=drive, milliseconds=step * 1000 // FRAMES_PER_SECOND)
    return f"{moment:%Y-%m-%d %H:%M:%S}:{moment.microsecond // 1000}"


def _draw_frames(folder: Path, num_frames: int, seed: int) -> list[float]:
    """Draw all frames, a drive per task, and write them to `folder`; returns their angles in degrees."""
    angles = [0.0] * num_frames
    starts = range(0, num_frames, FRAMES_PER_DRIVE)
    with worker_processes(len(starts)) as submit:
        tasks = {
            submit(_draw_drive, folder, seed, range(start, min(start + FRAMES_PER_DRIVE, num_frames))): start
            for start in starts
        }
        with Progress(f"drawing {num_frames:,} frames of synthetic_road", num_frames, "frames") as progress:
            for task in as_completed(tasks):
                drawn = task.result()
                angles[tasks[task] : tasks[task] + len(drawn)] = drawn
                progress.advance(len(drawn))
    return angles


def _draw_drive(folder: Path, seed: int, indices: range) -> list[float]:
    """Draw the frames `indices` and write them to `folder`; returns their angles in degrees."""
    angles = []
    for index in indices:
        frame, angle = draw_frame(seed, index)
        Image.fromarray(frame).save(folder / f"{index}.jpg", quality=JPEG_QUALITY)
        angles.append(angle)
    return angles


def _move(unfinished: Path, folder: Path) -> None:
    """Rename the finished folder. If another process was faster, its folder is kept."""
    try:
        unfinished.rename(folder)
    except OSError:
        if not (folder / ANGLES_FILE).exists():
            raise
