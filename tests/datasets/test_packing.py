"""Packing: its files and its split; damaged images, two processes at once, kills, full and read-only disks."""

import hashlib
import io
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dcgan_tf
from dcgan_tf.config import Config
from dcgan_tf.datasets.packing import find_packed, open_packed
from dcgan_tf.errors import UserError

PROJECT = Path(dcgan_tf.__file__).parents[1]


def colour(number):
    """A colour for each number below 1,000; two of them differ by at least 7."""
    return number % 32 * 8, number // 32 * 8, 128


def write_flat(folder, number, name=None, side=20):
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), colour(number)).save(folder / (name or f"{number:04d}.png"))


def config_of(folder, **settings):
    place = {"data_dir": str(folder / "images"), "cache_dir": str(folder / "cache")}
    return Config(**({"dataset": "folder", "image_size": 32, "held_out": 0.0} | place | settings))


def cached(folder):
    """The files of the cache: name -> (inode, time of the last change)."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (folder / "cache").iterdir()}


def paint_of(packed):
    return [tuple(image[0, 0]) for image in packed.images]


def child(folder, program, *arguments, **options):
    """Start a process that runs `program` with `config` set."""
    text = f"from tests.datasets.test_packing import *\nconfig = config_of(Path({str(folder)!r}))\n" + program
    return subprocess.Popen(
        [sys.executable, "-c", text, *arguments],
        cwd=PROJECT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def outcome(process):
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    return stdout


# Damaged images


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def damages(rng):
    """Ten kinds of files that are not valid images."""
    noise = Image.frombytes("RGB", (40, 40), rng.randbytes(4800))

    def cut(format, **options):
        data = encoded(noise, format, **options)
        return data[: rng.randint(1, int(0.9 * len(data)))]

    flipped = bytearray(encoded(noise, rng.choice(["JPEG", "PNG", "BMP", "GIF", "WEBP"])))
    flipped[:2] = bytes(byte ^ 0xFF for byte in flipped[:2])
    checked = bytearray(encoded(noise, "PNG"))
    checked[rng.randint(16, 23)] ^= 1 << rng.randrange(8)  # a bit of width or height, which the header's CRC covers
    bomb = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return [
        cut("JPEG"),
        cut("JPEG", progressive=True),
        cut(rng.choice(["PNG", "WEBP"])),
        cut(rng.choice(["GIF", "BMP"])),
        b"",
        "Sorry, this frame was lost.\n".encode(rng.choice(["utf-8", "utf-16"])) * rng.randint(1, 50),
        bytes(flipped),
        bytes(checked),
        b"\0" + rng.randbytes(rng.randint(1, 3000)),
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + bomb
        + struct.pack(">I", zlib.crc32(bomb))
        + struct.pack(">I", 9)
        + b"IDAT"
        + bytes(13),
    ]


def test_of_1000_files_the_800_good_ones_are_packed_and_each_bad_one_is_listed(tmp_path):
    rng = random.Random(0)
    images = tmp_path / "images"
    images.mkdir()
    bad = set(rng.sample(range(1000), 200))
    spoiled = [data for _ in range(20) for data in damages(rng)]
    kinds = [("png", {}), ("bmp", {}), ("webp", {"lossless": True}), ("jpg", {"quality": 95}), ("tiff", {})]
    for number in range(1000):
        ending, options = kinds[number % 5]
        path = images / f"{number:04d}.{ending}"
        if number in bad:
            path.write_bytes(spoiled.pop())
        else:
            Image.new("RGB", (20, 20), colour(number)).save(path, **options)
    (images / "a folder.jpg").mkdir()

    packed = open_packed(config_of(tmp_path))

    names = [f"{number:04d}.{kinds[number % 5][0]}" for number in range(1000)]
    good = [number for number in range(1000) if number not in bad]
    assert [image["name"] for image in packed.manifest["images"]] == [names[number] for number in good]
    assert set(packed.manifest["left_out"]) == {names[number] for number in bad}
    assert set(packed.manifest["left_out"].values()) == {
        "empty file",
        "not an image",
        "damaged or truncated",
        "too many pixels (decompression bomb)",
    }
    assert packed.images.shape == (800, 32, 32, 3) and packed.images.dtype == np.uint8
    expected = np.array([colour(number) for number in good])[:, None, None]
    np.testing.assert_allclose(packed.images.astype(int) - expected, 0, atol=3)  # JPEG is not exact
    counts = dict(zip(*np.unique(list(packed.manifest["left_out"].values()), return_counts=True)))
    assert counts["empty file"] == counts["too many pixels (decompression bomb)"] == 20
    for reason, count in counts.items():
        assert f"{count} {reason}" in packed.summary()
    assert packed.summary().startswith("folder: 800 images (left out: ")


def test_every_kind_of_image_in_a_deep_folder(tmp_path):
    images = tmp_path / "images"
    for number, (name, mode) in enumerate(
        [("a.jpg", "CMYK"), ("b.png", "P"), ("c.bmp", "L"), ("d/e/f.gif", "P"), ("d/g.webp", "RGBA"), ("h/i.PNG", "1")]
    ):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30 + number, 50), "white").convert(mode).save(images / name)
    packed = open_packed(config_of(tmp_path))
    assert len(packed.images) == 6 and not packed.manifest["left_out"]
    assert packed.images.min() >= 253


def test_names_that_are_not_valid_text_survive_the_manifest(tmp_path):
    write_flat(tmp_path / "images", 1)
    raw = [b"a\nb.png", b"caf\xe9.png"]
    for name in raw:
        shutil.copy(tmp_path / "images/0001.png", os.path.join(os.fsencode(tmp_path / "images"), name))
    with open(os.path.join(os.fsencode(tmp_path / "images"), b"bad\xff.jpg"), "wb"):
        pass
    open_packed(config_of(tmp_path))
    packed = open_packed(config_of(tmp_path))
    assert {os.fsencode(image["name"]) for image in packed.manifest["images"]} == {b"0001.png", *raw}
    assert [os.fsencode(name) for name in packed.manifest["left_out"]] == [b"bad\xff.jpg"]


def test_odd_metadata_cause_no_warnings_and_the_filters_are_restored(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    jpeg = encoded(Image.new("RGB", (40, 40)), "JPEG")
    odd = b"Exif\0\0II*\0\xff\xff\xff\xff"
    for number in range(40):
        (images / f"{number}.jpg").write_bytes(
            jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(odd) + 2) + odd + jpeg[2:]
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        assert len(open_packed(config_of(tmp_path)).images) == 40
        assert warnings.filters == before
    assert not [w for w in caught if "PIL" in w.filename]


def test_a_set_without_usable_images_is_a_user_error_and_leaves_nothing(tmp_path):
    write_flat(tmp_path / "images", 1)
    (tmp_path / "images/2.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"1 smaller than the crop of 108 px.*1 empty file.*--crop=square"):
        open_packed(config_of(tmp_path, crop="108"))
    assert not any((tmp_path / "cache").iterdir())


# Contents of the files


def test_the_file_is_a_plain_array_and_the_manifest_has_the_hash_of_its_pixels(tmp_path):
    for number in range(130):  # 131 listed, 101 packed
        write_flat(tmp_path / "images", number)
        if number >= 100:
            (tmp_path / "images" / f"{number:04d}.png").write_bytes(b"")
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "images/last.png")
    packed = open_packed(config_of(tmp_path))
    (array,) = (tmp_path / "cache").glob("*.npy")
    (manifest,) = (tmp_path / "cache").glob("*.json")
    pixels = np.load(array)
    assert pixels.shape == (101, 32, 32, 3) and array.stat().st_size - pixels.nbytes < 256
    manifest = json.loads(manifest.read_text())
    assert manifest == packed.manifest
    assert manifest["sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()
    assert manifest["array"] == array.name
    assert [tuple(pixel) for pixel in pixels[:100, 5, 7]] == [colour(number) for number in range(100)]
    np.testing.assert_array_equal(pixels[100], noise)


def test_angles_and_times_stay_with_their_images(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    lines = []
    for number in range(60):
        if number % 5:
            write_flat(images, number, f"{number}.png", side=120)
        if number % 7 == 0:
            (images / f"{number}.png").write_bytes(b"damaged")
        lines.append(f"{number}.png {number}.5,2018-07-01 17:09:{number:02d}:{number}\n")
    random.Random(0).shuffle(lines)
    (images / "data.txt").write_text("".join(lines))
    packed = open_packed(config_of(tmp_path, dataset="sully_chen"))
    order = [int(line.split(".")[0]) for line in lines]
    assert [image["name"] for image in packed.manifest["images"]] == [
        f"{number}.png" for number in order if number % 5 and number % 7
    ]
    for pixels, image in zip(packed.images, packed.manifest["images"]):
        number = int(image["name"].removesuffix(".png"))
        assert tuple(pixels[16, 16]) == colour(number)
        assert image["angle"] == number + 0.5
        assert image["time"] == f"2018-07-01T17:09:{number:02d}.{number:03d}"
    assert packed.manifest["left_out"] == {
        f"{number}.png": "not an image" if number % 7 == 0 else "missing"
        for number in range(60)
        if number % 7 == 0 or number % 5 == 0
    }


@pytest.mark.parametrize("crop, corner", [("40", 0), ("square", 0), ("none", 255)])
def test_the_configured_crop_is_used(tmp_path, crop, corner):
    picture = np.full((64, 128), 255, np.uint8)
    picture[:, 20:108] = 0
    (tmp_path / "images").mkdir()
    Image.fromarray(picture).save(tmp_path / "images/0.png")
    packed = open_packed(config_of(tmp_path, crop=crop, channels=1))
    assert packed.images.shape == (1, 32, 32, 1) and packed.images[0, 0, 0, 0] == corner


# The split


def names_of(packed):
    return [image["name"] for image in packed.manifest["images"]]


def drive(folder, count):
    (folder / "images").mkdir()
    for number in range(count):
        write_flat(folder / "images", number, f"{number}.png", side=120)
    (folder / "images/data.txt").write_text("".join(f"{number}.png {number}\n" for number in range(count)))


def test_the_training_images_come_first_then_those_held_out(tmp_path):
    drive(tmp_path, 100)
    config = config_of(tmp_path, dataset="sully_chen", held_out=0.4)
    # Two time blocks: 40 frames are not enough for three of 20.
    held_out = [*range(30, 50), *range(80, 100)]
    training = [number for number in range(100) if number not in held_out]
    for packed in (open_packed(config), open_packed(config), find_packed(config)):
        assert paint_of(packed) == [colour(number) for number in training + held_out]
        assert names_of(packed) == [f"{number}.png" for number in training + held_out]
        assert [image["angle"] for image in packed.manifest["images"]] == training + held_out
        np.testing.assert_array_equal(packed.training, packed.images[:60])
        np.testing.assert_array_equal(packed.held_out, packed.images[60:])
        assert np.shares_memory(packed.training, packed.images)  # views of the map
        assert packed.summary() == "sully_chen: 100 images, 40 of them held out"
        assert (packed.manifest["training"], packed.manifest["held_out"]) == (60, 0.4)
        assert packed.manifest["split"] == "time block"


def test_labels_are_the_angles_of_the_training_images(tmp_path):
    drive(tmp_path, 100)
    (tmp_path / "images/3.png").write_bytes(b"")  # left out: its angle is not there either
    config = config_of(tmp_path, dataset="sully_chen", held_out=0.4)
    expected = [float(number) for number in range(100) if number not in (3, *range(30, 50), *range(80, 100))]
    for packed in (open_packed(config), open_packed(config), find_packed(config)):
        assert packed.labels.dtype == np.float32
        assert packed.labels.tolist() == expected
        assert len(packed.labels) == len(packed.training) == 59


def test_labels_of_images_without_an_angle_are_nan(tmp_path):
    for number in range(20):
        write_flat(tmp_path / "images", number)
    packed = open_packed(config_of(tmp_path, held_out=0.1))
    assert packed.labels.shape == (18,) and packed.labels.dtype == np.float32
    assert np.isnan(packed.labels).all()
    packed.manifest["images"][4]["angle"] = -7.5
    assert packed.labels[4] == -7.5 and np.isnan(np.delete(packed.labels, 4)).all()


def test_without_a_share_all_images_are_trained_on(tmp_path):
    for number in range(20):
        write_flat(tmp_path / "images", number)
    packed = open_packed(config_of(tmp_path))
    assert len(packed.training) == 20 and packed.held_out.shape == (0, 32, 32, 3)
    assert packed.summary() == "folder: 20 images"


def test_damaged_files_reduce_the_part_they_belong_to(tmp_path):
    drive(tmp_path, 100)
    for number in (0, 97, 98):
        (tmp_path / "images" / f"{number}.png").write_bytes(b"")
    packed = open_packed(config_of(tmp_path, dataset="sully_chen", held_out=0.1))
    assert (len(packed.training), len(packed.held_out)) == (89, 8)  # frames 90 to 99 are held out
    assert packed.summary() == "sully_chen: 97 images, 8 of them held out (left out: 3 empty file)"


def test_a_set_whose_training_images_are_all_damaged_is_a_user_error(tmp_path):
    drive(tmp_path, 10)
    for number in range(5):
        (tmp_path / "images" / f"{number}.png").write_bytes(b"")
    config = config_of(tmp_path, dataset="sully_chen", held_out=0.5)
    with pytest.raises(UserError, match=r"no image in .* can be used .5 empty file"):
        open_packed(config)
    assert not any((tmp_path / "cache").iterdir())


def test_the_hash_covers_the_split(tmp_path):
    drive(tmp_path, 100)
    sums = {}
    for share in (0.0, 0.1, 0.2):  # the last frames are held out: the array is the same each time
        config = config_of(tmp_path, dataset="sully_chen", held_out=share, cache_dir=str(tmp_path / f"cache{share}"))
        packed = open_packed(config)
        assert paint_of(packed) == [colour(number) for number in range(100)]
        sums[share] = packed.manifest["sha256"]
    assert len(set(sums.values())) == 3
    # As in version 2 of the packs, which had no split: its runs can be continued with --held_out=0.
    assert sums[0.0] == hashlib.sha256(packed.images.tobytes()).hexdigest()


def test_the_split_of_a_folder_does_not_depend_on_its_path(tmp_path):
    for number in range(60):
        write_flat(tmp_path / "a", number)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    a, b = (open_packed(config_of(tmp_path, data_dir=str(tmp_path / name), held_out=0.1)) for name in "ab")
    assert names_of(a) == names_of(b) and len(a.held_out) == 6
    assert a.manifest["sha256"] == b.manifest["sha256"]


def test_faces_are_cropped_and_split_by_person(tmp_path):
    picture = np.zeros((250, 250, 3), np.uint8)
    picture[53:197, 53:197] = 200  # the central 144 pixels
    for person in range(20):
        folder = tmp_path / "images" / f"P{person}"
        folder.mkdir(parents=True)
        for number in range(1, 3):
            Image.fromarray(picture).save(folder / f"P{person}_{number:04d}.jpg", quality=100, subsampling=0)
    packed = open_packed(config_of(tmp_path, dataset="lfw", held_out=0.1))
    people = [name.split("/")[0] for name in names_of(packed)]
    assert len(packed.images) == 40 and len(packed.held_out) == 4
    assert set(people[:36]).isdisjoint(people[36:])
    assert packed.images.min() > 190  # none of the black margin


# Other processes


MEET = """
import time
from dcgan_tf.datasets import packing
decoded = packing.decoding.decode
def meeting(*arguments, **options):
    for count, pair in enumerate(decoded(*arguments, **options)):
        if count == 100:  # wait here until the other process is here too
            (marks / str(os.getpid())).touch()
            while len(list(marks.iterdir())) < 2:
                time.sleep(0.01)
        yield pair
