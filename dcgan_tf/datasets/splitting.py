"""Which images are held out: never trained on, kept to measure with.

The choice hangs on the listing alone, so that every run on a set has the same. After a change of the rules, raise
`packed.VERSION`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from dcgan_tf.datasets.listing import Listed

BLOCKS = 10  # at most so many stretches of a drive are held out
SHORTEST = 20  # frames in such a stretch, about a second of driving: between two trained frames one alone is no test


def split(images: list[Listed], share: float, by: str) -> tuple[list[Listed], list[Listed]]:
    """The images to train on and those held out, each in the order of `images`.

    Args:
      images: those of a listing.
      share: of the images that are held out, 0 to 0.5. Their number is share * len(images), rounded; by person
        as near to it as whole persons come.
      by: what keeps the held-out images unlike the others: "time block" holds out stretches spread over the drive,
        because neighbouring frames are nearly the same; "person" whole persons; "random choice" any images.

    Returns:
      (training, held out). The first is never empty if `images` is not.
    """
    ways = {"time block": _time_blocks, "person": _persons, "random choice": _any}
    chosen = ways[by](images, share)
    return [i for i in images if i.name not in chosen], [i for i in images if i.name in chosen]


def _time_blocks(images: list[Listed], share: float) -> set[str]:
    """The last frames of each of some equal parts of the drive."""
    count = round(share * len(images))
    parts = min(BLOCKS, max(1, count // SHORTEST))
    chosen = set()
    for part in range(parts):
        end = len(images) * (part + 1) // parts
        length = count * (part + 1) // parts - count * part // parts
        chosen.update(image.name for image in images[end - length : end])
    return chosen


def _persons(images: list[Listed], share: float) -> set[str]:
    """All images of some persons: each is taken who brings the number nearer to what is wanted."""
    of_person: dict[str, list[str]] = {}
    for image in images:
        of_person.setdefault(image.person, []).append(image.name)
    wanted = share * len(images)
    chosen: set[str] = set()
    for person in _shuffled(of_person):
        missing = wanted - len(chosen)
        if abs(missing - len(of_person[person])) < missing:
            chosen.update(of_person[person])
    return chosen


def _any(images: list[Listed], share: float) -> set[str]:
    return set(_shuffled(image.name for image in images)[: round(share * len(images))])


def _shuffled(names: Iterable[str]) -> list[str]:
    """In an order like chance, the same everywhere; a name that comes or goes leaves the others in theirs."""
    return sorted(names, key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
