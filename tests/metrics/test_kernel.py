"""The kernel distance against its definition in loops, and the properties of an unbiased estimate."""

import numpy as np
import pytest

from dcgan_tf.metrics import kernel
from dcgan_tf.metrics.kernel import kernel_distance, mmd2

RNG = np.random.default_rng(0)


def by_definition(x, y):
    """Gretton et al. 2012, eq. 4, with the kernel of Bińkowski et al. 2018: mean over pairs of different points."""
    n, d = len(x), x.shape[1]

    def k(u, v):
        return (sum(float(p) * float(q) for p, q in zip(u, v)) / d + 1) ** 3

    total = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                total += (k(x[i], x[j]) + k(y[i], y[j])) / (n * (n - 1))
            total -= 2 * k(x[i], y[j]) / n**2
    return total


def draw(seed=0):
    return np.random.default_rng(seed)


def test_of_two_points_each_worked_by_hand():
    """d = 1: k(u, v) = (uv + 1)^3. Within {0, 1}: 1. Within {1, 2}: 27. Between: 1, 1, 8, 27, of mean 37/4."""
    assert mmd2(np.float32([[0], [1]]), np.float32([[1], [2]])) == pytest.approx(1 + 27 - 2 * 37 / 4, rel=1e-6)


@pytest.mark.parametrize(("n", "d"), [(2, 1), (7, 3), (25, 40)])
def test_agrees_with_the_definition(n, d):
    x, y = np.float32(RNG.normal(1, 1, (n, d))), np.float32(RNG.normal(1.3, 0.6, (n, d)))
    assert mmd2(x, y) == pytest.approx(by_definition(x, y), rel=1e-5, abs=1e-5)
    assert kernel_distance(x, y, draw()) == pytest.approx(by_definition(x, y), rel=1e-5, abs=1e-5)


def test_expectation_is_the_squared_distance_of_the_mean_embeddings():
    """One feature, x = 0 always and y = 1 always: k(0, .) = 1, k(1, 1) = 8, so MMD^2 = 1 + 8 - 2."""
    assert mmd2(np.zeros((5, 1), np.float32), np.ones((5, 1), np.float32)) == pytest.approx(7)


def test_of_one_distribution_it_is_zero_on_average_and_negative_at_times():
    values = [kernel_distance(*np.float32(RNG.normal(0.5, 1, (2, 50, 4))), draw()) for _ in range(300)]
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(300)


def test_the_diagonal_would_bias_it():
    """Otherwise the test above could not tell the unbiased estimate from the biased one."""
    values = []
    for _ in range(300):
        x, y = RNG.normal(0.5, 1, (2, 50, 4))
        values.append(sum(((u @ v.T / 4 + 1) ** 3).mean() * s for u, v, s in [(x, x, 1), (y, y, 1), (x, y, -2)]))
    assert np.mean(values) > 10 * np.std(values) / np.sqrt(300)


def test_grows_with_a_shift():
    a, b = np.float32(RNG.normal(0, 1, (2, 200, 16)))
    values = [kernel_distance(a, b + np.float32(shift), draw()) for shift in (0, 0.2, 0.5, 1.0, 2.0)]
    assert values == sorted(values)
    assert values[1] > values[0] + 1e-3


def test_many_features_are_seen_in_subsets_of_one_size(monkeypatch):
    monkeypatch.setattr(kernel, "SUBSETS", 7)
    monkeypatch.setattr(kernel, "SUBSET_SIZE", 10)
    seen = []
    monkeypatch.setattr(kernel, "mmd2", lambda x, y: seen.append((x, y)) or float(len(seen)))
    a, b = np.arange(30.0)[:, None], np.arange(100.0, 125.0)[:, None]
    assert kernel_distance(a, b, draw()) == pytest.approx(np.mean([1, 2, 3, 4, 5, 6, 7]))
    for x, y in seen:
        assert x.shape == y.shape == (10, 1)
        assert len(np.unique(x)) == len(np.unique(y)) == 10  # without replacement
        assert np.isin(x, a).all() and np.isin(y, b).all()
    assert len({tuple(np.sort(x[:, 0])) for x, _ in seen}) == 7  # not one subset seven times
    assert len(np.unique([x for x, _ in seen])) > 20  # nor always of the first ones


def test_the_mean_over_subsets_tends_to_that_of_the_whole(monkeypatch):
    """A random subset's estimate has the whole sets' estimate as its mean."""
    monkeypatch.setattr(kernel, "SUBSETS", 1000)
    monkeypatch.setattr(kernel, "SUBSET_SIZE", 30)
    a, b = np.float32(RNG.normal(0, 1, (60, 4))), np.float32(RNG.normal(0.5, 1, (60, 4)))
    within = [mmd2(a[RNG.choice(60, 30, False)], b[RNG.choice(60, 30, False)]) for _ in range(200)]
    error = np.std(within) / np.sqrt(1000)
    assert kernel_distance(a, b, draw()) == pytest.approx(by_definition(a, b), abs=4 * error)


def test_sets_of_unequal_size():
    a, b = np.float32(RNG.normal(0, 1, (20, 4))), np.float32(RNG.normal(0, 1, (300, 4)))
    found = [kernel_distance(a, b, draw(seed)) for seed in range(2)]
    assert found[0] != found[1]  # the 20 of b are drawn


def test_a_seed_repeats_it(monkeypatch):
    monkeypatch.setattr(kernel, "SUBSET_SIZE", 20)
    a, b = np.float32(RNG.normal(0, 1, (2, 50, 4)))
    assert kernel_distance(a, b, draw(3)) == kernel_distance(a, b, draw(3)) != kernel_distance(a, b, draw(4))
