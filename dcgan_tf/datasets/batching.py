"""Which images step t sees, and getting them there before they are needed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from dcgan_tf.backend import tf
from dcgan_tf.config import Config
from dcgan_tf.errors import UserError

MOST_BYTES_ON_A_GPU = 2 << 30  # 170,000 colour images of 64 px; smaller GPUs than that have some GB more


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


def chosen_images(num_images: int, config: Config, first_step: int, last_step: int) -> Iterator[np.ndarray]:
    """Which images the steps first_step .. last_step - 1 see: int64 [d_steps, N] each."""
    per_epoch = steps_per_epoch(num_images, config)
    order = None
    for step in range(first_step, last_step):
        epoch, position = divmod(step, per_epoch)
        if order is None or position == 0:
            shape = (per_epoch, config.d_steps, config.batch_size)
            order = epoch_order(config.seed, epoch, num_images)[: math.prod(shape)].reshape(shape)
        yield order[position]


def batches(
    images: np.ndarray, config: Config, first_step: int, last_step: int, worker: int = 0, workers: int = 1
) -> Iterator:
    """The batches of the steps first_step .. last_step - 1.

    Args:
      images: uint8 [num_images, H, W, C].
      worker, workers: of the `batch_size` images of a step worker 0 reads the first part only, and so on.

    Returns:
      uint8 [d_steps, N / workers, H, W, C] one after the other: arrays, gathered by another thread while the step
      before is computed, or tensors of the GPU, where it is one and the images have a place in its memory.
    """
    steps_per_epoch(len(images), config)  # too few are refused at once
    share = config.batch_size // workers
    part = slice(worker * share, (worker + 1) * share)
    chosen = (numbers[:, part] for numbers in chosen_images(len(images), config, first_step, last_step))
    gpus = tf.config.list_logical_devices("GPU")
    if len(gpus) == 1 and images.nbytes <= MOST_BYTES_ON_A_GPU:
        return gathered_on(gpus[0].name, images, chosen)
    return gathered_ahead(images, chosen)


def gathered_ahead(images: np.ndarray, chosen: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The chosen images, uint8 [..., H, W, C], gathered by another thread, two of them before they are asked for."""
    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(1) as thread:
        for numbers in chosen:
            waiting.append(thread.submit(images.__getitem__, numbers))
            if len(waiting) > 2:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def gathered_on(device: str, images: np.ndarray, chosen: Iterable[np.ndarray]) -> Iterator[tf.Tensor]:
    """The chosen images, uint8 [..., H, W, C], from all of them held in the memory of `device`."""
    with tf.device(device):
        held = tf.constant(images)
    for numbers in chosen:
        with tf.device(device):
            batch = tf.gather(held, numbers)
        yield batch


def of_one_call(data: Iterator, count: int):
    """The next `count` batches as one: uint8 [count, d_steps, N, H, W, C]."""
    return next(data)[None] if count == 1 else tf.stack([tf.convert_to_tensor(next(data)) for _ in range(count)])
