"""Precision, recall, density and coverage: an example by hand, and the papers' definitions in loops."""

import numpy as np
import pytest

from dcgan_tf.metrics import neighbours
from dcgan_tf.metrics.neighbours import neighbourhood_measures, radii, squared_distances

RNG = np.random.default_rng(0)


def distance(p, q):
    return float(np.sqrt(np.square(p.astype(np.float64) - q.astype(np.float64)).sum()))


def reach(points, i, k):
    """Distance of point i to its k-th nearest other point."""
    return sorted(distance(points[i], points[j]) for j in range(len(points)) if j != i)[k - 1]


def within(sample, points, k):
    """Kynkäänniemi et al. 2019, eq. 2: the share of `sample` that lies in the manifold of `points`."""
    reaches = [reach(points, i, k) for i in range(len(points))]
    return np.mean([any(distance(s, p) <= r for p, r in zip(points, reaches)) for s in sample])


def by_definition(real, fake):
    """Precision and recall as above; density and coverage from Naeem et al. 2020, eqs. 3 and 4."""
    reaches = [reach(real, i, 5) for i in range(len(real))]
    inside = np.array([[distance(y, x) <= r for y in fake] for x, r in zip(real, reaches)])
    return {
        "precision": within(fake, real, 3),
        "recall": within(real, fake, 3),
        "density": inside.sum() / (5 * len(fake)),
        "coverage": inside.any(axis=1).mean(),
    }


def test_a_line_worked_by_hand():
    """Real 0 1 2 3 4 5 10; fake 2.5 3.5 8 12 13 14 15.

    Reach of the reals to the third other one, k = 3:
      0: 3 (to 3), 1: 2, 2: 2, 3: 2, 4: 2, 5: 3 (to 2), 10: 7 (to 3).
    They span 0 - 3 .. 5 + 3 and 10 - 7 .. 10 + 7, so -3 .. 17: every fake is precise, 7/7.
    Reach of the fakes, k = 3:
      2.5: 9.5 (1, 5.5, 9.5), 3.5: 8.5 (1, 4.5, 8.5), 8: 5 (4, 4.5, 5), 12: 3 (1, 2, 3), 13: 2, 14: 2, 15: 3.
    2.5 +- 9.5 holds 0 .. 12, so every real one: recall 7/7.
    Reach of the reals, k = 5:
      0: 5, 1: 4, 2: 3 (1, 1, 2, 2, 3), 3: 3 (1, 1, 2, 2, 3), 4: 4, 5: 5, 10: 9 (5, 6, 7, 8, 9).
    Fakes within: 0 (-5 .. 5): 2; 1 (-3 .. 5): 2; 2 (-1 .. 5): 2; 3 (0 .. 6): 2; 4 (0 .. 8): 3, 8 is on its edge;
      5 (0 .. 10): 3; 10 (1 .. 19): 7. Together 21, density 21 / (5 * 7); coverage 7/7.
    """
    real = np.float32([[0], [1], [2], [3], [4], [5], [10]])
    fake = np.float32([[2.5], [3.5], [8], [12], [13], [14], [15]])
    found = neighbourhood_measures(real, fake)
    assert found == pytest.approx({"precision": 1, "recall": 1, "density": 21 / 35, "coverage": 1})

    # Without 10, at 6: it reaches 3 and 5 far. The reals span -3 .. 9 (k = 3), which 12 .. 15 are not in: 3/7.
    # k = 5: 0: 5, 1: 4, 2: 3, 3: 3, 4: 3 (1, 1, 2, 2, 3), 5: 4, 6: 5.
    # Within: 0: 2; 1: 2; 2: 2; 3: 2; 4 (1 .. 7): 2; 5 (1 .. 9): 3; 6 (1 .. 11): 3. Together 16.
    real[-1] = 6
    found = neighbourhood_measures(real, fake)
    assert found == pytest.approx({"precision": 3 / 7, "recall": 1, "density": 16 / 35, "coverage": 1})

    # The reals among the fakes' neighbourhoods, and the other way: precision and recall change places.
    assert neighbourhood_measures(fake, real)["recall"] == pytest.approx(3 / 7)
    assert neighbourhood_measures(fake, real)["precision"] == 1


def test_coverage_and_recall_by_hand_where_some_reals_are_not_reached():
    """Real 0 .. 5 and 100 .. 105; fakes all twelve near 2.5. The second group's neighbourhoods hold none of them."""
    real = np.float32([0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104, 105])[:, None]
    fake = np.float32(2.5 + np.arange(12) / 100)[:, None]
    found = neighbourhood_measures(real, fake)
    # Every fake's third neighbour is within 0.03: 2.47 .. 2.64 holds no real one.
    # k = 5: each real one of the first group just reaches the farthest end of it or beyond: all hold all fakes, six
    # neighbourhoods to each fake.
    assert found == pytest.approx({"precision": 1, "recall": 0, "density": 6 / 5, "coverage": 0.5})


