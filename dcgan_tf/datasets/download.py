"""Getting the archive of a data set; what was interrupted goes on."""

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
    with writing_to(target):
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
        raise _Interrupted(one_line(error)) from error
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
        require_space(part, (total or 0) - offset)
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
        raise _Interrupted(one_line(error)) from error


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
    with writing_to(target), contextlib.ExitStack() as stack:
        shown: Progress | None = None

        def show(done: int, total: int | None) -> None:
            nonlocal shown
            if shown is None:
                require_space(target, (total or 0) - done)
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
def writing_to(path: Path) -> Iterator[None]:
    """Turns an OSError of the block, which is about writing at `path`, into a sentence."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write {path} ({error.strerror or error}): make room or choose another folder,"
            " then run the same command again."
        ) from error


def require_space(path: Path, size: int) -> None:
    """Refuse to begin what the disk of `path` has no room for; `size` in bytes."""
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise UserError(
            f"The disk of {path} has {free / 1e9:.2f} GB free where {size / 1e9:.2f} GB are needed:"
            " make room or choose another folder, then run the same command again."
        )


def one_line(error: Exception) -> str:
    """What the error says, for use within a sentence."""
    return " ".join(str(error).split()) or type(error).__name__
