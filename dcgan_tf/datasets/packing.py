"""Decode once: a data set as a uint8 array in a file, with a manifest, made in parallel and then only mapped.

`<name>.npy` is the array [N, H, W, C], the images to train on first, then those held out; `<name>.json` the
manifest: sources, settings, what was left out and why.
The manifest is written last and names its array by its sources, so a half-made pack is never read, and two
processes that pack the same set at once write the same files. A large set is decoded in parts (`decoding`), which a
packing that was stopped finds again; a very large one stays in them: `<name>/` in place of `<name>.npy`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dcgan_tf.config import Config
from dcgan_tf.datasets import decoding, registry
from dcgan_tf.datasets.images import BadImage
from dcgan_tf.datasets.listing import Listing
from dcgan_tf.datasets.shards import HEADER, Shards
from dcgan_tf.datasets.splitting import split
from dcgan_tf.errors import UserError
from dcgan_tf.files import remove_leftovers, replacing, write_text

ONE_FILE = 4 << 30  # bytes, 350,000 colour images of 64 px; copying a larger set together would take its place twice
VERSION = 3  # of the pack's contents: raise it when the same sources and settings give other bytes


@dataclass(frozen=True)
class Packed:
    """A data set ready to train on.

    Attributes:
      images: uint8 [N, H, W, C], in the file or files, not read into memory: `training`, then `held_out`.
      manifest: what `<name>.json` holds: dataset, settings (held_out: the share), fingerprint, array (name of the
        file, or of the folder of files), parts (images in each file of a folder), sha256 (of the pixels and the
        split), split (by what: `splitting.split`), training (how many images), images (a dict each: name, angle,
        time) and left_out (name -> reason).
    """

    images: np.ndarray | Shards
    manifest: dict

    @property
    def training(self) -> np.ndarray | Shards:
        """The images to learn from, uint8 [N, H, W, C], at least one."""
        return self.images[: self.manifest["training"]]

    @property
    def held_out(self) -> np.ndarray | Shards:
        """The images to measure with, uint8 [N, H, W, C], never learned from; there may be none."""
        return self.images[self.manifest["training"] :]

    @property
    def labels(self) -> np.ndarray:
        """The steering angles of `training` in degrees, float32 [N]; NaN where an image has none."""
        angles = [image["angle"] for image in self.manifest["images"][: self.manifest["training"]]]
        return np.array([np.nan if angle is None else angle for angle in angles], np.float32)

    def summary(self) -> str:
        """How many images, how many of them held out, and what was left out, in one line."""
        reasons = Counter(self.manifest["left_out"].values())
        left_out = ", ".join(f"{n:,} {reason}" for reason, n in reasons.most_common())
        counted = f"{self.manifest['dataset']}: {len(self.images):,} images"
        if len(self.held_out):
            counted += f", {len(self.held_out):,} of them held out"
        return f"{counted} (left out: {left_out})" if left_out else counted


def open_packed(config: Config) -> Packed:
    """The configured data set, packed now if it is not yet, or if its files or settings have changed.

    Raises:
      UserError: the set is missing or unusable (see `registry.find`), or no image of it can be used.
    """
    listing = registry.find(config)
    cache, stem, settings = _place(config)
    fingerprint = _fingerprint(listing)

    packed = _read(cache / f"{stem}.json", fingerprint)
    if packed is None:
        packed = _pack(cache, stem, listing, config, settings | {"fingerprint": fingerprint})
    # Also of a packing that was killed when it had done all but this: they are as large as the pack.
    shutil.rmtree(_parts(cache / os.path.basename(packed.manifest["array"])), ignore_errors=True)
    return packed


def find_packed(config: Config) -> Packed | None:
    """The configured data set as it was packed last, whatever has become of its files; None if it is not packed."""
    cache, stem, _ = _place(config)
    return _read(cache / f"{stem}.json")


def _place(config: Config) -> tuple[Path, str, dict]:
    """Where the pack of these settings is: folder, the files' common name, and the settings."""
    settings = {
        "version": VERSION,
        "image_size": config.image_size,
        "crop": config.resolved_crop,
        "channels": config.channels,
        "held_out": config.held_out,
        "data_dir": os.path.abspath(config.resolved_data_dir),
    }
    key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8]
    return Path(config.cache_dir), f"{config.dataset}-{config.image_size}px-{key}", settings


def _fingerprint(listing: Listing) -> str:
    """Changes when a file comes, goes or is written anew."""
    digest = hashlib.sha256()
    for image in listing.images:
        try:
            status = os.stat(image.path)
            state = (status.st_size, status.st_mtime_ns)
        except OSError:  # a file that vanishes under us counts as changed, and is left out when it is decoded
            state = None
        digest.update(repr((image.name, image.angle, image.time, state)).encode())
    digest.update(repr(sorted(listing.left_out.items())).encode())
    return digest.hexdigest()


