"""The network on MNIST; several are trained side by side, each seed with its own weights and batches."""

from __future__ import annotations

import itertools

import numpy as np

from dcgan_tf.backend import keras, tf
from experiments.framework.mnist import Digits

SIZES = (784, 100, 100, 100, 100, 10)
BATCH, BLOCK = 128, 50  # images a batch; iterations a call of the compiled function


class Networks:
    """One 784-100-100-100-100-10 ReLU network for each seed, all trained by one optimiser.

    Optimisers work element by element, so weights that are stacked over the seeds are trained as if each were alone.

    Args:
      data: the digits.
      optimizer: the framework's; `train` sets its rate.
      seeds: each determines its network's He initial weights and its batches, whatever the optimiser.
    """

    def __init__(self, data: Digits, optimizer: keras.optimizers.Optimizer, seeds: range):
        self.data, self.optimizer, self.seeds = data, optimizer, seeds
        self._images = tf.constant(data.images.reshape(-1, SIZES[0]))
        self._labels = tf.constant(data.labels, tf.int32)
        self._initial = [
            np.stack(arrays).astype(np.float32) for arrays in zip(*(initial_weights(seed) for seed in seeds))
        ]
        self.weights = [keras.Variable(values) for values in self._initial]
        optimizer.build(self.weights)
        self._slots = [slot.numpy() for slot in optimizer.variables]

    def train(self, iterations: int, rate: float) -> np.ndarray:
        """Train from the initial weights; returns the loss of each batch after its update, [iterations, seeds]."""
        for variable, values in zip(self.weights + self.optimizer.variables, self._initial + self._slots):
            variable.assign(values)
        self.optimizer.learning_rate = rate
        draws = [np.random.default_rng([seed, 1]) for seed in self.seeds]
        losses = []
        for first in range(0, iterations, BLOCK):
            count = min(BLOCK, iterations - first)
            chosen = [draw.integers(0, len(self.data.images), (count, BATCH), dtype=np.int32) for draw in draws]
            losses.append(self._steps(tf.constant(np.stack(chosen, axis=1))).numpy())
        return np.concatenate(losses)

    @tf.function(reduce_retracing=True)
    def _steps(self, chosen):
        """Make K iterations on the images of these numbers, int32 [K, seeds, BATCH]: losses float32 [K, seeds]."""
        losses = tf.TensorArray(tf.float32, tf.shape(chosen)[0], element_shape=(len(self.seeds),))
        for k in tf.range(tf.shape(chosen)[0]):
            x = tf.cast(tf.gather(self._images, chosen[k]), tf.float32) / 255.0
            labels = tf.gather(self._labels, chosen[k])
            with tf.GradientTape() as tape:
                total = tf.reduce_sum(self._losses(x, labels))  # a sum, so that each seed's gradient is its own
            self.optimizer.apply(tape.gradient(total, [w.value for w in self.weights]), self.weights)
            losses = losses.write(k, self._losses(x, labels))
        return losses.stack()

    def _losses(self, x, labels):
        entropies = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, self.logits(x))
        return tf.reduce_mean(entropies, axis=-1)

    def logits(self, x):
        """[seeds or 1, N, 784], pixels in [0, 1], -> [seeds, N, 10]."""
        for n in range(0, len(self.weights), 2):
            x = tf.matmul(x, self.weights[n]) + self.weights[n + 1]
            if n + 2 < len(self.weights):
                x = tf.nn.relu(x)
        return x

    def accuracy(self) -> list[float]:
        """Share of the test images that each seed's network classifies correctly."""
        images = self.data.test_images.reshape(1, -1, SIZES[0]).astype(np.float32) / 255.0
        found = np.argmax(self.logits(tf.constant(images)), axis=-1)
        return (found == self.data.test_labels).mean(axis=1).tolist()


def initial_weights(seed: int) -> list[np.ndarray]:
    """He initial weights and zero biases: float64 [n, m], [1, m] for each layer."""
    draw = np.random.default_rng([seed, 0])
    weights = []
    for n, m in itertools.pairwise(SIZES):
        weights += [draw.normal(0, np.sqrt(2 / n), (n, m)), np.zeros((1, m))]
    return weights