packing.decoding.decode = meeting
marks = Path(sys.argv[1])
ready = open_packed(config)
print(ready.manifest["sha256"], len(ready.images), hashlib.sha256(ready.images.tobytes()).hexdigest())
"""


def test_two_processes_may_pack_the_same_set_at_the_same_time(tmp_path):
    for number in range(300):
        write_flat(tmp_path / "images", number)
    (tmp_path / "marks").mkdir()
    both = [child(tmp_path, MEET, str(tmp_path / "marks")) for _ in range(2)]
    said = [outcome(process).splitlines()[-1].split() for process in both]
    # Uniform images keep their colour when they are resized.
    pixels = np.array([colour(number) for number in range(300)], np.uint8)[:, None, None]
    expected = hashlib.sha256(np.broadcast_to(pixels, (300, 32, 32, 3)).tobytes()).hexdigest()
    assert said == [[expected, "300", expected]] * 2
    files = cached(tmp_path)
    assert len(files) == 2
    assert open_packed(config_of(tmp_path)).manifest["sha256"] == expected
    assert cached(tmp_path) == files


HANG = """
import time
from dcgan_tf.datasets import packing
decoded = packing.decoding.decode
def hanging(*arguments, **options):
    for count, pair in enumerate(decoded(*arguments, **options)):
        if count == 100:
            print("midway", flush=True)
            time.sleep(60)
        yield pair
