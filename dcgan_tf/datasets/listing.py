"""The files of a data set, listed before any of them is decoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)  # slots: there may be millions
class Listed:
    """One image file.

    Attributes:
      name: unique name within the set.
      path: path of the file.
      angle: steering angle in degrees; None if the set gives none.
      time: time of the photograph, ISO 8601 with milliseconds; None if the set gives none.
      person: the person in the photograph; None if the set gives none.
    """

    name: str
    path: str
    angle: float | None = None
    time: str | None = None
    person: str | None = None


@dataclass
class Listing:
    """The images of a data set and the files left out of it.

    Attributes:
      images: in a fixed order; in order of time where `split_by` is "time block".
      left_out: name -> reason.
      split_by: how images are held out for evaluation: "time block", "person" or "random choice" (see
        `splitting.split`).
    """

    images: list[Listed] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    split_by: str = "random choice"


def walk(top: Path, onerror: Callable[[OSError], object] | None = None) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk a folder tree like `os.walk`, sorted by name; links are followed, and each folder is visited once.

    Args:
      top: the root.
      onerror: called with the OSError of a folder that cannot be read.

    Yields:
      (folder, names of its folders, names of its files); folders removed from the second are not visited.
    """
    seen = set()  # folders by device and inode: a link to a parent folder would otherwise never end
    for root, folders, files in os.walk(top, onerror=onerror, followlinks=True):
        here = os.stat(root)
        if (here.st_dev, here.st_ino) in seen:
            folders.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        folders.sort()
        yield root, folders, sorted(files)
