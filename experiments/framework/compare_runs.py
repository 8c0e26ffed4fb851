"""Differences between two finished runs: weights, optimisers, metrics, log, pictures, TensorBoard. Used by `faults`."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

# Compared in their own way below, or allowed to differ: a run's config names the folder of its packed set, and
# `data.json` those of the set and the pack.
NOT_BY_BYTES = ("config.json", "data.json", "metrics.csv", "train.log", "checkpoints", "tensorboard")
ALLOWED_TO_DIFFER = ("speed/", "config")  # TensorBoard tags


def find_differences(ours: Path, theirs: Path) -> list[str]:
    """Names of files and arrays of the run in `ours` that differ by any bit from those of the run in `theirs`.

    The time that steps took may differ. Checkpoints that only one run has are ignored: a run that was stopped by a
    signal has saved one more, and then keeps one less of the others.
    """
    found = []
    for path in sorted((theirs / "checkpoints").glob("step-*.npz")):
        name = f"checkpoints/{path.name}"
        if (ours / name).exists():
            found += [f"{name}: {array}" for array in _differing_arrays(ours / name, path)]
    for name, read in (("metrics.csv", _read_metrics), ("train.log", _read_log), ("data.json", _read_data)):
        if read(ours / name) != read(theirs / name):
            found.append(name)
    mine, wanted = _read_other_files(ours), _read_other_files(theirs)
    found += [name for name in sorted(mine.keys() | wanted.keys()) if mine.get(name) != wanted.get(name)]
    if _read_events(ours / "tensorboard") != _read_events(theirs / "tensorboard"):
        found.append("tensorboard")
    return found


def _differing_arrays(ours: Path, theirs: Path) -> list[str]:
    with np.load(ours) as a, np.load(theirs) as b:
        common = set(a.files) & set(b.files)
        other = {k for k in common if a[k].dtype != b[k].dtype or a[k].tobytes() != b[k].tobytes()}
        return sorted(other | (set(a.files) ^ set(b.files)))


def _read_metrics(path: Path) -> list[list[str]]:
    """The rows of `metrics.csv`, without the time."""
    lines = path.read_text().splitlines()
    timed = lines[0].split(",").index("time")
    return [[v for k, v in enumerate(line.split(",")) if k != timed] for line in lines]


def _read_log(path: Path) -> str:
    return re.sub(r"time: \d+\.\d+", "", path.read_text())


def _read_data(path: Path) -> dict:
    """What a run learned from, without the folders."""
    data = json.loads(path.read_text())
    return {name: value for name, value in data.items() if name not in ("data_dir", "cache_dir")}


def _read_other_files(run: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(run)): path for path in run.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if name.partition("/")[0] not in NOT_BY_BYTES and not path.name.startswith(".")
    }


def _read_events(folder: Path) -> list[tuple[int, str, bytes]]:
    """Step, tag and value of everything in the event files, in order of step, however many files there are."""
    from tensorboard.compat.proto.event_pb2 import Event

    events = [
        Event.FromString(record) for path in folder.glob("events.*") for record in _split_records(path.read_bytes())
    ]
    values = [(e.step, v.tag, v.tensor.SerializeToString()) for e in events for v in e.summary.value]
    return sorted(value for value in values if not value[1].startswith(ALLOWED_TO_DIFFER))


def _split_records(content: bytes) -> Iterator[bytes]:
    """Records of a TFRecord file: length (8 bytes), its checksum (4), the record, its checksum (4), and so on."""
    at = 0
    while at + 12 <= len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        if at + length + 16 > len(content):
            return  # the process was killed while it wrote this record
        yield content[at + 12 : at + 12 + length]
        at += length + 16
