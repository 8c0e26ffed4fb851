"""The sliced Wasserstein distance against SciPy: the pyramid, the patches, the distance along each direction."""

import numpy as np
import pytest
from scipy.ndimage import convolve
from scipy.stats import wasserstein_distance

from dcgan_tf.metrics import sliced_wasserstein as module
from dcgan_tf.metrics.sliced_wasserstein import (
    descriptors,
    downsample,
    laplacian,
    levels,
    projected_distance,
    random_directions,
    sliced_wasserstein,
    upsample,
)
from tests.metrics.drawn import blurred, noisy, pictures

RNG = np.random.default_rng(0)
# Burt & Adelson 1983, with a = 3/8: the outer product of 1 4 6 4 1, over 256.
KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])[None, :, :, None] / 256


def halved_by_scipy(images):
    return convolve(images, KERNEL, mode="mirror")[:, ::2, ::2]


def doubled_by_scipy(images):
    n, height, width, channels = images.shape
    large = np.zeros((n, 2 * height, 2 * width, channels))
    large[:, ::2, ::2] = images
    return convolve(large, 4 * KERNEL, mode="mirror")


def pyramid_by_scipy(images, count):
    """The pyramid as the paper's authors compute it, finest level first."""
    pyramid = [images.astype(np.float64)]
    for _ in range(count - 1):
        pyramid.append(halved_by_scipy(pyramid[-1]))
        pyramid[-2] = pyramid[-2] - doubled_by_scipy(pyramid[-1])
    return pyramid


def draw(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("size", "expected"), [(16, 1), (32, 2), (64, 3), (128, 4), (1024, 7)])
def test_the_pyramid_ends_at_16_pixels(size, expected):
    """1024 px: the paper's own levels, 1024 512 256 128 64 32 16."""
    assert levels(size) == expected
    assert size >> (expected - 1) == 16


def test_downsample_and_upsample():
    images = RNG.uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(downsample(images), halved_by_scipy(images.astype(np.float64)), rtol=1e-5)
    np.testing.assert_allclose(upsample(images), doubled_by_scipy(images), rtol=1e-5)
    assert downsample(images).dtype == upsample(images).dtype == np.float32


def test_a_uniform_grey_is_kept():
    grey = np.full((1, 16, 16, 1), 200, np.float32)
    np.testing.assert_array_equal(downsample(grey), grey[:, :8, :8])
    np.testing.assert_array_equal(upsample(grey), np.full((1, 32, 32, 1), 200))


