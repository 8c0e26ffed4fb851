"""Download a data set, pack it, describe it and draw a sample of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from dcgan_tf.config import Config
from dcgan_tf.console import say
from dcgan_tf.datasets.download import fetch, fetch_from_google_drive
from dcgan_tf.datasets.options import PrepareOptions, Year
from dcgan_tf.datasets.packing import Packed, open_packed
from dcgan_tf.datasets.unpacking import unpack
from dcgan_tf.errors import UserError
from dcgan_tf.pictures.grids import make_grid, save_png

# Sully Chen's archives on Google Drive; 2018: 63,825 frames, 3.1 GB; 2017: about 45,500 frames, 2.2 GB.
SULLY_CHEN: dict[Year, str] = {"2018": "1PZWa6H0i1PCH9zuYcIh5Ouk_p-9Gh58B", "2017": "1Ue4XohCOV5YXy57S_5tDfCVqzLr101M7"}

# LFW, funneled (aligned): 13,233 photographs, 243 MB; URL and SHA-256 as in scikit-learn.
LFW = "https://ndownloader.figshare.com/files/5976015"
LFW_SHA256 = "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a"
# Files by which a folder is known to hold the set: pattern, and name for messages.
CONTENTS = {"sully_chen": ("data.txt", "data.txt"), "lfw": ("*_[0-9][0-9][0-9][0-9].jpg", "Person_NNNN.jpg")}


def prepare(config: Config, options: PrepareOptions) -> str:
    """Download a data set if that is asked for, pack it, and describe it.

    With `options.check`, a picture of random samples is written too.

    Args:
      config: names the data set, and how it is packed.
      options: see `PrepareOptions`.

    Returns:
      A summary in one or several lines.

    Raises:
      UserError: the set cannot be downloaded or used, or the disk is full or may not be written.
    """
    if options.download:
        download(config, options.year, options.url, options.sha256)
    packed = open_packed(config)
    if not options.check:
        return f"Ready: {packed.summary()}."
    picture = Path(options.output or f"{config.cache_dir}/{config.dataset}-samples.png")
    save_random_samples(packed, picture, *config.grid_shape, config.seed)
    return f"{describe(packed)}\n  random samples: {picture}"


def download(config: Config, year: Year = "2018", url: str = "", sha256: str = "") -> Path:
    """Download a data set and unpack it into its folder. An interrupted download is resumed.

    Args:
      config: names the data set and its folder.
      year: which of Sully Chen's sets, "2018" or "2017".
      url: where to download the archive from; "" for the known source. For LFW it may be the original or the
        deep-funneled version.
      sha256: SHA-256 of the archive, checked if given. That of LFW from the known source is always checked.

    Returns:
      The folder.

    Raises:
      UserError: the set cannot be downloaded, or the folder is in use.
    """
    if config.dataset not in CONTENTS:
        raise UserError(f"--download: {config.dataset} is not downloaded; only {' and '.join(CONTENTS)} are.")
    folder, (pattern, called) = Path(config.resolved_data_dir), CONTENTS[config.dataset]
    if next(folder.rglob(pattern), None):
        say(f"{folder} holds a set already; nothing to download.")
        return folder
    if next(folder.iterdir(), None) if folder.is_dir() else folder.exists():  # before 3 GB are downloaded
        raise UserError(f"{folder} is in use but holds no {called}; empty it, or choose another with --data_dir=PATH.")
    place = folder.absolute()  # the relative path "." has no name
    if config.dataset == "lfw":
        ending = ".zip" if url.lower().endswith(".zip") else ".tgz"
        archive = place.with_name(place.name + ending)
        fetch(url or LFW, archive, sha256 or (None if url else LFW_SHA256))
    else:
        archive = place.with_name(f"{place.name}_{year}.zip")
        if url:
            fetch(url, archive, sha256 or None)
        else:
            fetch_from_google_drive(SULLY_CHEN[year], archive)
    unpack(archive, folder)
    say(f"{folder} is unpacked; {archive} is no longer needed.")
    return folder


def describe(packed: Packed) -> str:
    """Describe a data set in several lines: sizes, held-out images, steering angles, times, and files left out."""
    manifest = packed.manifest
    _, height, width, channels = packed.images.shape
    lines = [
        packed.summary(),
        f"  from {manifest['data_dir']}",
        f"  as {height}x{width}x{channels}, crop {manifest['crop']}, in {packed.images.filename} "
        f"({packed.images.nbytes / 1e6:,.1f} MB)",
    ]
    if len(packed.held_out):
        lines.append(f"  held out, split by {manifest['split']}: the last {len(packed.held_out):,}")
    angles = np.array([image["angle"] for image in manifest["images"] if image["angle"] is not None])
    if len(angles):
        low, quarter, middle, three_quarters, high = np.percentile(angles, [0, 25, 50, 75, 100])
        lines.append(
            f"  steering angle: {low:.1f} to {high:.1f} degrees, half of them between {quarter:.1f} and "
            f"{three_quarters:.1f}, median {middle:.1f}"
        )
    times = [image["time"] for image in manifest["images"] if image["time"]]
    if times:
        lines.append(f"  taken from {min(times)} to {max(times)}")
    for reason, count in Counter(manifest["left_out"].values()).most_common():
        names = [name for name, why in manifest["left_out"].items() if why == reason]
        some = ", ".join(repr(name) for name in names[:5]) + (", ..." if count > 5 else "")
        lines.append(f"  left out, {reason}: {count:,} ({some})")
    return "\n".join(lines)


def save_random_samples(packed: Packed, path: Path, rows: int, columns: int, seed: int) -> None:
    """Write a grid of real images, chosen at random without repetition (as the article's figure 1.6).

    Args:
      packed: the data set.
      path: the PNG to write.
      rows: rows of the grid; a small set gives fewer.
      columns: columns of the grid.
      seed: random seed of the choice.

    Raises:
      UserError: the disk is full or the file may not be written.
    """
    count = min(rows * columns, len(packed.images))
    chosen = np.random.default_rng(seed).choice(len(packed.images), count, replace=False)
    save_png(path, make_grid(packed.images[np.sort(chosen)], min(columns, count), gap=2))
