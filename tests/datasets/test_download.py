"""Downloads from a real HTTP server on this machine.

Of gdown everything runs but the last step to the network: the addresses of Google Drive are led to the
local server (see `google_drive`). No test reaches beyond 127.0.0.1.
"""

import errno
import hashlib
import os
import random
import re
import shutil
import socket
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dcgan_tf.datasets import download
from dcgan_tf.datasets.download import fetch, fetch_from_google_drive
from dcgan_tf.errors import UserError

CONTENT = random.Random(0).randbytes(3_000_000)
OTHER = random.Random(1).randbytes(3_000_000)


# A server with faults that a test can choose


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        wanted, condition = self.headers["Range"], self.headers["If-Range"]
        content, status, headers = server.content, server.status, dict(server.validators)
        begin, end = 0, len(content)
        if status == 200 and wanted and server.ranges:
            current = condition is None or condition in server.validators.values()
            if current or not server.heeds_if_range:
                begin = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                status = 206 if begin < len(content) else 416
                headers["Content-Range"] = (
                    f"bytes {begin + server.shift}-{end - 1}/{end}" if status == 206 else f"bytes */{end}"
                )
        body = b"no such range" if status == 416 else content[begin:end]
        server.log.append(types.SimpleNamespace(path=self.path, range=wanted, if_range=condition, status=status))
        self.send_response(status)
        for name, value in {"Content-Type": server.content_type, **headers, **server.extra}.items():
            self.send_header(name, value)
        if server.announces:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        cut = server.cuts.pop(0) if server.cuts else None
        self.wfile.write(body[:cut])


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.content_type, self.status = CONTENT, "application/zip", 200
        self.validators = {"ETag": '"one"'}
        self.extra = {}  # additional headers
        self.ranges = True  # whether it supports Range
        self.heeds_if_range = True
        self.announces = True  # whether it sends Content-Length
        self.shift = 0  # error in the announced start of the range
        self.cuts = []  # for each request: bytes until the connection is cut; None: it is not
        self.log = []
        self.url = f"http://127.0.0.1:{self.server_port}/archive.zip"

    def handle_error(self, *_):
        """Print nothing: in some tests the client hangs up."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE", 0.0)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "data" / "archive.zip"


def interrupted(server, target, at=1_000_000):
    """Leave a part of `at` bytes, as a call does whose tries have all failed."""
    server.cuts = [at, *[0] * (download.TRIES - 1)]
    with pytest.raises(UserError, match="the same command continues"):
        fetch(server.url, target)
    server.cuts, server.log[:] = [], []
    assert not target.exists()
    assert part(target).read_bytes() == server.content[:at]


def part(target):
    return target.with_name(target.name + ".part")


def files(folder):
    return sorted(path.name for path in folder.iterdir())


# fetch: whole downloads


def test_fetch_downloads_the_bytes_and_leaves_nothing_else(server, target):
    assert fetch(server.url, target) == target
    assert target.read_bytes() == CONTENT
    assert files(target.parent) == ["archive.zip"]
    assert [entry.range for entry in server.log] == [None]


def test_fetch_without_an_announced_length(server, target):
    server.announces = False
    assert fetch(server.url, target).read_bytes() == CONTENT


def test_fetch_of_an_empty_file(server, target):
    server.content = b""
    assert fetch(server.url, target).read_bytes() == b""


def test_fetch_leaves_an_existing_target_alone(server, target):
    target.parent.mkdir()
    target.write_bytes(b"mine")
    fetch(server.url, target)
    assert target.read_bytes() == b"mine"
    assert server.log == []


def test_fetch_shows_its_progress_in_bytes(server, target, monkeypatch):
    interrupted(server, target)
    seen = []

    class Spy(download.Progress):
        def __init__(self, what, total, unit, initial=0):
            super().__init__(what, total, unit, initial)
            self.initial = initial
            seen.append(self)

    monkeypatch.setattr(download, "Progress", Spy)
    fetch(server.url, target)
    assert [(s.what, s.total, s.unit, s.initial, s.done) for s in seen] == [
        ("downloading archive.zip", 3_000_000, "B", 1_000_000, 3_000_000)
    ]


# fetch: resuming


def test_after_a_cut_connection_the_download_continues_at_the_offset(server, target):
    server.cuts = [1_000_000, 500_000]
    assert fetch(server.url, target).read_bytes() == CONTENT
    assert [(entry.range, entry.if_range, entry.status) for entry in server.log] == [
        (None, None, 200),
        ("bytes=1000000-", '"one"', 206),
        ("bytes=1500000-", '"one"', 206),
    ]


def test_a_later_call_asks_only_for_the_rest(server, target):
    interrupted(server, target)
    assert fetch(server.url, target).read_bytes() == CONTENT
    assert [(entry.range, entry.status) for entry in server.log] == [("bytes=1000000-", 206)]
    assert files(target.parent) == ["archive.zip"]


def test_an_interrupt_by_the_user_keeps_the_part(server, target, monkeypatch):
    def advance(self, units, note=""):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(download.Progress, "advance", advance)
        fetch(server.url, target)
    kept = part(target).stat().st_size
    assert 0 < kept < len(CONTENT)
    server.log.clear()
    assert fetch(server.url, target).read_bytes() == CONTENT
    assert [entry.range for entry in server.log] == [f"bytes={kept}-"]


def test_last_modified_is_used_where_the_etag_is_weak(server, target):
    server.validators = {"ETag": 'W/"one"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    interrupted(server, target)
    fetch(server.url, target)
    assert [entry.if_range for entry in server.log] == ["Mon, 01 Jan 2024 00:00:00 GMT"]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("validators", [{}, {"ETag": 'W/"one"'}])
def test_a_file_of_unknown_version_starts_over(server, target, validators):
    server.validators = validators
    server.cuts = [1_000_000]
    assert fetch(server.url, target).read_bytes() == CONTENT
    assert [entry.range for entry in server.log] == [None, None]


def test_a_server_without_range_starts_over(server, target):
    interrupted(server, target)
    server.ranges = False
    assert fetch(server.url, target).read_bytes() == CONTENT
    assert [(entry.range, entry.status) for entry in server.log] == [("bytes=1000000-", 200)]


@pytest.mark.parametrize("content", [OTHER, OTHER[:500_000]], ids=["as long", "shorter than the part"])
@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_another_version_on_the_server_is_not_appended(server, target, content, heeds_if_range):
    interrupted(server, target)
    server.content, server.validators, server.heeds_if_range = content, {"ETag": '"two"'}, heeds_if_range
    assert fetch(server.url, target).read_bytes() == content
    assert [entry.range for entry in server.log] == ["bytes=1000000-"] + [None] * (not heeds_if_range)


def test_another_length_under_the_same_tag_is_not_appended(server, target):
    interrupted(server, target)
    server.content = OTHER + b"more"
    assert fetch(server.url, target).read_bytes() == OTHER + b"more"


def test_the_part_of_another_url_is_not_continued(server, target):
    interrupted(server, target)
    server.content = OTHER
    assert fetch(server.url + "?other", target).read_bytes() == OTHER
    assert [entry.range for entry in server.log] == [None]


@pytest.mark.parametrize("text", [None, "", '{"url": "htt'])
def test_a_part_without_its_record_starts_over(server, target, text):
    interrupted(server, target)
    sidecar = target.with_name("archive.zip.part.json")
    sidecar.unlink() if text is None else sidecar.write_text(text)
    server.content = OTHER
    assert fetch(server.url, target).read_bytes() == OTHER
    assert [entry.range for entry in server.log] == [None]


def test_a_range_that_begins_elsewhere_is_not_appended(server, target):
    interrupted(server, target)
    server.shift = 7
    assert fetch(server.url, target).read_bytes() == CONTENT
    assert [(entry.range, entry.status) for entry in server.log] == [("bytes=1000000-", 206), (None, 200)]


def test_416_for_a_complete_part_finishes_it(server, target):
    interrupted(server, target)
    part(target).write_bytes(CONTENT)
    assert fetch(server.url, target).read_bytes() == CONTENT
    assert [(entry.range, entry.status) for entry in server.log] == [("bytes=3000000-", 416)]


def test_416_for_a_part_that_is_too_long_starts_over(server, target):
    interrupted(server, target)
    part(target).write_bytes(OTHER + OTHER)
    assert fetch(server.url, target).read_bytes() == CONTENT
    assert [entry.status for entry in server.log] == [416, 200]


def test_after_the_last_try_there_is_an_error_and_the_part_stays(server, target):
    server.cuts = [100_000] * 99
    with pytest.raises(UserError, match=r"failed 5 times \(it ended at 500,000 of 3,000,000 bytes\).*continues"):
        fetch(server.url, target)
    assert len(server.log) == download.TRIES
    assert part(target).read_bytes() == CONTENT[:500_000]


# fetch: refusals


def test_sha256_of_the_right_file(server, target):
    assert fetch(server.url, target, hashlib.sha256(CONTENT).hexdigest().upper()).is_file()
    assert fetch(server.url, target, hashlib.sha256(CONTENT).hexdigest()).is_file()
    assert len(server.log) == 1


def test_sha256_of_another_file_removes_the_part(server, target):
    with pytest.raises(UserError, match="another file than expected"):
        fetch(server.url, target, hashlib.sha256(OTHER).hexdigest())
    assert files(target.parent) == []


def test_sha256_of_a_target_that_was_there(server, target):
    fetch(server.url, target)
    with pytest.raises(UserError, match=re.escape(f"{target} is not the file of sha256")):
        fetch(server.url, target, hashlib.sha256(OTHER).hexdigest())
    assert target.exists()


def test_sha256_holds_for_a_resumed_file(server, target):
    interrupted(server, target)
    part(target).write_bytes(OTHER[:1_000_000])  # damaged on the disk
    with pytest.raises(UserError, match="another file than expected"):
        fetch(server.url, target, hashlib.sha256(CONTENT).hexdigest())
    assert fetch(server.url, target, hashlib.sha256(CONTENT).hexdigest()).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_an_http_error_is_reported_and_keeps_the_part(server, target, status):
    interrupted(server, target)
    server.status = status
    with pytest.raises(UserError, match=f"answers {status} .*browser and put it at {re.escape(str(target))}"):
        fetch(server.url, target)
    assert part(target).read_bytes() == CONTENT[:1_000_000]
    assert len(server.log) == 1


@pytest.mark.parametrize("begun", [False, True])
def test_a_web_page_is_not_taken_for_the_file(server, target, begun):
    if begun:
        interrupted(server, target)
    server.ranges, server.content, server.content_type = (
        False,
        b"<html>Quota</html>",
        "text/html; charset=utf-8",
    )
    with pytest.raises(UserError, match=f"web page.*browser and put it at {re.escape(str(target))}"):
        fetch(server.url, target)
    assert not target.exists()
    assert part(target).exists() is begun


def test_a_refused_connection_is_a_user_error(server, target):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but not listening: connections are refused
        with pytest.raises(UserError, match=r"failed 5 times \(.*refused.*\): check the connection"):
            fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/a.zip", target)


def test_a_server_that_stops_sending_is_a_user_error(server, target, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    monkeypatch.setattr(download, "TRIES", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UserError, match="timed out"):
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/a.zip", target)


@pytest.mark.parametrize("url", ["archive.zip", "file:///etc/passwd", "ftp://127.0.0.1/a.zip"])
def test_a_url_of_another_scheme_is_a_user_error(target, url):
    with pytest.raises(UserError, match="must begin with http"):
        fetch(url, target)


def test_an_impossible_url_is_a_user_error(target, monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.0)
    with pytest.raises(UserError):
        fetch("http://127.0.0.1:1/a b.zip", target)


def test_a_full_disk_is_reported_before_the_download(server, target, monkeypatch):
    interrupted(server, target)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=1_999_999))
    with pytest.raises(UserError, match=rf"{re.escape(str(target))}.*0.00 GB are needed"):
        fetch(server.url, target)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=2_000_000))
    assert fetch(server.url, target).read_bytes() == CONTENT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full")
def test_a_disk_that_becomes_full_is_a_user_error(server, target):
    target.parent.mkdir()
    part(target).symlink_to("/dev/full")  # a real ENOSPC
    with pytest.raises(UserError, match=rf"{re.escape(str(target))} \({os.strerror(errno.ENOSPC)}\): make room"):
        fetch(server.url, target)


def test_a_folder_that_cannot_be_made_is_a_user_error(server, tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match=r"Cannot write .*archive.zip"):
        fetch(server.url, tmp_path / "data" / "archive.zip")


# fetch_from_google_drive


@pytest.fixture
def google_drive(server, monkeypatch):
    """The real gdown and requests; only the adapter that sends replaces the host by the local server."""
    requests = pytest.importorskip("requests")
    pytest.importorskip("gdown")
    send = requests.adapters.HTTPAdapter.send

    def redirected(adapter, request, **options):
        parts = urlsplit(request.url)
        assert parts.hostname in ("drive.google.com", "drive.usercontent.google.com")
        request.url = f"http://127.0.0.1:{server.server_port}{parts.path}?{parts.query}"
        request.headers["Host"] = parts.hostname
        return send(adapter, request, **{**options, "proxies": {}, "verify": False})

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", redirected)
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)  # gdown's pause between tries
    server.extra = {"Content-Disposition": 'attachment; filename="img.zip"'}
    return server


def test_google_drive_downloads(google_drive, target):
    assert fetch_from_google_drive("abc", target) == target
    assert target.read_bytes() == CONTENT
    assert files(target.parent) == ["archive.zip"]
    assert [entry.path for entry in google_drive.log] == ["/uc?id=abc"]
    fetch_from_google_drive("abc", target)
    assert len(google_drive.log) == 1


def test_google_drive_confirms_the_virus_warning(google_drive, target):
    page = b"""<form id="download-form" action="https://drive.usercontent.google.com/download">
    <input type="hidden" name="id" value="abc"><input type="hidden" name="confirm" value="t"></form>"""
    file = Handler.do_GET

    class Warns(Handler):
        def do_GET(self):
            if self.path.startswith("/download?id=abc&confirm=t"):
                return file(self)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page.replace(b"\n", b""))))
            self.end_headers()
            self.wfile.write(page.replace(b"\n", b""))

    google_drive.RequestHandlerClass = Warns
    assert fetch_from_google_drive("abc", target).read_bytes() == CONTENT


def test_google_drive_continues_after_a_cut(google_drive, target):
    google_drive.cuts = [1_000_000]
    assert fetch_from_google_drive("abc", target).read_bytes() == CONTENT
    begin = int(google_drive.log[1].range[len("bytes=") : -1])
    assert 0 < begin <= 1_000_000


def test_google_drive_resumes_in_a_later_call(google_drive, target):
    google_drive.cuts = [1_000_000, *[0] * (download.TRIES - 1)]
    with pytest.raises(UserError, match="to continue it"):
        fetch_from_google_drive("abc", target)
    assert not target.exists()
    (kept,) = (path.stat().st_size for path in target.parent.iterdir())
    google_drive.log.clear()
    google_drive.cuts = [0]  # the first response, which gdown does not read
    assert fetch_from_google_drive("abc", target).read_bytes() == CONTENT
    assert google_drive.log[-1].range == f"bytes={kept}-"
    assert kept > 0


def test_google_drive_quota_page(google_drive, target):
    google_drive.extra = {}
    google_drive.content_type = "text/html; charset=utf-8"
    google_drive.content = b'<p class="uc-error-subcaption">Too many users have viewed or downloaded</p>'
    with pytest.raises(UserError) as error:
        fetch_from_google_drive("abc", target)
    assert "https://drive.google.com/uc?id=abc with a browser" in str(error.value)
    assert str(target) in str(error.value)
    assert "\n" not in str(error.value)
    assert files(target.parent) == []


@pytest.mark.parametrize("cause", ["status", "refused"])
def test_google_drive_failures_are_user_errors(google_drive, target, monkeypatch, cause):
    if cause == "status":
        google_drive.status = 403
    else:
        google_drive.shutdown()
        google_drive.socket.close()
    with pytest.raises(UserError, match=r"from Google Drive failed.*put the file at"):
        fetch_from_google_drive("abc", target)


def test_google_drive_without_room(google_drive, target, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=10))
    with pytest.raises(UserError, match="are needed"):
        fetch_from_google_drive("abc", target)


def test_google_drive_without_gdown(target, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(UserError, match=re.escape('pip install ".[download]"')):
        fetch_from_google_drive("abc", target)
