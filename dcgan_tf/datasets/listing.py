"""What a data set consists of, before anything is decoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)  # there may be millions
class Listed:
    """One image file.

    Attributes:
      name: its name within the set, unique.
      path: where it lies.
      angle: steering angle in degrees, where the set knows one.
      time: when it was taken, ISO 8601 with milliseconds, where the set knows it.
      person: whom it shows, where the set knows it.
    """

    name: str
    path: str
    angle: float | None = None
    time: str | None = None
    person: str | None = None


@dataclass
class Listing:
    """The images of a set, in order, and what is left out of it.

    Attributes:
      images: in order; that of time, where they are split by it.
      left_out: name -> reason.
      split_by: how images to measure with are held out: "time block", "person" or "random choice" (see
        `splitting.split`).
    """

    images: list[Listed] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    split_by: str = "random choice"


def walk(top: Path, onerror: Callable[[OSError], object] | None = None) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk` in the order of names, through links too, and into each folder once."""
    seen = set()  # folders by device and number: a link that leads back up must not go round for ever
    for root, folders, files in os.walk(top, onerror=onerror, followlinks=True):
        here = os.stat(root)
        if (here.st_dev, here.st_ino) in seen:
            folders.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        folders.sort()
        yield root, folders, sorted(files)
