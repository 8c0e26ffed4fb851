"""All that is measured of generated images: the package's metrics, and those of an independent trained network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcgan_tf.errors import UserError
from dcgan_tf.metrics.comparison import QuickScores
from dcgan_tf.metrics.features import extract
from dcgan_tf.metrics.frechet import frechet_distance
from dcgan_tf.metrics.kernel import kernel_distance
from dcgan_tf.metrics.neighbours import neighbourhood_measures
from experiments.framework.random_features import RandomFeatures
from experiments.framework.trained_features import TrainedFeatures

COUNT = 1000
HIGHEST_FREQUENCIES = 0.42  # cycles per pixel, horizontally or vertically; 0.5 is the highest that there is


class Judge:
    """Measures 1,000 images against 1,000 real ones of a set.

    Args:
      images: the set, uint8 [N, S, S, 3]; N at least 2,000.
      packages: the folder `node_modules` in which npm installed nsfwjs.

    Attributes:
      real_beside: the same measurements of 1,000 other real images.

    Raises:
      UserError: there are fewer images, or the network is not there.
    """

    def __init__(self, images: np.ndarray, packages: Path):
        if len(images) < 2 * COUNT:
            raise UserError(f"{len(images):,} images are too few: {COUNT:,} are compared with {COUNT:,} others.")
        chosen = np.random.default_rng(0).permutation(len(images))[: 2 * COUNT]
        reference, others = images[np.sort(chosen[:COUNT])], images[np.sort(chosen[COUNT:])]
        self._scores = QuickScores(reference, seed=0)
        self._networks = {"random": RandomFeatures(), "trained": TrainedFeatures(packages)}
        self._networks["fault"] = self._scores.network
        self._features = {name: extract(network, reference) for name, network in self._networks.items()}
        self._power = high_frequency_power(reference)
        self.real_beside = self(others)

    def __call__(self, images: np.ndarray) -> dict[str, float]:
        """Measure uint8 [1000, S, S, 3].

        Returns:
          "sliced_wasserstein" and "ms_ssim", as the package has them; for each of the networks fault (the package's),
          random (its predecessor) and trained (MobileNet), as "fault_frechet": frechet, kernel (times 1,000),
          precision, recall, density, coverage; "high_frequencies", the power at the highest spatial frequencies
          divided by that of the real images.
        """
        scores = self._scores(lambda n: images[:n])
        found = {name: scores[name] for name in ("sliced_wasserstein", "ms_ssim")}
        for name, network in self._networks.items():
            real, features = self._features[name], extract(network, images)
            distances = {
                "frechet": frechet_distance(real, features),
                "kernel": 1e3 * kernel_distance(real, features, np.random.default_rng(0)),
            }
            of_network = distances | neighbourhood_measures(real, features)
            found |= {f"{name}_{metric}": value for metric, value in of_network.items()}
        return found | {"high_frequencies": high_frequency_power(images) / self._power}


def high_frequency_power(images: np.ndarray) -> float:
    """Mean power of the brightness at the highest spatial frequencies; speckle and checkerboards raise it.

    Args:
      images: uint8 [N, S, S, C].
    """
    _, side, _, _ = images.shape
    frequencies = np.abs(np.fft.fftfreq(side))
    highest = np.maximum(frequencies[:, None], frequencies) > HIGHEST_FREQUENCIES
    brightness = images.mean(axis=3, dtype=np.float32) / 127.5
    return float(np.square(np.abs(np.fft.fft2(brightness)))[:, highest].mean())
