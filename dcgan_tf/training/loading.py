"""Loading a trained DCGAN from a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dcgan_tf.console import say
from dcgan_tf.errors import UserError
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.training import checkpoints
from dcgan_tf.training.metrics_log import frechet_distances, read_metrics
from dcgan_tf.training.run_directory import RunDirectory, choose_run


def best(run: RunDirectory) -> tuple[int, float] | None:
    """(steps, Fréchet distance) of the best of the saved checkpoints that were measured, None if there is none."""
    frechet = frechet_distances(read_metrics(run.metrics_file))
    step = checkpoints.best_step(run.checkpoints, frechet)
    return None if step is None else (step, frechet[step])


def load(run: str | Path | None = None, checkpoint: str | int = "last") -> DCGAN:
    """Load the DCGAN of a run.

    Args:
      run: its folder; None: the run below `runs/` that was written to last.
      checkpoint: "last", "best" (by Fréchet distance, of those measured), or the number of steps of a saved one.

    Raises:
      UserError: no such run or checkpoint, or none that can be used.
    """
    return load_with_step(run, checkpoint)[0]


def load_with_step(run: str | Path | None = None, checkpoint: str | int = "last") -> tuple[DCGAN, int]:
    """As `load`; and how many steps it was trained for."""
    checkpoint = str(checkpoint)
    directory = choose_run(run)
    config = directory.config()
    steps = checkpoints.saved_steps(directory.checkpoints)
    if not steps:
        raise UserError(f"{directory.path}: has no checkpoint yet; train it further with `python -m dcgan_tf.train`.")
    if checkpoint == "best":
        if not (found := best(directory)):
            raise UserError(
                f"--checkpoint=best: no checkpoint of {directory.path} was measured; train it further with "
                "--evaluate_every=500, or use --checkpoint=last."
            )
        checkpoint = str(found[0])
    if checkpoint != "last" and (not checkpoint.isdecimal() or int(checkpoint) not in steps):
        there = f"last{', best' if best(directory) else ''} and the steps {', '.join(map(str, steps))}"
        raise UserError(f"--checkpoint={checkpoint}: {directory.path} has {there}.")
    gan = DCGAN(config)
    if checkpoint == "last":
        return gan, checkpoints.restore_newest(directory.checkpoints, gan)
    path = checkpoints.path_of(directory.checkpoints, int(checkpoint))
    try:
        checkpoints.restore(path, gan)
    except checkpoints.Unusable as reason:
        raise UserError(f"{path}: {reason}; choose another of {', '.join(map(str, steps))}.") from None
    return gan, int(checkpoint)


def saved_steps(run: RunDirectory) -> list[int]:
    """The steps of the run's checkpoints, oldest first."""
    return checkpoints.saved_steps(run.checkpoints)


def restore_each(run: RunDirectory, gan: DCGAN) -> Iterator[int]:
    """Load the run's checkpoints into `gan` one after the other, oldest first, and yield the steps of each.

    A checkpoint that cannot be used is reported and left out.
    """
    for step in saved_steps(run):
        path = checkpoints.path_of(run.checkpoints, step)
        try:
            checkpoints.restore(path, gan)
        except checkpoints.Unusable as reason:
            say(f"{path} is passed over: {reason}.")
            continue
        yield step
