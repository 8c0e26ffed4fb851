"""Unpack the archive of a data set. An interrupted unpacking leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import NamedTuple, cast

from dcgan_tf.console import Progress
from dcgan_tf.datasets.download import BLOCK, one_line, report_write_errors, require_space
from dcgan_tf.errors import UserError


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a .zip, .tar, .tar.gz or .tgz into the new (or empty) `folder`; return `folder`.

    The files are written to `folder`.unpacking, which is renamed at the end: `folder` is complete or does not exist.

    Raises:
      UserError: the archive is missing, damaged, unsafe or too large for the disk, or `folder` is in use.
    """
    if not archive.is_file():
        raise UserError(f"There is no archive {archive}: download it first.")
    if not archive.name.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz")):
        raise UserError(f"{archive} cannot be unpacked: it must be a .zip, .tar, .tar.gz or .tgz.")
    place = folder.resolve()  # behind a link to another disk, the temporary folder must be on that disk
    if place.exists() and not (place.is_dir() and next(place.iterdir(), None) is None):
        raise UserError(f"{folder} exists and is not an empty folder: remove it before unpacking {archive}.")
    with _report_damage(archive):
        opened = _open(archive)
    with opened, report_write_errors(folder):
        with _report_damage(archive):
            members = _list_members(opened)
            if not members:  # a zip whose directory is damaged looks empty
                raise EOFError("it holds nothing")
        for member in members:
            _check_safe(member, archive)
        size = sum(member.size for member in members)
        place.parent.mkdir(parents=True, exist_ok=True)
        require_space(place, size)
        temporary = place.with_name(place.name + ".unpacking")
        shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
        try:
            temporary.mkdir()
            with Progress(f"unpacking {archive.name}", size, "B") as progress:
                for member in members:
                    with _report_damage(archive, writing=True):
                        _extract(opened, member, temporary)
                    progress.advance(member.size)
            if place.exists():
                place.rmdir()
            temporary.rename(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


class _Member(NamedTuple):
    """A member of an archive; `plain` is False for links, devices and pipes."""

    info: zipfile.ZipInfo | tarfile.TarInfo
    name: str
    size: int
    plain: bool


def _open(archive: Path) -> zipfile.ZipFile | tarfile.TarFile:
    name = archive.name.lower()
    if name.endswith(".zip"):
        return zipfile.ZipFile(archive)
    opened = tarfile.open(archive, "r:" if name.endswith(".tar") else "r:gz")  # noqa: SIM115 (`unpack` closes it)
    # The filter is a second check. Python before 3.10.12 and 3.11.4 has none; there `_check_safe` is the only one.
    opened.extraction_filter = getattr(tarfile, "data_filter", None)
    return opened


def _list_members(archive: zipfile.ZipFile | tarfile.TarFile) -> list[_Member]:
    """List what `archive` holds; a truncated archive raises."""
    if isinstance(archive, zipfile.ZipFile):
        return [_describe(info) for info in archive.infolist()]
    members = [_Member(info, info.name, info.size, info.isfile() or info.isdir()) for info in archive]
    # tarfile accepts any end of file, but a complete archive ends with blocks of zeros.
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends too early")
    while archive.fileobj.read(BLOCK):  # up to the end, where gzip checks its checksum
        pass
    return members


def _describe(info: zipfile.ZipInfo) -> _Member:
    # With a damaged length in its directory, zipfile would skip the entries that follow.
    if b"PK\1\2" in info.extra + info.comment:
        raise zipfile.BadZipFile("its directory is damaged")
    info.filename = info.filename.replace("\\", "/")  # some Windows programs write backslashes
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 if the archive was not made on Unix
    plain = kind in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG)
    return _Member(info, info.filename, info.file_size, plain)


def _check_safe(member: _Member, archive: Path) -> None:
    """Refuse a member that is not a file or folder inside the folder to unpack into.

    tarfile and zipfile would alter such a name (absolute names become relative) and extract links within the folder.

    Raises:
      UserError: `member` is unsafe.
    """
    # Windows paths are the stricter ones: both slashes separate, and there are drives.
    path = PureWindowsPath(member.name)
    outside = path.anchor or ".." in path.parts or "\0" in member.name
    if outside or not member.plain:
        why = "lies outside the folder to unpack into" if outside else "is a link or a device"
        raise UserError(
            f"{archive} holds {member.name!r}, which {why}: the archive is not safe,"
            " remove it and get it from another place."
        )


def _extract(archive: zipfile.ZipFile | tarfile.TarFile, member: _Member, folder: Path) -> None:
    if isinstance(archive, tarfile.TarFile):
        archive.extract(cast(tarfile.TarInfo, member.info), folder, set_attrs=False)
        return
    info = cast(zipfile.ZipInfo, member.info)
    path = archive.extract(info, folder)
    if not info.is_dir() and os.path.getsize(path) != member.size:  # zipfile compares the checksum only
        raise EOFError(f"{member.name} is not as long as announced")


@contextlib.contextmanager
def _report_damage(archive: Path, writing: bool = False) -> Iterator[None]:
    """Turn any error of the block into a UserError, because damaged bytes raise errors of many classes.

    Args:
      archive: the archive that the block reads.
      writing: the block writes too; OSErrors of the disk, which have a number, are passed on.
    """
    try:
        yield
    except Exception as error:
        if writing and getattr(error, "errno", None):
            raise
        raise UserError(
            f"{archive} is not whole ({one_line(error)}): remove it and run the same command again."
        ) from error
