"""A trained DCGAN out of a run folder."""

from __future__ import annotations

from pathlib import Path

from dcgan_tf.errors import UserError
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.runs import checkpoints
from dcgan_tf.runs.directory import chosen


def load(run: str | Path | None = None, checkpoint: str | int = "last") -> DCGAN:
    """The DCGAN of a run.

    Args:
      run: its folder; None: the run below `runs/` that was written to last.
      checkpoint: "last", or the number of steps of a saved one.

    Raises:
      UserError: no such run or checkpoint, or none that can be used.
    """
    checkpoint = str(checkpoint)
    directory = chosen(run)
    config = directory.config()
    steps = checkpoints.saved_steps(directory.checkpoints)
    if not steps:
        raise UserError(f"{directory.path}: has no checkpoint yet; train it further with `python -m dcgan_tf.train`.")
    if checkpoint != "last" and (not checkpoint.isdecimal() or int(checkpoint) not in steps):
        there = ", ".join(map(str, steps))
        raise UserError(f"--checkpoint={checkpoint}: {directory.path} has last and the steps {there}.")
    gan = DCGAN(config)
    if checkpoint == "last":
        checkpoints.restore_newest(directory.checkpoints, gan)
        return gan
    path = checkpoints.path_of(directory.checkpoints, int(checkpoint))
    try:
        checkpoints.restore(path, gan)
    except checkpoints.Unusable as reason:
        raise UserError(f"{path}: {reason}; choose another of {', '.join(map(str, steps))}.") from None
    return gan
