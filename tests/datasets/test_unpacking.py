"""Unpacking of good archives, and of damaged, hostile and oversized ones."""

import contextlib
import errno
import gzip
import io
import os
import random
import re
import shutil
import stat
import struct
import tarfile
import types
import zipfile
import zlib
from pathlib import Path

import pytest

from dcgan_tf.datasets import unpacking
from dcgan_tf.datasets.unpacking import unpack
from dcgan_tf.errors import UserError


def files(folder):
    return sorted(path.name for path in folder.iterdir())


PICTURES = {f"img/{i:03}.jpg": random.Random(i).randbytes(1000 + i) for i in range(30)} | {"list.txt": b"a" * 600_000}


def make_zip(path, contents=PICTURES, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.mkdir("empty") if hasattr(archive, "mkdir") else archive.writestr("empty/", b"")
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def make_tar(path, contents=PICTURES):
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        folder = tarfile.TarInfo("./empty")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def make(path, contents=PICTURES):
    return make_zip(path, contents) if path.suffix == ".zip" else make_tar(path, contents)


def refused(archive, reason, tmp_path):
    """Assert that unpacking raises `reason`, names the archive and leaves only the archive."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=reason) as error:
        unpack(archive, tmp_path / "out")
    assert str(archive) in str(error.value) and "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


ENDINGS = pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".tgz"])


@ENDINGS
def test_unpack_gives_the_files(tmp_path, ending):
    folder = tmp_path / "new" / "out"
    assert unpack(make(tmp_path / f"a{ending}"), folder) == folder
    unpacked = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    assert unpacked == PICTURES
    assert files(folder) == ["empty", "img", "list.txt"]
    assert files(tmp_path / "new") == ["out"]


def test_unpack_into_an_empty_folder_or_a_link_to_one(tmp_path):
    archive = make_zip(tmp_path / "a.zip")
    for name in ("empty", "disk"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk", target_is_directory=True)
    for name in ("empty", "link"):
        assert (unpack(archive, tmp_path / name) / "list.txt").read_bytes() == PICTURES["list.txt"]
    assert (tmp_path / "link").is_symlink() and (tmp_path / "disk" / "list.txt").exists()


@pytest.mark.parametrize("kind", ["file", "full"])
def test_unpack_leaves_existing_files_alone(tmp_path, kind):
    archive = make_zip(tmp_path / "a.zip")
    if kind == "full":
        (tmp_path / "out").mkdir()
    mine = tmp_path / "out" / "mine" if kind == "full" else tmp_path / "out"
    mine.write_text("mine")
    refused(archive, "exists and is not an empty folder", tmp_path)
    assert mine.read_text() == "mine"


def test_unpack_removes_the_files_of_a_killed_process(tmp_path):
    (tmp_path / "out.unpacking" / "img").mkdir(parents=True)
    (tmp_path / "out.unpacking" / "img" / "torn.jpg").write_text("half")
    unpack(make_zip(tmp_path / "a.zip"), tmp_path / "out")
    assert files(tmp_path) == ["a.zip", "out"]
    assert not (tmp_path / "out" / "img" / "torn.jpg").exists()


def test_unpack_interrupted_never_looks_complete(tmp_path, monkeypatch):
    def advance(self, units, note=""):
        assert not (tmp_path / "out").exists()
        raise KeyboardInterrupt

    archive = make_zip(tmp_path / "a.zip")
    monkeypatch.setattr(unpacking.Progress, "advance", advance)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, tmp_path / "out")
    assert files(tmp_path) == ["a.zip"]


UNSAFE = [
    "../evil",
    "img/../../evil",
    "/tmp/evil",
    "..\\evil",
    "\\evil",
    "C:\\evil",
    "C:evil",
    "//host/share/evil",
]


@pytest.mark.parametrize("name", [*UNSAFE, ".."])
@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_unpack_refuses_names_outside_the_folder(tmp_path, name, ending):
    archive = make(tmp_path / f"a{ending}", {"good.jpg": b"good", name: b"evil"})
    refused(archive, "lies outside the folder", tmp_path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_unpack_refuses_links_and_devices_in_a_zip(tmp_path, kind):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        member = zipfile.ZipInfo("link")
        member.external_attr = (kind | 0o777) << 16
        archive.writestr(member, "/etc")
        archive.writestr("link/passwd", "evil")
    refused(tmp_path / "a.zip", "'link', which is a link or a device", tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_unpack_refuses_links_and_devices_in_a_tar(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = kind, "/etc"
        archive.addfile(member)
    refused(tmp_path / "a.tar", "'link', which is a link or a device", tmp_path)


@pytest.mark.parametrize("ending", [".zip", ".tar.gz", ".tar"])
def test_unpack_refuses_an_archive_cut_anywhere(tmp_path, ending):
    whole = make(tmp_path / f"a{ending}").read_bytes()
    step = 4001
    # tar pads its end with zeros to a multiple of 10 KiB, which may be missing
    ends = [0, 1, *range(step, len(whole), step)] + ([] if ending == ".tar" else [len(whole) - 1])
    if ending == ".tar":
        data_end = len(whole.rstrip(b"\0"))
        ends = [end for end in ends if end <= data_end]
    for end in ends:
        (tmp_path / f"a{ending}").write_bytes(whole[:end])
        refused(tmp_path / f"a{ending}", "is not whole .*remove it and run the same command again", tmp_path)


def test_unpack_refuses_a_tar_cut_between_two_members(tmp_path):
    with tarfile.open(make_tar(tmp_path / "a.tar")) as archive:
        offsets = [member.offset for member in archive.getmembers()[1:]]
    whole = (tmp_path / "a.tar").read_bytes()
    for offset in offsets:
        for end in (offset, offset + 100):  # at the start of a header, and within it
            (tmp_path / "a.tar").write_bytes(whole[:end])
            refused(tmp_path / "a.tar", "it ends too early", tmp_path)
    with gzip.open(tmp_path / "b.tar.gz", "wb") as file:
        file.write(whole[: offsets[3]])
    (tmp_path / "a.tar").unlink()
    refused(tmp_path / "b.tar.gz", "it ends too early", tmp_path)


def test_unpack_refuses_a_flipped_byte(tmp_path):
    archive = make_zip(tmp_path / "a.zip", compression=zipfile.ZIP_STORED)
    whole = bytearray(archive.read_bytes())
    whole[whole.index(PICTURES["img/007.jpg"]) + 500] ^= 1
    archive.write_bytes(whole)
    refused(archive, "is not whole .*CRC.*remove it", tmp_path)


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_unpack_of_flipped_bytes_gives_the_files_or_refuses(tmp_path, ending):
    """Whatever byte is damaged: a UserError, or the right bytes (where the byte belongs to a date)."""
    contents = {name: PICTURES[name] for name in ("img/001.jpg", "img/002.jpg")}
    archive = make(tmp_path / f"a{ending}", contents)
    whole = archive.read_bytes()
    for at in range(len(whole)):
        archive.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            folder = unpack(archive, tmp_path / "out")
        except UserError:
            assert files(tmp_path) == [archive.name]
        else:
            assert sorted(p.read_bytes() for p in folder.rglob("*") if p.is_file()) == sorted(contents.values())
            shutil.rmtree(folder)


def test_unpack_refuses_a_bomb_that_announces_its_size(tmp_path, monkeypatch):
    archive = make_zip(tmp_path / "a.zip", {"bomb": bytes(50_000_000)})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=49_999_999))
    with pytest.raises(UserError, match=f"{re.escape(str(tmp_path / 'out'))} has 0.05 GB free where 0.05 GB"):
        unpack(archive, tmp_path / "out")
    assert files(tmp_path) == ["a.zip"]


def test_unpack_limits_a_bomb_to_the_size_it_announces(tmp_path, monkeypatch):
    """A member of 20 MB that announces 1000 bytes, with the checksum of its first 1000."""
    archive = make_zip(tmp_path / "a.zip", {"bomb": bytes(20_000_000)})
    true = struct.pack("<L", zlib.crc32(bytes(20_000_000))), struct.pack("<L", 20_000_000)
    lies = struct.pack("<L", zlib.crc32(bytes(1000))), struct.pack("<L", 1000)
    data = archive.read_bytes()
    for old, new in zip(true, lies):
        assert data.count(old) == 2  # in the local header and in the central directory
        data = data.replace(old, new)
    archive.write_bytes(data)
    written = []
    monkeypatch.setattr(unpacking.Progress, "advance", lambda self, units: written.append(units))
    with contextlib.suppress(UserError):
        unpack(archive, tmp_path / "out")
    assert sum(written) <= 1000
    assert sum(path.stat().st_size for path in tmp_path.rglob("bomb")) <= 1000


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("announced, given", [(11, 10), (10, 11), (1, 2), (600_000, 10_000_000)])
def test_unpack_refuses_a_member_of_another_length_than_announced(tmp_path, monkeypatch, compression, announced, given):
    archive = make_zip(tmp_path / "a.zip", {"bomb": b"x" * given}, compression)
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # of the length before compression
        place = data.rindex(signature) + offset
        assert struct.unpack_from("<L", data, place) == (given,)
        struct.pack_into("<L", data, place, announced)
    archive.write_bytes(data)
    sizes = []
    rmtree = shutil.rmtree

    def look_and_remove(folder, **options):
        sizes.extend(path.stat().st_size for path in Path(folder).rglob("bomb"))
        rmtree(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", look_and_remove)
    refused(archive, "is not whole", tmp_path)
    assert sizes and max(sizes) <= announced


def test_unpack_takes_backslashes_for_slashes_in_a_zip(tmp_path):
    """As Windows programs write them; zipfile on Unix would make one file called img\\1.jpg."""
    archive = make_zip(tmp_path / "a.zip", {"img\\1.jpg": b"one"})
    assert (unpack(archive, tmp_path / "out") / "img" / "1.jpg").read_bytes() == b"one"


def test_unpack_ignores_rights_and_times_of_a_tar(tmp_path):
    """What the archive says of them may keep the user from reading or removing the files."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (("img", tarfile.DIRTYPE), ("img/1.jpg", tarfile.REGTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.mtime, member.uid = kind, 0o4000, 1e18, 12345
            archive.addfile(member)
    path = unpack(tmp_path / "a.tar", tmp_path / "out") / "img" / "1.jpg"
    status, expected = path.stat(), (tmp_path / "a.tar").stat()
    assert (status.st_mode, status.st_uid) == (expected.st_mode, expected.st_uid)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_unpack_refuses_links_that_stay_within_a_tar(tmp_path, kind):
    """tarfile's filter would make them."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("img"))
        member = tarfile.TarInfo("link")
        member.type, member.linkname = kind, "img"
        archive.addfile(member)
    refused(tmp_path / "a.tar", "'link', which is a link or a device", tmp_path)


@pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="Python 3.10.12, 3.11.4 or later")
def test_tars_are_extracted_through_the_data_filter(tmp_path, monkeypatch):
    """Even if the first check let everything pass."""
    monkeypatch.setattr(unpacking, "_check_safe", lambda *_: None)
    refused(make_tar(tmp_path / "a.tar", {"../evil": b"evil"}), "outside the destination", tmp_path)


def test_unpack_refuses_a_password(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"secret": b"secret"}, zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rindex(signature) + flags] |= 1
    archive.write_bytes(data)
    refused(archive, "password", tmp_path)


def test_unpack_refuses_an_empty_archive(tmp_path):
    """One damaged byte, in the length of its directory, makes a zip look empty."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    refused(tmp_path / "a.zip", "is not whole .it holds nothing", tmp_path)


def test_unpack_of_no_archive(tmp_path):
    with pytest.raises(UserError, match="There is no archive"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    refused(tmp_path / "a.rar", "must be a .zip", tmp_path)
    for name in ("a.zip", "a.tar", "a.tar.gz"):
        (tmp_path / name).write_text("<html>" * 500)
        refused(tmp_path / name, "is not whole", tmp_path)
        (tmp_path / name).unlink()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full")
@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_unpack_on_a_disk_that_becomes_full(tmp_path, monkeypatch, ending):
    archive = make(tmp_path / f"a{ending}")

    def open_on_full_disk(path, mode="r", **options):
        return open("/dev/full" if mode == "wb" else path, mode, **options)

    monkeypatch.setattr(zipfile, "open", open_on_full_disk, raising=False)
    monkeypatch.setattr(tarfile, "bltn_open", open_on_full_disk)
    with pytest.raises(UserError, match=rf"{re.escape(str(tmp_path / 'out'))} \({os.strerror(errno.ENOSPC)}\)"):
        unpack(archive, tmp_path / "out")
    assert files(tmp_path) == [archive.name]
