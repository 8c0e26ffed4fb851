"""Search for the z whose image agrees with the known pixels (Yeh et al. 2017, section 3).

For each image, z* = argmin ||W * (G(z) - y)||_1 + lambda prior(z). The norm is the sum over pixels and colours of
images in [-1, 1], and lambda is chosen for that scale. Batch norm is in inference mode, so an image does not depend on
the others of its batch.
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
    """The function that a search minimises.

    Attributes:
      window: window of the weights of known pixels (`masks.importance`); 0: all weights are 1.
      prior: maps D's logits [P] to [P], small where D takes the image for a real one.
      prior_weight: lambda.
      norm_weight: weight of a term for normal latents, -log p(|z|) for z ~ N(0, 1) minus its minimum, where
        -log p(|z|) = |z|^2 / 2 - (d - 1) log |z| + const. A normal z cannot be clipped to a range, but nearly all of
        them are near |z| = sqrt(d), and G has learned no images elsewhere.
    """

    window: int
    prior: Callable
    prior_weight: float
    norm_weight: float = 2.0


def saturating_prior(logits):
    """Compute log(1 - D(G(z))) from D's logits."""
    return -tf.math.softplus(logits)


def non_saturating_prior(logits):
    """Compute -log D(G(z)) from D's logits."""
    return tf.math.softplus(-logits)


OBJECTIVES: dict[LossName, Objective] = {
    "slides": Objective(0, saturating_prior, 0.2),  # lambda of the slides
    "paper": Objective(7, saturating_prior, 0.003),
    "non_saturating": Objective(7, non_saturating_prior, 0.003),
}
OPTIMIZERS: dict[OptimizerName, Callable] = {
    "adam": lambda rate: keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
}
LEARNING_RATES: dict[OptimizerName, float] = {"adam": 0.1, "momentum": 3e-4}  # measured: experiments/inpainting
BATCH_SIZE = 256  # searches in one batch; bounds memory
STEPS_PER_CALL = 25  # iterations between two updates of the progress and two points of the path


