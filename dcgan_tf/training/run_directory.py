"""The folder of a run: its paths, its config, and who may write to it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from dcgan_tf import config as config_lib
from dcgan_tf.config import Config
from dcgan_tf.console import say
from dcgan_tf.errors import UserError
from dcgan_tf.files import remove_leftovers, write_error, write_text


@dataclass(frozen=True)
class RunDirectory:
    """Where a run keeps what."""

    path: Path

    @property
    def config_file(self) -> Path:
        return self.path / "config.json"

    @property
    def data_file(self) -> Path:
        """Which images it learns from: data set, their number and the SHA-256 of their pixels."""
        return self.path / "data.json"

    @property
    def log_file(self) -> Path:
        return self.path / "train.log"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    def config(self) -> Config:
        """The run's config.

        Raises:
          UserError: not a run, or its config cannot be read.
        """
        try:
            text = self.config_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise UserError(f"{self.path}: not a run (no readable config.json); name one with --run.") from None
        return config_lib.from_json(text, str(self.config_file))


def choose_run(run: str | Path | None) -> RunDirectory:
    """The run in a folder; None or "": the newest (see `newest`)."""
    return RunDirectory(Path(run)) if run else newest()


def newest(root: Path = Path("runs")) -> RunDirectory:
    """The run below `root` that was written to last.

    Raises:
      UserError: there is none.
    """
    runs = [path.parent for path in root.glob("*/config.json")]
    if not runs:
        raise UserError(f"no run in {root}; train one with `python -m dcgan_tf.train`, or name one with --run=FOLDER.")

    def last_written(run: Path) -> float:
        return max(p.stat().st_mtime for p in (run / "config.json", run / "metrics.csv") if p.exists())

    return RunDirectory(max(runs, key=last_written))


@contextlib.contextmanager
def opened_for_training(path: Path, config: Config, data: dict, fresh: bool) -> Iterator[RunDirectory]:
    """The run folder, made or continued, and locked against other processes until the block ends.

    Args:
      path: the run folder.
      config: the settings asked for. What is learned must be what the run has learned so far; more epochs or
        steps and other watching settings replace the old ones.
      data: what goes into `data.json`.
      fresh: start over; an old run is moved aside to `<path>-1`, `-2`, ...

    Raises:
      UserError: in use, may not be written, or started with other settings or images.
    """
    path = path if path.name else path.resolve()  # "." has no name to move aside
    with contextlib.ExitStack() as stack:
        _check_run_or_empty(path)  # before the lock: it leaves a file in the folder
        stack.enter_context(_lock(path))
        if fresh and (path / "config.json").exists():
            _move_aside(path)
            stack.enter_context(_lock(path))
        run = RunDirectory(path)
        if run.config_file.exists():
            _check_same(run, config, data)
        # config.json first: with it the folder is a run, however soon the process is killed.
        write_text(run.config_file, config.to_json())
        write_text(run.data_file, json.dumps(data, indent=2) + "\n")
        for folder in (run.path, run.checkpoints, run.samples, run.tensorboard):
            _make(folder)
            remove_leftovers(folder)
        yield run


def _check_run_or_empty(path: Path) -> None:
    try:
        names = os.listdir(path)
    except OSError:
        return  # not there yet; or what is wrong with it is said when it is made
    if "config.json" not in names and any(not name.startswith(".") for name in names):
        raise UserError(f"{path}: not empty and not a run; choose another folder with --run_dir.")


def _check_same(run: RunDirectory, config: Config, data: dict) -> None:
    before, now = run.config().learned(), config.learned()
    differ = [f"{name} ({before[name]} there, {now[name]} here)" for name in now if before[name] != now[name]]
    try:
        learned_from = json.loads(run.data_file.read_text(encoding="utf-8"))
        changed = learned_from["sha256"] != data["sha256"]
    except (OSError, ValueError, TypeError, KeyError):
        changed = False  # unknown: killed before it was written
    if not differ and changed:
        differ = [f"the images themselves ({learned_from.get('images')} there, {data['images']} here)"]
    if differ:
        raise UserError(
            f"{run.path}: this run was started otherwise: {', '.join(differ)}. Give the same settings to continue, "
            "--fresh to start over (the old run is kept), or another folder with --run_dir."
        )


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold `path/.lock`, which the system releases however the process ends; `.pid` names the process for others."""
    _make(path)
    lock, owner = filelock.FileLock(path / ".lock"), path / ".pid"
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        number = owner.read_text(encoding="utf-8").strip() if owner.exists() else "unknown"
        raise UserError(
            f"{path}: in use by another process (number {number}); wait for it, or choose another --run_dir."
        ) from None
    except OSError as error:
        raise write_error(error, path) from error
    try:
        try:
            owner.write_text(str(os.getpid()), encoding="utf-8")
        except OSError as error:
            raise write_error(error, path) from error
        yield
    finally:
        with contextlib.suppress(OSError):
            owner.unlink()
        lock.release()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, folder) from error


def _move_aside(path: Path) -> None:
    number = 1
    while (aside := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    os.rename(path, aside)
    say(f"The old run is kept in {aside}.")
