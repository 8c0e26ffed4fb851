"""The folder of a run: its paths, its config and its lock."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from dcgan_tf import config as config_lib
from dcgan_tf.config import Config
from dcgan_tf.console import say
from dcgan_tf.errors import UserError
from dcgan_tf.files import explain_write_error, remove_leftovers, write_text

CHANGES = "step,setting,before,now\n"  # the head of `changes_file`
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)  # errors of flock on file systems without locks; ENOSYS: see `_lock`


@dataclass(frozen=True)
class RunDirectory:
    """The paths of a run's files."""

    path: Path

    @property
    def config_file(self) -> Path:
        return self.path / "config.json"

    @property
    def data_file(self) -> Path:
        """The fingerprint of the data: data set, number of images and the SHA-256 of their pixels."""
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

    @property
    def changes_file(self) -> Path:
        """The settings that were changed when the run was continued: a line for each, with the steps done before."""
        return self.path / "changes.csv"

    def record_changes(self, step: int, changes: dict[str, tuple]) -> None:
        """Add settings that differ from step `step` on, by name: (before, now)."""
        old = self.changes_file.read_text(encoding="utf-8") if self.changes_file.exists() else CHANGES
        lines = [f"{step},{name},{before},{now}\n" for name, (before, now) in changes.items()]
        write_text(self.changes_file, old + "".join(lines))

    def config(self) -> Config:
        """Read the run's config.

        Raises:
          UserError: the folder is not a run, or its config cannot be read.
        """
        try:
            text = self.config_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise UserError(f"{self.path}: not a run (no readable config.json); name one with --run.") from None
        return config_lib.from_json(text, str(self.config_file))


def choose_run(run: str | Path | None) -> RunDirectory:
    """Return the run in a folder; for None or "" the newest run (see `find_newest`)."""
    return RunDirectory(Path(run)) if run else find_newest()


def find_newest(root: Path = Path("runs")) -> RunDirectory:
    """Find the run below `root` that was written to last.

    Raises:
      UserError: there is no run.
    """
    runs = [path.parent for path in root.glob("*/config.json")]
    if not runs:
        raise UserError(f"no run in {root}; train one with `python -m dcgan_tf.train`, or name one with --run=FOLDER.")

    def last_written(run: Path) -> float:
        return max(p.stat().st_mtime for p in (run / "config.json", run / "metrics.csv") if p.exists())

    return RunDirectory(max(runs, key=last_written))


@contextlib.contextmanager
def open_for_training(path: Path, config: Config, data: dict, fresh: bool) -> Iterator[RunDirectory]:
    """Create a run folder or open it to continue the run; other processes are locked out until the block ends.

    Args:
      path: the run folder.
      config: the settings. To continue a run, those that change what is learned (`Config.learned`) must be the same,
        but for those that may change from the next step on (`Config.changed`); the others, such as the number of
        epochs, replace the old ones.
      data: contents of `data.json`.
      fresh: start over; an old run is renamed to `<path>-1`, `-2`, ...

    Raises:
      UserError: the folder is in use, cannot be written or holds something else, or the run was started with other
        settings or images.
    """
    path = path if path.name else path.resolve()  # the relative path "." has no name that can be changed
    with contextlib.ExitStack() as stack:
        _check_run_or_empty(path)  # before the lock, which leaves a file in the folder
        stack.enter_context(_lock(path))
        if fresh and (path / "config.json").exists():
            _move_aside(path)
            stack.enter_context(_lock(path))
        run = RunDirectory(path)
        if run.config_file.exists():
            _check_settings(run, config, data)
        # config.json first: it makes the folder a run, even if the process is killed right after.
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
        return  # it does not exist; any other problem is reported when it is made
    if "config.json" not in names and any(not name.startswith(".") for name in names):
        raise UserError(f"{path}: not empty and not a run; choose another folder with --run_dir.")


def _check_settings(run: RunDirectory, config: Config, data: dict) -> None:
    old = run.config()
    before, now, may = old.learned(), config.learned(), config.changed(old)
    names = [name for name in now if name not in may and before.get(name, now[name]) != now[name]]
    differ = [f"{name} ({before[name]} there, {now[name]} here)" for name in names]
    try:
        old_data = json.loads(run.data_file.read_text(encoding="utf-8"))
        changed = old_data["sha256"] != data["sha256"]
    except (OSError, ValueError, TypeError, KeyError):
        changed = False  # unknown: the process was killed before it was written
    if not differ and changed:
        differ = [f"the images themselves ({old_data.get('images')} there, {data['images']} here)"]
    if differ:
        raise UserError(
            f"{run.path}: this run was started with other settings or images: {', '.join(differ)}. Give the same "
            "settings to continue, --fresh to start over (the old run is kept), or another folder with --run_dir."
        )


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock `path/.lock`, which the system releases even if the process is killed.

    The file `.pid` holds the number of the process, for the error of another one. It is not written to the lock file,
    which some versions of filelock empty whenever a process asks for the lock.

    Raises:
      UserError: another process holds the lock, or the folder cannot be written or locked.
    """
    _make(path)
    lock, owner = filelock.FileLock(path / ".lock"), path / ".pid"
    try:
        with warnings.catch_warnings():
            # For ENOSYS some versions of filelock raise NotImplementedError. Others warn and use a plain file, which
            # in some of them does not keep other processes out.
            warnings.filterwarnings("error", "flock not supported")
            lock.acquire(timeout=0)
    except filelock.Timeout:
        raise UserError(
            f"{path}: in use by another process (number {_read_owner(owner)}); wait for it, or choose another "
            "--run_dir."
        ) from None
    except (OSError, NotImplementedError, UserWarning) as error:
        if not isinstance(error, OSError) or error.errno in _NO_LOCKS:
            raise UserError(f"{path}: its file system has no locks ({error}); choose another --run_dir.") from error
        raise explain_write_error(error, path) from error
    try:
        try:
            owner.write_text(str(os.getpid()), encoding="utf-8")
        except OSError as error:
            raise explain_write_error(error, path) from error
        yield
    finally:
        with contextlib.suppress(OSError):
            owner.unlink()
        lock.release()


def _read_owner(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "unknown"
    except OSError:  # the other process has not written it yet
        return "unknown"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain_write_error(error, folder) from error


def _move_aside(path: Path) -> None:
    number = 1
    while (aside := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    try:
        (path / ".pid").unlink(missing_ok=True)  # of this process, which continues in the new folder
        os.rename(path, aside)
    except OSError as error:
        raise explain_write_error(error, aside) from error
    say(f"The old run is kept in {aside}.")
