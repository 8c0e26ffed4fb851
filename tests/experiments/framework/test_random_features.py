"""The random network against SciPy's correlation, and what makes its numbers the same everywhere."""

import numpy as np
import pytest
from scipy.signal import correlate

from dcgan_tf.metrics.features import BATCH, extract
from experiments.framework import random_features as features
from experiments.framework.random_features import GAIN, MAPS, RandomFeatures

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (BATCH + 4, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def network():
    return RandomFeatures()


def kernels():
    """In float64, from NumPy's stream: uniform integers in -127 .. 127, stage by stage, 5 x 5 x in x out."""
    draw = np.random.RandomState(14062661)  # DCGAN's forerunner, arXiv 1406.2661
    for n_in, n_out in [(3, 16), (16, 32), (32, 64), (64, 64)]:
        kernel = draw.randint(-127, 128, (5, 5, n_in, n_out)).astype(np.float64)
        kernel -= kernel.mean((0, 1))
        yield kernel / np.linalg.norm(kernel.reshape(-1, n_out), axis=0)


def features_by_scipy(image):
    """float64: four times |correlation|, x 2.7, mean of 2 x 2; the mean of each quadrant at the end."""
    x = image / 127.5 - 1
    for kernel in kernels():
        padded = np.pad(x, ((2, 2), (2, 2), (0, 0)))
        maps = [correlate(padded, kernel[..., k], "valid", "direct")[:, :, 0] for k in range(kernel.shape[3])]
        x = 2.7 * np.abs(np.stack(maps, axis=2))
        height, width, n = x.shape
        x = x.reshape(height // 2, 2, width // 2, 2, n).mean((1, 3))
    half = len(x) // 2
    return x.reshape(2, half, 2, half, -1).mean((1, 3)).ravel()


@pytest.mark.parametrize("size", [32, 64])
def test_features_are_what_scipy_computes(network, size):
    image = RNG.integers(0, 256, (size, size, 3), np.uint8)
    np.testing.assert_allclose(network(image[None])[0], features_by_scipy(image), rtol=1e-4)


def test_the_constants_that_the_computation_above_repeats():
    assert MAPS == (16, 32, 64, 64) and GAIN == 2.7


def test_weights_that_differ_are_refused(monkeypatch):
    """A NumPy with another stream must not give numbers that look comparable."""
    changed = [kernel.copy() for kernel in features._integer_kernels()]
    changed[2][1, 2, 3, 4] += 1
    monkeypatch.setattr(features, "_integer_kernels", lambda: tuple(changed))
    with pytest.raises(RuntimeError, match=f"not {features.SHA256}"):
        RandomFeatures()
    monkeypatch.undo()
    RandomFeatures()
    monkeypatch.setattr(features, "SHA256", "0" * 64)
    with pytest.raises(RuntimeError, match="not 0000"):
        RandomFeatures()


def test_every_filter_has_mean_zero_and_norm_one(network):
    for kernel in network._kernels:
        kernel = kernel.numpy().astype(np.float64)
        assert kernel.shape[:2] == (5, 5)
        np.testing.assert_allclose(kernel.mean((0, 1)), 0, atol=1e-8)  # of the taps in each input map
        np.testing.assert_allclose(np.sqrt(np.square(kernel).sum((0, 1, 2))), 1, rtol=1e-6)


def test_features_do_not_depend_on_the_other_images(network):
    together = extract(network, IMAGES)
    assert together.dtype == np.float32
    for i in (0, BATCH - 1, BATCH, BATCH + 3):  # the last four are a batch that is filled up
        np.testing.assert_allclose(network(IMAGES[i : i + 1])[0], together[i], rtol=1e-5)
    order = RNG.permutation(len(IMAGES))
    np.testing.assert_allclose(extract(network, IMAGES[order]), together[order], rtol=1e-5)


def test_two_networks_are_the_same(network):
    np.testing.assert_array_equal(RandomFeatures()(IMAGES[:2]), network(IMAGES[:2]))


def test_grey_is_equal_red_green_and_blue(network):
    grey = IMAGES[:3, ..., :1]
    np.testing.assert_allclose(network(grey), network(np.repeat(grey, 3, axis=3)), rtol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_one_network_sees_256_features_in_images_of_every_size(network, size, channels):
    images = RNG.integers(0, 256, (2, size, size, channels), np.uint8)
    found = network(images)
    assert found.shape == (2, 256) == (2, network.dimension)
    assert not np.allclose(found[0], found[1])


def test_a_quadrant_is_seen_in_a_quarter_of_the_features(network):
    """Rows of quadrants: what is drawn deep in the lower left one leaves the others' features."""
    image = IMAGES[:1].repeat(2, axis=0)
    image = np.kron(image, np.ones((1, 4, 4, 1), np.uint8))  # 128 px; the field of view is 5 + 2 * 4 + 4 * 4 + 8 * 4
    image[1, 104:, :16] = 0
    one, two = network(image).reshape(2, 2, 2, 64)
    changed = np.abs(one - two).max(axis=2) > 1e-3
    np.testing.assert_array_equal(changed, [[False, False], [True, False]])
