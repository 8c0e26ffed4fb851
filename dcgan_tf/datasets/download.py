"""Download the archive of a data set. An interrupted download is resumed."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dcgan_tf.console import Progress, say
from dcgan_tf.errors import UserError

TRIES = 5
PAUSE = 1.0  # seconds before the second try, twice as many before the third, and so on
TIMEOUT = 60.0  # seconds without data
BLOCK = 1 << 18  # bytes read at a time


def fetch(url: str, target: Path, sha256: str | None = None) -> Path:
    """Download `url` to `target`, resuming an earlier call; return `target`.

    The bytes are collected in `target`.part, which is renamed to `target` when complete. `target`.part.json records
    the version of the file on the server, so parts of two versions are never joined. An existing `target` is not
    downloaded again.

    Args:
      url: begins with http:// or https://.
      target: the file to write.
      sha256: the expected SHA-256 in hexadecimal, or None.

    Raises:
      UserError: the file cannot be downloaded or written, or its SHA-256 is another one.
    """
    if target.is_file():
        if sha256 and _sha256(target) != sha256.lower():
            raise UserError(f"{target} is not the file of sha256 {sha256}: remove it and run this again.")
        return target
    if not url.startswith(("http://", "https://")):
        raise UserError(f"{url} cannot be downloaded: the address must begin with http:// or https://.")
    part, sidecar = (target.with_name(target.name + ending) for ending in (".part", ".part.json"))
    with report_write_errors(target):
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
    """The connection failed, but another try may succeed."""


def _transfer(url: str, part: Path, sidecar: Path, target: Path) -> None:
    """Download what is missing of `part` over one connection.

    Raises:
      _Interrupted: the connection ended too early.
      UserError: the server does not give the file, or the disk has no room for it.
    """
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
        raise _Interrupted(one_line(error)) from error
    with response:
        if offset and response.status in (206, 416):
            # 206 "bytes 5-9/10" comes with the rest; 416 "bytes */10" means that the part may be complete.
            match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+)", response.headers.get("Content-Range", ""))
            begin, total = (int(match[1] or match[2]), int(match[2])) if match else (None, None)
            # Some servers ignore If-Range, so the answer is compared with the record.
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
        require_space(part, (total or 0) - offset)
        what = f"downloading {target.name}"
        with Progress(what, total, "B", offset) as progress, part.open("ab" if offset else "wb") as out:
            if not offset:  # only now: opening the part has removed the bytes of another version
                known = {"url": url, "validator": _validator(response.headers), "size": total}
                sidecar.write_text(json.dumps(known))
            for block in _read_blocks(response):
                out.write(block)
                progress.advance(len(block))
    if total is not None and progress.done < total:
        raise _Interrupted(f"it ended at {progress.done:,} of {total:,} bytes")


def _validator(headers: http.client.HTTPMessage) -> str | None:
    """Get the header that identifies this version of a file; a weak ETag (W/) does not guarantee equal bytes."""
    values = (headers.get("ETag"), headers.get("Last-Modified"))
    return next((value for value in values if value and not value.startswith("W/")), None)


def _read_blocks(response: IO[bytes]) -> Iterator[bytes]:
    try:
        while block := response.read(BLOCK):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(one_line(error)) from error


def fetch_from_google_drive(file_id: str, target: Path) -> Path:
    """Download a public file of Google Drive to `target`, resuming an earlier call; return `target`.

    Raises:
      UserError: gdown is not installed, Google refuses the file, or it cannot be written.
    """
    if target.is_file():
        return target
    try:
        import gdown
        import requests
    except ImportError as error:
        raise UserError(
            "Downloading from Google Drive needs gdown: in the folder of the repository, "
            'pip install ".[download]" installs it.'
        ) from error
    browser = f"download https://drive.google.com/uc?id={file_id} with a browser and put the file at {target}"
    with report_write_errors(target), contextlib.ExitStack() as stack:
        progress: Progress | None = None

        def show(done: int, total: int | None) -> None:
            nonlocal progress
            if progress is None:
                require_space(target, (total or 0) - done)
                progress = stack.enter_context(Progress(f"downloading {target.name}", total, "B", done))
            progress.advance(done - progress.done)

        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Without cookies gdown writes only the target (and target????????.part until it is complete).
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
                f"Google Drive refuses the file {file_id} at the moment (it was downloaded too often lately,"
                f" or is not public): {browser}, or try again in a day."
            ) from error
        except (gdown.DownloadError, requests.RequestException) as error:
            raise UserError(
                f"The download of {target.name} from Google Drive failed ({one_line(error)}): run the same"
                f" command to continue it; if it fails again, remove {target}*.part or {browser}."
            ) from error
    return target


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def report_write_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the block, which writes to `path`, into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write {path} ({error.strerror or error}): make room or choose another folder,"
            " then run the same command again."
        ) from error


def require_space(path: Path, size: int) -> None:
    """Check that the disk of `path` has room for `size` bytes.

    Raises:
      UserError: it has not.
    """
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise UserError(
            f"The disk of {path} has {free / 1e9:.2f} GB free where {size / 1e9:.2f} GB are needed:"
            " make room or choose another folder, then run the same command again."
        )


def one_line(error: Exception) -> str:
    """Give the message of an error as one line, for use within a sentence."""
    return " ".join(str(error).split()) or type(error).__name__
