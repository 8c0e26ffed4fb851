"""In what a finished run is not another one: weights, optimisers, metrics, log, pictures, TensorBoard. For `faults`."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

# Looked at in their own way below, or other by right: a run's config names the folder of its pack.
NOT_BY_BYTES = ("config.json", "metrics.csv", "train.log", "checkpoints", "tensorboard")
OTHER_EVERY_TIME = ("speed/", "config")  # TensorBoard tags


def differences(ours: Path, theirs: Path) -> list[str]:
    """Names of files, arrays or tags of the run in `ours` that are not those of the run in `theirs`, bit for bit.

    Only the time that steps took may be other. Checkpoints that one of them has and the other has not are no
    difference: a run that was told to stop has saved one more, and then keeps one less of the others.
    """
    found = []
    for path in sorted((theirs / "checkpoints").glob("step-*.npz")):
        name = f"checkpoints/{path.name}"
        if (ours / name).exists():
            found += [f"{name}: {array}" for array in _other_arrays(ours / name, path)]
    for name, read in (("metrics.csv", _metrics), ("train.log", _log)):
        if read(ours / name) != read(theirs / name):
            found.append(name)
    mine, wanted = _other_files(ours), _other_files(theirs)
    found += [name for name in sorted(mine.keys() | wanted.keys()) if mine.get(name) != wanted.get(name)]
    if _events(ours / "tensorboard") != _events(theirs / "tensorboard"):
        found.append("tensorboard")
    return found


def _other_arrays(ours: Path, theirs: Path) -> list[str]:
    with np.load(ours) as a, np.load(theirs) as b:
        common = set(a.files) & set(b.files)
        other = {k for k in common if a[k].dtype != b[k].dtype or a[k].tobytes() != b[k].tobytes()}
        return sorted(other | (set(a.files) ^ set(b.files)))


def _metrics(path: Path) -> list[list[str]]:
    """The rows of `metrics.csv` without the time."""
    lines = path.read_text().splitlines()
    timed = lines[0].split(",").index("time")
    return [[v for k, v in enumerate(line.split(",")) if k != timed] for line in lines]


def _log(path: Path) -> str:
    return re.sub(r"time: \d+\.\d+", "", path.read_text())


def _other_files(run: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(run)): path for path in run.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if name.partition("/")[0] not in NOT_BY_BYTES and not path.name.startswith(".")
    }


def _events(folder: Path) -> list[tuple[int, str, bytes]]:
    """Step, tag and value of everything in the event files, in order of step: each once, in however many files."""
    from tensorboard.compat.proto.event_pb2 import Event

    events = [Event.FromString(record) for path in folder.glob("events.*") for record in _records(path.read_bytes())]
    values = [(e.step, v.tag, v.tensor.SerializeToString()) for e in events for v in e.summary.value]
    return sorted(value for value in values if not value[1].startswith(OTHER_EVERY_TIME))


def _records(content: bytes) -> Iterator[bytes]:
    """Of a TFRecord file: length (8 bytes), its checksum (4), the record, its checksum (4), and so on."""
    at = 0
    while at + 12 <= len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        if at + length + 16 > len(content):
            return  # the process was killed while it wrote this one
        yield content[at + 12 : at + 12 + length]
        at += length + 16
