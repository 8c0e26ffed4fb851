"""All metrics together: their values, their standard errors, and the direction in which each one changes."""

import functools

import numpy as np
import pytest

from dcgan_tf.evaluation.sets import draw_rows
from dcgan_tf.metrics import comparison
from dcgan_tf.metrics import sliced_wasserstein as swd
from dcgan_tf.metrics.comparison import QuickScores, Sample, compare
from dcgan_tf.metrics.features import FaultFeatures, extract
from dcgan_tf.metrics.frechet import frechet_distance
from dcgan_tf.metrics.kernel import mmd2
from dcgan_tf.metrics.memorisation import copying, find_nearest
from dcgan_tf.metrics.ms_ssim import pair_similarities, similarity
from dcgan_tf.metrics.neighbours import neighbourhood_measures
from dcgan_tf.metrics.results import HALVES, METRICS
from dcgan_tf.run_metrics import SCORE_NAMES
from tests.metrics.drawn import blurred, noisy, pictures

RNG = np.random.default_rng(0)
N = 60
NETWORK = FaultFeatures()
TRAINING = pictures(200, 100)
REFERENCE = TRAINING[:N]
UNSEEN = find_nearest(pictures(100, 101), TRAINING).distance


def sample(images):
    return Sample(images, extract(NETWORK, images), find_nearest(images, TRAINING).distance)


@pytest.fixture
def coarse(monkeypatch):
    """The sliced Wasserstein distance with few directions and two halves, which suffice for the tests below."""
    monkeypatch.setattr(comparison, "HALVES", 2)
    monkeypatch.setattr(comparison, "sliced_wasserstein", functools.partial(swd.sliced_wasserstein, directions=8))
    monkeypatch.setattr(comparison, "QUICK_DIRECTIONS", 8)


def values(images, reference=REFERENCE, seed=0):
    return {name: m.value for name, m in compare(sample(reference), sample(images), UNSEEN, seed).items()}


def test_the_values_are_those_of_each_metric():
    real, fake = sample(REFERENCE[:20]), sample(pictures(20, 1))
    seen = RNG.normal(0, 1, (2, 20, 5)).astype(np.float32)
    real, fake = (Sample(s.images, s.features, s.to_training, x) for s, x in zip((real, fake), seen))
    found = {name: m.value for name, m in compare(real, fake, UNSEEN, 7).items()}
    assert found.keys() == METRICS.keys()
    exact = {
        "frechet": frechet_distance(real.features, fake.features),
        "kernel": 1e3 * mmd2(real.features, fake.features),
        **neighbourhood_measures(real.features, fake.features),
        "copying": copying(fake.to_training, UNSEEN),
        "fid": frechet_distance(*seen),
        "kid": 1e3 * mmd2(*seen),
    }
    assert {name: found[name] for name in exact} == pytest.approx(exact, rel=1e-5)
    # These two are random, by their patches and directions, and by their pairs of fakes.
    distances, _ = swd.sliced_wasserstein(real.images, fake.images, np.random.default_rng(8))
    assert found["sliced_wasserstein"] == pytest.approx(np.mean(list(distances.values())), rel=0.1)
    i, j = np.triu_indices(20, 1)
    of_all_pairs = similarity(fake.images[i], fake.images[j])
    assert found["ms_ssim"] == pytest.approx(of_all_pairs.mean(), abs=4 * of_all_pairs.std() / np.sqrt(20))


def test_metrics_without_their_data_are_left_out(coarse):
    real, fake = sample(REFERENCE[:20]), sample(pictures(20, 1))
    without = set(METRICS) - {"fid", "kid", "copying"}
    assert compare(real, fake, None, 0).keys() == without
    assert compare(real, Sample(fake.images, fake.features), UNSEEN, 0).keys() == without
    assert compare(real, fake, UNSEEN, 0).keys() == without | {"copying"}


