"""The train step: Algorithm 1 of Goodfellow et al. 2014, and nothing else.

Which images, which random numbers and which replica are settled before it is called (`distributed.replicas`).
"""

from __future__ import annotations

from dcgan_tf.backend import tf
from dcgan_tf.batch import Batch
from dcgan_tf.gan.augment import mirror_half
from dcgan_tf.gan.losses import DiscriminatorOutput, split_outputs
from dcgan_tf.gan.models import to_float


def train_step(gan, batches, noise, step, average):
    """One step of Algorithm 1: `d_steps` updates of D, each on its own batch and z, then `g_steps` of G on the last z.

    Args:
      gan: a `DCGAN`.
      batches: a `Batch` for each update of D: images uint8 [N, H, W, C].
      noise: a `StepNoise`, all random numbers of the step.
      step: int64 scalar, steps done before this one.
      average: the mean over replicas of a list of tensors.

    Returns:
      dict of float32 scalars, from the last update of each network: `run_metrics.STEP_METRICS` and the loss's others.
    """
    for batch, z, d_noise in zip(batches, noise.z, noise.d):
        with tf.GradientTape() as g_tape:
            fake = gan.generator(z, training=True)
        d_metrics = update_discriminator(gan, batch, fake, d_noise, average)

    for j, g_noise in enumerate(noise.g):
        if j > 0:  # G's first update continues the forward pass above: same z, same weights
            with tf.GradientTape() as g_tape:
                fake = gan.generator(z, training=True)
        g_metrics = update_generator(gan, batch, fake, g_tape, g_noise, average)

    gan.update_average(step)
    return d_metrics | g_metrics


def update_discriminator(gan, batch, fake, noise, average):
    """One descent step of D on a real and a generated batch, each normalised by its own statistics."""
    weights = gan.discriminator.trainable_variables
    with tf.GradientTape() as tape:
        real = discriminate(gan, real_images(gan, batch, noise), batch.labels, noise.real)
        fake = discriminate(gan, tf.stop_gradient(fake), batch.labels, noise.fake)
        terms = gan.loss.discriminator_terms(real, fake)
        loss = sum(terms.values())
        penalties = gan.loss.penalties(gan.discriminator, real.batch.images, fake.batch.images, noise.penalty)
        loss += sum(penalties.values())
    gradients = average(tape.gradient(loss, weights))
    gan.d_optimizer.apply(gradients, weights)
    return {
        **terms,
        **penalties,
        "d_loss": loss,
        "d_x": tf.reduce_mean(tf.sigmoid(real.logits)),
        "d_g_z": tf.reduce_mean(tf.sigmoid(fake.logits)),
        "d_grad_norm": tf.linalg.global_norm(gradients),
    }


def update_generator(gan, batch, fake, g_tape, noise, average):
    """One descent step of G. `g_tape` has recorded the computation of `fake` and continues through D."""
    weights = gan.generator.trainable_variables
    real = None
    if gan.loss.generator_needs_real:
        real = discriminate(gan, real_images(gan, batch, noise), batch.labels, noise.real)
    with g_tape:
        loss = gan.loss.generator_loss(discriminate(gan, fake, batch.labels, noise.fake), real)
    gradients = average(g_tape.gradient(loss, weights))
    gan.g_optimizer.apply(gradients, weights)
    return {"g_loss": loss, "g_grad_norm": tf.linalg.global_norm(gradients)}


def discriminate(gan, images, labels, draws):
    """D's output on augmented images."""
    images = gan.augmentation.apply(images, draws)
    logits, extra = split_outputs(gan.discriminator(images, training=True))
    return DiscriminatorOutput(logits, Batch(images, labels), extra)


def real_images(gan, batch, noise):
    """A batch's images in [-1, 1], half of them mirrored where the config says so."""
    images = to_float(batch.images, gan.dtype)
    return mirror_half(images, noise.flip) if gan.config.flip == "on" else images
