"""Which images step t sees, and getting them there before they are needed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from dcgan_tf.backend import tf
from dcgan_tf.batch import Batch
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


def choose_images(num_images: int, config: Config, first_step: int, last_step: int) -> Iterator[np.ndarray]:
    """The numbers of the images that the steps first_step .. last_step - 1 see: int64 [d_steps, N] each."""
    per_epoch = steps_per_epoch(num_images, config)
    order = None
    for step in range(first_step, last_step):
        epoch, position = divmod(step, per_epoch)
        if order is None or position == 0:
            shape = (per_epoch, config.d_steps, config.batch_size)
            order = epoch_order(config.seed, epoch, num_images)[: math.prod(shape)].reshape(shape)
        yield order[position]


def batches(
    data: Batch, config: Config, first_step: int, last_step: int, worker: int = 0, workers: int = 1
) -> Iterator[Batch]:
    """The batches of the steps first_step .. last_step - 1.

    Args:
      data: the whole set: images uint8 [num_images, H, W, C], labels float32 [num_images].
      config: its batch size, its updates of D and its seed.
      first_step, last_step: the steps, counted from 0 over the whole run.
      worker, workers: of the `batch_size` images of an update, worker 0 reads the first part only, and so on.

    Returns:
      images uint8 [d_steps, N / workers, H, W, C] and labels float32 [d_steps, N / workers] of one step after the
      other: arrays, gathered by another thread while the step before is computed, or tensors of the GPU, where there
      is one and the images fit into `MOST_BYTES_ON_A_GPU`.
    """
    steps_per_epoch(len(data.images), config)  # a set that is too small is refused at once
    share = config.batch_size // workers
    part = slice(worker * share, (worker + 1) * share)
    numbers = (chosen[:, part] for chosen in choose_images(len(data.images), config, first_step, last_step))
    gpus = tf.config.list_logical_devices("GPU")
    if len(gpus) == 1 and data.images.nbytes <= MOST_BYTES_ON_A_GPU:
        return gather_on(gpus[0].name, data, numbers)
    return gather_ahead(data, numbers)


def gather_ahead(data: Batch, chosen: Iterable[np.ndarray]) -> Iterator[Batch]:
    """The chosen images with labels, gathered by another thread, two batches before they are asked for."""

    def gather(numbers: np.ndarray) -> Batch:
        return Batch(data.images[numbers], data.labels[numbers])

    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(1) as thread:
        for numbers in chosen:
            waiting.append(thread.submit(gather, numbers))
            if len(waiting) > 2:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def gather_on(device: str, data: Batch, chosen: Iterable[np.ndarray]) -> Iterator[Batch]:
    """The chosen images with labels, from the whole set held in the memory of `device`."""
    with tf.device(device):
        held = [tf.constant(values) for values in data]
    for numbers in chosen:
        with tf.device(device):
            batch = Batch(*(tf.gather(values, numbers) for values in held))
        yield batch


def stack_steps(data: Iterator[Batch], count: int) -> Batch:
    """The next `count` steps as one `Batch`, whose arrays have a new first axis: [count, d_steps, N, ...]."""
    if count == 1:
        return Batch(*(values[None] for values in next(data)))
    steps = [next(data) for _ in range(count)]
    return Batch(*(tf.stack([tf.convert_to_tensor(values) for values in column]) for column in zip(*steps)))
