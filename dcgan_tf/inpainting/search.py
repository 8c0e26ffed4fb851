"""The search for the z whose image agrees with the known pixels (Yeh et al. 2017, section 3).

For each image z* = argmin ||W * (G(z) - y)||_1 + lambda prior(z), batch norm in inference mode, so that no image
depends on those it is searched with. The norm is the sum over pixels and colours of images in [-1, 1]; the lambdas go
with that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dcgan_tf.backend import tf
from dcgan_tf.console import Progress
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.gan.models import to_float
from dcgan_tf.inpainting.masks import importance
from dcgan_tf.inpainting.options import LOSSES, OPTIMIZERS


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    Attributes:
      window: of the weights of known pixels (`masks.importance`); 0: all count alike.
      prior: of D's logits [P] -> [P], small where D takes the image for real.
      prior_weight: lambda.
      norm_weight: of the -log density of |z| for z ~ N(0, 1), |z|^2 / 2 - (d - 1) log |z| less its minimum. Such a z
        has no edge to be clipped at, but nearly all lie near |z| = sqrt(d): G has learned no images elsewhere.
    """

    window: int
    prior: Callable
    prior_weight: float
    norm_weight: float = 2.0


def saturating(logits):
    """log(1 - D(G(z)))."""
    return -tf.math.softplus(logits)


def non_saturating(logits):
    """-log D(G(z))."""
    return tf.math.softplus(-logits)


OBJECTIVES = {
    "slides": Objective(0, saturating, 0.2),  # row B2
    "paper": Objective(7, saturating, 0.003),
    "non_saturating": Objective(7, non_saturating, 0.003),
}
assert tuple(OBJECTIVES) == LOSSES
LEARNING_RATES = {"adam": 0.1, "momentum": 3e-4}  # measured: experiments/inpainting/__main__.py
assert tuple(LEARNING_RATES) == OPTIMIZERS
AT_ONCE = 256  # searches in one batch: bounds memory
STEPS_PER_CALL = 25  # between two looks at the progress


@dataclass(frozen=True)
class Found:
    """What the search came to, for N images and R starts each.

    Attributes:
      z: float32 [N, latent_dim], of the start with the lowest loss.
      loss: float32 [N], its objective.
      best: int [N], that start.
      history: float32 [iterations, N, R], the objective before each iteration.
      path: float32 [frames, N, latent_dim], that start's z from the beginning to the end.
    """

    z: np.ndarray
    loss: np.ndarray
    best: np.ndarray
    history: np.ndarray
    path: np.ndarray


def search(
    gan: DCGAN,
    images: np.ndarray,
    known: np.ndarray,
    objective: str | Objective = "paper",
    iterations: int = 500,
    restarts: int = 4,
    optimizer: str = "adam",
    seed: int = 0,
    raw: bool = False,
    starts: np.ndarray | None = None,
    learning_rate: float = 0.0,
) -> Found:
    """Search z for each image, from several starts, all of them in one batch.

    Args:
      gan: trained networks.
      images: uint8 [N, H, W, C] of their size; what is not known is not looked at.
      known: bool [N, H, W].
      objective: one of `OBJECTIVES`, or its name.
      iterations: of each start, at least 1.
      restarts: starts of each image, at least 1; start r of image i follows from (seed, i, r).
      optimizer: one of `options.OPTIMIZERS`.
      raw: with the generator itself where there is an averaged one.
      starts: float [N, R, latent_dim] in place of drawn ones.
      learning_rate: at the start, from where it falls to 0 as a cosine; 0: that of `LEARNING_RATES`.
    """
    c = gan.config
    if starts is None:
        every = [[gan.sample_latents(1, (seed, i, r))[0] for r in range(restarts)] for i in range(len(images))]
        starts = np.array(every)
    n, restarts, _ = starts.shape
    chosen = OBJECTIVES[objective] if isinstance(objective, str) else objective
    weights = np.stack([importance(k, chosen.window) if chosen.window else k.astype("float32") for k in known])

    def for_each_start(values):
        return np.repeat(values, restarts, axis=0)

    z, images, weights = starts.reshape(n * restarts, c.latent_dim), for_each_start(images), for_each_start(weights)
    one = Search(gan, chosen, optimizer, learning_rate or LEARNING_RATES[optimizer], raw)
    with Progress(f"searching {n:,} x {restarts}", len(z) * iterations, "iterations") as shown:
        parts = [
            one.run(z[i : i + AT_ONCE], images[i : i + AT_ONCE], weights[i : i + AT_ONCE], iterations, shown)
            for i in range(0, len(z), AT_ONCE)
        ]
    path, history, last = (np.concatenate(values, axis=1) for values in zip(*parts))
    best = last.reshape(n, restarts).argmin(axis=1)
    path = path.reshape(len(path), n, restarts, -1)[:, np.arange(n), best]
    loss = last.reshape(n, restarts).min(axis=1)
    return Found(path[-1], loss, best, history.reshape(iterations, n, restarts), path)


