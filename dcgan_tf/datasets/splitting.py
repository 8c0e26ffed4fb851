"""Choose the images that are held out: never trained on, used for evaluation.

The choice depends only on the listing, so all runs on a data set hold out the same images. A change of these rules
needs a new `packing.VERSION`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from dcgan_tf.datasets.listing import Listed

BLOCKS = 10  # largest number of time blocks
SHORTEST = 20  # frames in a time block, about a second: a frame between two training frames would test nothing


def split(images: list[Listed], share: float, by: str) -> tuple[list[Listed], list[Listed]]:
    """Split images into those to train on and those held out.

    Args:
      images: the images of a listing.
      share: the share to hold out, 0 to 0.5. The number held out is share * len(images), rounded; with "person" it
        is as close to that as whole persons allow.
      by: what separates the two groups. "time block" holds out stretches spread over the drive, because neighbouring
        frames are nearly identical; "person" holds out all images of some persons; "random choice" any images.

    Returns:
      (training, held out), each in the order of `images`. The first is never empty if `images` is not.
    """
    rules = {"time block": _choose_time_blocks, "person": _choose_persons, "random choice": _choose_at_random}
    chosen = rules[by](images, share)
    return [i for i in images if i.name not in chosen], [i for i in images if i.name in chosen]


def _choose_time_blocks(images: list[Listed], share: float) -> set[str]:
    """Choose the last frames of each of several equal parts of the drive."""
    count = round(share * len(images))
    parts = min(BLOCKS, max(1, count // SHORTEST))
    chosen: set[str] = set()
    for part in range(parts):
        end = len(images) * (part + 1) // parts
        length = count * (part + 1) // parts - count * part // parts
        chosen.update(image.name for image in images[end - length : end])
    return chosen


def _choose_persons(images: list[Listed], share: float) -> set[str]:
    """Choose all images of some persons. A person is taken if that brings the number closer to the target."""
    of_person: dict[str, list[str]] = {}
    for image in images:
        of_person.setdefault(image.person or "", []).append(image.name)
    wanted = share * len(images)
    chosen: set[str] = set()
    for person in _shuffle(of_person):
        missing = wanted - len(chosen)
        if abs(missing - len(of_person[person])) < missing:
            chosen.update(of_person[person])
    return chosen


def _choose_at_random(images: list[Listed], share: float) -> set[str]:
    return set(_shuffle(image.name for image in images)[: round(share * len(images))])


def _shuffle(names: Iterable[str]) -> list[str]:
    """Sort names by their SHA-256: a pseudorandom order in which adding or removing a name does not move the others."""
    return sorted(names, key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
