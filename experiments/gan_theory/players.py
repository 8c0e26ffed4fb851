"""Small generators and discriminators for points on a line or in a plane, several seeds trained side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dcgan_tf.backend import keras, tf


class Players:
    """One network of dense layers for each seed, with stacked weights and a linear last layer.

    Optimisers work element by element, so stacked weights are trained as if each network were alone.

    Args:
      sizes: units of the input and of each layer.
      seeds: each determines its network's Glorot normal weights.
      part: number that distinguishes the networks of one seed.
      activation: of all layers but the last.
    """

    def __init__(self, sizes: tuple[int, ...], seeds: range, part: int, activation: Callable = tf.nn.relu):
        self.activation, self.weights = activation, []
        draws = [np.random.default_rng([seed, part]) for seed in seeds]
        for n_in, n_out in itertools.pairwise(sizes):
            std = np.sqrt(2.0 / (n_in + n_out))
            kernels = np.stack([std * draw.standard_normal((n_in, n_out)) for draw in draws])
            self.weights.append(keras.Variable(kernels.astype("float32")))
            self.weights.append(keras.Variable(np.zeros((len(draws), 1, n_out), "float32")))

    def __call__(self, x):
        """Float [seeds, N, inputs] -> [seeds, N, outputs]."""
        last = len(self.weights) // 2 - 1
        for k in range(last + 1):
            x = tf.matmul(x, self.weights[2 * k]) + self.weights[2 * k + 1]
            x = self.activation(x) if k < last else x
        return x


@dataclass(frozen=True)
class Setting:
    """Settings of a game; the losses are those of `dcgan_tf.gan.losses`.

    Attributes:
      loss: "non_saturating" or "saturating".
      d_steps, g_steps: updates of D, then of G, in a round.
      d_rate, g_rate, beta1: of Adam.
      penalty: weight of half the mean square of D's gradient at real points (R1, Mescheder et al. 2018).
    """

    loss: str = "non_saturating"
    d_steps: int = 1
    g_steps: int = 1
    d_rate: float = 1e-3
    g_rate: float = 1e-3
    beta1: float = 0.5
    penalty: float = 0.0


class Game:
    """Algorithm 1 (Goodfellow et al. 2014) between stacked players.

    Args:
      real: (seeds, N, key) -> N points of the data for each seed, float32 [seeds, N, dimensions].
      dimensions: of a point and of z.
      setting: of the game.
      seeds: of the players; points and z are the same function of (seed, round) whatever the setting.
      hidden: units of each of the two hidden layers.
    """

    BATCH = 256

    def __init__(self, real: Callable, dimensions: int, setting: Setting, seeds: range, hidden: int = 128):
        self.real, self.setting, self.seeds, self.dimensions = real, setting, seeds, dimensions
        self.g = Players((dimensions, hidden, hidden, dimensions), seeds, 0)
        self.d = Players((dimensions, hidden, hidden, 1), seeds, 1)
        adam = keras.optimizers.Adam
        self.g_optimizer = adam(setting.g_rate, beta_1=setting.beta1, epsilon=1e-8)
        self.d_optimizer = adam(setting.d_rate, beta_1=setting.beta1, epsilon=1e-8)
        self.g_optimizer.build(self.g.weights)
        self.d_optimizer.build(self.d.weights)

    def z(self, n: int, *key):
        """Latent points ~ N(0, 1), a function of the key and each seed: float32 [seeds, n, dimensions]."""
        seeds = [tf.stack([tf.constant(s, tf.int32), _fold_key(*key)]) for s in self.seeds]
        return tf.stack([tf.random.stateless_normal((n, self.dimensions), seed) for seed in seeds])

    def d_loss(self, real, fake):
        """Cross-entropy of each seed's D, with the penalty: [seeds]."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(real)
            real_logits = self.d(real)
        loss = _mean_by_seed(tf.nn.softplus(-real_logits)) + _mean_by_seed(tf.nn.softplus(self.d(fake)))
        if self.setting.penalty:
            gradient = tape.gradient(real_logits, real)
            loss += 0.5 * self.setting.penalty * _mean_by_seed(tf.reduce_sum(tf.square(gradient), axis=-1))
        return loss

    def g_loss(self, fake, kind: str = ""):
        """Loss of each seed's G, `kind` or the setting's: [seeds]."""
        logits = self.d(fake)
        saturating = (kind or self.setting.loss) == "saturating"
        return -_mean_by_seed(tf.nn.softplus(logits)) if saturating else _mean_by_seed(tf.nn.softplus(-logits))

    def update_d(self, step, part):
        real = self.real(self.seeds, self.BATCH, _fold_key(step, part, 1))
        fake = self.g(self.z(self.BATCH, step, part, 2))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self.d_loss(real, tf.stop_gradient(fake)))
        self.d_optimizer.apply(tape.gradient(loss, self.d.weights), self.d.weights)

    def update_g(self, step, part):
        z = self.z(self.BATCH, step, part, 3)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self.g_loss(self.g(z)))
        self.g_optimizer.apply(tape.gradient(loss, self.g.weights), self.g.weights)

    @tf.function
    def play(self, first, rounds):
        """Play `rounds` rounds from number `first` on; int32 scalars."""
        for step in tf.range(first, first + rounds):
            for part in range(self.setting.d_steps):
                self.update_d(step, part)
            for part in range(self.setting.g_steps):
                self.update_g(step, part)

    @tf.function
    def train_d(self, first, rounds):
        """Train D alone, with G fixed."""
        for step in tf.range(first, first + rounds):
            self.update_d(step, 0)

    def generate(self, n: int, key: int = 0) -> np.ndarray:
        """Points of G: float32 [seeds, n, dimensions]."""
        return self.g(self.z(n, 1 << 20, key)).numpy()


def _fold_key(*key):
    """Combine several small integers, in order, into one int32."""
    number = tf.constant(17, tf.int32)
    for part in key:
        number = number * 31 * 31 + tf.cast(part, tf.int32)  # wraps around
    return number


def _mean_by_seed(values):
    """[seeds, ...] -> [seeds]."""
    return tf.reduce_mean(tf.reshape(values, (values.shape[0], -1)), axis=1)


def gaussian_mixture(centers: np.ndarray, std: float) -> Callable:
    """A mixture of equally likely Gaussians around `centers` [K, dimensions], as `Game` takes it for `real`."""
    places = tf.constant(centers, tf.float32)

    def real(seeds: range, n: int, key):
        drawn = []
        for s in seeds:
            seed = tf.stack([tf.constant(s, tf.int32), key])
            which = tf.random.stateless_uniform((n,), seed, 0, len(centers), tf.int32)
            noise = tf.random.stateless_normal((n, centers.shape[1]), seed + tf.constant([0, 1]))
            drawn.append(tf.gather(places, which) + std * noise)
        return tf.stack(drawn)

    return real


def ring(modes: int = 8, radius: float = 2.0) -> np.ndarray:
    angles = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def grid(side: int = 5, apart: float = 2.0) -> np.ndarray:
    places = apart * (np.arange(side) - (side - 1) / 2)
    return np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
