"""Every random number of a training step, in named streams.

Each stream is drawn from (seed, step, stream, update) alone, by a counter-based generator: step t is a pure function
of the weights, and an independent implementation can be given the same numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dcgan_tf.backend import tf
from dcgan_tf.config import Config

# A stream's number; those of 0.1.0 are kept, so that its runs continue with the draws that they began with.
STREAMS = {
    "z": 0,
    "d/penalty": 1,
    "d/augment": 2,
    "d/flip": 8,
    "g/augment_fake": 4,
    "g/augment_real": 9,
    "g/flip": 10,
    "g/penalty": 11,
}
KEYS_PER_STREAM = 2**20


class UpdateNoise(NamedTuple):
    """The random numbers of one update of D or of G, each float32 in [0, 1).

    Attributes:
      flip: [N, 1], for `augment.mirror_half` of the real images.
      real, fake: [N, draws], for the augmentation of the real and of the generated images.
      penalty: [N, 1, 1, 1], for the points between real and generated images.
    """

    flip: Any
    real: Any
    fake: Any
    penalty: Any


class StepNoise(NamedTuple):
    """The random numbers of one step.

    Attributes:
      z: for each update of D, float32 [N, latent_dim]. G's updates take the last.
      d, g: for each update of D, and of G.
    """

    z: list
    d: list[UpdateNoise]
    g: list[UpdateNoise]


def draw_noise(config: Config, augment_draws: int, step, batch_size: int) -> StepNoise:
    """Draw the random numbers of one step, for all replicas together.

    What a step does not use costs nothing: TensorFlow leaves it out of the graph.

    Args:
      config: its seed, its distribution of z and its numbers of updates.
      augment_draws: random numbers that the augmentation takes for each image.
      step: int64 scalar.
      batch_size: N, images of one update.
    """
    # Philox by name: left to itself TensorFlow picks by device, and the numbers would depend on it.
    of_step = tf.random.fold_in(tf.constant([config.seed, 0], tf.int64), step, alg="philox")

    def uniform(stream: str, index: int, *shape: int, low: float = 0.0):
        return tf.random.stateless_uniform((batch_size, *shape), key(stream, index), low, 1.0, alg="philox")

    def key(stream: str, index: int):
        return tf.random.fold_in(of_step, STREAMS[stream] * KEYS_PER_STREAM + index, alg="philox")

    def latent(index: int):
        if config.latent == "uniform":
            return uniform("z", index, config.latent_dim, low=-1.0)
        return tf.random.stateless_normal((batch_size, config.latent_dim), key("z", index), alg="philox")

    return StepNoise(
        z=[latent(i) for i in range(config.d_steps)],
        d=[
            UpdateNoise(
                flip=uniform("d/flip", i, 1),
                real=uniform("d/augment", 2 * i, augment_draws),
                fake=uniform("d/augment", 2 * i + 1, augment_draws),
                penalty=uniform("d/penalty", i, 1, 1, 1),
            )
            for i in range(config.d_steps)
        ],
        g=[
            UpdateNoise(
                flip=uniform("g/flip", j, 1),
                real=uniform("g/augment_real", j, augment_draws),
                fake=uniform("g/augment_fake", j, augment_draws),
                penalty=uniform("g/penalty", j, 1, 1, 1),
            )
            for j in range(config.g_steps)
        ],
    )
