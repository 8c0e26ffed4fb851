"""The baselines on images whose filling is known."""

import numpy as np
import pytest

from dcgan_tf.inpainting import baselines

RNG = np.random.default_rng(0)
KNOWN = np.ones((2, 16, 16), bool)
KNOWN[0, 4:10, 5:12] = False
KNOWN[1, 8:, 8:] = False  # reaches two borders


def test_the_mean_is_that_of_the_known_pixels_by_channel():
    images = np.zeros((1, 2, 2, 3), np.uint8)
    images[0, 0, 0], images[0, 1, 1], images[0, 0, 1] = (10, 0, 40), (20, 100, 40), (255, 255, 255)
    known = np.array([[[True, False], [False, True]]])
    filled = baselines.mean_fill(images, known)
    assert filled[0, 0, 1].tolist() == filled[0, 1, 0].tolist() == [15, 50, 40]
    assert (filled[known] == images[known]).all()


def test_the_membrane_continues_a_plane():
    """a i + b j is harmonic: Laplace's equation with its values around a hole gives it back."""
    i, j = np.mgrid[:16, :16]
    images = np.repeat((20 + 4 * i + 6 * j).astype(np.uint8)[None, ..., None], 3, axis=3)
    np.testing.assert_array_equal(baselines.membrane(images, KNOWN[:1]), images)


def test_the_membrane_stays_within_the_values_around_it():
    """The maximum principle of harmonic functions."""
    images = RNG.integers(60, 190, (2, 16, 16, 3), np.uint8)
    filled = baselines.membrane(images, KNOWN)
    assert filled.min() >= 60 and filled.max() < 190
    np.testing.assert_array_equal(filled[KNOWN], images[KNOWN])
    assert filled[0, 5:9, 6:11].std() < 0.5 * images[0, 5:9, 6:11].std()


def test_the_nearest_image_is_that_of_the_known_pixels():
    training = RNG.integers(0, 256, (20, 16, 16, 3), np.uint8)
    images = training[[7, 3]].copy()
    images[~KNOWN] = 0  # what is missing must not count
    np.testing.assert_array_equal(baselines.nearest_image(images, KNOWN, training), training[[7, 3]])


def test_a_neighbour_of_another_brightness_is_blended_in():
    """Its differences between neighbours are the true ones, so that Poisson blending restores the image."""
    images = RNG.integers(60, 190, (2, 16, 16, 3), np.uint8)
    training = images - 20
    np.testing.assert_array_equal(baselines.nearest_poisson(images, KNOWN, training), images)


@pytest.mark.parametrize("name", ["mean_fill", "membrane", "nearest_image", "nearest_poisson"])
def test_all_are_filled_by_name_and_keep_what_is_known(name):
    assert name in baselines.list_available()
    images, training = RNG.integers(0, 256, (2, 16, 16, 3), np.uint8), RNG.integers(0, 256, (9, 16, 16, 3), np.uint8)
    filled = baselines.fill(name, images, KNOWN, training)
    assert filled.dtype == np.uint8
    np.testing.assert_array_equal(filled[KNOWN], images[KNOWN])
    assert (filled[~KNOWN] != images[~KNOWN]).mean() > 0.9
