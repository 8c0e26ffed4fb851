"""Decoding: processes and threads give the same pixels, and an interrupted packing finds its parts again."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_tf.console import Progress
from dcgan_tf.datasets import decoding
from dcgan_tf.datasets.images import BadImage
from dcgan_tf.datasets.listing import Listed
from dcgan_tf.errors import UserError

ROOT = Path(__file__).parents[2]
FORM = (32, "square", 3)
COUNT = 50


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Uniform images, image n of colour n, two of them damaged; parts of 8."""
    monkeypatch.setattr(decoding, "PART", 8)
    monkeypatch.setattr(decoding, "MANY", 16)
    for n in range(COUNT):
        Image.new("RGB", (40, 40), (n, n, n)).save(tmp_path / f"{n}.png")
    for n in (3, 40):
        (tmp_path / f"{n}.png").write_bytes(b"no image")
    return [Listed(f"{n}.png", str(tmp_path / f"{n}.png")) for n in range(COUNT)]


def colours(pairs):
    return [(image.name, str(r) if isinstance(r, BadImage) else int(r.mean())) for image, r in pairs]


EXPECTED = [(f"{n}.png", "not an image" if n in (3, 40) else n) for n in range(COUNT)]


def test_processes_and_threads_give_the_same_images_in_order(tmp_path, images):
    by_threads = list(decoding._decode_by_threads(images, FORM, Progress("x", COUNT)))
    by_processes = list(decoding.decode(images, FORM, tmp_path / "parts"))
    assert colours(by_threads) == colours(by_processes) == EXPECTED
    for (_, a), (_, b) in zip(by_threads, by_processes):
        if not isinstance(a, BadImage):
            np.testing.assert_array_equal(a, b)
            assert b.shape == (32, 32, 3) and b.dtype == np.uint8


def test_only_damaged_or_missing_parts_are_decoded_again(tmp_path, images):
    parts = tmp_path / "parts"
    list(decoding.decode(images, FORM, parts))
    before = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    assert len(before) == 2 * 7
    damaged = ["000001.npy", "000002.json", "000004.npy", "000005.json"]
    (parts / damaged[0]).write_bytes((parts / damaged[0]).read_bytes()[:100])
    (parts / damaged[1]).write_text("{")
    (parts / damaged[2]).unlink()
    (parts / damaged[3]).write_text("{}")  # says that none was left out
    assert colours(decoding.decode(images, FORM, parts)) == EXPECTED
    after = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    anew = {name[:6] for name in after if after[name] != before[name]}
    assert anew == {name[:6] for name in damaged}


def test_parts_that_another_process_removed_are_decoded_here(tmp_path, images, monkeypatch):
    monkeypatch.setattr(decoding, "_read_part", lambda *_: None)
    assert colours(decoding.decode(images, FORM, tmp_path / "parts")) == EXPECTED


def test_a_part_that_cannot_be_written_is_a_user_error(tmp_path, images):
    (tmp_path / "parts").write_text("a file")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        list(decoding.decode(images, FORM, tmp_path / "parts"))


PACK = """
import sys
from pathlib import Path
from dcgan_tf.config import preset
from dcgan_tf.datasets import decoding, packing
decoding.PART, decoding.MANY = 64, 128
if __name__ == "__main__":
    here = Path(sys.argv[1])
    config = preset("article", dataset="folder", data_dir=str(here / "images"), cache_dir=str(here / "cache"),
                    image_size=32, held_out=0.0)
    print(packing.open_packed(config).manifest["sha256"])
"""


def test_a_killed_packing_continues_and_gives_the_same_pack_as_an_undisturbed_one(tmp_path):
    (tmp_path / "a" / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for n in range(1200):
        small = Image.fromarray(rng.integers(0, 256, (2, 2, 3), np.uint8))
        small.resize((200, 200)).save(tmp_path / "a" / "images" / f"{n}.jpg")
    (tmp_path / "pack.py").write_text(PACK)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "images").symlink_to(tmp_path / "a" / "images")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(tmp_path / "pack.py")]
    wanted = subprocess.run(
        [*command, str(tmp_path / "a")], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]

    process = subprocess.Popen([*command, str(tmp_path / "b")], env=environment, stdout=subprocess.DEVNULL)
    cache = tmp_path / "b" / "cache"
    give_up = time.monotonic() + 120
    while not list(cache.glob(".*.parts/000003.json")):
        assert process.poll() is None and time.monotonic() < give_up
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in cache.glob(".*.parts/*.json")}
    assert kept and not list(cache.glob("*.json"))  # without a manifest there is no pack
    again = subprocess.Popen(
        [*command, str(tmp_path / "b")], env=environment, stdout=subprocess.PIPE, text=True
    )  # it removes the parts at the end, so they are observed meanwhile
    seen = {}
    while again.poll() is None:
        for path in cache.glob(".*.parts/*.json"):
            with contextlib.suppress(FileNotFoundError):
                seen[path.name] = path.stat().st_mtime_ns
        time.sleep(0.002)
    assert again.communicate()[0].splitlines()[-1] == wanted
    assert {name: seen[name] for name in kept} == kept
    left = sorted(path.name for path in cache.iterdir())
    assert len(left) == 2 and not any(name.startswith(".") for name in left)
