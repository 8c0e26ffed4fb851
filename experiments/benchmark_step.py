"""Step time of our train step against the form of TensorFlow's DCGAN tutorial, interleaved in one process.

    python -m experiments.benchmark_step --rounds=8

Both make the same updates of the same networks (the article's, batch 64, 1D:2G by default) on the same batch. The
tutorial's form: Keras layers and Keras Adam under one `tf.function`, each update with its own forward pass of G. (The
tutorial itself is 1D:1G and updates both networks from one state with one pass: less work, but not the article's
algorithm.)
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import flags

SETTINGS = ("batch_size", "image_size", "g_width", "d_width", "latent_dim", "d_steps", "g_steps", "precision")

flags.define_config(*SETTINGS)
flags.define("rounds", 8, "rounds; in each, every variant takes its turn")
flags.define("steps", 3, "steps of one turn")
flags.define("output", "", "a JSON file for the figures")


def ours(config):
    """Our step: a callable batch, step -> metrics."""
    from dcgan_tf.gan.dcgan import DCGAN

    gan = DCGAN(config)
    return lambda batches, step: gan.train_step(batches, step)  # keeps `gan` alive: a tf.function does not


def tutorial(config):
    """The form of TensorFlow's DCGAN tutorial, from the same networks, with as many updates of D and G as ours."""
    import keras
    import tensorflow as tf

    from dcgan_tf.gan.dcgan import DCGAN
    from dcgan_tf.gan.models import to_float

    gan = DCGAN(config)
    generator, discriminator = gan.generator, gan.discriminator
    g_optimizer, d_optimizer = (keras.optimizers.Adam(config.learning_rate, beta_1=config.beta1) for _ in range(2))
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def train_step(batches, step):
        for i in range(config.d_steps):
            noise = tf.random.normal((config.batch_size, config.latent_dim))
            with tf.GradientTape() as tape:
                images = generator(noise, training=True)
                real = discriminator(to_float(batches[i]), training=True)
                fake = discriminator(images, training=True)
                d_loss = cross_entropy(tf.ones_like(real), real) + cross_entropy(tf.zeros_like(fake), fake)
            gradients = tape.gradient(d_loss, discriminator.trainable_variables)
            d_optimizer.apply_gradients(zip(gradients, discriminator.trainable_variables))
        for _ in range(config.g_steps):
            with tf.GradientTape() as tape:
                fake = discriminator(generator(noise, training=True), training=True)
                g_loss = cross_entropy(tf.ones_like(fake), fake)
            gradients = tape.gradient(g_loss, generator.trainable_variables)
            g_optimizer.apply_gradients(zip(gradients, generator.trainable_variables))
        return {"d_loss": d_loss, "g_loss": g_loss}

    return train_step


VARIANTS = {"dcgan_tf": ours, "tf_tutorial": tutorial}


def measure(config, rounds: int, steps: int) -> dict[str, list[float]]:
    """Seconds per step of each variant, one value a round; the first step of each (tracing) is not counted."""
    import tensorflow as tf

    from dcgan_tf.console import progress

    shape = (config.d_steps, config.batch_size, config.image_size, config.image_size, config.channels)
    batch = tf.constant(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    variants = {name: make(config) for name, make in VARIANTS.items()}

    def turn(step_function, count: int) -> float:
        started = time.perf_counter()
        for step in range(count):
            metrics = step_function(batch, tf.constant(step, tf.int64))
            _ = {name: float(value) for name, value in metrics.items()}  # as a user who watches the losses
        return (time.perf_counter() - started) / count

    for step_function in variants.values():
        turn(step_function, 2)
    seconds = {name: [] for name in variants}
    for _ in progress(range(rounds), "measuring", unit="rounds"):
        for name, step_function in variants.items():
            seconds[name].append(turn(step_function, steps))
    return seconds


def main() -> None:
    import dcgan_tf.backend  # noqa: F401

    config = flags.given_config()
    seconds = measure(config, absl_flags.FLAGS.rounds, absl_flags.FLAGS.steps)
    reference = np.array(seconds["tf_tutorial"])
    print(f"batch {config.batch_size}, {config.d_steps}D:{config.g_steps}G, {config.precision}; median [least, most]")
    for name, values in seconds.items():
        ratios = np.array(values) / reference
        print(
            f"{name:12s} {np.median(values):.3f} s/step [{min(values):.3f}, {max(values):.3f}], ratio to tf_tutorial "
            f"{np.median(ratios):.3f} [{ratios.min():.3f}, {ratios.max():.3f}]"
        )
    if absl_flags.FLAGS.output:
        Path(absl_flags.FLAGS.output).write_text(json.dumps(seconds, indent=2) + "\n")


if __name__ == "__main__":
    flags.run(main, __doc__)
