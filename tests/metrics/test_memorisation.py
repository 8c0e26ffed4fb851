"""Memorisation against brute force and SciPy's Mann-Whitney statistic."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from dcgan_tf.metrics import memorisation, neighbours
from dcgan_tf.metrics.memorisation import copying, find_nearest, shrink
from tests.metrics.drawn import blurred, noisy, pictures

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("size", "channels"), [(16, 3), (32, 1), (64, 3), (128, 3)])
def test_shrink_averages_blocks_of_pixels(size, channels):
    images = RNG.integers(0, 256, (2, size, size, channels), np.uint8)
    block = size // 16
    expected = [
        [
            [[image[y : y + block, x : x + block, c].mean() for c in range(channels)] for x in range(0, size, block)]
            for y in range(0, size, block)
        ]
        for image in images.astype(np.float64)
    ]
    found = shrink(images)
    assert found.shape == (2, 256 * channels) and found.dtype == np.float32
    np.testing.assert_allclose(found.reshape(2, 16, 16, channels), expected, rtol=1e-6)


def test_shrink_reads_large_sets_in_parts():
    images = RNG.integers(0, 256, (4100, 16, 16, 1), np.uint8)
    np.testing.assert_array_equal(shrink(images), images.reshape(4100, 256))


@pytest.mark.parametrize("size", [16, 32, 64])
def test_planted_copies_are_found_at_no_distance(size):
    training, others = pictures(80, 1, size), pictures(6, 2, size)
    planted = [3, 0, 79, 41]
    fakes = np.concatenate([training[planted], others])
    found = find_nearest(fakes, training)
    assert found.index[:4].tolist() == planted
    assert found.distance[:4].tolist() == [0.0] * 4
    assert found.distance[4:].min() > 1


def test_among_frames_that_hardly_differ_one_as_near_is_found():
    """A car that stands still. One pixel in one colour, by one grey level: 1 / sqrt(768) = 0.036."""
    still = np.full((200, 16, 16, 3), 250, np.uint8)  # far from the set's mean, where float32 has the fewest digits
    for i, image in enumerate(still[1:], 1):
        image[i // 16, i % 16, i % 3] += 1
    training = np.concatenate([still, pictures(200, 1, 16)])
    assert find_nearest(training, training).distance.max() < 0.1


def test_agrees_with_brute_force(monkeypatch):
    monkeypatch.setattr(neighbours, "MOST_DISTANCES", 40 * 7)  # 7 images at a time
    images, training = pictures(20, 1), pictures(40, 2)
    small, small_training = (
        x.reshape(-1, 16, 2, 16, 2, 3).astype(np.float64).mean((2, 4)).reshape(len(x), -1) for x in (images, training)
    )
    distances = np.sqrt(np.square(small[:, None] - small_training).mean(2))
    found = find_nearest(images, training)
    np.testing.assert_array_equal(found.index, distances.argmin(1))
    np.testing.assert_allclose(found.distance, distances.min(1), rtol=1e-6)
    assert found.index.dtype == np.int64 and found.distance.dtype == np.float64


def test_the_unit_is_the_grey_level():
    training = pictures(30, 1) // 2
    assert find_nearest(training + np.uint8(5), training).distance == pytest.approx(5)


def test_blur_hardly_changes_it():
    """Otherwise blurred fakes, which are nearer to all images, would look like copies; hence the 16 x 16 pixels."""
    training, unseen = pictures(60, 1, 128), pictures(60, 2, 128)
    sharp, soft = find_nearest(unseen, training).distance, find_nearest(blurred(unseen, 2), training).distance
    assert soft == pytest.approx(sharp, rel=0.05)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 9), (200, 70)])
@pytest.mark.parametrize("ties", [False, True])
def test_copying_is_the_mann_whitney_statistic_over_its_largest_value(n, m, ties):
    fakes, held_out = RNG.normal(10, 2, n), RNG.normal(11, 2, m)
    if ties:
        fakes, held_out = fakes.round(), held_out.round()
    # SciPy's U counts the pairs in which the first one's is larger: here, the unseen one farther than the fake.
    assert copying(fakes, held_out) == pytest.approx(mannwhitneyu(held_out, fakes).statistic / (n * m))


def test_copying_by_hand():
    """Pairs: 0 is nearer than all three; 2 than 3 and ties with 2: 1.5; 9 than none. 4.5 of 9."""
    assert copying(np.array([0.0, 2, 9]), np.array([1.0, 2, 3])) == pytest.approx(4.5 / 9)


def test_copies_have_one_and_far_images_zero_and_equal_distances_a_half():
    distances = RNG.uniform(1, 2, 50)
    assert copying(np.zeros(20), distances) == 1
    assert copying(distances + 1, distances) == 0
    assert copying(distances, distances) == 0.5
    assert copying(np.zeros(3), np.zeros(4)) == 0.5


def test_unseen_images_against_unseen_images_are_a_half():
    training = pictures(300, 1, 16)
    one, two = (find_nearest(pictures(200, seed, 16), training).distance for seed in (2, 3))
    # The statistic's error where both are of one distribution: sqrt((n + m + 1) / (12 n m)).
    assert copying(one, two) == pytest.approx(0.5, abs=3.5 * np.sqrt(401 / (12 * 200 * 200)))


def test_memorised_images_are_found_in_spite_of_noise():
    training, unseen = pictures(150, 1), pictures(100, 2)
    distances = find_nearest(unseen, training).distance
    by_heart = noisy(training[:100], 20)
    half = np.concatenate([by_heart[:50], pictures(50, 3)])
    assert copying(find_nearest(by_heart, training).distance, distances) == 1
    assert copying(find_nearest(half, training).distance, distances) == pytest.approx(0.75, abs=0.1)


def test_side_is_the_one_that_the_text_says():
    assert memorisation.SIDE == 16
