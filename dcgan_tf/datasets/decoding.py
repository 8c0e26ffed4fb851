"""Decode image files in order: a small data set with threads, a large one in parts with processes.

A part is two files, one with pixels and one with the reasons for the images left out, each written atomically. After
an interruption only the missing parts are decoded.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from dcgan_tf.console import Progress
from dcgan_tf.datasets.images import BadImage, load
from dcgan_tf.datasets.listing import Listed
from dcgan_tf.files import replacing, write_text
from dcgan_tf.processes import worker_processes

CHUNK = 512  # images decoded ahead of the writer; bounds memory
PART = 1024  # images in a part
MANY = 4 * PART  # from this many images on, resuming saves time and processes cost none
Form = tuple[int, str, int]  # arguments of `load`: size, crop, channels


def decode(
    images: list[Listed], form: Form, parts: Path, by_parts: bool = False
) -> Iterator[tuple[Listed, np.ndarray | BadImage]]:
    """Yield each image with its pixels, in order.

    Args:
      images: the files.
      form: size, crop and channels, as for `images.load`.
      parts: folder for the parts of a large set. It must be used for these images and this form only. The caller
        removes it once the pixels are stored elsewhere.
      by_parts: decode in parts even if the set is small.

    Yields:
      The image, and its pixels, uint8 [size, size, channels], or the BadImage that says why it cannot be used.

    Raises:
      UserError: a part cannot be written.
    """
    with Progress(f"packing {len(images):,} images", len(images)) as progress:
        if len(images) < MANY and not by_parts:
            yield from _decode_by_threads(images, form, progress)
        else:
            yield from _decode_by_processes(images, form, parts, progress)


def _try_to_load(image: Listed, form: Form) -> np.ndarray | BadImage:
    try:
        return load(image.path, *form)
    except BadImage as reason:
        return reason


def _decode_by_threads(images: list[Listed], form: Form, progress: Progress) -> Iterator[tuple]:
    with (
        warnings.catch_warnings(),  # not in `load`: the filters are shared by all threads
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        warnings.simplefilter("ignore")  # Pillow warns about odd metadata in files that decode correctly
        for start in range(0, len(images), CHUNK):
            chunk = images[start : start + CHUNK]
            for image, result in zip(chunk, pool.map(_try_to_load, chunk, [form] * len(chunk))):
                yield image, result
                progress.advance()


def _decode_by_processes(images: list[Listed], form: Form, parts: Path, progress: Progress) -> Iterator[tuple]:
    chunks = [images[start : start + PART] for start in range(0, len(images), PART)]
    ahead = 2 * (os.cpu_count() or 1)  # parts in flight: bounds how much of the list is pickled at a time
    with worker_processes(len(chunks)) as submit:
        tasks = {}
        for number, chunk in enumerate(chunks):
            for n in range(number, min(number + ahead, len(chunks))):
                if n not in tasks:
                    whole = _read_part(parts, n, len(chunks[n]), form) is not None
                    tasks[n] = None if whole else submit(_make_part, chunks[n], form, parts, n)
            if task := tasks.pop(number):
                task.result()
            # Another process that packs the same set may have removed the part; then it is decoded here.
            results = _read_part(parts, number, len(chunk), form) or [_try_to_load(image, form) for image in chunk]
            yield from zip(chunk, results)
            progress.advance(len(chunk))


def part_files(parts: Path, number: int) -> tuple[Path, Path]:
    """Name the files of a part: pixels, uint8 [n, size, size, channels], and reasons by position in the part."""
    return parts / f"{number:06d}.npy", parts / f"{number:06d}.json"


def _make_part(images: list[Listed], form: Form, parts: Path, number: int) -> None:
    """Decode a part and write its files. The one with the reasons comes last and marks the part as complete."""
    array, left_out = part_files(parts, number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = [_try_to_load(image, form) for image in images]
    pixels = [result for result in results if not isinstance(result, BadImage)]
    with replacing(array) as temporary, open(temporary, "wb") as file:
        np.save(file, np.stack(pixels) if pixels else np.zeros((0, form[0], form[0], form[2]), np.uint8))
    reasons = {position: str(result) for position, result in enumerate(results) if isinstance(result, BadImage)}
    write_text(left_out, json.dumps(reasons))


def _read_part(parts: Path, number: int, count: int, form: Form) -> list[np.ndarray | BadImage] | None:
    """Read a part of `count` images; None if it is missing or damaged."""
    array, left_out = part_files(parts, number)
    try:
        reasons = {int(position): BadImage(reason) for position, reason in json.loads(left_out.read_text()).items()}
        pixels = np.lib.format.open_memmap(array, mode="r")
        if pixels.dtype != np.uint8 or pixels.shape != (count - len(reasons), form[0], form[0], form[2]):
            return None
        rest = iter(pixels)
        return [reasons[position] if position in reasons else next(rest) for position in range(count)]
    except Exception:  # damaged bytes raise errors of many classes
        return None
