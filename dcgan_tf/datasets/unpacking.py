"""Unpacking the archive of a data set; what was interrupted leaves no trace."""

from __future__ import annotations

import contextlib
import functools
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath
from typing import IO, NamedTuple

from dcgan_tf.console import Progress
from dcgan_tf.datasets.download import BLOCK, one_line, require_space, writing_to
from dcgan_tf.errors import UserError


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a .zip, .tar, .tar.gz or .tgz into the new (or empty) `folder`; return `folder`.

    Everything goes to a sibling folder (`folder`.unpacking) that takes the name at the end: `folder` is
    either whole or not there.

    Raises:
      UserError: the archive is missing, damaged, unsafe or too large for the disk, or `folder` is in use.
    """
    if not archive.is_file():
        raise UserError(f"There is no archive {archive}: download it first.")
    if not archive.name.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz")):
        raise UserError(f"{archive} cannot be unpacked: it must be a .zip, .tar, .tar.gz or .tgz.")
    place = folder.resolve()  # a link to a folder on another disk: unpack on that disk
    if place.exists() and not (place.is_dir() and next(place.iterdir(), None) is None):
        raise UserError(f"{folder} exists and is not an empty folder: remove it before unpacking {archive}.")
    with _reading(archive):
        opened = _open(archive)
    with opened, writing_to(folder):
        with _reading(archive):
            members = _members(opened)
            if not members:  # so a zip looks whose directory is damaged
                raise EOFError("it holds nothing")
        places = [_safe_path(member, archive) for member in members]
        size = sum(member.size for member in members)
        place.parent.mkdir(parents=True, exist_ok=True)
        require_space(place, size)
        temporary = place.with_name(place.name + ".unpacking")
        shutil.rmtree(temporary, ignore_errors=True)  # of a run that was killed
        try:
            temporary.mkdir()
            with Progress(f"unpacking {archive.name}", size, "B") as shown:
                for member, path in zip(members, places):
                    _write(member, temporary / path, archive, shown)
            if place.exists():
                place.rmdir()
            temporary.rename(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


class _Member(NamedTuple):
    """A file or folder of an archive; where it is neither, it is a link or a device."""

    name: str
    size: int
    is_file: bool
    is_folder: bool
    open: Callable[[], IO[bytes]]


def _open(archive: Path) -> zipfile.ZipFile | tarfile.TarFile:
    name = archive.name.lower()
    if name.endswith(".zip"):
        return zipfile.ZipFile(archive)
    return tarfile.open(archive, "r:" if name.endswith(".tar") else "r:gz")


def _members(archive: zipfile.ZipFile | tarfile.TarFile) -> list[_Member]:
    """What `archive` announces."""
    members = []
    if isinstance(archive, zipfile.ZipFile):
        for info in archive.infolist():
            # A damaged length in the directory makes zipfile pass over the entries that follow.
            if b"PK\1\2" in info.extra + info.comment:
                raise zipfile.BadZipFile("its directory is damaged")
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
            is_file = kind in (0, stat.S_IFREG) and not info.is_dir()
            is_folder = kind in (0, stat.S_IFDIR) and info.is_dir()
            source = functools.partial(archive.open, info)
            members.append(_Member(info.filename, info.file_size, is_file, is_folder, source))
        return members
    for info in archive:
        source = functools.partial(archive.extractfile, info)
        members.append(_Member(info.name, info.size, info.isfile(), info.isdir(), source))
    # tarfile takes any end for the end of the archive, but a whole one ends with blocks of zeros.
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends too early")
    while archive.fileobj.read(BLOCK):  # to the very end, where gzip has its checksum
        pass
    return members


def _safe_path(member: _Member, archive: Path) -> Path:
    """Where in the folder `member` goes, once it is known to stay there."""
    # Windows' rules for paths are the stricter ones: either slash separates, and there are drives.
    path = PureWindowsPath(member.name)
    climbs = path.anchor or ".." in path.parts or "\0" in member.name or (member.is_file and not path.parts)
    if climbs or not (member.is_file or member.is_folder):
        why = "lies outside the folder to unpack into" if climbs else "is a link or a device"
        raise UserError(
            f"{archive} holds {member.name!r}, which {why}: the archive is not safe,"
            " remove it and get it from another place."
        )
    return Path(*path.parts)


def _write(member: _Member, path: Path, archive: Path, shown: Progress) -> None:
    if member.is_folder:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        for block in _contents(member, archive):
            out.write(block)
            shown.advance(len(block))


def _contents(member: _Member, archive: Path) -> Iterator[bytes]:
    """The bytes of `member`: as many as it announces, never more."""
    with _reading(archive), member.open() as source:
        left = member.size
        while left > 0 and (block := source.read(min(BLOCK, left))):
            left -= len(block)
            yield block
        if left or source.read(1):
            raise EOFError(f"{member.name} is not as long as announced")


@contextlib.contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Whatever goes wrong within is a fault of `archive`: damaged bytes bring out errors of many classes."""
    try:
        yield
    except Exception as error:
        raise UserError(
            f"{archive} is not whole ({one_line(error)}): remove it and run the same command again."
        ) from error
