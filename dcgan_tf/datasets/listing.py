"""What a data set consists of, before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Listed:
    """One image file.

    Attributes:
      name: its name within the set, unique.
      path: where it lies.
      angle: steering angle in degrees, where the set knows one.
      time: when it was taken, ISO 8601 with milliseconds, where the set knows it.
    """

    name: str
    path: str
    angle: float | None = None
    time: str | None = None


@dataclass
class Listing:
    """The images of a set, in order, and what is left out of it: name -> reason."""

    images: list[Listed] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
