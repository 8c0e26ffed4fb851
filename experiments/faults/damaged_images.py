"""Damaged, hostile and unusual image files, drawn from a seed, and entries of a folder that are not files."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "TIFF": "tif", "BMP": "bmp"}
# Kind -> whether the file holds a whole image.
KINDS = {
    "plain": True,
    "CMYK": True,
    "16 bits": True,
    "palette with alpha": True,
    "animated": True,
    "EXIF nonsense": True,
    "truncated": False,
    "flipped bytes": False,
    "wrong header": False,
    "huge dimensions": False,
    "zero size": False,
    "random bytes": False,
}


def draw_picture(rng: np.random.Generator, mode: str = "RGB") -> Image.Image:
    """Draw a smooth image of 40 to 90 pixels a side."""
    width, height = rng.integers(40, 91, 2)
    corners = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8))
    return corners.resize((int(width), int(height)), Image.Resampling.BICUBIC).convert(mode)


def encode(image: Image.Image, form: str, **settings) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **settings)
    return file.getvalue()


def draw_file(kind: str, rng: np.random.Generator) -> tuple[bytes, str]:
    """Draw one file of a kind: its bytes and the ending of its name."""
    form = list(FORMATS)[rng.integers(len(FORMATS))]
    if kind == "CMYK":
        return encode(draw_picture(rng, "CMYK"), "JPEG"), "jpg"
    if kind == "16 bits":
        values = rng.integers(0, 65536, (50, 60)).astype(np.uint16)
        return encode(Image.fromarray(values), "PNG"), "png"
    if kind == "palette with alpha":
        return encode(
            draw_picture(rng).quantize(32), "PNG", transparency=bytes(rng.integers(0, 256, 32, np.uint8))
        ), "png"
    if kind == "animated":
        form = ("GIF", "WEBP", "PNG")[rng.integers(3)]
        first = draw_picture(rng)
        more = [draw_picture(rng).resize(first.size) for _ in range(3)]
        return encode(first, form, save_all=True, append_images=more), FORMATS[form]
    if kind == "EXIF nonsense":
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(0, 1 << 16))  # the orientation, which is 1 to 8 in valid files
        exif[0x010F] = "a maker " * int(rng.integers(1, 20))
        data = bytearray(exif.tobytes())
        for place in rng.integers(6, len(data), 4):  # arbitrary offsets, types and counts
            data[place] = rng.integers(256)
        return encode(draw_picture(rng), "JPEG", exif=bytes(data)), "jpg"
    if kind == "random bytes":
        return rng.bytes(int(rng.integers(0, 5000))), FORMATS[form]
    if kind in ("huge dimensions", "zero size"):
        side = (1 << 16, 1 << 31, 100_000)[rng.integers(3)] if kind == "huge dimensions" else 0
        if kind == "zero size" and rng.random() < 0.5:
            return b"", FORMATS[form]
        return _png_with_side(side - (side == 1 << 31), rng), "png"
    data = bytearray(encode(draw_picture(rng), form))
    if kind == "truncated":
        return bytes(data[: rng.integers(len(data))]), FORMATS[form]
    if kind == "flipped bytes":
        for place in rng.integers(0, len(data), rng.integers(1, 30)):
            data[place] ^= 1 << int(rng.integers(8))
    if kind == "wrong header":
        data[: int(rng.integers(2, 16))] = rng.bytes(int(rng.integers(0, 16)))
    return bytes(data), FORMATS[form]


def _png_with_side(side: int, rng: np.random.Generator) -> bytes:
    """A PNG whose header gives a wrong width and height with a correct checksum."""
    data = bytearray(encode(draw_picture(rng), "PNG"))
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def fill(folder: Path, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Write `count` files of all kinds in turn below `folder`, a hundred a folder; yields (name, kind) of each."""
    kinds = list(KINDS)
    for n in range(count):
        kind = kinds[n % len(kinds)]
        data, ending = draw_file(kind, np.random.default_rng([seed, n]))
        name = os.path.join(f"{n // 100:03d}", f"{n:06d}-{kind.replace(' ', '-')}.{ending}")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        yield name, kind


def write_entries(folder: Path) -> Iterator[tuple[str, str]]:
    """Write below `folder` entries that are not files, and files with strange names; yields (name, kind) of each.

    Entries that this user may not make, usually device nodes, are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    good = encode(draw_picture(np.random.default_rng(0)), "PNG")
    whole = "strange name"
    for name in (b"two\nlines.png", b"not \xff\xfe UTF-8.png", b"-rf.png", b" .png", b"%s{0}$HOME`id`.png", b"a" * 250):
        (folder / os.fsdecode(name)).write_bytes(good)
        yield os.fsdecode(name), whole
    with contextlib.suppress(OSError):
        (folder / "around").symlink_to(
            folder, target_is_directory=True
        )  # a loop of folders, with nothing to count in it
    made = {
        "loop.png": lambda path: path.symlink_to(path.name),
        "dangling.png": lambda path: path.symlink_to("nowhere"),
        "endless.png": lambda path: path.symlink_to("/dev/zero"),
        "pipe.png": os.mkfifo,
        "device.png": lambda path: os.mknod(path, 0o020644, os.makedev(1, 5)),
    }
    for name, make in made.items():
        with contextlib.suppress(OSError):
            make(folder / name)
            yield name, "no file"
