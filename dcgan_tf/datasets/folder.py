"""Any folder of images, at any depth."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dcgan_tf.datasets.listing import Listed, Listing
from dcgan_tf.errors import UserError


def find(data_dir: Path) -> Listing:
    """All files below `data_dir`, sorted by name; whether each is an image shows when it is decoded.

    Hidden files and what is no regular file (pipes, devices, broken links) are left out and counted.

    Raises:
      UserError: no such folder, or nothing in it.
    """
    if not data_dir.is_dir():
        raise UserError(f"folder: {data_dir} is not a folder; name the one with your images with --data_dir=PATH.")
    listing = Listing()
    seen = set()  # folders by device and number: a link that leads back up must not go round for ever
    for root, folders, files in os.walk(data_dir, followlinks=True):
        here = os.stat(root)
        if (here.st_dev, here.st_ino) in seen:
            folders.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for file in sorted(files):
            path = os.path.join(root, file)
            name = os.path.relpath(path, data_dir)
            if file.startswith("."):
                listing.left_out[name] = "hidden file"
            elif not _is_regular(path):
                listing.left_out[name] = "not a regular file"
            else:
                listing.images.append(Listed(name, path))
    if not listing.images:
        raise UserError(f"folder: no files in {data_dir}; name the folder with your images with --data_dir=PATH.")
    return listing


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
