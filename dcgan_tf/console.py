"""Progress and messages: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import codecs
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 10.0


def say(message: str) -> None:
    """Print one line for the user, at once, without breaking a progress bar."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        tqdm.write(message, file=sys.stdout)
    else:
        print(message)
    sys.stdout.flush()


def printable(text: str) -> str:
    r"""Escape the bytes of a file name that are no UTF-8, which Python keeps as lone surrogates: "caf\xe9"."""
    return text.encode("utf-8", ESCAPE).decode("utf-8")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    odd = error.object[error.start : error.end]
    return "".join(f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else "?" for c in odd), error.end


ESCAPE = "dcgan_tf.escape"  # the name of `_escape` as an error handler of text streams and encodings
codecs.register_error(ESCAPE, _escape)


def python_command() -> str:
    """The command that starts this Python: `python` if that is the same one, else its path."""
    found = shutil.which("python")
    if found and os.path.abspath(found) == os.path.abspath(sys.executable):
        return "python"
    near = os.path.relpath(sys.executable)
    return shlex.quote(near if not near.startswith("..") else sys.executable)


class Progress:
    """A progress bar on a terminal, and a line every 10 seconds elsewhere.

    Args:
      what: the work, such as "packing 4,400 images".
      total: the number of units to do; None: unknown.
      unit: the name of the units ("images"; "B" for bytes).
      initial: units that were done in an earlier run.
    """

    def __init__(self, what: str, total: int | None, unit: str = "images", initial: int = 0):
        self.what, self.total, self.unit, self.done = what, total, unit, initial
        self._first: int | None = None  # units done when the clock was started
        self._start = time.monotonic()
        self._bar = None
        self._next_line = self._start + 2.0
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                desc=what,
                total=total,
                unit=unit if unit == "B" else " " + unit,
                unit_scale=unit == "B",
                initial=initial,
                dynamic_ncols=True,
                leave=False,
                delay=0.5,
                # Only bytes get a rate; elsewhere the note holds it.
                bar_format="{desc} {percentage:.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}"
                + (", {rate_fmt}]" if unit == "B" else "{postfix}]"),
            )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, units: int = 1, note: str = "") -> None:
        """Count `units` more as done; `note` is shown beside the count."""
        self.done += units
        if self._first is None:  # the first unit is not timed, because it includes tracing
            self._first, self._start = self.done, time.monotonic()
        if self._bar is not None:
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(units)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            say(self._line(note))

    def _line(self, note: str) -> str:
        elapsed = max(time.monotonic() - self._start, 1e-9)
        rate = (self.done - (self._first or 0)) / elapsed
        line = f"{self.what}: {self.done:,}"
        if self.total:
            line += f" of {self.total:,} {self.unit} ({100 * self.done / self.total:.0f} %)"
            if rate > 0:
                line += f", {format_duration((self.total - self.done) / rate)} left"
        return line + (f", {note}" if note else "")


def progress(items: Iterable[T], what: str, total: int | None = None, unit: str = "images") -> Iterator[T]:
    """Yield `items` and show how many of `total` (default: their length) are done."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(what, total, unit) as bar:
        for item in items:
            yield item
            bar.advance()


def format_duration(seconds: float) -> str:
    """Format seconds as "4 s", "3 min 5 s" or "2 h 7 min"."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
