"""The fault network against SciPy's correlation, and its features of images of all kinds."""

from importlib import resources

import numpy as np
import pytest
from scipy.signal import correlate

from dcgan_tf.metrics.features import BATCH, WEIGHTS, FaultFeatures, extract

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (BATCH + 4, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def network():
    return FaultFeatures()


def convolve_by_scipy(x, kernel, stride):
    """A convolution with as many zeros around as keep ceil(side / stride) places, the odd one at the end."""
    side, taps = len(x), len(kernel)
    zeros = max((-(-side // stride) - 1) * stride + taps - side, 0)
    padded = np.pad(x, ((zeros // 2, zeros - zeros // 2),) * 2 + ((0, 0),))
    maps = [correlate(padded, kernel[..., k], "valid", "direct")[::stride, ::stride, 0] for k in range(kernel.shape[3])]
    return np.stack(maps, axis=2)


def features_by_scipy(image):
    """float64: pixels / 64 - 2; in each trunk strides 2, 2, 1, 2, 1; means of the third and of the fifth layer."""
    found = []
    with np.load(resources.files("dcgan_tf.metrics") / WEIGHTS) as arrays:
        for trunk in range(2):
            x = image / 64 - 2
            for layer, stride in enumerate((2, 2, 1, 2, 1)):
                kernel, scale, bias = (arrays[f"{part}{trunk}_{layer}"] for part in ("kernel", "scale", "bias"))
                x = np.maximum(convolve_by_scipy(x, kernel * scale.astype(np.float64), stride) + bias, 0)
                if layer in (2, 4):
                    found.append(x.mean((0, 1)))
        return arrays["normaliser"] * np.concatenate(found)


@pytest.mark.parametrize("size", [32, 64])
def test_features_are_what_scipy_computes(network, size):
    image = RNG.integers(0, 256, (size, size, 3), np.uint8)
    np.testing.assert_allclose(network(image[None])[0], features_by_scipy(image), rtol=1e-3, atol=1e-4)


def test_the_name_tells_these_weights_from_others(network):
    """Recorded distances were made with these weights; another file must change the name in results."""
    assert network.name == "fault network 86da4a73"
    assert network.dimension == 384


def test_features_do_not_depend_on_the_other_images(network):
    together = extract(network, IMAGES)
    assert together.dtype == np.float32
    for i in (0, BATCH - 1, BATCH, BATCH + 3):  # the last four are a batch that is filled up
        np.testing.assert_allclose(network(IMAGES[i : i + 1])[0], together[i], rtol=1e-4, atol=1e-5)
    order = RNG.permutation(len(IMAGES))
    np.testing.assert_allclose(extract(network, IMAGES[order]), together[order], rtol=1e-4, atol=1e-5)


def test_grey_is_equal_red_green_and_blue(network):
    grey = IMAGES[:3, ..., :1]
    np.testing.assert_allclose(network(grey), network(np.repeat(grey, 3, axis=3)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_one_network_sees_images_of_every_size(network, size, channels):
    images = RNG.integers(0, 256, (2, size, size, channels), np.uint8)
    found = network(images)
    assert found.shape == (2, network.dimension)
    assert not np.allclose(found[0], found[1])


def test_progress_counts_images(network):
    class Shown:
        done = 0

        def advance(self, units):
            self.done += units

    shown = Shown()
    extract(network, IMAGES, shown)
    assert shown.done == len(IMAGES)
