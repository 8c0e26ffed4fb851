"""The train step by all replicas together: each takes its share of the images and of the random numbers.

The random numbers are those of the whole batch, so that the result is that of one replica, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dcgan_tf.backend import tf
from dcgan_tf.batch import Batch
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.gan.noise import draw_noise
from dcgan_tf.gan.train_step import train_step
from dcgan_tf.run_metrics import STEP_NAMES


def compile_train_steps(gan: DCGAN) -> Callable[[Batch, Any], tf.Tensor]:
    """A `tf.function` that makes several steps in one call.

    Returns:
      (batches, first) -> float32 [K, len(STEP_NAMES)], the metrics of the steps first, first + 1, ...: `batches` has
      images uint8 [K, d_steps, N, H, W, C] and labels float32 [K, d_steps, N], the N images of this process's
      replicas; `first` is an int64 scalar, which with the seed fixes every random number.
    """
    config, strategy = gan.config, gan.strategy
    images = config.batch_size * _local_replicas(gan) // gan.replicas
    shape = (None, config.d_steps, images)
    signature = (
        Batch(
            tf.TensorSpec((*shape, config.image_size, config.image_size, config.channels), tf.uint8),
            tf.TensorSpec(shape, tf.float32),
        ),
        tf.TensorSpec((), tf.int64),
    )

    # With one replica the step is a `tf.function` of its own, as in 0.1.0, so that the graph is optimised to the same
    # bits. Replicas that wait for each other cannot be in such a function.
    step_of_replica = tf.function(replica_step) if gan.replicas == 1 else replica_step

    @tf.function(input_signature=signature, jit_compile=config.xla == "on" or None)
    def train_steps(batches: Batch, first):
        count = tf.shape(batches.images)[0]
        rows = tf.TensorArray(tf.float32, count, element_shape=(len(STEP_NAMES),))
        for k in tf.range(count):
            of_step = Batch(batches.images[k], batches.labels[k])
            row = strategy.run(step_of_replica, (gan, of_step, first + tf.cast(k, tf.int64)))
            rows = rows.write(k, strategy.reduce(tf.distribute.ReduceOp.MEAN, row, axis=None))
        return rows.stack()

    return train_steps


def compile_train_step(gan: DCGAN) -> Callable[[Batch, Any], dict[str, tf.Tensor]]:
    """A `tf.function` that makes one step and returns all its metrics, for one replica.

    Returns:
      (batches, step) -> name -> float32 scalar; images uint8 [d_steps, N, H, W, C], labels float32 [d_steps, N].
    """
    return tf.function(lambda batches, step: replica_metrics(gan, batches, step))


def replica_step(gan: DCGAN, batches: Batch, step):
    """`train_step` by one replica: float32 [len(STEP_NAMES)]."""
    metrics = replica_metrics(gan, batches, step)
    metrics = {"d_loss_real": 0.0, "d_loss_fake": 0.0} | metrics  # a loss of pairs has no terms of one side
    return tf.stack([tf.cast(metrics[name], tf.float32) for name in STEP_NAMES])


def replica_metrics(gan: DCGAN, batches: Batch, step) -> dict[str, tf.Tensor]:
    """Run `train_step` on this replica, given the images of this process's replicas.

    The noise is drawn for all replicas.
    """
    local = _local_replicas(gan)
    whole_batch = batches.images.shape[1] // local * gan.replicas
    noise = draw_noise(gan.config, gan.augmentation.draws, step, whole_batch)
    of_updates = [Batch(*pair) for pair in zip(tf.unstack(batches.images), tf.unstack(batches.labels))]
    return train_step(gan, _take_share(of_updates, local), _take_share(noise, gan.replicas), step, _mean_over(gan))


def _take_share(tensors, shares: int):
    """This replica's share, along the first axis, of every tensor of a structure that belongs to `shares` replicas."""
    if shares == 1:
        return tensors
    context = tf.distribute.get_replica_context()

    def take(tensor):
        n = tensor.shape[0] // shares
        return tf.gather(tensor, context.replica_id_in_sync_group % shares * n + tf.range(n))

    return tf.nest.map_structure(take, tensors)


def _mean_over(gan: DCGAN) -> Callable[[list], list]:
    """The mean over the replicas of each of some tensors."""
    if gan.replicas == 1:
        return lambda tensors: tensors
    context = tf.distribute.get_replica_context()
    return lambda tensors: context.all_reduce(tf.distribute.ReduceOp.MEAN, tensors)


def _local_replicas(gan: DCGAN) -> int:
    """Replicas of this process, which is given their images only; the others belong to other workers."""
    if gan.strategy.num_replicas_in_sync == 1:
        return 1
    return len(gan.strategy.extended.worker_devices)