packing.decoding.decode = hanging
open_packed(config)
"""


def test_files_of_a_killed_packing_are_not_read_and_are_removed_by_the_next_one(tmp_path):
    for number in range(150):
        write_flat(tmp_path / "images", number)
    process = child(tmp_path, HANG)
    assert process.stdout.readline() == "midway\n"
    (half,) = cached(tmp_path)
    assert half.endswith(f".{process.pid}.tmp")
    other = tmp_path / "cache" / f".of-one-who-lives.npy.{os.getppid()}.tmp"
    other.touch()
    process.send_signal(signal.SIGKILL)
    process.communicate()  # until it is reaped, its process number exists
    assert process.returncode == -signal.SIGKILL
    assert half in cached(tmp_path)
    assert paint_of(open_packed(config_of(tmp_path))) == [colour(number) for number in range(150)]
    assert half not in cached(tmp_path)
    assert other.exists()  # files of living processes are left alone
    assert len(cached(tmp_path)) == 3


# The disk


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    open_packed(config)
except UserError as error:
    print(error)
"""


def test_a_full_disk_is_a_user_error_and_leaves_nothing(tmp_path):
    pytest.importorskip("resource", reason="the limit that stands for a full disk is Unix's")
    for number in range(50):  # 50 times 3,072 bytes
        write_flat(tmp_path / "images", number)
    (line,) = outcome(child(tmp_path, FULL)).splitlines()
    assert "no space left on the disk" in line and str(tmp_path / "cache") in line
    assert not any((tmp_path / "cache").iterdir())
    assert len(open_packed(config_of(tmp_path)).images) == 50


