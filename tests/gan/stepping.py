"""Steps of a DCGAN on given images, as the training loop makes them."""

from dcgan_tf.backend import tf
from dcgan_tf.batch import Batch
from dcgan_tf.distributed.replicas import compile_train_step
from dcgan_tf.gan.noise import StepNoise, draw_noise


def make_steps(gan, batches, first: int = 0, labels=None) -> list[dict[str, float]]:
    """The metrics of one step for each of `batches`, uint8 [steps, d_steps, N, H, W, C], numbered from `first`."""
    train_step, found = compile_train_step(gan), []
    for k, images in enumerate(batches):
        batch = Batch.unlabelled(images) if labels is None else Batch(images, labels[k])
        found.append({n: float(v) for n, v in train_step(batch, tf.constant(first + k, tf.int64)).items()})
    return found


def noise_of(gan, step: int, batch_size: int | None = None) -> StepNoise:
    """The random numbers of a step, as one replica draws them."""
    n = batch_size or gan.config.batch_size
    return draw_noise(gan.config, gan.augmentation.draws, tf.constant(step, tf.int64), n)