@dataclass(frozen=True)
class SearchResult:
    """The result of a search for N images with R starts each. The best start is the one with the lowest final loss.

    Attributes:
      z: float32 [N, latent_dim], where the best start ended.
      loss: float32 [N], the objective there.
      best: int [N], the index of the best start.
      history: float32 [iterations, N, R], the objective before each iteration.
      path: float32 [frames, N, latent_dim], z of the best start from the first iteration to the last.
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
    objective: LossName | Objective = "paper",
    iterations: int = 500,
    restarts: int = 4,
    optimizer: OptimizerName = "adam",
    seed: int = 0,
    raw: bool = False,
    starts: np.ndarray | None = None,
    learning_rate: float = 0.0,
) -> SearchResult:
    """Search for the z of each image from several starts, in batches over images and starts.

    Args:
      gan: trained networks.
      images: uint8 [N, H, W, C], of the networks' size; pixels that are not known have no influence.
      known: bool [N, H, W].
      objective: what to minimise, or its name in `OBJECTIVES`.
      iterations: iterations from each start, at least 1.
      restarts: starts for each image, at least 1.
      optimizer: a name of `OPTIMIZERS`.
      seed: start r of image i depends on (seed, i, r) only.
      raw: use the trained generator even if there is an averaged one.
      starts: float [N, R, latent_dim], used instead of random starts.
      learning_rate: initial value of a cosine decay to 0; 0: the value in `LEARNING_RATES`.
    """
    c = gan.config
    if starts is None:
        drawn = [[gan.sample_latents(1, (seed, i, r))[0] for r in range(restarts)] for i in range(len(images))]
        starts = np.array(drawn)
    n, restarts, _ = starts.shape
    chosen = OBJECTIVES[objective] if isinstance(objective, str) else objective
    weights = np.stack([importance(k, chosen.window) if chosen.window else k.astype("float32") for k in known])

    z = starts.reshape(n * restarts, c.latent_dim)
    images, weights = (np.repeat(values, restarts, axis=0) for values in (images, weights))
    rate, parts, searches = learning_rate or LEARNING_RATES[optimizer], [], {}
    with Progress(f"searching {n:,} x {restarts}", len(z) * iterations, "iterations") as progress:
        for i in range(0, len(z), BATCH_SIZE):
            part = slice(i, i + BATCH_SIZE)
            count = len(z[part])  # the last part may be smaller
            if count not in searches:
                searches[count] = Search(gan, chosen, optimizer, rate, iterations, count, raw)
            parts.append(searches[count].run(z[part], images[part], weights[part], iterations, progress))
    path, history, last = (np.concatenate(values, axis=1) for values in zip(*parts))
    best = last.reshape(n, restarts).argmin(axis=1)
    path = path.reshape(len(path), n, restarts, -1)[:, np.arange(n), best]
    loss = last.reshape(n, restarts).min(axis=1)
    return SearchResult(path[-1], loss, best, history.reshape(iterations, n, restarts), path)


class Search:
    """P searches in one batch, with one objective and optimiser, traced once.

    Adam and Nesterov momentum are elementwise, so the rows of one variable [P, latent_dim] are independent searches.

    Args:
      gan: trained networks.
      objective: what each z minimises.
      optimizer: a name of `OPTIMIZERS`.
      learning_rate: initial value of a cosine decay to 0.
      decay_steps: iterations of that decay.
      count: P.
      raw: use the trained generator even if there is an averaged one.
    """

    def __init__(
        self,
        gan: DCGAN,
        objective: Objective,
        optimizer: OptimizerName,
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
        self, z, images, weights, iterations: int, progress: Progress | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Run all searches from the beginning.

        Args:
          z: float32 [P, latent_dim], the starts.
          images: uint8 [P, H, W, C].
          weights: float32 [P, H, W].
          iterations: how many, at most `decay_steps`.
          progress: counts iterations times P.

        Returns:
          The path of z [frames, P, latent_dim], the objective before each iteration [iterations, P] and at the end
          [1, P]; float32.
        """
        target, weights = to_float(tf.constant(images)), tf.constant(weights)[..., None]
        self.z.assign(z)
        for variable in self.optimizer.variables:  # moments and the number of iterations, of an earlier run
            variable.assign(np.zeros(variable.shape, variable.dtype))
        path, history = [self.z.numpy()], []
        for first in range(0, iterations, STEPS_PER_CALL):
            count = min(STEPS_PER_CALL, iterations - first)
            history.append(self.advance(tf.constant(count), target, weights).numpy())
            path.append(self.z.numpy())
            if progress:
                progress.advance(count * len(images))
        last = self.compute_objective(self.z.value, target, weights).numpy()
        return np.stack(path), np.concatenate(history), last[None]

    @tf.function
    def advance(self, count, target, weights):
        """Do `count` iterations; returns the objective before each, float32 [count, P]."""
        values = tf.TensorArray(tf.float32, count)
        for k in tf.range(count):
            with tf.GradientTape() as tape:
                value = self.compute_objective(self.z.value, target, weights)
            values = values.write(k, value)
            self.optimizer.apply([tape.gradient(value, self.z.value)])
            if self.uniform:  # the generator was trained on z in [-1, 1]
                self.z.assign(tf.clip_by_value(self.z.value, -1.0, 1.0))
        return values.stack()

    @tf.function
    def compute_objective(self, z, target, weights):
        """Compute the objective of each z: [P, latent_dim] -> [P]."""
        fake = self.generator(z, training=False)
        context = tf.reduce_sum(weights * tf.abs(fake - target), axis=(1, 2, 3))
        value = context + self.objective.prior_weight * self.objective.prior(
            self.discriminator(fake, training=False)[:, 0]
        )
        if self.uniform:
            return value
        mode = z.shape[1] - 1.0  # the most likely |z| is the square root of this
        ratio = tf.reduce_sum(tf.square(z), axis=1) / mode
        return value + self.objective.norm_weight * 0.5 * mode * (ratio - 1.0 - tf.math.log(ratio))
