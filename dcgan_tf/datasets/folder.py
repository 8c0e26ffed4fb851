"""The data set `folder`: the images in any folder, at any depth."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dcgan_tf.datasets.listing import Listed, Listing, walk
from dcgan_tf.errors import UserError

# Folders that the commands write, by what is always in them. In the folder of the images they would be learned from.
RESULTS = {
    "folder of a run": ("config.json", "data.json"),
    "folder of an evaluation": ("evaluation.json", "evaluation.png"),
    "folder of filled images": ("inpainting.csv",),
}


def find(data_dir: Path, cache_dir: Path) -> Listing:
    """List all files below `data_dir`, sorted by name. Decoding decides later which of them are images.

    Hidden files and folders, unreadable folders, folders of our own results (`RESULTS`) and files that are not regular
    (pipes, devices, broken links) are left out and counted. `cache_dir` is not part of the data set.

    Raises:
      UserError: no such folder, or nothing in it.
    """
    if not data_dir.is_dir():
        raise UserError(f"folder: {data_dir} is not a folder; name the one with your images with --data_dir=PATH.")
    if _same(data_dir, cache_dir):
        raise UserError(f"--cache_dir={cache_dir}: it must not be the folder of the images; choose another one.")
    listing = Listing()

    def unreadable(error: OSError) -> None:
        listing.left_out[os.path.relpath(error.filename, data_dir)] = "folder that may not be read"

    for root, folders, files in walk(data_dir, unreadable):
        if _same(root, cache_dir):
            folders.clear()
            continue
        below = os.path.relpath(root, data_dir)
        if below != os.curdir and (kind := _find_results({*folders, *files})):
            folders.clear()
            listing.left_out[below] = kind
            continue
        hidden = [folder for folder in folders if folder.startswith(".")]
        for folder in hidden:
            folders.remove(folder)
            listing.left_out[_name(below, folder)] = "hidden folder"
        for file in files:
            path = os.path.join(root, file)
            name = _name(below, file)
            if file.startswith("."):
                listing.left_out[name] = "hidden file"
            elif not _is_regular(path):
                listing.left_out[name] = "not a regular file"
            else:
                listing.images.append(Listed(name, path))
    if not listing.images:
        raise UserError(f"folder: no files in {data_dir}; name the folder with your images with --data_dir=PATH.")
    return listing


def _find_results(entries: set[str]) -> str | None:
    """The kind of our own results that a folder with these entries holds; None if it holds none."""
    return next((kind for kind, marks in RESULTS.items() if entries.issuperset(marks)), None)


def _name(below: str, entry: str) -> str:
    """Name an entry of the folder `below`, a path relative to the data set."""
    return entry if below == os.curdir else os.path.join(below, entry)


def _same(a: str | Path, b: str | Path) -> bool:
    return os.path.realpath(a) == os.path.realpath(b)


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
