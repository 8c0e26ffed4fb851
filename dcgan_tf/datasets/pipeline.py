"""Which images step t sees, and getting them there before they are needed."""

from __future__ import annotations

from collections.abc import Iterator

import dcgan_tf.backend  # noqa: F401  first, so that TensorFlow is imported quietly

# isort: split
import numpy as np
import tensorflow as tf

from dcgan_tf.config import Config
from dcgan_tf.errors import UserError


def steps_per_epoch(num_images: int, config: Config, held_out: int = 0) -> int:
    """Whole steps in one pass: every step takes d_steps batches, and the last partial one is dropped.

    Args:
      num_images: to train on.
      config: says how many a step takes.
      held_out: how many images more the set has, for the error.

    Raises:
      UserError: the set is smaller than one step's batches.
    """
    per_step = config.batch_size * config.d_steps
    if num_images < per_step:
        most = num_images // config.d_steps
        advice = f"give --batch_size={most} or less" if most > 1 else "more images are needed"
        besides = f" to train on and {held_out:,} held out" if held_out else ""
        if num_images < per_step <= num_images + held_out:
            advice += ", or --held_out=0"
        raise UserError(
            f"--batch_size={config.batch_size}: one step needs {per_step:,} images, and the set has {num_images:,}"
            f"{besides}; {advice}."
        )
    return num_images // per_step


def epoch_order(seed: int, epoch: int, num_images: int) -> np.ndarray:
    """The order of the images in one epoch: a permutation that follows from (seed, epoch) alone."""
    return np.random.default_rng([seed, epoch]).permutation(num_images)


def batches(images: np.ndarray, config: Config, first_step: int, last_step: int) -> Iterator[tf.Tensor]:
    """The batches of the steps first_step .. last_step - 1.

    Args:
      images: uint8 [num_images, H, W, C].

    Yields:
      uint8 [d_steps, N, H, W, C], gathered by another thread while the step before is computed.
    """
    per_epoch = steps_per_epoch(len(images), config)
    shape = (config.d_steps, config.batch_size, *images.shape[1:])
    per_step = config.batch_size * config.d_steps

    def gather() -> Iterator[np.ndarray]:
        order = None
        for step in range(first_step, last_step):
            epoch, position = divmod(step, per_epoch)
            if order is None or position == 0:
                order = epoch_order(config.seed, epoch, len(images))
            chosen = order[position * per_step : (position + 1) * per_step]
            yield images[chosen].reshape(shape)

    dataset = tf.data.Dataset.from_generator(gather, output_signature=tf.TensorSpec(shape, tf.uint8))
    return iter(dataset.prefetch(2))
