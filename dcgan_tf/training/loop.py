"""The training loop: from a config to a trained DCGAN, continued from the last checkpoint."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcgan_tf.backend import tf
from dcgan_tf.batch import Batch
from dcgan_tf.config import Config
from dcgan_tf.console import Progress, python_command, say
from dcgan_tf.datasets.batching import batches, stack_steps, steps_per_epoch
from dcgan_tf.datasets.packing import Packed, open_packed
from dcgan_tf.distributed import workers as workers_lib
from dcgan_tf.distributed.replicas import compile_train_steps
from dcgan_tf.distributed.workers import Workers
from dcgan_tf.errors import UserError
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.pictures.grids import make_grid
from dcgan_tf.signals import StopRequest
from dcgan_tf.training import checkpoints, gallery, learned_set, loading
from dcgan_tf.training.health import Health
from dcgan_tf.training.measured_settings import settle_precision, settle_steps, settle_widths
from dcgan_tf.training.metrics_log import Records, read_metrics
from dcgan_tf.training.quality import Quality
from dcgan_tf.training.run_directory import RunDirectory, open_for_training
from dcgan_tf.training.step_log import StepLog, divergence_error
from dcgan_tf.training.tensorboard import Events


@dataclass(frozen=True)
class Run:
    """The result of training.

    Attributes:
      directory: where everything is.
      gan: the networks as they are now.
      step, last_step: steps done, and to be done in all.
      pictures: what was drawn of it.
      signal: the signal that stopped it early, or None.
      worker: which of several workers this is; "": the only one, or the chief, which has everything.
    """

    directory: RunDirectory
    gan: DCGAN
    step: int
    last_step: int
    pictures: list[Path]
    signal: int | None = None
    worker: str = ""

    def summary(self) -> str:
        """What there is to look at, and with which commands."""
        path = self.directory.path
        done = f"{self.step:,} of {self.last_step:,} steps are done"
        if self.step > self.last_step:
            done = f"{self.step:,} steps are done, more than the {self.last_step:,} asked for"
        if self.worker:
            return f"{self.worker}: {done}. The chief (worker 0) has everything."
        lines = [f"{done}. Everything is in {path}:"]
        lines += [f"  {picture}" for picture in self.pictures]
        if found := loading.best(self.directory):
            lines.append(f"Best measured: step {found[0]:,}, Fréchet distance {found[1]:.1f} (--checkpoint=best)")
        run = shlex.quote(str(path))
        lines.append(f"Curves: {python_command()} -m tensorboard.main --logdir {run}")
        lines.append(f"Every layer: {python_command()} -m dcgan_tf.visualize_layers --run={run}")
        lines.append(f"More images: {python_command()} -m dcgan_tf.sample --run={run}")
        if (sheet := path / "epochs.png") in self.pictures:
            lines.append(f"Look first at {sheet}: what the generator draws for the same z, from epoch to epoch.")
        return "\n".join(lines)


def train(config: Config, run_dir: str | Path | None = None, fresh: bool = False) -> Run:
    """Train, or continue the run in `run_dir` (default: `runs/<dataset>-<preset>`) from its last checkpoint.

    Killed at any moment and called again, it ends with the weights of the undisturbed run, bit for bit (on a
    CPU with the same number of threads, by the same number of devices). Of several workers (`--strategy`) each calls
    it; the chief alone writes, and the others' `Run` has no pictures.

    Args:
      config: what to learn and how.
      run_dir: where everything is written.
      fresh: start over; an old run is moved aside, not deleted.

    Raises:
      UserError: the data set, the run folder or the disk does not allow it, the losses are no longer finite, or
        another worker is gone, not there, or of other settings.
    """
    workers = workers_lib.choose_workers(config)
    with workers.report_lost_worker():
        return _train(config, Path(run_dir or config.default_run_dir), fresh, workers)


def _train(config: Config, path: Path, fresh: bool, workers: Workers) -> Run:
    config = settle_precision(config, RunDirectory(path), fresh, workers)
    packed = open_packed(config)
    say(f"{packed.summary()}; on {workers.summary()}.")
    per_epoch = steps_per_epoch(len(packed.training), config, len(packed.held_out))
    config = settle_steps(config, per_epoch, RunDirectory(path), fresh, workers)
    last_step = config.epochs * per_epoch
    if config.max_steps > last_step:
        more = f"more with --epochs={-(-config.max_steps // per_epoch)}"
        say(f"{config.epochs} epochs are {last_step:,} steps, fewer than --max_steps={config.max_steps}; {more}.")
    elif config.max_steps:
        last_step = config.max_steps
    if config.decay:
        config = dataclasses.replace(config, max_steps=last_step)
    config = settle_widths(config, last_step, RunDirectory(path), fresh, workers)
    data = learned_set.describe(config, packed)
    workers.check_same(config, data)

    if not workers.is_chief:
        gan, step = _restore(config, workers, last_step)
        stopped_by = None
        if step < last_step:
            step, stopped_by = _follow(gan, packed, workers, step, last_step, per_epoch)
        return Run(RunDirectory(path), gan, step, last_step, [], stopped_by, f"worker {workers.index}")
    continued = RunDirectory(path).config_file.exists() and not fresh
    changes = config.changed(RunDirectory(path).config()) if continued else {}
    with open_for_training(path, config, data | learned_set.locate(config), fresh) as run:
        gan, step = _restore(config, workers, last_step, run)
        stopped_by = None
        if changes and 0 < step < last_step:
            run.record_changes(step, changes)
            say(f"From step {step:,} on: " + ", ".join(f"{n} {now} (was {old})" for n, (old, now) in changes.items()))
        if step < last_step:
            step, stopped_by = _train_steps(gan, packed, run, workers, step, last_step, per_epoch)
        pictures = gallery.finish(run, config, per_epoch)
    return Run(run, gan, step, last_step, pictures, stopped_by)


def _restore(config: Config, workers: Workers, last: int, run: RunDirectory | None = None) -> tuple[DCGAN, int]:
    """The networks as they are at the chief's newest checkpoint, and the steps it had done; the chief gives its run."""
    with workers.strategy.scope():
        gan = DCGAN(config)
    step = 0
    if run and (step := checkpoints.restore_newest(run.checkpoints, gan)):
        say(f"{run.path}: continues at step {step:,}." if step < last else f"{run.path}: all steps are done.")
    step = workers.gather_numbers(step)[0]
    if step:
        workers.copy_from_chief(list(checkpoints.variables(gan).values()))
    return gan, step


