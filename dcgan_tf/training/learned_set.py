"""The data set that a run learned from, found again wherever a command is called from and the run was moved to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dcgan_tf.config import Config
from dcgan_tf.console import say
from dcgan_tf.datasets.packing import Packed, find_packed, find_packed_by_hash, open_packed
from dcgan_tf.training.run_directory import RunDirectory


def describe(config: Config, packed: Packed) -> dict:
    """What the run's `data.json` says of its set: name, number and hash of the images."""
    return {"dataset": config.dataset, "images": len(packed.training), "sha256": packed.manifest["sha256"]}


def locate(config: Config) -> dict:
    """Where the set and its pack are, for `data.json`: absolute paths, as the config may have relative ones."""
    return {"data_dir": os.path.abspath(config.resolved_data_dir), "cache_dir": os.path.abspath(config.cache_dir)}


def find(run: RunDirectory) -> Packed | None:
    """The pack that the run learned from, whether its files are there or not; None if it is gone or has changed."""
    data = _read(run)
    if "sha256" not in data:
        return None
    for config in _places(run.config(), data):
        packed = find_packed(config)
        if packed and packed.manifest["sha256"] == data["sha256"]:
            return packed
    for config in _places(run.config(), data):
        if packed := find_packed_by_hash(Path(config.cache_dir), data["sha256"]):
            return packed
    return None


def open_again(run: RunDirectory, config: Config, data_dir: str = "") -> Packed:
    """Open the set of a run; a set that is no longer packed is packed again, and images that changed are reported.

    Args:
      run: the run.
      config: its config.
      data_dir: the folder of the images, if it was moved; "": where the run had it.

    Raises:
      UserError: the folder is not there or cannot be used.
    """
    if not data_dir and (packed := find(run)):
        return packed
    data = _read(run)
    places = [replace(config, data_dir=data_dir)] if data_dir else list(_places(config, data))
    there = next((place for place in places if os.path.isdir(place.resolved_data_dir)), places[0])
    packed = (None if data_dir else find_packed(there)) or open_packed(there)
    if packed.manifest["sha256"] != data.get("sha256", packed.manifest["sha256"]):
        holds = "does not hold" if data_dir else "no longer holds"
        say(f"{there.resolved_data_dir} {holds} the images that {run.path} learned from.")
    return packed


def choose_cache(run: RunDirectory, config: Config) -> Path:
    """The folder for decoded images: where the run has its pack, or the config's, which need not exist."""
    places = [Path(place.cache_dir) for place in _places(config, _read(run))]
    return next((place for place in places if place.is_dir()), places[0])


def _places(config: Config, data: dict) -> Iterator[Config]:
    """The config with its paths as they are in the current folder, then as they were where the run was trained."""
    yield config
    if "data_dir" in data and "cache_dir" in data:
        yield replace(config, data_dir=data["data_dir"], cache_dir=data["cache_dir"])


def _read(run: RunDirectory) -> dict:
    """Read `data.json`; empty if it is missing or damaged: the process was killed before it was written."""
    try:
        data = json.loads(run.data_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
