"""A fixed network of random weights, and its features of images.

No download, and the same numbers everywhere: the weights are integers of a pinned stream, checked by their hash. Random
features order generators as trained ones do (arXiv 2208.09218), but their distances are of another scale: what is
computed from them is never called FID or KID.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable

import numpy as np

from dcgan_tf.backend import tf
from dcgan_tf.console import Progress

SEED = 1406_2661
SHA256 = "ffe6a3a66f9ac08ba1053415db563a336610b149a93bffef41ab7b7296e076f0"
BATCH = 256
MAPS = (16, 32, 64, 64)  # of each stage; the last ones are seen in four quadrants: 256 features
GAIN = 2.7  # of each stage: natural images have features near 1, where the cubic kernel of the kernel distance bends
KERNEL = 5


class RandomFeatures:
    """Four stages of zero-mean random filters, absolute values and halving; the last one averaged over image quadrants.

    The absolute value of a zero-mean filter measures how much there is of an edge, a texture or a colour contrast, as
    in a scattering transform (Bruna & Mallat 2013); the quadrants keep a coarse layout.

    Attributes:
      name: what a result says it was computed with.
      dimension: features of an image.
    """

    name = f"random features {SEED}"
    dimension = 4 * MAPS[-1]

    def __init__(self):
        kernels = _integer_kernels()
        digest = hashlib.sha256(b"".join(kernel.tobytes() for kernel in kernels)).hexdigest()
        if digest != SHA256:  # numbers would no longer compare with those of other machines
            raise RuntimeError(f"the random network's weights have the hash {digest}, not {SHA256}")
        self._kernels = [tf.constant(_scaled(kernel)) for kernel in kernels]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """uint8 [n, H, W, 3 or 1] -> float32 [n, dimension]; grey counts as a colour image without colour."""
        # One shape for every call: a last batch that is smaller is filled up, and cut again.
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


def extract(network: Callable, images: np.ndarray, shown: Progress | None = None) -> np.ndarray:
    """The features of many images, uint8 [N, H, W, C] (mapped, if they are too many for memory): float32 [N, d]."""
    parts = []
    for i in range(0, len(images), BATCH):
        parts.append(network(np.asarray(images[i : i + BATCH])))
        if shown:
            shown.advance(len(parts[-1]))
    return np.concatenate(parts)


@functools.cache
def _integer_kernels() -> tuple[np.ndarray, ...]:
    """int8 [5, 5, maps in, maps out] each: NumPy keeps RandomState's streams for good, and integers do not round."""
    draw = np.random.RandomState(SEED)
    shapes = [(KERNEL, KERNEL, n_in, n_out) for n_in, n_out in zip((3, *MAPS), MAPS)]
    return tuple(draw.randint(-127, 128, shape).astype(np.int8) for shape in shapes)


def _scaled(kernel: np.ndarray) -> np.ndarray:
    """Zero mean over each filter's taps in each input map, and unit norm."""
    real = kernel.astype(np.float64)
    real -= real.mean(axis=(0, 1), keepdims=True)
    return (real / np.sqrt(np.square(real).sum(axis=(0, 1, 2), keepdims=True))).astype(np.float32)
