"""Images that are damaged, hostile or only unusual, drawn from a seed; and entries of a folder that are no files."""

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
# Kind -> whether it holds an image that is whole.
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


def picture(rng: np.random.Generator, mode: str = "RGB") -> Image.Image:
    """A smooth image of 40 to 90 pixels a side, another each time."""
    width, height = rng.integers(40, 91, 2)
    corners = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8))
    return corners.resize((int(width), int(height)), Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, form: str, **settings) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **settings)
    return file.getvalue()


def drawn(kind: str, rng: np.random.Generator) -> tuple[bytes, str]:
    """The bytes of one file of a kind, and the ending of its name."""
    form = list(FORMATS)[rng.integers(len(FORMATS))]
    if kind == "CMYK":
        return encoded(picture(rng, "CMYK"), "JPEG"), "jpg"
    if kind == "16 bits":
        values = rng.integers(0, 65536, (50, 60)).astype(np.uint16)
        return encoded(Image.fromarray(values), "PNG"), "png"
    if kind == "palette with alpha":
        return encoded(picture(rng).quantize(32), "PNG", transparency=bytes(rng.integers(0, 256, 32, np.uint8))), "png"
    if kind == "animated":
        form = ("GIF", "WEBP", "PNG")[rng.integers(3)]
        first = picture(rng)
        more = [picture(rng).resize(first.size) for _ in range(3)]
        return encoded(first, form, save_all=True, append_images=more), FORMATS[form]
    if kind == "EXIF nonsense":
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(0, 1 << 16))  # the orientation: 1 to 8 in sane files
        exif[0x010F] = "a maker " * int(rng.integers(1, 20))
        data = bytearray(exif.tobytes())
        for place in rng.integers(6, len(data), 4):  # offsets, types and counts that lead anywhere
            data[place] = rng.integers(256)
        return encoded(picture(rng), "JPEG", exif=bytes(data)), "jpg"
    if kind == "random bytes":
        return rng.bytes(int(rng.integers(0, 5000))), FORMATS[form]
    if kind in ("huge dimensions", "zero size"):
        side = (1 << 16, 1 << 31, 100_000)[rng.integers(3)] if kind == "huge dimensions" else 0
        if kind == "zero size" and rng.random() < 0.5:
            return b"", FORMATS[form]
        return _png_that_says(side - (side == 1 << 31), rng), "png"
    data = bytearray(encoded(picture(rng), form))
    if kind == "truncated":
        return bytes(data[: rng.integers(len(data))]), FORMATS[form]
    if kind == "flipped bytes":
        for place in rng.integers(0, len(data), rng.integers(1, 30)):
            data[place] ^= 1 << int(rng.integers(8))
    if kind == "wrong header":
        data[: int(rng.integers(2, 16))] = rng.bytes(int(rng.integers(0, 16)))
    return bytes(data), FORMATS[form]


def _png_that_says(side: int, rng: np.random.Generator) -> bytes:
    """A PNG whose header, with a right checksum, gives a width and height that it does not have."""
    data = bytearray(encoded(picture(rng), "PNG"))
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def fill(folder: Path, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Write `count` files of all kinds in turn below `folder`, a hundred in each of its folders: (name, kind) each."""
    kinds = list(KINDS)
    for n in range(count):
        kind = kinds[n % len(kinds)]
        data, ending = drawn(kind, np.random.default_rng([seed, n]))
        name = os.path.join(f"{n // 100:03d}", f"{n:06d}-{kind.replace(' ', '-')}.{ending}")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        yield name, kind


def entries(folder: Path) -> Iterator[tuple[str, str]]:
    """Write below `folder` what a folder can hold besides files, and files of strange names: (name, kind) each.

    What this user may not make (device nodes, as a rule) is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    good = encoded(picture(np.random.default_rng(0)), "PNG")
    whole = "strange name"
    for name in (b"two\nlines.png", b"not \xff\xfe UTF-8.png", b"-rf.png", b" .png", b"%s{0}$HOME`id`.png", b"a" * 250):
        (folder / os.fsdecode(name)).write_bytes(good)
        yield os.fsdecode(name), whole
    with contextlib.suppress(OSError):
        (folder / "around").symlink_to(folder, target_is_directory=True)  # a loop of folders: nothing to count in it
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
