"""Labeled Faces in the Wild: 13,233 photographs of 5,749 people, 250x250 (Huang et al. 2007).

`Person/Person_NNNN.jpg`; plain, funneled or deep-funneled: all three are laid out alike.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from dcgan_tf.datasets.listing import Listed, Listing, walk
from dcgan_tf.errors import UserError

_PHOTOGRAPH = re.compile(r"(.+)_\d{4}\.jpg", re.ASCII)


def find(data_dir: Path) -> Listing:
    """The photographs in `data_dir` or a folder below it, by person; other JPEG files are left out and counted.

    Raises:
      UserError: no such folder, nobody in it, or several sets.
    """
    if not data_dir.is_dir():
        raise UserError(
            f"lfw: {data_dir} is not a folder; get the set with `python -m dcgan_tf.prepare --dataset=lfw --download`, "
            "or name the one with LFW's persons with --data_dir=PATH."
        )
    sets: dict[str, list[Listed]] = {}  # by the folder that the persons' folders lie in
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
            f"lfw: no Person/Person_NNNN.jpg in {data_dir} or a folder below it; get it with "
            "`python -m dcgan_tf.prepare --dataset=lfw --download`, or name its folder with --data_dir=PATH."
        )
    if len(sets) > 1:
        one, another, *_ = sorted(sets)
        raise UserError(f"lfw: two sets below {data_dir}: {one} and {another}; choose one with --data_dir.")
    (images,) = sets.values()
    return Listing(images, left_out, split_by="person")
