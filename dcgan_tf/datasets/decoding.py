"""From image files to pixels, in order: a small set by threads, a large one in parts by processes.

A part is a file of pixels and one of what was left out, written when it is whole: a packing that was stopped goes on
with the parts that are missing.
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

CHUNK = 512  # images decoded ahead of the writer: bounds memory
PART = 1024  # images of a part
MANY = 4 * PART  # from here on a stopped packing is worth going on with, and processes cost no time (RELIABILITY.md)
Form = tuple[int, str, int]  # what `load` is told: size, crop, channels


def decoded(
    images: list[Listed], form: Form, parts: Path, by_parts: bool = False
) -> Iterator[tuple[Listed, np.ndarray | BadImage]]:
    """Each image with its pixels, uint8 [size, size, channels], or the BadImage that says why there are none, in order.

    Args:
      parts: folder for the parts of a large set, of these images and this form alone; the caller keeps it, or removes
        it when all that came out is safe.
      by_parts: make them of a small set too.

    Raises:
      UserError: a part cannot be written.
    """
    with Progress(f"packing {len(images):,} images", len(images)) as shown:
        if len(images) < MANY and not by_parts:
            yield from _by_threads(images, form, shown)
        else:
            yield from _by_processes(images, form, parts, shown)


def _attempt(image: Listed, form: Form) -> np.ndarray | BadImage:
    try:
        return load(image.path, *form)
    except BadImage as reason:
        return reason


def _by_threads(images: list[Listed], form: Form, shown: Progress) -> Iterator[tuple]:
    with (
        warnings.catch_warnings(),  # here and not in `load`: it changes what holds for all threads
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata in files that decode well
        for start in range(0, len(images), CHUNK):
            chunk = images[start : start + CHUNK]
            for image, result in zip(chunk, pool.map(_attempt, chunk, [form] * len(chunk))):
                yield image, result
                shown.advance()


def _by_processes(images: list[Listed], form: Form, parts: Path, shown: Progress) -> Iterator[tuple]:
    chunks = [images[start : start + PART] for start in range(0, len(images), PART)]
    ahead = 2 * (os.cpu_count() or 1)  # parts that are under way: the list of a large set is not copied at once
    with worker_processes(len(chunks)) as submit:
        tasks = {}
        for number, chunk in enumerate(chunks):
            for n in range(number, min(number + ahead, len(chunks))):
                if n not in tasks:
                    whole = _read_part(parts, n, len(chunks[n]), form) is not None
                    tasks[n] = None if whole else submit(_make_part, chunks[n], form, parts, n)
            if task := tasks.pop(number):
                task.result()
            # Another process that packed the same set may have removed the parts: then it is decoded here.
            results = _read_part(parts, number, len(chunk), form) or [_attempt(image, form) for image in chunk]
            yield from zip(chunk, results)
            shown.advance(len(chunk))


def files(parts: Path, number: int) -> tuple[Path, Path]:
    """Of a part: its pixels, uint8 [n, size, size, channels], and the reasons for what was left out, by place."""
    return parts / f"{number:06d}.npy", parts / f"{number:06d}.json"


def _make_part(images: list[Listed], form: Form, parts: Path, number: int) -> None:
    """Decode a part and write it, what was left out last: with it the part is whole."""
    array, left_out = files(parts, number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = [_attempt(image, form) for image in images]
    pixels = [result for result in results if not isinstance(result, BadImage)]
    with replacing(array) as temporary, open(temporary, "wb") as file:
        np.save(file, np.stack(pixels) if pixels else np.zeros((0, form[0], form[0], form[2]), np.uint8))
    reasons = {place: str(result) for place, result in enumerate(results) if isinstance(result, BadImage)}
    write_text(left_out, json.dumps(reasons))


def _read_part(parts: Path, number: int, count: int, form: Form) -> list[np.ndarray | BadImage] | None:
    """A part of `count` images as it was decoded, or None if it is missing or damaged."""
    array, left_out = files(parts, number)
    try:
        reasons = {int(place): BadImage(reason) for place, reason in json.loads(left_out.read_text()).items()}
        pixels = np.lib.format.open_memmap(array, mode="r")
        if pixels.dtype != np.uint8 or pixels.shape != (count - len(reasons), form[0], form[0], form[2]):
            return None
        rest = iter(pixels)
        return [reasons[place] if place in reasons else next(rest) for place in range(count)]
    except Exception:  # damaged bytes bring out errors of many classes
        return None
