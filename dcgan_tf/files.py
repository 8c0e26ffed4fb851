"""Writing files atomically, so that a file is either complete or absent."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from dcgan_tf.console import ESCAPE
from dcgan_tf.errors import UserError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the block ends without an error.

    The bytes are synced to the disk before the rename: after a power cut `path` is the old file or the new one.

    Raises:
      UserError: the disk is full or may not be written; an older file at `path` is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb+") as f:
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise explain_write_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically; bytes of file names that are no UTF-8 are escaped."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=ESCAPE)


def explain_write_error(error: OSError, path: Path) -> Exception:
    """Return a UserError for a disk that is full or may not be written, and any other error unchanged."""
    if error.errno in _NO_SPACE:
        return UserError(f"{path}: no space left on the disk; free some and run the same command again.")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return UserError(f"{path}: may not be written ({error.strerror}); choose another folder.")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return UserError(f"{path}: a file stands where a folder is needed; choose another folder.")
    if error.errno == errno.EISDIR:
        return UserError(f"{path}: a folder stands where a file is needed; choose another name.")
    return error


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of `replacing` in `folder` whose process has ended."""
    for path in folder.glob(".*.tmp"):
        pid = path.name.split(".")[-2]
        if pid.isdecimal() and not _alive(int(pid)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    if pid == os.getpid():  # left by an earlier process with the same ID
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def check_output(folder: str) -> None:
    """Check that `--output` is not a file. The folder need not exist, and "" is accepted.

    Raises:
      UserError: it is a file.
    """
    if folder and os.path.exists(folder) and not os.path.isdir(folder):
        raise UserError(f"--output={folder}: a file stands where a folder is needed; choose another one.")