@pytest.mark.parametrize(("n", "m"), [(20, 21), (19, 19)])
def test_unequal_and_too_small_samples_are_refused(n, m):
    with pytest.raises(ValueError, match=f"from 20 are needed, not of {n} and {m}"):
        compare(Sample(REFERENCE[:n], np.zeros((n, 2))), Sample(REFERENCE[:m], np.zeros((m, 2))), None, 0)


def test_every_round_is_shown_and_an_odd_number_has_halves_too(coarse):
    class Shown:
        done = 0

        def advance(self):
            self.done += 1

    shown = Shown()
    compare(sample(REFERENCE[:21]), sample(pictures(21, 1)), UNSEEN, 0, shown)
    assert shown.done == 1 + comparison.HALVES


def test_identical_sets(coarse):
    found = values(REFERENCE)
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert found["frechet"] == pytest.approx(0, abs=1e-6)
    assert found["kernel"] <= 0  # unbiased, and each image has its own copy on the other side
    assert found["sliced_wasserstein"] < values(pictures(N, 1))["sliced_wasserstein"]
    assert found["copying"] == 1  # the reference is of the training set


def test_a_seed_repeats_it(coarse):
    real, fake = sample(REFERENCE[:30]), sample(pictures(30, 1))
    one, same, other = (compare(real, fake, UNSEEN, seed) for seed in (1, 1, 2))
    for name in one:
        assert [one[name].value, one[name].spread] == pytest.approx([same[name].value, same[name].spread])
        assert one[name].spread >= 0
    for name in ("sliced_wasserstein", "ms_ssim"):
        assert one[name].value != other[name].value
    for name in ("sliced_wasserstein", "frechet", "kernel", "ms_ssim", "copying"):
        assert one[name].spread != other[name].spread > 0


def test_the_spread_is_the_standard_deviation_over_fresh_samples(monkeypatch, coarse):
    """The claim of the jackknife, for features and images that are cheap to draw again."""
    monkeypatch.setattr(swd, "MOST_PATCHES", 400)
    monkeypatch.setattr(comparison, "HALVES", HALVES)
    rng = np.random.default_rng(0)
    n, unseen = 100, 30  # few, so that their part in the standard error of the copying score matters

    def features(mean):
        return rng.normal(mean, 1, (n, 2)).astype(np.float32)

    def images():
        """Of one pattern, more or less clear in each."""
        pattern = 60 * np.cos(np.arange(16))[:, None, None]
        return (128 + rng.uniform(0, 1, (n, 1, 1, 1)) * pattern + rng.normal(0, 20, (n, 16, 16, 1))).astype(np.uint8)

    spreads = []
    for seed in range(10):
        real, fake = Sample(images(), features(0)), Sample(images(), features(1), rng.exponential(1, n))
        found = compare(real, fake, rng.exponential(1, unseen), seed)
        spreads.append([found[name].spread for name in found])
    spread = dict(zip(found, np.sqrt(np.square(spreads).mean(axis=0))))

    fresh = []
    for _ in range(100):
        a, b = features(0), features(1)
        pairs = pair_similarities(images(), rng).mean()
        fresh.append(
            neighbourhood_measures(a, b)
            | {"frechet": frechet_distance(a, b), "kernel": 1e3 * mmd2(a, b), "ms_ssim": pairs}
        )
    expected = {name: np.std([values[name] for values in fresh], ddof=1) for name in fresh[0]}
    # Where both are of one distribution: Mann & Whitney 1947.
    expected["copying"] = np.sqrt((n + unseen + 1) / (12 * n * unseen))
    ratios = {name: spread[name] / expected[name] for name in expected}
    assert all(0.65 < ratio < 1.55 for ratio in ratios.values()), ratios


