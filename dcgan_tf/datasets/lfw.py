"""The data set `lfw`, Labeled Faces in the Wild: 13,233 photographs of 5,749 people, 250x250 (Huang et al. 2007).

The files are named `Person/Person_NNNN.jpg`. The original, funneled and deep-funneled versions have the same layout.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from dcgan_tf.datasets.listing import Listed, Listing, walk
from dcgan_tf.errors import UserError

_PHOTOGRAPH = re.compile(r"(.+)_\d{4}\.jpg", re.ASCII)


def find(data_dir: Path) -> Listing:
    """List the photographs in `data_dir` or a folder below it, by person. Other JPEG files are left out and counted.

    Raises:
      UserError: there is no such folder, it holds no photographs, or it holds several sets.
    """
    if not data_dir.is_dir():
        raise UserError(
            f"lfw: {data_dir} is not a folder; get the set with `python -m dcgan_tf.prepare --dataset=lfw --download`, "
            "or name its folder with --data_dir=PATH."
        )
    sets: dict[str, list[Listed]] = {}  # by the parent of the persons' folders
    left_out = {}
    for root, _, files in walk(data_dir):
        folder, person = os.path.split(root)
        for file in files:
            path = os.path.join(root, file)
            match = _PHOTOGRAPH.fullmatch(file)
            if match and match[1] == person and os.path.isfile(path):
                sets.setdefault(folder, []).append(Listed(f"{person}/{file}", path, person=person))
            elif file.lower().endswith((".jpg", ".jpeg")):
                left_out[os.path.relpath(path, data_dir)] = "not a Person/Person_NNNN.jpg"
    if not sets:
        raise UserError(
            f"lfw: no Person/Person_NNNN.jpg in {data_dir} or a folder below it; get the set with "
            "`python -m dcgan_tf.prepare --dataset=lfw --download`, or name its folder with --data_dir=PATH."
        )
    if len(sets) > 1:
        one, another, *_ = sorted(sets)
        raise UserError(f"lfw: two sets below {data_dir}: {one} and {another}; choose one with --data_dir.")
    (images,) = sets.values()
    return Listing(images, left_out, split_by="person")
