"""The features of images that the quality metrics are computed from.

They are those of a small network that was trained to find the faults of generated images in drawn ones
(`experiments/feature_network`). Its weights are part of the package, so nothing is downloaded. Distances of these
features have another scale than FID and KID and are never called that.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from importlib import resources

import numpy as np

from dcgan_tf.backend import tf
from dcgan_tf.console import Progress

WEIGHTS = "fault_network.npz"
STRIDES = (2, 2, 1, 2, 1)  # of the layers of each trunk
AVERAGED = (2, 4)  # the layers whose spatial means are the features
BATCH = 256


class FaultFeatures:
    """The trunks of the network, each five convolutions with ReLU, applied at the images' own resolution.

    Args:
      data: the bytes of the file of weights, which `experiments.feature_network.train` writes; None: the package's.

    Attributes:
      name: the name of the features in results; it tells networks with other weights apart.
      dimension: the number of features of an image.
    """

    def __init__(self, data: bytes | None = None):
        data = data or resources.files("dcgan_tf.metrics").joinpath(WEIGHTS).read_bytes()
        self.name = f"fault network {hashlib.sha256(data).hexdigest()[:8]}"
        with np.load(io.BytesIO(data)) as arrays:
            self._normaliser = tf.constant(arrays["normaliser"])
            trunks = sum(name.startswith("bias") for name in arrays) // len(STRIDES)
            self._trunks = [
                [_read_layer(arrays, f"{trunk}_{layer}") for layer in range(len(STRIDES))] for trunk in range(trunks)
            ]
        self.dimension = int(self._normaliser.shape[0])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute uint8 [n, H, W, 3 or 1] -> float32 [n, dimension]; grey images count as equal red, green and blue."""
        # All calls have one shape: a smaller last batch is padded, and its features are cut again.
        filled = np.concatenate([images, np.zeros((BATCH - len(images), *images.shape[1:]), np.uint8)])
        return self._features(tf.constant(filled)).numpy()[: len(images)]

    @tf.function
    def _features(self, images):
        images = tf.cast(images, tf.float32) / 64.0 - 2.0
        images = tf.broadcast_to(images, (*images.shape[:3], 3))
        found = []
        for trunk in self._trunks:
            x = images
            for layer, ((kernel, bias), stride) in enumerate(zip(trunk, STRIDES)):
                x = tf.nn.relu(tf.nn.conv2d(x, kernel, stride, "SAME") + bias)
                if layer in AVERAGED:
                    found.append(tf.reduce_mean(x, (1, 2)))
        return self._normaliser * tf.concat(found, axis=1)


def _read_layer(arrays: Mapping[str, np.ndarray], place: str) -> tuple:
    """The kernel, kept as 8-bit integers and a scale of each filter, and the bias of a layer."""
    kernel = arrays[f"kernel{place}"].astype(np.float32) * arrays[f"scale{place}"]
    return tf.constant(kernel), tf.constant(arrays[f"bias{place}"])


def extract(network: Callable, images: np.ndarray, bar: Progress | None = None) -> np.ndarray:
    """Compute the features of many images, uint8 [N, H, W, C] (possibly a memory map) -> float32 [N, d]."""
    parts = []
    for i in range(0, len(images), BATCH):
        parts.append(network(np.asarray(images[i : i + BATCH])))
        if bar:
            bar.advance(len(parts[-1]))
    return np.concatenate(parts)
