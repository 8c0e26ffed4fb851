"""Bands and summed scores against known distributions; the verdict on the source's losses, and on wrong ones."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from experiments.optimizers import bands, mnist, published_mnist


def test_published_numbers_are_the_sources():
    assert tuple(range(0, 2000, 100)) == published_mnist.ITERATIONS
    assert {len(values) for values in published_mnist.LOSSES.values()} == {20}
    # Four of the printed ones: the first, the last, and two that earlier copies had wrong.
    assert published_mnist.LOSSES["SGD"][0] == 2.3644 and published_mnist.LOSSES["Adam"][-1] == 0.0636
    assert published_mnist.LOSSES["Momentum"][4] == 0.1509 and published_mnist.LOSSES["AdaGrad"][9] == 0.0429


def draw_curves(runs, seed, iterations=300):
    """Losses of runs that differ by log-normal noise about one falling curve."""
    noise = np.random.default_rng(seed).normal(0, 0.3, (iterations, runs))
    return np.exp(1 - np.arange(iterations)[:, None] / 100 + noise)


@pytest.mark.parametrize("runs", [2, 5])
def test_the_band_holds_95_percent_of_a_further_run(runs):
    found, points = [], [0, 100, 299]
    for seed in range(60):
        values = draw_curves(runs + 1, seed)
        low, high = bands.fit_curve(values[:, :-1], points).band()
        found.append((low <= values[points, -1]) & (values[points, -1] <= high))
    assert np.mean(found) == pytest.approx(0.95, abs=0.05)  # 180 of them: 3 sigma


def test_the_band_of_many_runs_is_that_of_the_normal_distribution():
    low, high = bands.fit_curve(draw_curves(2000, 0), [100]).band()
    assert np.log([low[0], high[0]]) == pytest.approx([-1.96 * 0.3, 1.96 * 0.3], abs=0.03)


def test_coverage_of_runs_left_out():
    assert bands.left_out_coverage({"a": draw_curves(5, 1, 2000)}) == pytest.approx(0.95, abs=0.03)
    odd = draw_curves(5, 1, 2000)
    odd[:, 0] *= 10  # one run of another kind
    assert bands.left_out_coverage({"a": odd}) < 0.9


def test_summed_scores_of_runs_left_out_are_standard_normal():
    points = list(range(20, 300, 40))
    found = [bands.sum_scores(bands.leave_one_out({"a": draw_curves(5, seed)}, points)["a"]) for seed in range(60)]
    assert np.mean(found) == pytest.approx(0, abs=0.2)
    assert np.std(found) == pytest.approx(1, abs=0.2)  # 300 of them, five of a set correlated


PUBLISHED = {name: np.array(values) for name, values in published_mnist.LOSSES.items()}


class TestPublishedRun:
    """The verdict on the source's tables by the recorded curves, and on wrong tables."""

    @pytest.fixture
    def judge(self):
        kept = json.loads((Path(mnist.__file__).parent / "results/optimizers_on_mnist.json").read_text())["numbers"]
        curves = {name: bands.Curve(*map(np.array, parts)) for name, parts in kept["curves"].items()}
        return lambda tables: mnist.judge(tables, curves, kept["iterations"], kept["deviation of summed scores"])

    def test_the_source_agrees(self, judge):
        verdict, numbers = judge(PUBLISHED)
        assert verdict.startswith("agrees: point by point, as a whole and in order (AdaGrad, Adam, Momentum, SGD)")
        assert max(abs(value) for value in numbers["summed scores"].values()) < 1

    def test_all_23_exchanges_of_the_tables_differ(self, judge):
        names = list(PUBLISHED)
        verdicts = [
            judge(dict(zip(names, (PUBLISHED[name] for name in order))))[0] for order in itertools.permutations(names)
        ]
        assert [verdict.startswith("agrees") for verdict in verdicts] == [True] + [False] * 23

    def test_adam_and_adagrad_exchanged_lie_far_from_our_runs(self, judge):
        """By the summed scores too, and not by the order alone; their points stay within the bands."""
        numbers = judge(PUBLISHED | {"Adam": PUBLISHED["AdaGrad"], "AdaGrad": PUBLISHED["Adam"]})[1]
        assert numbers["share in band"] >= mnist.WANTED
        assert numbers["summed scores"]["Adam"] < -2 < 2 < numbers["summed scores"]["AdaGrad"]

    @pytest.mark.parametrize("factor", [1.2, 1 / 1.2])
    def test_losses_a_fifth_off_differ(self, judge, factor):
        """All four together; of AdaGrad or Adam alone, whose losses vary most, a fifth could not be told."""
        verdict, numbers = judge({name: factor * values for name, values in PUBLISHED.items()})
        assert verdict.startswith("differs")
        assert abs(numbers["summed scores"]["all"]) > 5

    def test_a_slow_one_differs(self, judge):
        assert judge(PUBLISHED | {"Adam": PUBLISHED["SGD"]})[0].startswith("differs: less than 90 %")
