"""The search for the z whose image agrees with the known pixels (Yeh et al. 2017, section 3).

For each image z* = argmin ||W * (G(z) - y)||_1 + lambda prior(z), batch norm in inference mode, so that no image
depends on those it is searched with. The norm is the sum over pixels and colours of images in [-1, 1]; the lambdas go
with that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dcgan_tf.backend import keras, tf
from dcgan_tf.console import Progress
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.gan.models import to_float
from dcgan_tf.inpainting.masks import importance
from dcgan_tf.inpainting.options import LossName, OptimizerName


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


OBJECTIVES: dict[LossName, Objective] = {
    "slides": Objective(0, saturating, 0.2),  # the slides'
    "paper": Objective(7, saturating, 0.003),
    "non_saturating": Objective(7, non_saturating, 0.003),
}
OPTIMIZERS: dict[OptimizerName, Callable] = {
    "adam": lambda rate: keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
}
LEARNING_RATES: dict[OptimizerName, float] = {"adam": 0.1, "momentum": 3e-4}  # measured: experiments/inpainting
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
      optimizer: a name of `OPTIMIZERS`.
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
    rate, parts, searches = learning_rate or LEARNING_RATES[optimizer], [], {}
    with Progress(f"searching {n:,} x {restarts}", len(z) * iterations, "iterations") as shown:
        for i in range(0, len(z), AT_ONCE):
            part = slice(i, i + AT_ONCE)
            count = len(z[part])  # that of the last part may be smaller
            if count not in searches:
                searches[count] = Search(gan, chosen, optimizer, rate, iterations, count, raw)
            parts.append(searches[count].run(z[part], images[part], weights[part], iterations, shown))
    path, history, last = (np.concatenate(values, axis=1) for values in zip(*parts))
    best = last.reshape(n, restarts).argmin(axis=1)
    path = path.reshape(len(path), n, restarts, -1)[:, np.arange(n), best]
    loss = last.reshape(n, restarts).min(axis=1)
    return Found(path[-1], loss, best, history.reshape(iterations, n, restarts), path)


class Search:
    """P searches side by side by one objective and optimiser, traced once.

    Adam and Nesterov's momentum act on each number by itself, so that the searches of one variable are independent.

    Args:
      gan: trained networks.
      objective: what each z minimises.
      optimizer: a name of `OPTIMIZERS`.
      learning_rate: at the start, from where it falls to 0 as a cosine.
      decay_steps: iterations until it is 0.
      count: P.
      raw: with the generator itself where there is an averaged one.
    """

    def __init__(
        self,
        gan: DCGAN,
        objective: Objective,
        optimizer: str,
        learning_rate: float,
        decay_steps: int,
        count: int,
        raw: bool,
    ):
        self.generator, self.discriminator = gan.generator_for(raw), gan.discriminator
        self.objective, self.uniform = objective, gan.config.latent == "uniform"
        self.z = keras.Variable(np.zeros((count, gan.config.latent_dim), "float32"), name="z")
        self.optimizer = OPTIMIZERS[optimizer](keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps))
        self.optimizer.build([self.z])

    def run(
        self, z, images, weights, iterations: int, shown: Progress | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(path [frames, P, d], history [iterations, P], the last objective [1, P])."""
        wanted, weights = to_float(tf.constant(images)), tf.constant(weights)[..., None]
        self.z.assign(z)
        for slot in self.optimizer.variables:
            slot.assign(np.zeros(slot.shape, slot.dtype))
        path, history = [self.z.numpy()], []
        for first in range(0, iterations, STEPS_PER_CALL):
            count = min(STEPS_PER_CALL, iterations - first)
            history.append(self.advance(tf.constant(count), wanted, weights).numpy())
            path.append(self.z.numpy())
            if shown:
                shown.advance(count * len(images))
        last = self.value(self.z.value, wanted, weights).numpy()
        return np.stack(path), np.concatenate(history), last[None]

    @tf.function
    def advance(self, count, wanted, weights):
        """`count` iterations on; returns the objective before each, [count, P]."""
        values = tf.TensorArray(tf.float32, count)
        for k in tf.range(count):
            with tf.GradientTape() as tape:
                value = self.value(self.z.value, wanted, weights)
            values = values.write(k, value)
            self.optimizer.apply([tape.gradient(value, self.z.value)])
            if self.uniform:  # outside [-1, 1] the generator has seen nothing
                self.z.assign(tf.clip_by_value(self.z.value, -1.0, 1.0))
        return values.stack()

    @tf.function
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
