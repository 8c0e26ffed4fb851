"""Settings found when a run begins and then kept: `--precision=auto`, the steps in `--minutes`, widths of 0."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from typing import get_args

import numpy as np

from dcgan_tf.backend import tf
from dcgan_tf.batch import Batch
from dcgan_tf.config import Config, Precision
from dcgan_tf.console import say
from dcgan_tf.distributed.replicas import compile_train_steps
from dcgan_tf.distributed.workers import Workers
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.gan.precision import fastest_precision
from dcgan_tf.gan.widths import SIZES, choose_size, is_settled, set_widths
from dcgan_tf.training.run_directory import RunDirectory

TIMED_STEPS = 20


def settle_precision(config: Config, run: RunDirectory, fresh: bool, workers: Workers) -> Config:
    """Resolve `--precision=auto`: a continued run keeps its type; for a new run the chief measures which is faster."""
    if config.precision != "auto":
        return config
    names = get_args(Precision)
    before = _find_config(run, fresh, workers)
    precision = before.precision if before else fastest_precision() if workers.is_chief else "float32"
    precision = names[workers.gather_numbers(names.index(precision))[0]]
    found_out = workers.is_chief and not before
    say(f"--precision=auto: {precision}{', the faster one here' if found_out else ''}.")
    return dataclasses.replace(config, precision=precision)


def settle_steps(config: Config, per_epoch: int, run: RunDirectory, fresh: bool, workers: Workers) -> Config:
    """Resolve `--minutes` into `max_steps`, and `epochs` that suffice for them.

    The steps are counted once, so that the length of a run does not depend on what else its machine does when it is
    continued. A run that is continued with other minutes gets steps in proportion.

    Args:
      config: its precision settled; `max_steps`, if it is not 0, is the number of steps already.
      per_epoch: steps of an epoch.
      run, fresh: the run folder, and whether a run in it is started over.
      workers: they time their steps together.
    """
    if not config.minutes:
        return config
    steps = config.max_steps
    if not steps:
        before = _find_config(run, fresh, workers)
        if before and before.minutes:
            steps = round(before.max_steps * config.minutes / before.minutes)
        steps = workers.gather_numbers(steps)[0]
    if not steps:
        steps, config = count_steps(config, workers)
    return dataclasses.replace(config, max_steps=steps, epochs=math.ceil(steps / per_epoch))


def count_steps(config: Config, workers: Workers) -> tuple[int, Config]:
    """Count the steps that fit into `config.minutes`; widths of 0 become those that `gan.widths` has for so many."""
    steps, chosen = 0, config
    for size in SIZES:
        sized = set_widths(config, size)
        seconds = time_step(sized, workers)
        fit = workers.gather_numbers(max(1, round(60 * config.minutes / seconds)))[0]
        if steps and fit < size.least_steps:
            break
        steps, chosen = fit, sized
        about = f"{fit:,} steps of {1e3 * seconds:.0f} ms"
        if is_settled(config):
            break
        about += f", widths {sized.g_width} and {sized.d_width}"
    say(f"--minutes={config.minutes:g}: {about}.")
    return steps, chosen


def settle_widths(config: Config, steps: int, run: RunDirectory, fresh: bool, workers: Workers) -> Config:
    """Resolve widths of 0: a continued run keeps its own; a new one gets those that `gan.widths` has for `steps`."""
    if is_settled(config):
        return config
    before = _find_config(run, fresh, workers)
    g_width = workers.gather_numbers(before.g_width if before else 0)[0]
    d_width = workers.gather_numbers(before.d_width if before else 0)[0]
    config = dataclasses.replace(config, g_width=config.g_width or g_width, d_width=config.d_width or d_width)
    return set_widths(config, choose_size(steps))


def time_step(config: Config, workers: Workers) -> float:
    """Time steps of new networks on random images: median seconds of one."""
    with workers.strategy.scope():
        gan = DCGAN(dataclasses.replace(config, decay=0.0))  # which needs the number of steps
    train_steps = compile_train_steps(gan)
    shape = (config.d_steps, config.batch_size // workers.count)
    images = (*shape, config.image_size, config.image_size, config.channels)
    batch = Batch.unlabelled(np.random.default_rng(0).integers(0, 256, (1, *images), np.uint8))
    seconds = []
    for step in range(2 + TIMED_STEPS):
        start = time.perf_counter()
        train_steps(batch, tf.constant(step, tf.int64)).numpy()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[2:])  # the first call traces the step, and the second still allocates memory


def _find_config(run: RunDirectory, fresh: bool, workers: Workers) -> Config | None:
    """The config of the run that the chief continues; None for a new run, and for other workers."""
    return run.config() if workers.is_chief and run.config_file.exists() and not fresh else None