@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_the_levels_are_the_papers_and_add_up_to_the_image(size):
    images = RNG.integers(0, 256, (2, size, size, 3), np.uint8)
    count = levels(size)
    found = [laplacian(images.astype(np.float32), level) for level in range(count)]
    for ours, expected in zip(found, pyramid_by_scipy(images, count), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-3)
    whole = found[-1]
    for band in found[-2::-1]:
        whole = doubled_by_scipy(whole) + band
    np.testing.assert_allclose(whole, images, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_patches_are_windows_of_their_image_at_their_level(channels):
    images = RNG.integers(0, 256, (5, 32, 32, channels), np.uint8)
    for level, band in enumerate(pyramid_by_scipy(images, 2)):
        found = descriptors(images, level, draw())
        assert found.shape == (5, 128, channels, 49) and found.dtype == np.float32
        for image, patches in zip(band, found):
            windows = np.lib.stride_tricks.sliding_window_view(image, (7, 7), (0, 1)).reshape(-1, channels * 49)
            nearest = np.abs(windows[:, None] - patches.reshape(128, -1)[:64]).max(axis=2).min(axis=0)
            assert nearest.max() < 1e-3


def test_patches_lie_everywhere_up_to_the_edges():
    """Each pixel holds its place in row and column, so that a patch says where it is. 16 px: one level, unchanged."""
    y, x = np.mgrid[:16, :16]
    images = np.repeat(np.stack([y, x], axis=2)[None].astype(np.uint8), 40, axis=0)
    corners = descriptors(images, 0, draw())[..., 0].reshape(-1, 2)  # of 40 * 128 patches
    places, counts = np.unique(corners, axis=0, return_counts=True)
    assert len(places) == 10 * 10 and places.min() == 0 and places.max() == 9  # 16 - 7 + 1 = 10 each way
    expected = 40 * 128 / 100  # uniform: each count is Poisson, nearly
    assert abs(counts - expected).max() < 5 * np.sqrt(expected)
    assert 60 < np.square(counts - expected).sum() / expected < 150  # chi-squared of 99 degrees of freedom


def test_many_images_give_fewer_patches_each(monkeypatch):
    images = RNG.integers(0, 256, (300, 16, 16, 1), np.uint8)
    monkeypatch.setattr(module, "MOST_PATCHES", 300 * 10 + 299)
    found = descriptors(images, 0, draw())
    assert found.shape == (300, 10, 1, 49)
    for i in (0, 127, 128, 299):  # images are processed in parts, which are joined in order
        windows = np.lib.stride_tricks.sliding_window_view(images[i, :, :, 0], (7, 7)).reshape(-1, 49)
        assert all((windows == patch).all(axis=1).any() for patch in found[i, :, 0])
    monkeypatch.setattr(module, "MOST_PATCHES", 10)
    assert descriptors(images, 0, draw()).shape == (300, 1, 1, 49)


def test_directions_are_uniform_on_the_sphere():
    directions = random_directions(4000, (3, 49), draw())
    flat = directions.reshape(4000, 147)
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), 1)
    # Mean 0 and covariance I / d, each with the error of 4,000 draws.
    assert np.abs(flat.mean(axis=0)).max() < 5 / np.sqrt(147 * 4000)
    assert np.abs(flat.T @ flat / 4000 * 147 - np.eye(147)).max() < 6 * np.sqrt(2 / 4000)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_distance_is_scipys_along_each_direction(channels):
    """With more directions than are taken at a time."""
    x = RNG.normal(100, 30, (6, 20, channels, 49)).astype(np.float32)
    y = (RNG.gamma(1, 40, (6, 20, channels, 49)) * np.arange(1, channels + 1)[:, None]).astype(np.float32)
    directions = random_directions(70, (channels, 49), draw())

    def normalised(patches):
        """Each channel over all patches and pixels, as the paper does."""
        patches = patches.reshape(-1, channels, 49).astype(np.float64)
        mean, deviation = patches.mean((0, 2), keepdims=True), patches.std((0, 2), keepdims=True)
        return ((patches - mean) / deviation).reshape(-1, channels * 49)

    along = directions.reshape(70, -1)
    expected = [wasserstein_distance(normalised(x) @ line, normalised(y) @ line) for line in along]
    assert projected_distance(x, y, directions) == pytest.approx(np.mean(expected), rel=1e-4)


def test_the_distance_of_two_points_against_two_worked_by_hand():
    """One pixel that varies, the direction along it: a pair of +-1 against a set with two of three at -1 / sqrt 2.

    Normalised over 49 pixels the values scale, so all 49 are made alike and the direction is 1 / 7 each: the projection
    is 7 times the pixel. x = -1 -1 1 1 (mean 0, deviation 1). y = 0 0 0 4: mean 1, deviation sqrt 3, so
    -1/sqrt3 three times and sqrt3. In order: |-1 + .577| twice, |1 + .577|, |1 - 1.732|.
    """
    x = np.float32([-1, 1, 1, -1]).reshape(4, 1, 1, 1) * np.ones((1, 1, 1, 49), np.float32)
    y = np.float32([0, 4, 0, 0]).reshape(4, 1, 1, 1) * np.ones((1, 1, 1, 49), np.float32)
    along = np.full((1, 1, 49), 1 / 7)
    root = np.sqrt(3)
    expected = 7 * (2 * (1 - 1 / root) + (1 + 1 / root) + (root - 1)) / 4
    assert projected_distance(x, y, along) == pytest.approx(expected, rel=1e-6)