def _read(manifest_path: Path, fingerprint: str | None = None) -> Packed | None:
    """The pack that is there, or None if it is missing, damaged or of other sources than those of `fingerprint`."""
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        if fingerprint and manifest["fingerprint"] != fingerprint:
            return None
        images = _opened(manifest_path.parent / os.path.basename(manifest["array"]), manifest)
        whole = images.dtype == np.uint8 and images.ndim == 4 and len(images) == len(manifest["images"])
        training = manifest["training"]
        whole &= type(training) is int and 1 <= training <= len(images)
    except Exception:  # damaged bytes bring out errors of many classes
        return None
    return Packed(images, manifest) if whole else None


def _opened(array: Path, manifest: dict) -> np.ndarray | Shards:
    """The pixels, not read yet: of one file mapped, of many read when they are asked for.

    Raises:
      Exception: they are not there, or damaged.
    """
    if "parts" not in manifest:
        return np.lib.format.open_memmap(array, mode="r")
    size, channels, counts = manifest["image_size"], manifest["channels"], manifest["parts"]
    files = [decoding.files(array, number)[0] for number in range(len(counts))]
    for file, count in zip(files, counts):  # by their sizes: opening thousands takes long
        if os.path.getsize(file) != HEADER + count * size * size * channels:
            raise ValueError(f"{file} is damaged")
    return Shards(files, counts, (size, size, channels))


def _pack(cache: Path, stem: str, listing: Listing, config: Config, settings: dict) -> Packed:
    remove_leftovers(cache)
    size, channels = config.image_size, config.channels
    packed, left_out = [], dict(listing.left_out)
    training, held_out = split(listing.images, config.held_out, listing.split_by)
    trained_on = 0  # of the packed images
    digest = hashlib.sha256()
    stays_in_parts = len(listing.images) * size * size * channels > ONE_FILE
    array = cache / f"{stem}-{settings['fingerprint'][:12]}{'' if stays_in_parts else '.npy'}"
    parts = array if stays_in_parts else _parts(array)
    for others in cache.glob(f".{stem}-*.parts"):  # of sources that have changed since they were half packed
        if others != parts:
            shutil.rmtree(others, ignore_errors=True)
    counts = []
    with contextlib.nullcontext() if stays_in_parts else _array_file(array, size, channels) as file:
        form = (size, config.resolved_crop, channels)
        pairs = decoding.decoded(training + held_out, form, parts, by_parts=stays_in_parts)
        for place, (image, result) in enumerate(pairs):
            if place % decoding.PART == 0:
                counts.append(0)
            if isinstance(result, BadImage):
                left_out[image.name] = str(result)
                continue
            packed.append({"name": image.name, "angle": image.angle, "time": image.time})
            counts[-1] += 1
            trained_on += place < len(training)
            digest.update(result)
            if file:
                file.write(result)
        if not trained_on:
            shutil.rmtree(parts, ignore_errors=True)
            raise UserError(_nothing_usable(config, left_out))
        if file:
            file.seek(0)
            _write_header(file, len(packed), size, channels)
    if trained_on < len(packed):  # without a split it is the sum of the array, as in runs from before there was one
        digest.update(f"training {trained_on}".encode())

    manifest = {"dataset": config.dataset, **settings, "array": array.name, "sha256": digest.hexdigest()}
    if stays_in_parts:
        remove_leftovers(parts)
        manifest["parts"] = counts
    try:  # at once: a process that packs other sources may remove the file below
        images = _opened(array, manifest)
    except (OSError, ValueError):
        raise UserError(
            f"{array}: gone as soon as it was packed: another process packs this set with changed images; run the same "
            "command again."
        ) from None
    manifest |= {"split": listing.split_by, "training": trained_on, "left_out": left_out, "images": packed}
    write_text(cache / f"{stem}.json", json.dumps(manifest))
    for old in cache.glob(f"{stem}-*"):
        if old.is_dir() and old != array:
            shutil.rmtree(old, ignore_errors=True)
        elif old.suffix == ".npy" and old != array:  # who still trains on it keeps it open
            old.unlink(missing_ok=True)
    return Packed(images, manifest)


def _parts(array: Path) -> Path:
    """Where the parts of an array are while it is made."""
    return array.with_name(f".{array.stem}.parts")


@contextlib.contextmanager
def _array_file(array: Path, size: int, channels: int) -> Iterator[BinaryIO]:
    """A file for images, after room for a header; in its place when the block ends well."""
    with replacing(array) as temporary, open(temporary, "wb") as file:
        _write_header(file, 0, size, channels)
        yield file


def _write_header(file, count: int, size: int, channels: int) -> None:
    # NumPy leaves room in the header for the first axis to grow: the true count fits when it is known.
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, channels)}
    np.lib.format.write_array_header_1_0(file, header)


def _nothing_usable(config: Config, left_out: dict[str, str]) -> str:
    reasons = Counter(left_out.values()).most_common(3)
    words = ", ".join(f"{n:,} {reason}" for reason, n in reasons)
    hint = " Use a smaller --crop, or --crop=square." if "smaller than the crop" in words else ""
    return f"{config.dataset}: no image in {config.resolved_data_dir} can be used ({words}).{hint}"
