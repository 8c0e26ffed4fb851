"""TensorBoard events of a run."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.scalar.summary_v2 import scalar_pb

from dcgan_tf.backend import tf
from dcgan_tf.config import Config
from dcgan_tf.console import printable
from dcgan_tf.errors import UserError
from dcgan_tf.files import replacing
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.run_metrics import SCORES, STEP_METRICS

SCALARS_EVERY = 10  # steps; metrics.csv has every step


class Events:
    """Writes scalars, grids and histograms below `folder`.

    Events of `step` and later, which an earlier attempt wrote, are removed.

    Every method raises a UserError if the disk is full or may not be written.
    """

    def __init__(self, folder: Path, config: Config, step: int):
        self._folder, self._histogram_every = folder, config.histogram_every
        with _sentences(folder):
            _cut(folder, step)
            self._writer = tf.summary.create_file_writer(os.fsencode(folder))  # any bytes
            if step == 0:
                settings = json.loads(config.to_json())
                table = "\n".join(
                    ["| setting | value |", "|---|---|"] + [f"| {k} | {v} |" for k, v in settings.items()]
                )
                with self._writer.as_default(step=0):
                    tf.summary.text("config", printable(table))

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_) -> None:
        with _sentences(self._folder):
            self._writer.close()

    def add_step(self, step: int, metrics: dict[str, float], images_per_second: float, gan: DCGAN) -> None:
        """Scalars of every tenth step, and now and then how the weights are distributed."""
        if step % SCALARS_EVERY == 0:
            g_norm, d_norm = gan.weight_norms().numpy()
            scalars = {metric.tag: metrics[metric.name] for metric in STEP_METRICS}
            scalars |= {"weight_norm/generator": g_norm, "weight_norm/discriminator": d_norm}
            self._add_scalars(step, scalars | {"speed/images_per_second": images_per_second})
        if (step + 1) % self._histogram_every == 0:
            with _sentences(self._folder), self._writer.as_default(step=step):
                for name, network in gan.networks().items():
                    for variable in network.trainable_variables:
                        tf.summary.histogram(f"weights_{name}/{variable.path.partition('/')[2]}", variable.value)

    def add_scores(self, step: int, scores: dict[str, float]) -> None:
        """What was measured after a step."""
        self._add_scalars(step, {metric.tag: scores[metric.name] for metric in SCORES})

    def _add_scalars(self, step: int, scalars: dict[str, float]) -> None:
        # One event for all is ten times as fast as one for each.
        summary = Summary()
        for tag, value in scalars.items():
            summary.MergeFrom(scalar_pb(tag, value))
        with _sentences(self._folder), self._writer.as_default(step=step):
            tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step)

    def add_text(self, step: int, name: str, text: str) -> None:
        """A sentence for whoever looks at the curves."""
        with _sentences(self._folder), self._writer.as_default(step=step):
            tf.summary.text(name, printable(text))

    def add_image(self, step: int, name: str, image) -> None:
        """One picture, uint8 [H, W, C]."""
        with _sentences(self._folder), self._writer.as_default(step=step):
            tf.summary.image(name, image[None])

    def flush(self) -> None:
        """Write everything so far to the file."""
        with _sentences(self._folder):
            self._writer.flush()


@contextlib.contextmanager
def _sentences(folder: Path) -> Iterator[None]:
    try:
        yield
    except tf.errors.OpError as error:
        reason = error.message.splitlines()[0].rpartition("; ")[2]  # after the operation and the file
        raise UserError(
            f"{folder}: TensorBoard events cannot be written ({reason}); correct this and run the same command again."
        ) from None


def _cut(folder: Path, step: int) -> None:
    """Keep only what was written before `step`, so that a continued run does not draw its curves twice.

    Each file is replaced atomically, so that a kill loses no event and duplicates none.
    """
    for path in sorted(folder.glob("events.out.tfevents.*")):
        if step == 0:
            path.unlink()
            continue
        with replacing(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
            for record in _records(path):
                if tf.compat.v1.Event.FromString(record).step < step:
                    writer.write(record)


def _records(path: Path):
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            yield record.numpy()
    except tf.errors.DataLossError:
        return  # the process was killed while it wrote the last record
