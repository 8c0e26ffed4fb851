"""The Fréchet distance against closed forms, SciPy's matrix root, and a formula for fewer images than features."""

import numpy as np
import pytest
import scipy.linalg

from dcgan_tf.metrics.frechet import frechet_distance, frechet_of_moments, moments

RNG = np.random.default_rng(0)


def features(n, d, shift=0.0):
    """Correlated, of very different variances."""
    return RNG.normal(0, 1, (n, d)) @ RNG.normal(0, 1, (d, d)) * np.geomspace(0.1, 10, d) + shift


def test_of_two_gaussians_with_independent_features_is_the_closed_form():
    mean_a, mean_b = RNG.normal(0, 1, (2, 6))
    deviation_a, deviation_b = RNG.uniform(0, 3, (2, 6))
    expected = np.square(mean_a - mean_b).sum() + np.square(deviation_a - deviation_b).sum()
    found = frechet_of_moments(mean_a, np.diag(deviation_a**2), mean_b, np.diag(deviation_b**2))
    assert found == pytest.approx(expected, rel=1e-12)


def test_of_samples_tends_to_that_of_the_gaussians():
    a, b = RNG.normal(0, 1, (100_000, 4)), RNG.normal(1, 2, (100_000, 4))
    assert frechet_distance(a, b) == pytest.approx(4 * 1 + 4 * (2 - 1) ** 2, rel=0.02)


def test_of_one_feature_is_that_of_two_normal_distributions():
    a, b = np.float32([[0], [2], [4]]), np.float32([[1], [7]])  # means 2 and 4, variances 4 and 18
    assert frechet_distance(a, b) == pytest.approx((2 - 4) ** 2 + (2 - np.sqrt(18)) ** 2, rel=1e-12)


def test_the_covariance_is_unbiased_and_in_float64():
    few = np.float32([[1e4, 0], [1e4 + 2, 3], [1e4 + 4, 0]])
    mean, covariance = moments(few)
    np.testing.assert_array_equal(mean, [1e4 + 2, 1])
    np.testing.assert_allclose(covariance, [[4, 0], [0, 3]], atol=1e-12)
    assert mean.dtype == covariance.dtype == np.float64


@pytest.mark.parametrize("d", [2, 17, 64])
def test_full_covariances_agree_with_scipys_matrix_root(d):
    a, b = features(3 * d, d), features(2 * d, d, shift=0.5)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(cov_a + cov_b - 2 * root).real
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("n", "m"), [(5, 5), (20, 9), (40, 12)])
def test_fewer_images_than_features(n, m):
    """With S_a = X'X and S_b = Y'Y, Tr (S_a S_b)^(1/2) is the sum of the singular values of XY', of any rank."""
    d = 32
    a, b = features(n, d), features(m, d)
    x, y = (a - a.mean(0)) / np.sqrt(n - 1), (b - b.mean(0)) / np.sqrt(m - 1)
    cross = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.square(x).sum() + np.square(y).sum() - 2 * cross
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [4, 30, 300])
def test_equal_sets_are_not_apart_in_whatever_order(n):
    a = features(n, 32).astype(np.float32)
    spread = np.trace(np.cov(a.T))
    assert 0 <= frechet_distance(a, a) <= 1e-6 * spread
    assert 0 <= frechet_distance(a, RNG.permutation(a)) <= 1e-6 * spread


@pytest.mark.parametrize("n", [10, 100])
def test_is_symmetric(n):
    a, b = features(n, 24), features(n, 24)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)


def test_a_shift_adds_its_squared_length():
    a = RNG.normal(0, 1, (100, 8))
    for length in (0.1, 1.0, 10.0):
        shift = np.zeros(8)
        shift[3] = length
        assert frechet_distance(a, a + shift) == pytest.approx(length**2, rel=1e-6)


def test_two_samples_of_one_distribution_are_the_nearer_the_more_there_are():
    """The bias that the documentation warns of: about in proportion to 1 / N."""
    few, many = (np.mean([frechet_distance(*RNG.normal(0, 1, (2, n, 8))) for _ in range(20)]) for n in (50, 500))
    assert 7 < few / many < 14
