"""Getting the archive of a data set and unpacking it; what was interrupted goes on, or leaves no trace."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.client
import json
import re
import shutil
import stat
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath
from typing import IO, NamedTuple

from dcgan_tf.console import Progress, say
from dcgan_tf.errors import UserError

TRIES = 5
PAUSE = 1.0  # seconds before the second try, twice that before the third, and so on
TIMEOUT = 60.0  # seconds without a byte
BLOCK = 1 << 18


def fetch(url: str, target: Path, sha256: str | None = None) -> Path:
    """Download `url` to `target`, going on where an earlier call was interrupted; return `target`.

    The bytes gather in `target`.part, which becomes `target` when whole; `target`.part.json says of which
    version of the file they are, so that two versions are never glued together. An existing `target` is
    not downloaded again.

    Raises:
      UserError: the file cannot be had or written, or is not the one of `sha256`.
    """
    if target.is_file():
        if sha256 and _sha256(target) != sha256.lower():
            raise UserError(f"{target} is not the file of sha256 {sha256}: remove it and run this again.")
        return target
    if not url.startswith(("http://", "https://")):
        raise UserError(f"{url} is no address to download from: it must begin with http:// or https://.")
    part, sidecar = (target.with_name(target.name + ending) for ending in (".part", ".part.json"))
    with _disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, TRIES + 1):
            try:
                _transfer(url, part, sidecar, target)
                break
            except _Interrupted as error:
                if attempt == TRIES:
                    raise UserError(
                        f"The download of {url} failed {TRIES} times ({error}):"
                        " check the connection; the same command continues it."
                    ) from error
                say(f"The download of {target.name} was interrupted ({error}), trying again.")
                time.sleep(PAUSE * attempt)
        if sha256 and (found := _sha256(part)) != sha256.lower():
            part.unlink()
            sidecar.unlink()
            raise UserError(
                f"{url} gave another file than expected (sha256 {found} instead of {sha256}), it was removed:"
                f" run the same command again, or put the right file at {target}."
            )
        part.replace(target)
        sidecar.unlink()
    return target


class _Interrupted(Exception):
    """The connection failed in a way that another try may mend."""


def _transfer(url: str, part: Path, sidecar: Path, target: Path) -> None:
    """Over one connection, bring `part` to its full length, or raise _Interrupted."""
    try:
        known = json.loads(sidecar.read_text())
    except (OSError, ValueError):
        known = {}
    resumable = known.get("url") == url and known["validator"] and part.exists()
    offset = part.stat().st_size if resumable else 0
    headers = {"User-Agent": "dcgan_tf"}
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": known["validator"]}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        response = error
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(_one_line(error)) from error
    with response:
        if offset and response.status in (206, 416):
            # 206 "bytes 5-9/10": the rest; 416 "bytes */10": there is no rest, the part may be whole.
            match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+)", response.headers.get("Content-Range", ""))
            begin, total = (int(match[1] or match[2]), int(match[2])) if match else (None, None)
            # Not every server heeds If-Range, so its answer is compared with what was recorded.
            same = _validator(response.headers) in (None, known["validator"])
            if not same or begin != offset or known["size"] not in (None, total):
                part.unlink()
                raise _Interrupted("the server has another file now, starting over")
            if response.status == 416:
                return
        elif response.status != 200:
            raise UserError(
                f"{url} answers {response.status} {response.reason}: try again later, or download the file"
                f" with a browser and put it at {target}."
            )
        elif response.headers.get_content_type() == "text/html":
            raise UserError(
                f"{url} answers with a web page instead of the file (a limit on downloads, or a log-in):"
                f" download the file with a browser and put it at {target}."
            )
        else:
            offset, total = 0, response.length
        _require_space(part, (total or 0) - offset)
        what = f"downloading {target.name}"
        with Progress(what, total, "B", offset) as shown, part.open("ab" if offset else "wb") as out:
            if not offset:  # only now, when the bytes of another version are gone
                known = {"url": url, "validator": _validator(response.headers), "size": total}
                sidecar.write_text(json.dumps(known))
            for block in _received(response):
                out.write(block)
                shown.advance(len(block))
    if total is not None and shown.done < total:
        raise _Interrupted(f"it ended at {shown.done:,} of {total:,} bytes")


def _validator(headers: http.client.HTTPMessage) -> str | None:
    """What tells this version of a file from others (a weak tag, W/, does not promise the same bytes)."""
    values = (headers.get("ETag"), headers.get("Last-Modified"))
    return next((value for value in values if value and not value.startswith("W/")), None)


def _received(response: IO[bytes]) -> Iterator[bytes]:
    try:
        while block := response.read(BLOCK):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(_one_line(error)) from error


def fetch_from_google_drive(file_id: str, target: Path) -> Path:
    """Download a public file of Google Drive to `target`, resuming an earlier call; return `target`.

    Raises:
      UserError: gdown is not installed, Google does not hand the file out, or it cannot be written.
    """
    if target.is_file():
        return target
    try:
        import gdown
        import requests
    except ImportError as error:
        raise UserError(
            'Downloading from Google Drive needs gdown: install it with pip install "dcgan_tf[download]".'
        ) from error
    browser = f"download https://drive.google.com/uc?id={file_id} with a browser and put the file at {target}"
    with _disk(target), contextlib.ExitStack() as stack:
        shown: Progress | None = None

        def show(done: int, total: int | None) -> None:
            nonlocal shown
            if shown is None:
                _require_space(target, (total or 0) - done)
                shown = stack.enter_context(Progress(f"downloading {target.name}", total, "B", done))
            shown.advance(done - shown.done)

        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Without cookies gdown writes nothing but the target (and target????????.part until it is whole).
            gdown.download(
                id=file_id,
                output=str(target),
                quiet=True,
                use_cookies=False,
                resume=True,
                progress=show,
                timeout=TIMEOUT,
                retries=TRIES - 1,
            )
        except gdown.FileURLRetrievalError as error:
            raise UserError(
                f"Google Drive does not hand out the file {file_id} now (it was downloaded too often lately,"
                f" or is not public): {browser}, or try again in a day."
            ) from error
        except (gdown.DownloadError, requests.RequestException) as error:
            raise UserError(
                f"The download of {target.name} from Google Drive failed ({_one_line(error)}): run the same"
                f" command to continue it; if it fails again, remove {target}*.part or {browser}."
            ) from error
    return target


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
    with opened, _disk(folder):
        with _reading(archive):
            members = _members(opened)
            if not members:  # so a zip looks whose directory is damaged
                raise EOFError("it holds nothing")
        places = [_safe_path(member, archive) for member in members]
        size = sum(member.size for member in members)
        place.parent.mkdir(parents=True, exist_ok=True)
        _require_space(place, size)
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
            f"{archive} is not whole ({_one_line(error)}): remove it and run the same command again."
        ) from error


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    """An OSError that gets here is about writing at `path`."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write {path} ({error.strerror or error}): make room or choose another folder,"
            " then run the same command again."
        ) from error


def _require_space(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise UserError(
            f"The disk of {path} has {free / 1e9:.2f} GB free where {size / 1e9:.2f} GB are needed:"
            " make room or choose another folder, then run the same command again."
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