def test_blur_is_seen_by_all(coarse):
    fakes = pictures(N, 1)
    found = [values(blurred(fakes, radius) if radius else fakes) for radius in (0, 0.75, 1.5)]
    for name in ("frechet", "kernel", "sliced_wasserstein"):
        assert found[0][name] < found[1][name] < found[2][name], name
    for name in ("precision", "recall", "density", "coverage"):
        assert found[0][name] - 0.3 > found[1][name] >= found[2][name], name


def test_noise_is_seen_by_all(coarse):
    fakes = pictures(N, 1)
    found = [values(noisy(fakes, deviation) if deviation else fakes) for deviation in (0, 40, 80)]
    for name in ("frechet", "sliced_wasserstein"):
        assert found[0][name] < found[1][name] < found[2][name], name
    assert found[2]["kernel"] > 10 * abs(found[0]["kernel"])
    for name in ("precision", "recall", "density", "coverage"):
        assert found[0][name] > found[2][name] + 0.4, name


def test_a_dropped_mode_halves_recall_and_coverage_and_leaves_precision(coarse):
    def coloured_squares(count, seed):
        corners = np.random.default_rng(seed).integers(0, 2, (count, 8, 8, 3), np.uint8) * 255
        return np.kron(corners, np.ones((1, 4, 4, 1), np.uint8))

    def both(seed):
        return np.concatenate([pictures(N // 2, seed), coloured_squares(N // 2, seed)])

    real = both(10)
    whole, dropped = values(both(20), real), values(pictures(N, 30), real)
    assert whole["recall"] > 0.7 and whole["coverage"] > 0.9
    assert 0.4 < dropped["recall"] <= 0.5 and 0.4 < dropped["coverage"] <= 0.5  # no coloured square is reached
    assert dropped["precision"] == pytest.approx(whole["precision"], abs=0.1)
    for name in ("frechet", "kernel", "sliced_wasserstein"):
        assert dropped[name] > whole[name], name


def test_one_picture_again_and_again_is_seen_by_ms_ssim_and_recall(coarse):
    fakes = pictures(N, 1)
    varied, collapsed = values(fakes), values(noisy(fakes[:1].repeat(N, axis=0), 3))
    assert varied["ms_ssim"] < 0.5 < 0.9 < collapsed["ms_ssim"]
    assert varied["recall"] > 0.5 > 0.1 > collapsed["recall"]


def test_copies_of_the_training_set_are_seen_by_copying_alone(coarse):
    fresh, copies = values(pictures(N, 1)), values(noisy(TRAINING[N : 2 * N], 10))
    unseen = len(UNSEEN)
    assert fresh["copying"] == pytest.approx(0.5, abs=3 * np.sqrt((N + unseen + 1) / (12 * N * unseen)))
    assert copies["copying"] > 0.99
    copies = values(TRAINING[N : 2 * N])  # exact ones, which all other metrics take for fresh images
    assert copies["copying"] == 1
    for name in ("frechet", "sliced_wasserstein"):
        assert copies[name] == pytest.approx(fresh[name], rel=0.4)
    for name in ("precision", "recall", "coverage"):
        assert copies[name] == pytest.approx(fresh[name], abs=0.2)


class TestQuickScores:
    def test_the_same_images_have_the_same_numbers(self, coarse):
        images = pictures(30, 1)
        scores = QuickScores(REFERENCE[:30], 3)
        first = scores(lambda n: images[:n])
        assert tuple(first) == SCORE_NAMES and set(first) <= set(METRICS)
        assert scores(lambda n: images[:n]) == pytest.approx(first)
        assert QuickScores(REFERENCE[:30], 3)(lambda n: images[:n]) == pytest.approx(first)

    def test_the_values_are_those_of_each_metric(self, coarse):
        images = pictures(30, 1)
        scores = QuickScores(REFERENCE[:30], 3)
        found = scores(lambda n: images[:n])
        a, b = extract(NETWORK, REFERENCE[:30]), extract(NETWORK, images)
        near = neighbourhood_measures(a, b)
        expected = {
            "frechet": frechet_distance(a, b),
            "precision": near["precision"],
            "recall": near["recall"],
        }
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)
        for images_of, value in ((images, found["ms_ssim"]), (REFERENCE[:30], scores.ms_ssim)):
            i, j = np.triu_indices(30, 1)
            pairs = similarity(images_of[i], images_of[j])
            assert value == pytest.approx(pairs.mean(), abs=4 * pairs.std() / np.sqrt(30))

    def test_as_many_images_as_asked_for_are_compared_with_as_many_of_all_real_ones(self, monkeypatch, coarse):
        monkeypatch.setattr(comparison, "QUICK_IMAGES", 25)
        asked = []
        scores = QuickScores(TRAINING, 3)
        scores(lambda n: asked.append(n) or pictures(n, 1))
        assert asked == [25] == [scores.count]
        assert scores.features.shape == (25, NETWORK.dimension)
        # They are 25 different images from all parts of the set; another seed draws others.
        places = [find_nearest(s._real, TRAINING) for s in (scores, QuickScores(TRAINING, 4))]
        for place in places:
            assert place.distance.max() == 0
            assert len(set(place.index)) == 25 and place.index.max() > 100
        assert set(places[0].index) != set(places[1].index)

    def test_is_better_for_real_images_than_for_spoiled_ones(self, coarse):
        scores = QuickScores(REFERENCE, 0)
        good, bad = scores(lambda n: pictures(n, 1)), scores(lambda n: noisy(pictures(n, 1), 60))
        assert good["frechet"] < bad["frechet"] and good["sliced_wasserstein"] < bad["sliced_wasserstein"]
        assert good["precision"] > bad["precision"] and good["recall"] > bad["recall"]

    @pytest.mark.parametrize(("n", "count"), [(0, 0), (19, 0), (20, 20)])
    def test_a_set_that_is_too_small_is_not_measured(self, n, count):
        scores = QuickScores(TRAINING[:n], 0)
        assert scores.count == count
        assert np.isnan(scores.ms_ssim) == (count == 0)


def test_a_longer_shuffle_begins_with_a_shorter_one():
    long = draw_rows(1000, 400, 5)
    assert long.shape == (400,) and long.dtype == np.int64
    assert len(set(long)) == 400 and long.min() >= 0 and long.max() < 1000
    np.testing.assert_array_equal(draw_rows(1000, 30, 5), long[:30])
    np.testing.assert_array_equal(np.sort(draw_rows(1000, 1000, 5)), np.arange(1000))
    assert (draw_rows(1000, 30, 6) != long[:30]).any()
    assert long[:30].max() > 500  # random, not the first ones


@pytest.mark.parametrize("rows", [slice(0, 3), np.array([7, 2, 2])], ids=["slice", "indices"])
def test_a_part_of_a_sample_is_a_part_of_all_of_it(rows):
    arrays = [np.arange(10)[:, None], np.arange(10, 20)[:, None], np.arange(20, 30), np.arange(30, 40)[:, None]]
    numbers = np.arange(10)[rows]
    part = Sample(*arrays).part(rows)
    assert len(part) == 3 and len(Sample(*arrays)) == 10
    found = [part.images, part.features, part.to_training, part.inception]
    for i, array in enumerate(found):
        np.testing.assert_array_equal(array.ravel(), numbers + 10 * i)
    bare = Sample(*arrays[:2]).part(rows)
    assert bare.to_training is None and bare.inception is None


def test_every_metric_states_which_extreme_is_good():
    assert {m.better for m in METRICS.values()} == {"lower", "higher", "as real"}
    higher = {name for name, m in METRICS.items() if m.better == "higher"}
    assert higher == {"precision", "recall", "density", "coverage"}
    assert {name for name, m in METRICS.items() if m.better == "as real"} == {"ms_ssim", "copying"}
    assert len({m.title for m in METRICS.values()}) == len(METRICS)