def _train_steps(
    gan: DCGAN, packed: Packed, run: RunDirectory, workers: Workers, first: int, last: int, per_epoch: int
) -> tuple[int, int | None]:
    """Train the steps first .. last - 1. Returns the steps done and the signal that asked to stop, if one did."""
    config = gan.config
    with (
        StopRequest() as stop,
        Records(run.log_file, run.metrics_file, first) as records,
        Events(run.tensorboard, config, first) as events,
        Progress(f"training {run.path.name}", last, "steps", initial=first) as progress,
    ):
        data = batches(Batch(packed.training, packed.labels), config, first, last, workers.index, workers.count)
        past = read_metrics(run.metrics_file)
        quality, health = Quality(packed.training, past), Health(config, past)
        log = StepLog(gan, run, per_epoch, records, events, quality, health, progress)
        train_steps = compile_train_steps(gan)
        for step, done in calls(first, last, per_epoch, config):
            batch = stack_steps(data, done - step)
            log.add(step, train_steps(batch, tf.constant(step, tf.int64)))

            signal = workers.stop(stop.signal)  # read once: a signal may come at any time
            end_of_epoch = done % per_epoch == 0
            if signal or done in (1, last) or any(done % every == 0 for every in _milestones(config, per_epoch)):
                every = config.evaluate_every
                log.fetch(evaluate=every > 0 and (done % every == 0 or done == last))
            else:
                log.fetch_if_due()
            if done % config.sample_every == 0 or end_of_epoch or done in (1, last):
                epoch, index = divmod(done - 1, per_epoch)
                samples = gallery.sample_grid(gan)
                gallery.save_sample(run, epoch, index, samples)
                events.add_image(done - 1, "samples", samples)
                real = np.asarray(batch.images[-1, -1, : math.prod(config.grid_shape)])
                events.add_image(done - 1, "real_batch", make_grid(real, config.grid_shape[1]))
            is_best = quality.best == done
            if done % config.checkpoint_every == 0 or end_of_epoch or is_best or done == last or signal:
                # Everything about the steps before a checkpoint is on the disk before the checkpoint is.
                records.sync()
                events.flush()
                try:
                    checkpoints.save(run.checkpoints, gan, done)
                except checkpoints.NotFinite as name:  # batch norm's variance can overflow before any loss does
                    raise divergence_error(str(name), done - 1, run) from None
                kept_epochs = per_epoch * config.keep_every_epochs
                best_saved = checkpoints.best_step(run.checkpoints, quality.frechet)
                checkpoints.prune(run.checkpoints, done, config.keep_checkpoints, kept_epochs, best_saved)
            log.start_clock()
            if signal:
                return done, signal
    return last, None


def _follow(
    gan: DCGAN, packed: Packed, workers: Workers, first: int, last: int, per_epoch: int
) -> tuple[int, int | None]:
    """`_train_steps` of a worker that is not the chief: the same steps, and nothing is written."""
    with StopRequest() as stop:
        train_steps = compile_train_steps(gan)
        data = batches(Batch(packed.training, packed.labels), gan.config, first, last, workers.index, workers.count)
        for step, done in calls(first, last, per_epoch, gan.config):
            metrics = train_steps(stack_steps(data, done - step), tf.constant(step, tf.int64))
            signal = workers.stop(stop.signal)
            if not np.isfinite(metrics).all():
                raise UserError(f"worker {workers.index}: training stopped at step {done:,}: the chief says why.")
            if signal:
                return done, signal
    return last, None


def _milestones(config: Config, per_epoch: int) -> list[int]:
    """Intervals, in steps, at which something is sampled, measured or saved."""
    every = (per_epoch, config.sample_every, config.evaluate_every, config.checkpoint_every, config.histogram_every)
    return [steps for steps in every if steps]


def calls(first: int, last: int, per_epoch: int, config: Config) -> Iterator[tuple[int, int]]:
    """(step, steps done after it) of each call of TensorFlow: at most `steps_per_call`, and none beyond a milestone."""
    step = first
    while step < last:
        ends = [every * (step // every + 1) for every in _milestones(config, per_epoch)]
        done = 1 if step == 0 else min(last, step + config.steps_per_call, *ends)
        yield step, done
        step = done