@pytest.mark.parametrize(("n", "d", "shift"), [(6, 1, 0.0), (30, 2, 1.5), (40, 5, 0.7), (40, 64, 0.2)])
def test_agrees_with_the_definitions(n, d, shift):
    real = np.float32(RNG.normal(0, 1, (n, d)))
    fake = np.float32(RNG.normal(shift, 0.8, (n, d)))
    assert neighbourhood_measures(real, fake) == pytest.approx(by_definition(real, fake))


def test_identical_sets():
    points = np.float32(RNG.normal(0, 1, (50, 8)))
    found = neighbourhood_measures(points, points.copy())
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    # Every real neighbourhood holds its five fellows and its own copy.
    assert found["density"] == pytest.approx(6 / 5)


def test_of_one_distribution_density_and_coverage_are_as_the_paper_says():
    """Naeem et al. 2020, section 3.2: density 1, coverage 1 - (N-1)...(N-k) / ((2N-1)...(2N-k)), in expectation."""
    n, k = 200, 5
    found = [neighbourhood_measures(*np.float32(RNG.normal(0, 1, (2, n, 4)))) for _ in range(20)]
    coverage = 1 - np.prod([(n - i) / (2 * n - i) for i in range(1, k + 1)])
    assert np.mean([f["coverage"] for f in found]) == pytest.approx(coverage, abs=0.01)
    assert np.mean([f["density"] for f in found]) == pytest.approx(1, abs=0.03)


def test_dropping_one_of_two_modes_halves_recall_and_coverage_and_leaves_precision():
    def points(*centres):
        return np.concatenate([np.float32(RNG.normal(0, 1, (100, 4))) + c for c in centres])

    real = points(0, 50)
    both, one = (neighbourhood_measures(real, fake) for fake in (points(0, 50), points(0, 0)))
    assert one["precision"] == pytest.approx(both["precision"], abs=0.1)
    assert one["recall"] == pytest.approx(both["recall"] / 2, abs=0.1)
    # The denser half covers its reals a little better.
    assert both["coverage"] / 2 <= one["coverage"] <= 0.5


def test_far_away_sets_share_nothing():
    a, b = np.float32(RNG.normal(0, 1, (2, 20, 3)))
    assert set(neighbourhood_measures(a, b + 100).values()) == {0.0}


def test_does_not_depend_on_origin_scale_and_order():
    real, fake = np.float32(RNG.normal(0, 1, (2, 60, 6)))
    expected = neighbourhood_measures(real, fake)
    assert 0.1 < expected["precision"] < 1
    assert neighbourhood_measures(4 * real, 4 * fake) == expected
    assert neighbourhood_measures(real + 1000, fake + 1000) == pytest.approx(expected, abs=2 / 60)
    assert neighbourhood_measures(RNG.permutation(real), RNG.permutation(fake)) == expected


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_piece_by_piece_is_the_same(monkeypatch, rows):
    real, fake = np.float32(RNG.normal(0, 1, (2, 40, 6)))
    expected, expected_radii = neighbourhood_measures(real, fake), radii(real, 2, 4)
    monkeypatch.setattr(neighbours, "MOST_DISTANCES", rows * 40 + 39)
    pieces = [d.shape for _, d in squared_distances(real, fake)]
    assert max(pieces) == (rows, 40) and sum(n for n, _ in pieces) == 40
    assert neighbourhood_measures(real, fake) == expected
    np.testing.assert_allclose(radii(real, 2, 4), expected_radii, rtol=1e-5)


def test_the_array_of_distances_is_bounded():
    """At 50,000 images a row piece is 2**23 distances, 32 MB, not 10 GB."""
    points = np.zeros((50_000, 1), np.float32)
    rows, distances = next(squared_distances(points, points))
    assert distances.shape == (2**23 // 50_000, 50_000) and rows == slice(0, 167)


def test_distances_and_radii():
    a, b = np.float32(RNG.normal(3, 1, (9, 5))), np.float32(RNG.normal(3, 1, (11, 5)))
    found = np.concatenate([d for _, d in squared_distances(a, b)])
    np.testing.assert_allclose(found, [[distance(p, q) ** 2 for q in b] for p in a], rtol=1e-4)
    for k, radius in zip((1, 3, 8), radii(a, 1, 3, 8)):
        np.testing.assert_allclose(radius, [reach(a, i, k) ** 2 for i in range(9)], rtol=1e-4)


def test_distances_far_from_the_origin_keep_their_digits():
    """|a|^2 + |b|^2 - 2ab would leave none of them in float32."""
    a = np.float32(1e4 + RNG.integers(0, 10, (20, 3)))
    found = np.concatenate([d for _, d in squared_distances(a, a)])
    np.testing.assert_allclose(found, [[distance(p, q) ** 2 for q in a] for p in a], rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(("n", "m"), [(10, 11), (5, 5), (0, 0)])
def test_unequal_and_too_small_sets_are_refused(n, m):
    with pytest.raises(ValueError, match=f"not of {n} and {m}"):
        neighbourhood_measures(np.zeros((n, 2), np.float32), np.zeros((m, 2), np.float32))
