"""The metrics of the steps, fetched from the device and written in blocks, so that no step waits for it."""

from __future__ import annotations

import math
import time

import numpy as np

from dcgan_tf.console import Progress, say
from dcgan_tf.errors import UserError
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.run_metrics import STEP_NAMES
from dcgan_tf.training import checkpoints
from dcgan_tf.training.health import Health
from dcgan_tf.training.metrics_log import Records
from dcgan_tf.training.quality import Quality
from dcgan_tf.training.run_directory import RunDirectory
from dcgan_tf.training.tensorboard import SCALARS_EVERY, Events

SECONDS_BETWEEN_FETCHES = 0.1  # fetching waits until the GPU has finished the step


class StepLog:
    """Collects the metrics of steps as TensorFlow returns them, and writes them when they are fetched.

    Steps of a tenth of a second or more, as on a CPU, are fetched one by one.
    """

    def __init__(
        self,
        gan: DCGAN,
        run: RunDirectory,
        per_epoch: int,
        records: Records,
        events: Events,
        quality: Quality,
        health: Health,
        progress: Progress,
    ):
        self._gan, self._run, self._per_epoch = gan, run, per_epoch
        self._records, self._events, self._progress = records, events, progress
        self._quality, self._health = quality, health
        self._waiting: list = []  # float32 [steps of a call, len(STEP_NAMES)]
        self._first = 0  # the first step of those
        self.start_clock()

    def start_clock(self) -> None:
        """What was done since the last fetch does not count as the steps' time, unless some steps still wait."""
        if not self._waiting:
            self._started = time.perf_counter()

    def add(self, step: int, metrics) -> None:
        """The metrics of step, step + 1, ...: float32 [steps, len(STEP_NAMES)], finished or not."""
        if not self._waiting:
            self._first = step
        self._waiting.append(metrics)

    def fetch_if_due(self) -> None:
        """Fetch if the last time is a while ago, or the weights are looked at after this step."""
        late = time.perf_counter() - self._started >= SECONDS_BETWEEN_FETCHES
        if late or (self._first + len(self._waiting) - 1) % SCALARS_EVERY == 0:
            self.fetch()

    def fetch(self, evaluate: bool = False) -> None:
        """Write all steps that wait; with `evaluate`, measure the quality after the last one too.

        Raises:
          UserError: the disk is full, or a loss is not finite.
        """
        rows = np.concatenate([np.asarray(metrics) for metrics in self._waiting]).tolist()
        seconds = (time.perf_counter() - self._started) / len(rows)
        self._waiting.clear()
        for step, row in enumerate(rows, self._first):
            metrics = dict(zip(STEP_NAMES, row))
            if bad := [name for name, value in metrics.items() if not math.isfinite(value)]:
                raise divergence_error(", ".join(bad), step, self._run)
            last = step == self._first + len(rows) - 1
            self._write(step, seconds, metrics, self._quality.measure(self._gan, step + 1) if last and evaluate else {})
        self._started = time.perf_counter()

    def _write(self, step: int, seconds: float, metrics: dict[str, float], scores: dict[str, float]) -> None:
        config = self._gan.config
        images_per_second = config.batch_size * config.d_steps / seconds
        self._records.add(step, config.epochs, self._per_epoch, seconds, metrics | scores)
        self._events.add_step(step, metrics, images_per_second, self._gan)
        if scores:
            self._events.add_scores(step, scores)
        for sentence in self._health.look(step + 1, metrics | scores, self._quality.real_ms_ssim):
            say(sentence)
            self._events.add_text(step, "health", sentence)
        self._progress.advance(
            note=f"epoch {step // self._per_epoch + 1}/{config.epochs}, d_loss {metrics['d_loss']:.3f}, "
            f"g_loss {metrics['g_loss']:.3f}, {images_per_second:.0f} images/s"
        )


def divergence_error(what: str, step: int, run: RunDirectory) -> UserError:
    """The sentence for a step after which `what` is not finite."""
    kept = checkpoints.saved_steps(run.checkpoints)
    last_good = f"the checkpoint of step {kept[-1]:,} is kept" if kept else "there was no checkpoint yet"
    return UserError(
        f"training stopped at step {step:,}: {what} not finite; {last_good}. "
        "Start over with --fresh and a smaller --learning_rate, another --loss or another --seed."
    )
