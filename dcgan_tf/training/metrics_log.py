"""`train.log` and `metrics.csv`: a line a step, cut back to the checkpoint when a run is continued."""

from __future__ import annotations

import contextlib
import csv
import math
import os
from pathlib import Path

import numpy as np

from dcgan_tf.files import explain_write_error, write_text
from dcgan_tf.run_metrics import SCORE_NAMES, STEP_NAMES

# `time`: seconds that the step took.
COLUMNS = ("step", "epoch", "time", *STEP_NAMES, *SCORE_NAMES)


class Records:
    """Appends one line a step to both files.

    Args:
      log_file: `train.log`, in the article's format.
      metrics_file: `metrics.csv`, with `COLUMNS`.
      step: the steps done at the checkpoint that the run goes on from; later lines are cut off.
    """

    def __init__(self, log_file: Path, metrics_file: Path, step: int):
        log = _first_lines(log_file, step)
        header, *rows = _first_lines(metrics_file, step + 1) or [""]
        if header != ",".join(COLUMNS):
            # A run of an earlier version: its scores were of other features and do not compare with later ones.
            steps = len(COLUMNS) - len(SCORE_NAMES)
            rows = [",".join([*row.split(",")[:steps], *[""] * len(SCORE_NAMES)]) for row in rows]
        metrics = [",".join(COLUMNS), *rows]
        write_text(log_file, "".join(line + "\n" for line in log))
        write_text(metrics_file, "".join(line + "\n" for line in metrics))
        # Line buffered, so that a killed process loses no line that it wrote.
        self._log = open(log_file, "a", encoding="utf-8", buffering=1)  # noqa: SIM115  closed by __exit__
        self._metrics = open(metrics_file, "a", encoding="utf-8", buffering=1)  # noqa: SIM115

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *_) -> None:
        for file in (self._log, self._metrics):
            with contextlib.suppress(OSError):  # writing the last line failed, which was reported
                file.close()

    def add(self, step: int, epochs: int, steps_per_epoch: int, seconds: float, metrics: dict[str, float]) -> None:
        """One finished step; `step` counts from 0 over the whole run, `metrics` has scores if they were measured.

        Raises:
          UserError: the disk is full.
        """
        epoch, index = divmod(step, steps_per_epoch)
        row = dict.fromkeys(SCORE_NAMES, "") | {"step": step, "epoch": epoch, "time": f"{seconds:.4f}"}
        row |= {name: format_number(value) for name, value in metrics.items()}
        try:
            self._log.write(
                f"Epoch: [{epoch:2d}/{epochs:2d}] [{index:4d}/{steps_per_epoch:4d}] time: {seconds:.4f}, "
                f"d_loss: {metrics['d_loss']:.8f}, g_loss: {metrics['g_loss']:.8f}\n"
            )
            self._metrics.write(",".join(str(row[name]) for name in COLUMNS) + "\n")
        except OSError as error:
            raise explain_write_error(error, Path(self._metrics.name)) from error

    def sync(self) -> None:
        """Sync both files to the disk, so that a checkpoint never refers to lines that are not there."""
        for file in (self._log, self._metrics):
            os.fsync(file.fileno())


def format_number(value: float) -> str:
    """A number as `metrics.csv` has it: nine digits tell all float32 numbers apart."""
    return f"{value:.9g}"


def _first_lines(path: Path, count: int | None = None) -> list[str]:
    """Return the first `count` complete lines of a text file (None: all); an incomplete last line is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return lines[:count]


def read_metrics(path: Path) -> dict[str, np.ndarray]:
    """`metrics.csv` as float64 [steps] for each column, nan where nothing was measured; no steps if it is not there."""
    rows = list(csv.DictReader(_first_lines(path)))
    return {name: np.array([_number(row.get(name)) for row in rows]) for name in COLUMNS}


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:  # not measured, or damaged
        return math.nan


def frechet_distances(metrics: dict[str, np.ndarray]) -> dict[int, float]:
    """Steps done -> Fréchet distance, of the steps after which it was measured; `metrics` is of `read_metrics`."""
    measured = np.isfinite(metrics["frechet"])
    return dict(zip((metrics["step"][measured].astype(int) + 1).tolist(), metrics["frechet"][measured].tolist()))