class Search:
    """One objective and optimiser, traced once for all batches of P searches."""

    def __init__(self, gan: DCGAN, objective: Objective, optimizer: str, learning_rate: float, raw: bool):
        self.generator, self.discriminator = gan.generator_for(raw), gan.discriminator
        self.objective, self.uniform = objective, gan.config.latent == "uniform"
        self.optimizer, self.learning_rate = optimizer, learning_rate

    def run(
        self, z, images, weights, iterations: int, shown: Progress | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(path [frames, P, d], history [iterations, P], the last objective [1, P])."""
        wanted, weights = to_float(tf.constant(images)), tf.constant(weights)[..., None]
        z, slots = tf.constant(z), (tf.zeros_like(z), tf.zeros_like(z))
        path, history = [z.numpy()], []
        for first in range(0, iterations, STEPS_PER_CALL):
            count = min(STEPS_PER_CALL, iterations - first)
            z, slots, values = self.advance(z, slots, tf.constant((first, count, iterations)), wanted, weights)
            path.append(z.numpy())
            history.append(values.numpy())
            if shown:
                shown.advance(count * len(images))
        last = self.value(z, wanted, weights).numpy()
        return np.stack(path), np.concatenate(history), last[None]

    @tf.function(reduce_retracing=True)
    def advance(self, z, slots, turn, wanted, weights):
        """The iterations of `turn`, (first, count, of all): z, slots, and the objective before each, [count, P]."""
        first, count, iterations = tf.unstack(turn)
        values = tf.TensorArray(tf.float32, count)
        for k in tf.range(count):
            with tf.GradientTape() as tape:
                tape.watch(z)
                value = self.value(z, wanted, weights)
            values = values.write(k, value)
            z, slots = self.updated(z, tape.gradient(value, z), slots, first + k, iterations)
        return z, slots, values.stack()

    @tf.function(reduce_retracing=True)
    def value(self, z, wanted, weights):
        """The objective of each z: [P, d] -> [P]."""
        fake = self.generator(z, training=False)
        context = tf.reduce_sum(weights * tf.abs(fake - wanted), axis=(1, 2, 3))
        value = context + self.objective.prior_weight * self.objective.prior(
            self.discriminator(fake, training=False)[:, 0]
        )
        if self.uniform:
            return value
        usual = z.shape[1] - 1.0  # the square of the likeliest norm
        share = tf.reduce_sum(tf.square(z), axis=1) / usual
        return value + self.objective.norm_weight * 0.5 * usual * (share - 1.0 - tf.math.log(share))

    def updated(self, z, gradient, slots, done, iterations):
        """z after a step of Adam (beta 0.9, 0.999) or Nesterov's momentum (0.9); the rate falls to 0 as a cosine."""
        t, (first, second) = tf.cast(done + 1, tf.float32), slots
        rate = self.learning_rate * 0.5 * (1.0 + tf.cos(np.pi * (t - 1.0) / tf.cast(iterations, tf.float32)))
        if self.optimizer == "adam":
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * tf.square(gradient)
            z -= rate * (first / (1.0 - 0.9**t)) / (tf.sqrt(second / (1.0 - 0.999**t)) + 1e-8)
        else:
            first = 0.9 * first - rate * gradient
            z += 0.9 * first - rate * gradient
        # Outside [-1, 1] the generator has seen nothing.
        return tf.clip_by_value(z, -1.0, 1.0) if self.uniform else z, (first, second)
