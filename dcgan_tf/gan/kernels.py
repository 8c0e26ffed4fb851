"""Faster forms of what the layers compute: equal to Keras's up to rounding, TensorFlow only.

One exception is the gradient of a gradient penalty. `tf.nn.moments`, which Keras's batch norm uses, omits a term of its
second derivative, which changes D's gradient for `wgan_gp` by a few hundredths. The layers here include the term.

The layers here have the names and variables of those of Keras that they stand for, so that weights fit both. Which form
is taken follows from shapes and types alone, never from a trial: a run must be continued with the operations it began
with. `experiments/performance/README.md` has the measurements behind the rules.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dcgan_tf.backend import keras, tf
from dcgan_tf.gan import models

# Up to this side of the smaller map, one matrix product of patches and kernel is faster than the convolution, which
# reorders the kernel at each call and has few pixels to divide among threads. In bfloat16 the product gains more, in
# the gradient with respect to the kernel.
LARGEST_FOR_PRODUCT = {"float32": 4, "bfloat16": 8}
LARGEST_FOR_PHASES = 4
MOST_MAPS_FOR_SUB_PIXEL = 4


SYNCHRONIZED: Any = functools.partial(keras.layers.BatchNormalization, synchronized=True)


def layer_set(kernels: str, synchronized: bool = False, dtype: str = "float32") -> models.LayerSet:
    """Return the layers for `Config.kernels`: "plain", or "auto", the fastest on this machine.

    On a GPU only batch norm is replaced; its library's convolutions are kept (not measured). With
    `synchronized` batch norm is Keras's, by the mean and variance over all replicas. For weights of `dtype` float64
    there are no faster forms; of Keras's batch norms the synchronized one has the whole second gradient.
    """
    if dtype == "float64":
        return models.KERAS._replace(batch_norm=SYNCHRONIZED)
    if synchronized:
        return layer_set(kernels)._replace(batch_norm=SYNCHRONIZED)
    if kernels == "plain":
        return models.KERAS
    if tf.config.list_physical_devices("GPU"):
        return models.KERAS._replace(batch_norm=BatchNormalization)
    return models.LayerSet(Conv2D, Conv2DTranspose, ResizeConvolution, BatchNormalization)


class Conv2D(keras.layers.Conv2D):
    """Keras's Conv2D for stride 2 and "same" padding, computed by `conv2d`."""

    def convolution_op(self, inputs, kernel):
        return conv2d(inputs, tf.convert_to_tensor(kernel))


class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras's Conv2DTranspose for stride 2, "same" padding and no activation, computed by `conv2d_transpose`."""

    def call(self, inputs):
        outputs = conv2d_transpose(inputs, tf.convert_to_tensor(self.kernel))
        return outputs + tf.convert_to_tensor(self.bias) if self.use_bias else outputs


class ResizeConvolution(models.ResizeConvolution):
    """The layer of `gan.models`, computed by `conv2d_transpose`."""

    def conv_transpose(self, inputs, kernel):
        return conv2d_transpose(inputs, kernel)


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's, over the last axis of [N, H, W, C], as one operation that reads bfloat16 and computes in float32."""

    def call(self, inputs, training=None):
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        if not training:
            mean, variance = tf.convert_to_tensor(self.moving_mean), tf.convert_to_tensor(self.moving_variance)
            return normalize(inputs, gamma, beta, mean, variance, self.epsilon)
        outputs, mean, variance = batch_norm(inputs, gamma, beta, self.epsilon)
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1.0 - self.momentum))
        return outputs


def batch_norm(x, gamma, beta, epsilon: float):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta over N, H and W.

    Args:
      x: float32 or bfloat16 [N, H, W, C], more than one value of each map.
      gamma, beta: float32 [C].

    Returns:
      as x; mean and (biased) variance, float32 [C].
    """
    # No mean and variance to start from, given as in inference: they are x's own.
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    count = tf.cast(tf.size(x) // x.shape[-1], tf.float32)
    return outputs, mean, variance * ((count - 1.0) / count)  # the operation gives the unbiased one


def normalize(x, gamma, beta, mean, variance, epsilon: float):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta with a mean and variance, float32 [C], that are given."""
    settings = {"epsilon": epsilon, "is_training": False}
    return tf.raw_ops.FusedBatchNormV3(x=x, scale=gamma, offset=beta, mean=mean, variance=variance, **settings)[0]


