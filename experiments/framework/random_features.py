"""A fixed network of random weights, which the package's metrics used until version 0.1.0; here for comparison.

The weights are integers of a pinned random stream, checked by their hash. Random features were reported to rank
generators as trained ones do (arXiv 2208.09218).
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np

from dcgan_tf.backend import tf
from dcgan_tf.metrics.features import BATCH

SEED = 1406_2661
SHA256 = "ffe6a3a66f9ac08ba1053415db563a336610b149a93bffef41ab7b7296e076f0"
MAPS = (16, 32, 64, 64)  # of each stage; the last ones are averaged over four quadrants, which gives 256 features
GAIN = 2.7  # of each stage, so that natural images have features near 1, where the cubic kernel is not linear
KERNEL = 5


class RandomFeatures:
    """Four stages of zero-mean random filters, absolute values and halving, averaged over image quadrants at the end.

    The absolute value of a zero-mean filter measures the amount of an edge, a texture or a colour contrast, as in a
    scattering transform (Bruna & Mallat 2013). The quadrants keep a coarse layout.

    Attributes:
      name: the name of the features in results.
      dimension: the number of features of an image.
    """

    name = f"random features {SEED}"
    dimension = 4 * MAPS[-1]

    def __init__(self):
        kernels = _integer_kernels()
        digest = hashlib.sha256(b"".join(kernel.tobytes() for kernel in kernels)).hexdigest()
        if digest != SHA256:  # numbers would not be comparable with those of other machines
            raise RuntimeError(f"the random network's weights have the hash {digest}, not {SHA256}")
        self._kernels = [tf.constant(_normalise(kernel)) for kernel in kernels]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute uint8 [n, H, W, 3 or 1] -> float32 [n, dimension]; grey images count as equal red, green and blue."""
        # All calls have one shape: a smaller last batch is padded, and its features are cut again.
        filled = np.concatenate([images, np.zeros((BATCH - len(images), *images.shape[1:]), np.uint8)])
        return self._features(tf.constant(filled)).numpy()[: len(images)]

    @tf.function
    def _features(self, images):
        x = tf.cast(images, tf.float32) / 127.5 - 1.0
        x = tf.broadcast_to(x, (*x.shape[:3], 3))
        for kernel in self._kernels:
            x = GAIN * tf.abs(tf.nn.conv2d(x, kernel, strides=1, padding="SAME"))
            x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
        half = x.shape[1] // 2
        return tf.reshape(tf.nn.avg_pool2d(x, half, half, "VALID"), (BATCH, self.dimension))


@functools.cache
def _integer_kernels() -> tuple[np.ndarray, ...]:
    """Draw the kernels, int8 [5, 5, maps in, maps out] each.

    NumPy guarantees the streams of RandomState, and integers are free of rounding.
    """
    draw = np.random.RandomState(SEED)
    shapes = [(KERNEL, KERNEL, n_in, n_out) for n_in, n_out in zip((3, *MAPS), MAPS)]
    return tuple(draw.randint(-127, 128, shape).astype(np.int8) for shape in shapes)


def _normalise(kernel: np.ndarray) -> np.ndarray:
    """Give each filter zero mean over its taps in each input map, and unit norm."""
    real = kernel.astype(np.float64)
    real -= real.mean(axis=(0, 1), keepdims=True)
    return (real / np.sqrt(np.square(real).sum(axis=(0, 1, 2), keepdims=True))).astype(np.float32)