LOCKED = """
import mmap
from dcgan_tf.datasets.images import load
load(sys.argv[1], 32, "square", 3)  # loads what is imported on first use, which the user nobody may not read
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    print(open_packed(config).manifest["left_out"])
except UserError as error:
    print(error)
"""


@pytest.fixture
def open_place():
    """A folder that every user may enter, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        write_flat(Path(place, "images"), 1)
        yield Path(place)


def test_a_cache_that_may_not_be_written_is_a_user_error(open_place):
    (open_place / "cache").mkdir()
    (open_place / "cache").chmod(0o555)
    (line,) = outcome(child(open_place, LOCKED, str(open_place / "images/0001.png"))).splitlines()
    assert "may not be written" in line and str(open_place / "cache") in line


def test_an_image_that_may_not_be_read_is_left_out(open_place):
    write_flat(open_place / "images", 2)
    (open_place / "images/0002.png").chmod(0)
    (open_place / "cache").mkdir()
    (open_place / "cache").chmod(0o777)
    said = outcome(child(open_place, LOCKED, str(open_place / "images/0001.png"))).splitlines()
    assert said[-1] == "{'0002.png': 'may not be read'}"


def test_a_file_where_the_cache_should_be_is_a_user_error(tmp_path):
    write_flat(tmp_path / "images", 1)
    (tmp_path / "cache").write_bytes(b"")
    for cache in ("cache", "cache/below"):
        with pytest.raises(UserError, match="a file stands where a folder is needed"):
            open_packed(config_of(tmp_path, cache_dir=str(tmp_path / cache)))


def test_frames_deleted_during_packing_are_left_out(tmp_path, monkeypatch):
    from dcgan_tf.datasets import registry

    for number in range(3):
        write_flat(tmp_path / "images", number)

    real = registry.find

    def find(config):
        listing = real(config)
        (tmp_path / "images/0001.png").unlink()  # after it was listed, before it is decoded
        return listing

    monkeypatch.setattr(registry, "find", find)
    ready = open_packed(config_of(tmp_path))
    assert paint_of(ready) == [colour(0), colour(2)]
    assert ready.manifest["left_out"] == {"0001.png": "missing"}