@tf.custom_gradient
def conv2d(x, kernel):
    """Convolution of stride 2, "same".

    Args:
      x: float32 or bfloat16 [N, 2h, 2w, C].
      kernel: of the same type, [k, k, C, D], k at most 6.

    Returns:
      [N, h, w, D], differentiable twice.
    """
    shape = (-1, x.shape[1] // 2, x.shape[2] // 2, kernel.shape[3])
    if shape[1] > LARGEST_FOR_PRODUCT[x.dtype.name]:
        return tf.nn.conv2d(x, kernel, 2, "SAME"), lambda dy: (
            conv2d_transpose(dy, kernel),
            kernel_gradient(x, dy, kernel.shape),
        )
    seen = patches(x, kernel.shape[0])
    outputs = tf.matmul(seen, tf.reshape(kernel, (-1, kernel.shape[3])))

    def back(dy):
        return conv2d_transpose(dy, kernel), _product_gradient(seen, dy, kernel.shape)

    return tf.reshape(outputs, shape), back


@tf.custom_gradient
def conv2d_transpose(x, kernel):
    """Transposed convolution of stride 2, "same": the gradient of `conv2d` by its input.

    Args:
      x: float32 or bfloat16 [N, h, w, D].
      kernel: of the same type, [k, k, C, D], k at most 6.

    Returns:
      [N, 2h, 2w, C], differentiable twice.
    """
    _, height, width, _ = x.shape
    maps = kernel.shape[2]

    def back(dy):
        if height > LARGEST_FOR_PRODUCT[x.dtype.name]:
            return conv2d(dy, kernel), kernel_gradient(dy, x, kernel.shape)
        seen = patches(dy, kernel.shape[0])  # once for both
        dx = tf.matmul(seen, tf.reshape(kernel, (-1, kernel.shape[3])))
        return tf.reshape(dx, (-1, *x.shape[1:])), _product_gradient(seen, x, kernel.shape)

    if height <= LARGEST_FOR_PHASES:
        return conv2d_transpose_by_phases(x, kernel), back
    if maps <= MOST_MAPS_FOR_SUB_PIXEL:
        return conv2d_transpose_by_sub_pixels(x, kernel), back
    return tf.nn.conv2d_transpose(x, kernel, (tf.shape(x)[0], 2 * height, 2 * width, maps), 2, "SAME"), back


def kernel_gradient(x, dy, shape):
    """Gradient of `conv2d` by its kernel [k, k, C, D] = `shape`; x [N, 2h, 2w, C], dy [N, h, w, D]."""
    if dy.shape[1] <= LARGEST_FOR_PRODUCT[x.dtype.name]:
        return _product_gradient(patches(x, shape[0]), dy, shape)
    return tf.raw_ops.Conv2DBackpropFilter(
        input=x, filter_sizes=shape, out_backprop=dy, strides=[1, 2, 2, 1], padding="SAME"
    )


def _product_gradient(seen, dy, shape):
    return tf.reshape(tf.matmul(seen, tf.reshape(dy, (-1, dy.shape[-1])), transpose_a=True), shape)


def patches(x, k: int):
    """What each output of a stride-2 "same" convolution sees: [N, 2h, 2w, C] -> [N h w, k k C], zeros outside."""
    before = (k - 2) // 2
    margin = (before, k - 2 - before)
    rows, columns = (2 * np.arange(side // 2)[:, None] + np.arange(k) for side in x.shape[1:3])
    return _windows(tf.pad(x, ((0, 0), margin, margin, (0, 0))), rows, columns)


def _windows(x, rows: np.ndarray, columns: np.ndarray):
    """The pixels x[:, rows[i], columns[j]] for each (i, j): [N, H, W, C] -> [N len(rows) len(columns), a b C].

    A pixel's maps lie together, so this copies long pieces: five times as fast as tf.image.extract_patches.
    """
    _, height, width, maps = x.shape
    pixels = rows[:, None, :, None] * width + columns[None, :, None, :]
    windows = tf.gather(tf.reshape(x, (-1, height * width, maps)), pixels.reshape(-1), axis=1)
    return tf.reshape(windows, (-1, rows.shape[1] * columns.shape[1] * maps))


def _taps(k: int) -> list[list[tuple[int, int]]]:
    """For output rows 2q and 2q + 1: the pairs (offset, tap), where input row q + offset meets the kernel's row tap."""
    before = (k - 2) // 2
    return [[(p, r + before - 2 * p) for p in (-1, 0, 1) if 0 <= r + before - 2 * p < k] for r in (0, 1)]


def conv2d_transpose_by_phases(x, kernel):
    """`conv2d_transpose` as a matrix product for each of the four kinds of output pixels: no tap is wasted."""
    _, height, width, _ = x.shape
    k, _, maps, _ = kernel.shape
    kernel_rows = tf.reshape(kernel, (k * k * maps, -1))
    padded = tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    phases = []
    for vertical in _taps(k):
        for horizontal in _taps(k):
            (up, tap_rows), (left, tap_columns) = np.transpose(vertical), np.transpose(horizontal)
            seen = _windows(padded, np.arange(height)[:, None] + 1 + up, np.arange(width)[:, None] + 1 + left)
            taps = (tap_rows[:, None] * k + tap_columns).reshape(-1)
            # Whole rows of the kernel again: [maps, taps D].
            weights = tf.gather(kernel_rows, (taps * maps + np.arange(maps)[:, None]).reshape(-1))
            phases.append(tf.matmul(seen, tf.reshape(weights, (maps, -1)), transpose_b=True))
    return tf.nn.depth_to_space(tf.reshape(tf.concat(phases, 1), (-1, height, width, 4 * maps)), 2)


def conv2d_transpose_by_sub_pixels(x, kernel):
    """`conv2d_transpose` as a 3x3 convolution with four times the maps (Shi et al. 2016): for outputs of few maps."""
    k, _, maps, depth = kernel.shape
    # Row r of the table holds the tap for each offset -1, 0, 1. Where there is none it holds k, the index of the zeros
    # appended below.
    table = np.array([[dict(taps).get(p, k) for p in (-1, 0, 1)] for taps in _taps(k)]).reshape(-1)
    kernel = tf.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
    kernel = tf.gather(tf.gather(kernel, table, axis=0), table, axis=1)
    kernel = tf.transpose(tf.reshape(kernel, (2, 3, 2, 3, maps, depth)), (1, 3, 5, 0, 2, 4))
    return tf.nn.depth_to_space(tf.nn.conv2d(x, tf.reshape(kernel, (3, 3, depth, 4 * maps)), 1, "SAME"), 2)
