"""Pack a data set: decode it once into a uint8 array on disk, which later runs only map into memory.

`<name>.npy` holds the array [N, H, W, C], first the images to train on, then those held out. `<name>.json` is the
manifest: sources, settings, and which files were left out and why.

The manifest is written last and the name of the array depends on the sources. So an incomplete pack is never read, and
two processes that pack the same set at the same time write the same files. A large set is decoded in parts (see
`decoding`), which an interrupted packing finds again. A very large set stays in parts, in a folder `<name>/` in place
of `<name>.npy`.
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
from dcgan_tf.datasets.shards import HEADER, Images, Shards
from dcgan_tf.datasets.splitting import split
from dcgan_tf.errors import UserError
from dcgan_tf.files import remove_leftovers, replacing, write_text

ONE_FILE = 4 << 30  # bytes, 350,000 colour images of 64 px; larger sets stay in parts: a copy would double the disk use
VERSION = 3  # of the contents: increase it when the same sources and settings give other bytes


@dataclass(frozen=True)
class Packed:
    """A data set ready to train on.

    Attributes:
      images: uint8 [N, H, W, C], on disk: `training`, then `held_out`.
      manifest: the contents of `<name>.json`: dataset, settings (held_out is the share), fingerprint, array (name of
        the file, or of the folder of parts), parts (number of images in each; only of a folder), sha256 (of the pixels
        and the split), split (the rule, see `splitting.split`), training (number of images), images (a dict each:
        name, angle, time) and left_out (name -> reason).
    """

    images: Images
    manifest: dict

    @property
    def training(self) -> Images:
        """The images to train on, uint8 [N, H, W, C], N at least 1."""
        return self.images[: self.manifest["training"]]

    @property
    def held_out(self) -> Images:
        """The images for evaluation, never trained on, uint8 [N, H, W, C]; N may be 0."""
        return self.images[self.manifest["training"] :]

    @property
    def labels(self) -> np.ndarray:
        """The steering angles of `training` in degrees, float32 [N]; NaN where an image has none."""
        angles = [image["angle"] for image in self.manifest["images"][: self.manifest["training"]]]
        return np.array([np.nan if angle is None else angle for angle in angles], np.float32)

    def summary(self) -> str:
        """Describe in one line how many images there are, how many are held out, and what was left out."""
        reasons = Counter(self.manifest["left_out"].values())
        left_out = ", ".join(f"{n:,} {reason}" for reason, n in reasons.most_common())
        counted = f"{self.manifest['dataset']}: {len(self.images):,} images"
        if len(self.held_out):
            counted += f", {len(self.held_out):,} of them held out"
        return f"{counted} (left out: {left_out})" if left_out else counted


def open_packed(config: Config) -> Packed:
    """Open the configured data set; it is packed first if there is no pack of its present files and settings.

    Raises:
      UserError: the data set is missing or malformed (see `registry.find`), none of its images can be used, or the
        pack cannot be written.
    """
    listing = registry.find(config)
    cache, stem, settings = _locate(config)
    fingerprint = _fingerprint(listing)

    packed = _read_pack(cache / f"{stem}.json", fingerprint)
    if packed is None:
        packed = _pack(cache, stem, listing, config, settings | {"fingerprint": fingerprint})
    # Every time, because a process may have been killed between the manifest and this; parts are as large as the pack.
    shutil.rmtree(_parts_folder(cache / os.path.basename(packed.manifest["array"])), ignore_errors=True)
    return packed


def find_packed(config: Config) -> Packed | None:
    """Open the last pack of the configured data set, even if the files have changed since; None if there is none."""
    cache, stem, _ = _locate(config)
    return _read_pack(cache / f"{stem}.json")


def find_packed_by_hash(cache: Path, sha256: str) -> Packed | None:
    """Open the pack in a folder whose pixels and split have this hash, whatever its sources are called by now."""
    for manifest in sorted(cache.glob("*.json")):
        packed = _read_pack(manifest)
        if packed and packed.manifest.get("sha256") == sha256:
            return packed
    return None


def _locate(config: Config) -> tuple[Path, str, dict]:
    """Give the folder of the pack, the common part of its file names, and the settings it depends on."""
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
    """Hash the listing with sizes and times of the files: it changes when a file is added, removed or rewritten."""
    digest = hashlib.sha256()
    for image in listing.images:
        try:
            status = os.stat(image.path)
            state = (status.st_size, status.st_mtime_ns)
        except OSError:  # a file deleted since it was listed counts as changed; decoding leaves it out
            state = None
        digest.update(repr((image.name, image.angle, image.time, state)).encode())
    digest.update(repr(sorted(listing.left_out.items())).encode())
    return digest.hexdigest()


def _read_pack(manifest_path: Path, fingerprint: str | None = None) -> Packed | None:
    """Open an existing pack; None if it is missing, damaged or its fingerprint is not the given one."""
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        if fingerprint and manifest["fingerprint"] != fingerprint:
            return None
        images = _open_array(manifest_path.parent / os.path.basename(manifest["array"]), manifest)
        whole = images.dtype == np.uint8 and images.ndim == 4 and len(images) == len(manifest["images"])
        training = manifest["training"]
        whole &= type(training) is int and 1 <= training <= len(images)
    except Exception:  # damaged bytes raise errors of many classes
        return None
    return Packed(images, manifest) if whole else None


def _open_array(array: Path, manifest: dict) -> np.ndarray | Shards:
    """Open the pixels without reading them: one file is mapped into memory, a folder of parts becomes `Shards`.

    Raises:
      Exception: they are missing or damaged.
    """
    if "parts" not in manifest:
        return np.lib.format.open_memmap(array, mode="r")
    size, channels, counts = manifest["image_size"], manifest["channels"], manifest["parts"]
    files = [decoding.part_files(array, number)[0] for number in range(len(counts))]
    for file, count in zip(files, counts):  # only the sizes: opening thousands of files is slow
        if os.path.getsize(file) != HEADER + count * size * size * channels:
            raise ValueError(f"{file} is damaged")
    return Shards(files, counts, (size, size, channels))


def _pack(cache: Path, stem: str, listing: Listing, config: Config, settings: dict) -> Packed:
    remove_leftovers(cache)
    size, channels = config.image_size, config.channels
    packed, left_out = [], dict(listing.left_out)
    training, held_out = split(listing.images, config.held_out, listing.split_by)
    num_training = 0
    digest = hashlib.sha256()
    stays_in_parts = len(listing.images) * size * size * channels > ONE_FILE
    array = cache / f"{stem}-{settings['fingerprint'][:12]}{'' if stays_in_parts else '.npy'}"
    parts = array if stays_in_parts else _parts_folder(array)
    for other in cache.glob(f".{stem}-*.parts"):  # of an interrupted packing whose sources have changed since
        if other != parts:
            shutil.rmtree(other, ignore_errors=True)
    counts = []
    with contextlib.nullcontext() if stays_in_parts else _create_array(array, size, channels) as file:
        form = (size, config.resolved_crop, channels)
        pairs = decoding.decode(training + held_out, form, parts, by_parts=stays_in_parts)
        for position, (image, result) in enumerate(pairs):
            if position % decoding.PART == 0:
                counts.append(0)
            if isinstance(result, BadImage):
                left_out[image.name] = str(result)
                continue
            packed.append({"name": image.name, "angle": image.angle, "time": image.time})
            counts[-1] += 1
            num_training += position < len(training)
            digest.update(result.data)
            if file:
                file.write(result.data)
        if not num_training:
            shutil.rmtree(parts, ignore_errors=True)
            raise UserError(_nothing_usable(config, left_out))
        if file:
            file.seek(0)
            _write_header(file, len(packed), size, channels)
    if num_training < len(packed):  # without a split it is the hash of the pixels alone, as in version 2 of the pack
        digest.update(f"training {num_training}".encode())

    manifest = {"dataset": config.dataset, **settings, "array": array.name, "sha256": digest.hexdigest()}
    if stays_in_parts:
        remove_leftovers(parts)
        manifest["parts"] = counts
    try:  # before the manifest is written: a process that packs changed sources removes this array as outdated
        images = _open_array(array, manifest)
    except (OSError, ValueError):
        raise UserError(
            f"{array}: removed by another process, which packs this set with changed images; run the same command "
            "again."
        ) from None
    manifest |= {"split": listing.split_by, "training": num_training, "left_out": left_out, "images": packed}
    write_text(cache / f"{stem}.json", json.dumps(manifest))
    for old in cache.glob(f"{stem}-*"):
        if old.is_dir() and old != array:
            shutil.rmtree(old, ignore_errors=True)
        elif old.suffix == ".npy" and old != array:  # a process that still trains on it keeps it mapped
            old.unlink(missing_ok=True)
    return Packed(images, manifest)


def _parts_folder(array: Path) -> Path:
    """Name the folder for the parts of an array that is being written."""
    return array.with_name(f".{array.stem}.parts")


@contextlib.contextmanager
def _create_array(array: Path, size: int, channels: int) -> Iterator[BinaryIO]:
    """Open a new array file after its header; it gets its name when the block ends without an error."""
    with replacing(array) as temporary, open(temporary, "wb") as file:
        _write_header(file, 0, size, channels)
        yield file


def _write_header(file, count: int, size: int, channels: int) -> None:
    # NumPy's header has room for a larger first axis, so it can be overwritten once the count is known.
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, channels)}
    np.lib.format.write_array_header_1_0(file, header)


def _nothing_usable(config: Config, left_out: dict[str, str]) -> str:
    """Word the error for a set none of whose training images can be used."""
    reasons = Counter(left_out.values()).most_common(3)
    words = ", ".join(f"{n:,} {reason}" for reason, n in reasons)
    hint = " Use a smaller --crop, or --crop=square." if "smaller than the crop" in words else ""
    return f"{config.dataset}: no image in {config.resolved_data_dir} can be used ({words}).{hint}"