def test_equal_patches_are_not_apart_nor_is_a_change_of_contrast_or_brightness_seen():
    x = RNG.normal(0, 20, (8, 16, 3, 49)).astype(np.float32)
    directions = random_directions(10, (3, 49), draw())
    assert projected_distance(x, x, directions) == 0
    assert projected_distance(x, RNG.permutation(x), directions) == pytest.approx(0, abs=1e-6)
    assert projected_distance(x, 1.5 * x + 40, directions) == pytest.approx(0, abs=1e-5)


def test_two_samples_of_one_set_of_pictures_are_near_at_every_level():
    real, fakes, noise = pictures(60, 1), pictures(60, 2), RNG.integers(0, 256, (60, 32, 32, 3), np.uint8)
    near, of_halves = sliced_wasserstein(real, fakes, draw(), directions=32)
    far, _ = sliced_wasserstein(real, noise, draw(), directions=32)
    assert list(near) == list(far) == [32, 16]
    assert of_halves == []
    assert all(2 * near[side] < far[side] for side in near)


@pytest.mark.parametrize("spoil", [lambda x, by: blurred(x, 2 * by), lambda x, by: noisy(x, 40 * by)])
def test_grows_with_blur_and_noise(spoil):
    real, fakes = pictures(60, 1), pictures(60, 2)
    found = [
        sliced_wasserstein(real, spoil(fakes, by) if by else fakes, draw(), directions=32)[0]
        for by in (0, 0.25, 0.5, 1)
    ]
    finest, mean = [d[32] for d in found], [(d[32] + d[16]) / 2 for d in found]
    assert finest == sorted(finest) and finest[-1] > 3 * finest[0]
    assert mean == sorted(mean)


def test_a_slight_blur_changes_only_the_finest_level():
    real, fakes = pictures(60, 1, 64), pictures(60, 2, 64)
    sharp, soft = (sliced_wasserstein(real, x, draw(), directions=32)[0] for x in (fakes, blurred(fakes, 1)))
    assert list(sharp) == [64, 32, 16]
    assert soft[64] > 2.5 * sharp[64]
    assert soft[16] == pytest.approx(sharp[16], rel=0.02)


def test_halves_are_measured_as_those_images_alone(monkeypatch):
    """All images as a "half": their distance on the first directions. Two halves that differ: not the same number."""
    a, b = pictures(20, 1), pictures(20, 2)
    everything, some = np.arange(20), np.arange(10)
    distances, of_halves = sliced_wasserstein(
        a, b, draw(), [(everything, everything), (some, some), (some, some + 10)], module.DIRECTIONS_OF_HALVES
    )
    assert of_halves[0] == pytest.approx(np.mean(list(distances.values())), rel=1e-6)
    assert len(set(of_halves)) == 3
    # The patches of a half are those that its images gave to the whole.
    patches, again = [], module.projected_distance
    monkeypatch.setattr(module, "projected_distance", lambda x, y, lines: patches.append((x, y)) or again(x, y, lines))
    sliced_wasserstein(a, b, draw(), [(some, some + 10)], 4)
    for whole, half in (patches[:2], patches[2:]):
        np.testing.assert_array_equal(half[0], whole[0][:10])
        np.testing.assert_array_equal(half[1], whole[1][10:])


def test_a_seed_repeats_it():
    a, b = pictures(10, 1), pictures(10, 2)
    one, same, other = (sliced_wasserstein(a, b, draw(seed), directions=8)[0] for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("channels", [1, 3])
def test_images_without_contrast_do_not_divide_by_zero(channels):
    even = np.full((8, 32, 32, channels), 77, np.uint8)
    other = RNG.integers(0, 256, even.shape, np.uint8)
    with np.errstate(all="raise"):
        distances, _ = sliced_wasserstein(even, other, draw(), directions=16)
        none, _ = sliced_wasserstein(even, even + np.uint8(9), draw(), directions=16)
    assert all(np.isfinite(list(distances.values()))) and min(distances.values()) > 100
    assert list(none.values()) == pytest.approx([0, 0], abs=0.1)  # x 1e3: rounding
