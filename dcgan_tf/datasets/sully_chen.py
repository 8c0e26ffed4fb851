"""The data set `sully_chen`, Sully Chen's driving data: JPEG frames, and a `data.txt` with their steering angles.

A line of `data.txt` is `N.jpg angle` (2017) or `N.jpg angle,YYYY-MM-DD HH:MM:SS:ms` (2018). Milliseconds are not
padded: `:11` is 11 ms. The frames are in the folder of `data.txt` or in one below it.
"""

from __future__ import annotations

import datetime
import math
import os
import re
from pathlib import Path, PurePosixPath

from dcgan_tf.datasets.listing import Listed, Listing, walk
from dcgan_tf.errors import UserError

_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d):(\d{1,3})", re.ASCII)


def find(data_dir: Path, dataset: str = "sully_chen") -> Listing:
    """List the frames that `data.txt` names, in its order. Missing files are left out and counted.

    Args:
      data_dir: the folder of the data set, or one above it.
      dataset: name for error messages.

    Raises:
      UserError: there is no `data.txt`, there are several, a line is malformed, or none of the files exists.
    """
    index = _find_index(data_dir, dataset)
    rows = parse(index)
    folder = _image_folder(index.parent, [name for name, _, _ in rows])
    listing = Listing(split_by="time block")
    for name, angle, time in rows:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            listing.images.append(Listed(name, path, angle, time))
        else:
            listing.left_out[name] = "missing"
    if not listing.images:
        raise UserError(f"{dataset}: {index} lists {len(rows):,} files, and none of them is beside or below it.")
    return listing


def _find_index(data_dir: Path, dataset: str) -> Path:
    found = [Path(root, "data.txt") for root, _, files in walk(data_dir) if "data.txt" in files]
    found.sort(key=lambda path: (len(path.parts), path))
    if not found:
        raise UserError(
            f"{dataset}: no data.txt in {data_dir} or a folder below it. Get the set with "
            "`python -m dcgan_tf.prepare --dataset=sully_chen --download` (3.1 GB), "
            "or learn from drawn roads with `--dataset=synthetic_road`."
        )
    if len(found) > 1 and len(found[0].parts) == len(found[1].parts):
        raise UserError(f"{dataset}: two sets below {data_dir}: {found[0]} and {found[1]}; choose one with --data_dir.")
    return found[0]


def parse(index: Path) -> list[tuple[str, float, str | None]]:
    """Parse a `data.txt`; empty lines are skipped.

    Returns:
      (file name, angle in degrees, ISO 8601 time or None) of each line.

    Raises:
      UserError: the file cannot be read or is empty, or a line is malformed, is not UTF-8, repeats a file or names one
        outside the folder. The message gives the line's number.
    """
    try:
        text = index.read_bytes()
    except OSError as error:
        raise UserError(f"{index}: may not be read ({error.strerror}).") from None
    rows, seen = [], set()
    for number, raw in enumerate(text.splitlines(), start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            if not line:
                continue
            row = _parse_line(line)
            if row[0] in seen:
                raise ValueError("this file was listed before")
        except UnicodeDecodeError:
            raise UserError(f"{index}, line {number}: not UTF-8 text ({raw[:60]!r}).") from None
        except ValueError as error:
            raise UserError(f"{index}, line {number}: {error} ({line[:80]!r}).") from None
        seen.add(row[0])
        rows.append(row)
    if not rows:
        raise UserError(f"{index}: lists no images.")
    return rows


def _parse_line(line: str) -> tuple[str, float, str | None]:
    name, _, rest = line.partition(" ")
    angle, comma, time = rest.strip().partition(",")
    if not name or not angle:
        raise ValueError("expected 'NAME.jpg ANGLE' or 'NAME.jpg ANGLE,YYYY-MM-DD HH:MM:SS:MS'")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ValueError("the name leads out of the folder")
    if not path.parts:  # "."
        raise ValueError(f"{name!r} is not the name of a file")
    try:
        degrees = float(angle)
    except ValueError:
        raise ValueError(f"{angle!r} is not an angle in degrees") from None
    if not math.isfinite(degrees):
        raise ValueError(f"{angle!r} is not an angle in degrees")
    return str(path), degrees, parse_time(time) if comma else None


def parse_time(text: str) -> str:
    """Convert "2018-07-01 17:09:45:11" (11 ms) to "2018-07-01T17:09:45.011".

    Raises:
      ValueError: not a time of this format.
    """
    parts = _TIME.fullmatch(text.strip())
    try:
        moment = datetime.datetime.fromisoformat(parts[1]) if parts else None
    except ValueError:  # such as 30 February
        moment = None
    if not parts or moment is None:
        raise ValueError(f"{text!r} is not a time such as 2018-07-01 17:09:45:11")
    return moment.replace(microsecond=1000 * int(parts[2])).isoformat(timespec="milliseconds")


def _image_folder(root: Path, names: list[str]) -> str:
    """Find the folder that holds most of the listed files: `root` or one below it."""
    tops = {PurePosixPath(name).parts[0] for name in names}
    # max returns the first of equals, and walk yields root first: a tie goes to the folder of data.txt.
    folder, _, _ = max(walk(root), key=lambda entry: len(tops.intersection(entry[1] + entry[2])))
    return folder
