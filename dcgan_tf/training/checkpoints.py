"""Checkpoints: one file each, whole or absent.

A checkpoint is the networks' weights, the optimisers' slots and the step: with the config, all that a run
needs to go on exactly. The file is NumPy's .npz, so every array carries a checksum, and nothing in it can
run code when it is read.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np

from dcgan_tf.console import say
from dcgan_tf.errors import UserError
from dcgan_tf.files import replacing
from dcgan_tf.gan.dcgan import DCGAN

RATE = "/learning_rate"  # of an optimiser: the config says it, so that it may change when a run is continued
_NAME = re.compile(r"step-(\d{8,})\.npz")


class Unusable(Exception):
    """Why a checkpoint cannot be used, in a few words."""


class NotFinite(Exception):
    """The name of a variable that holds infinities or NaNs."""


def path_of(folder: Path, step: int) -> Path:
    """The file of the checkpoint after `step` steps."""
    return folder / f"step-{step:08d}.npz"


def saved_steps(folder: Path) -> list[int]:
    """The steps that checkpoints are there for, oldest first."""
    if not folder.is_dir():
        return []
    names = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(name[1]) for name in names if name)


def save(folder: Path, gan: DCGAN, step: int) -> None:
    """Write the checkpoint after `step` steps.

    Raises:
      UserError: the disk is full or may not be written; the checkpoints before are untouched.
      NotFinite: a variable holds infinities or NaNs; nothing is written.
    """
    arrays = {name: variable.numpy() for name, variable in variables(gan).items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise NotFinite(name)
    with replacing(path_of(folder, step)) as temporary, open(temporary, "wb") as file:
        np.savez(file, step=np.int64(step), **arrays)


def best_step(folder: Path, frechet: dict[int, float]) -> int | None:
    """The steps of the saved checkpoint with the least Fréchet distance; None if none of those saved was measured.

    `frechet` has the distances by steps done, in order: of equals the first is the best.
    """
    saved = set(saved_steps(folder))
    return min((step for step in frechet if step in saved), key=frechet.__getitem__, default=None)


def prune(folder: Path, step: int, newest: int, keep_multiples_of: int, best: int | None = None) -> None:
    """Delete all checkpoints but the `newest` ones, those at multiples of `keep_multiples_of` (0: none) and the best.

    Checkpoints after `step`, left from before the run was continued, are not counted.
    """
    done = [saved for saved in saved_steps(folder) if saved <= step]
    for old in done[:-newest]:
        if old != best and (not keep_multiples_of or old % keep_multiples_of):
            path_of(folder, old).unlink(missing_ok=True)


def restore_newest(folder: Path, gan: DCGAN) -> int:
    """Load the newest whole checkpoint into `gan`.

    A checkpoint that cannot be used is named, and the one before it is tried.

    Returns:
      The steps it had done; 0 if there is no checkpoint.

    Raises:
      UserError: there are checkpoints, and none can be used.
    """
    steps = saved_steps(folder)
    reasons = []
    for step in reversed(steps):
        path = path_of(folder, step)
        try:
            restore(path, gan)
        except Unusable as reason:
            reasons.append(f"{path}: {reason}")
            say(f"{path} is passed over: {reason}.")
        else:
            return step
    if steps:
        raise UserError(f"no checkpoint can be used: {'; '.join(reasons)}. Start over with --fresh (the run is kept).")
    return 0


def restore(path: Path, gan: DCGAN) -> None:
    """Load one checkpoint into `gan`, all of it or nothing.

    Raises:
      Unusable: damaged, or of other networks.
    """
    wanted = variables(gan)
    try:
        # Opened here, because np.load leaves the file of a damaged archive open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zipfile.LargeZipFile, MemoryError):
        raise Unusable("damaged or truncated") from None
    except Exception as error:  # damaged bytes raise errors of zlib and of NumPy's header parser too
        raise Unusable(f"damaged ({type(error).__name__})") from None
    arrays.pop("step", None)
    arrays = {name: array for name, array in arrays.items() if not name.endswith(RATE)}  # version 0.1.0 kept it
    if odd := sorted(wanted.keys() ^ arrays.keys()):
        raise Unusable(f"of other networks ({odd[0]} and {len(odd) - 1} more do not match)")
    for name, variable in wanted.items():
        if tuple(variable.shape) != arrays[name].shape:
            raise Unusable(f"of other networks ({name} is {arrays[name].shape}, not {tuple(variable.shape)})")
    for name, variable in wanted.items():
        variable.assign(arrays[name])


def variables(gan: DCGAN) -> dict:
    """Everything that changes while it trains, by a name that does not depend on the order of creation."""
    named = {}
    for network_name, network in gan.networks().items():
        for variable in network.variables:
            named[f"{network_name}/{variable.path.partition('/')[2]}"] = variable
    for name, optimizer in (("g_optimizer", gan.g_optimizer), ("d_optimizer", gan.d_optimizer)):
        for variable in optimizer.variables:
            if not variable.path.endswith(RATE):
                named[f"{name}/{variable.path.partition('/')[2]}"] = variable
    return named
