"""MS-SSIM against the published formulas in NumPy and SciPy, and which pairs are taken."""

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from dcgan_tf.metrics import ms_ssim
from dcgan_tf.metrics.ms_ssim import pair_similarities, scales, similarity
from tests.metrics.drawn import blurred, noisy, pictures

RNG = np.random.default_rng(0)
WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])  # Wang et al. 2003, section 3.2


def windowed(x):
    """The mean under an 11 x 11 Gaussian of deviation 1.5, where it fits (Wang et al. 2004)."""
    window = np.exp(-np.square(np.arange(-5, 6) / 1.5) / 2)
    for axis in (0, 1):
        x = correlate1d(x, window / window.sum(), axis)
    return x[5:-5, 5:-5]


def by_definition(a, b, count):
    """Wang et al. 2003, eq. 7: contrast and structure at every scale, luminance at the last; the mean over channels."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    weights = WEIGHTS[:count] / WEIGHTS[:count].sum()
    result = 1.0
    for scale, weight in enumerate(weights):
        mean_a, mean_b = windowed(a), windowed(b)
        var_a, var_b = windowed(a * a) - mean_a**2, windowed(b * b) - mean_b**2
        term = (2 * (windowed(a * b) - mean_a * mean_b) + c2) / (var_a + var_b + c2)
        if scale == count - 1:
            term = term * (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
        result = result * np.maximum(term.mean((0, 1)), 0) ** weight  # a negative one has no such power
        a, b = (x.reshape(len(x) // 2, 2, len(x) // 2, 2, -1).mean((1, 3)) for x in (a, b))
    return result.mean()


@pytest.mark.parametrize(("size", "expected"), [(16, 1), (32, 2), (64, 3), (128, 4), (256, 5), (512, 5)])
def test_as_many_scales_as_the_window_fits_into(size, expected):
    assert scales(size) == expected
    assert size >> (expected - 1) >= 11
    assert expected == 5 or size >> expected < 11


@pytest.mark.parametrize(("size", "count"), [(32, 2), (64, 3), (128, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_agrees_with_the_published_formulas(size, count, channels):
    a, b = pictures(3, 1, size)[..., :channels], pictures(3, 2, size)[..., :channels]
    b[2] = noisy(a[2:], 30)[0]
    expected = [by_definition(x, y, count) for x, y in zip(a, b)]
    assert similarity(a, b) == pytest.approx(expected, abs=1e-4)
    assert expected[2] > 0.3  # a pair that is alike is among them


def test_opposite_images_are_not_alike_at_all():
    a = noisy(np.full((1, 32, 32, 3), 128, np.uint8), 40)
    assert by_definition(a[0], 255 - a[0], 2) == 0
    assert similarity(a, 255 - a) == pytest.approx([0], abs=1e-6)


def test_of_equal_images_is_one():
    images = pictures(5, 1)
    found = similarity(images, images)
    assert found.shape == (5,) and found.dtype == np.float64
    assert found == pytest.approx(1, abs=1e-5)
    assert pair_similarities(images[:1].repeat(7, axis=0), np.random.default_rng(0)) == pytest.approx(1, abs=1e-5)


def test_falls_with_noise_and_blur():
    images = pictures(10, 1)
    for spoiled in ([noisy(images, s) for s in (5, 20, 80)], [blurred(images, r) for r in (0.5, 1, 2)]):
        found = [1.0, *(similarity(images, x).mean() for x in spoiled)]
        assert found == sorted(found, reverse=True) and found[-1] < 0.85


def test_many_pairs_are_taken_piece_by_piece(monkeypatch):
    a, b = pictures(9, 1), pictures(9, 2)
    expected = similarity(a, b)
    monkeypatch.setattr(ms_ssim, "PAIRS_AT_ONCE", 4)
    np.testing.assert_allclose(similarity(a, b), expected, rtol=1e-5)


@pytest.fixture
def pairs(monkeypatch):
    """What `similarity` is asked for, as the numbers of the images."""
    asked = []
    monkeypatch.setattr(ms_ssim, "similarity", lambda a, b: asked.append((a.ravel(), b.ravel())) or np.zeros(len(a)))
    return asked


def test_pairs_are_of_different_images_and_every_image_comes_first_once(pairs):
    found = pair_similarities(np.arange(200), np.random.default_rng(0))
    ((first, second),) = pairs
    assert found.shape == (200,)
    np.testing.assert_array_equal(np.sort(first), np.arange(200))
    assert (first != second).all() and second.min() >= 0 and second.max() < 200
    # Any other image may be the partner: random ones of 200 miss the share 1 / e.
    assert len(np.unique(second)) / 200 == pytest.approx(1 - np.exp(-1), abs=0.1)


def test_pairs_are_fewer_than_images_where_there_are_many(pairs):
    assert pair_similarities(np.arange(5000), np.random.default_rng(0)).shape == (2000,)
    ((first, second),) = pairs
    assert len(np.unique(first)) == 2000 and (first != second).all()
    assert first.max() > 4500 and second.max() > 4500  # of all images


def test_two_images_are_one_pair_twice(pairs):
    pair_similarities(np.arange(2), np.random.default_rng(0))
    assert sorted(zip(*(x.tolist() for x in pairs[0]))) == [(0, 1), (1, 0)]


def test_pairs_among_some(pairs):
    some = np.array([3, 17, 40, 99])
    pair_similarities(np.arange(100), np.random.default_rng(0), some)
    ((first, second),) = pairs
    np.testing.assert_array_equal(np.sort(first), some)
    assert np.isin(second, some).all() and (first != second).all()


def test_a_set_of_less_variety_has_more_similar_pairs():
    def mean(images):
        return pair_similarities(images, np.random.default_rng(0)).mean()

    varied = pictures(60, 1)
    few = noisy(varied[:3].repeat(20, axis=0), 5)
    assert mean(few) > mean(varied) + 0.1
