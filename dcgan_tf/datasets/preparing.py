"""Getting a data set, and looking at what it holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from dcgan_tf.config import Config
from dcgan_tf.console import say
from dcgan_tf.datasets.download import fetch, fetch_from_google_drive
from dcgan_tf.datasets.packing import Packed
from dcgan_tf.datasets.unpacking import unpack
from dcgan_tf.errors import UserError
from dcgan_tf.pictures.grids import make_grid, save_png

# Sully Chen's archives on Google Drive; 2018: 63,825 frames, 3.1 GB; 2017: about 45,500 frames, 2.2 GB.
SULLY_CHEN = {"2018": "1PZWa6H0i1PCH9zuYcIh5Ouk_p-9Gh58B", "2017": "1Ue4XohCOV5YXy57S_5tDfCVqzLr101M7"}

# LFW, funneled (aligned): 13,233 photographs, 243 MB; address and SHA-256 as scikit-learn has them.
LFW = "https://ndownloader.figshare.com/files/5976015"
LFW_SHA256 = "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a"
# What is in a folder that holds the set already: pattern, and how it is called.
CONTENTS = {"sully_chen": ("data.txt", "data.txt"), "lfw": ("*_[0-9][0-9][0-9][0-9].jpg", "Person_NNNN.jpg")}


def download(config: Config, year: str = "2018", url: str = "", sha256: str = "") -> Path:
    """Download and unpack a data set into its folder; what was interrupted goes on.

    Args:
      config: names the data set and its folder.
      year: which of Sully Chen's sets, "2018" or "2017".
      url: a mirror's address of the archive (or of another of LFW's: plain, deep-funneled), in place of the known one.
      sha256: of the archive, checked if given; that of the known LFW is checked always.

    Returns:
      the folder.

    Raises:
      UserError: the set cannot be downloaded, or the folder is in use.
    """
    if config.dataset not in CONTENTS:
        raise UserError(f"--download: {config.dataset} is not downloaded; only {' and '.join(CONTENTS)} are.")
    if year not in SULLY_CHEN:
        raise UserError(f"--year={year}: it can be {' or '.join(SULLY_CHEN)}.")
    folder, (pattern, called) = Path(config.resolved_data_dir), CONTENTS[config.dataset]
    if next(folder.rglob(pattern), None):
        say(f"{folder} holds a set already; nothing to download.")
        return folder
    if next(folder.iterdir(), None) if folder.is_dir() else folder.exists():  # known before 3 GB are fetched
        raise UserError(f"{folder} is in use but holds no {called}; empty it, or choose another with --data_dir=PATH.")
    place = folder.absolute()  # "." has no name
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
    """What a set holds: numbers, what is held out, steering angles, times, and what was left out and why."""
    manifest = packed.manifest
    n, height, width, channels = packed.images.shape
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
    """A grid of real images, drawn at random without repetition (as the article's figure 1.6)."""
    count = min(rows * columns, len(packed.images))
    chosen = np.random.default_rng(seed).choice(len(packed.images), count, replace=False)
    save_png(path, make_grid(packed.images[np.sort(chosen)], min(columns, count), gap=2))
