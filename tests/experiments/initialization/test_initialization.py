"""Signals through deep networks, against closed forms."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest

from experiments.framework.study import Options
from experiments.initialization import histograms, rows, variance

QUICK = Options(seeds=3, quick=True)


def test_a_linear_layers_mean_square_grows_by_n_var():
    """Of 512 weights ~ N(0, 3 / 512) a sum of squares is three times the input's, within 3 sigma = 3 sqrt(2 / 512)."""
    x = rows.propagate(lambda values: values, rows.normal(math.sqrt(3 / 512)), seed=1, depth=1)
    start = np.random.default_rng(1).standard_normal(512)
    assert np.mean(x**2) / np.mean(start**2) == pytest.approx(3.0, rel=3 * math.sqrt(2 / 512))


def test_uniform_weights_have_the_variance_of_their_bound():
    weights = rows.uniform(0.6)(np.random.default_rng(0))
    assert np.abs(weights).max() <= 0.6
    assert weights.var() == pytest.approx(0.6**2 / 3, rel=0.01)


def test_sigmoid_is_its_formula_and_does_not_overflow():
    x = np.array([-1000.0, -2.0, 0.0, 3.0, 1000.0])
    np.testing.assert_allclose(variance.sigmoid(x)[1:4], 1 / (1 + np.exp(-x[1:4])))
    assert variance.sigmoid(x)[[0, 4]].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("name", rows.ROWS)
def test_the_quick_rows_have_the_published_verdicts(name):
    row = rows.ROWS[name](QUICK)
    assert row.verdict.partition(":")[0] == ("source in error" if name == "activation_histograms" else "agrees")


def test_the_hundred_layers_end_near_the_closed_forms():
    logs = rows.tanh_100_layers(QUICK).numbers["log_std"]
    assert len(logs) == 20
    assert np.mean(logs) == pytest.approx(-50 * math.log(3), abs=1.5)
    relus = rows.relu_100_layers(QUICK).numbers
    assert np.mean(relus["Xavier"]) == pytest.approx(-50 * math.log(2), abs=1.5)
    assert np.mean(relus["Kaiming"]) == pytest.approx(0.0, abs=1.5)


def test_tanh_and_not_the_identity_gives_the_expected_std():
    """By a run of each activation, the verdict tells them apart: the identity's mean lies 13 standard errors off."""

    def logs(activation, runs):
        weights = rows.uniform(math.sqrt(1 / rows.WIDTH))
        return np.log([rows.propagate(activation, weights, seed).std() for seed in range(runs)])

    assert rows.judge_tanh(logs(np.tanh, 40))[0].startswith("agrees")
    assert rows.judge_tanh(logs(lambda x: x, 40))[0].startswith("differs")
    assert rows.judge_tanh(logs(np.tanh, 40) - 0.25)[0].startswith("differs")  # as 3^-50 would be too small


def test_the_expected_std_of_linear_layers_is_the_closed_form():
    """Var(w) = 1 / (3 n): the mean of ln std is -50 ln 3, less half of 1 / n for each mean square of n values."""
    assert rows.expected_log_std("linear") == pytest.approx(-50 * math.log(3) - 101 / 1024, abs=1e-3)


@pytest.fixture(scope="module")
def found():
    return {
        (label, kind): np.array(
            [[histograms.describe(x, least) for x in histograms.activate(label, kind, seed)] for seed in range(3)]
        )
        for label, (_, least) in histograms.ACTIVATIONS.items()
        for kind in histograms.KINDS
    }


class TestHistograms:
    def test_values_of_known_distributions(self):
        """Uniform: a twentieth at the ends, sd 1/sqrt(12), no peak. Exponential: skewness 2."""
        draw = np.random.default_rng(0)
        saturated, std, skewness, peak = histograms.describe(draw.uniform(0, 1, 100_000), 0.0)
        assert saturated == pytest.approx(0.05, abs=0.003) and std == pytest.approx(12**-0.5, rel=0.01)
        assert abs(skewness) < 0.03 and abs(peak) < 0.01
        assert histograms.describe(0.05 * draw.exponential(1, 100_000), 0.0)[2] == pytest.approx(2, rel=0.1)
        bell, ends = np.tanh(0.4 * draw.standard_normal(100_000)), np.tanh(1.5 * draw.standard_normal(100_000))
        assert histograms.describe(bell, -1.0)[3] > 0.05 > 0 > histograms.describe(ends, -1.0)[3]

    def test_the_facts_hold(self, found):
        facts = histograms.find_facts(found)
        assert len(facts) == 7 and all(facts.values())

    @pytest.mark.parametrize(
        "label, one, other",
        [("sigmoid", *pair) for pair in itertools.combinations(histograms.KINDS, 2)]
        # The source shows tanh with 1 / sqrt(n) alone.
        + [("tanh", histograms.XAVIER, kind) for kind in histograms.KINDS if kind != histograms.XAVIER],
    )
    def test_exchanged_histograms_are_noticed(self, found, label, one, other):
        exchanged = found | {(label, one): found[label, other], (label, other): found[label, one]}
        assert histograms.judge(histograms.find_facts(exchanged)).startswith("differs: not so: ")

    def test_exchanged_activations_are_noticed(self, found):
        exchanged = {(label, kind): found["tanh" if label == "sigmoid" else "sigmoid", kind] for label, kind in found}
        assert histograms.judge(histograms.find_facts(exchanged)).startswith("differs")


def test_an_unknown_row_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.initialization", "--only=xavir"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "xavir: no such row" in done.stderr and "Did you mean xavier" in done.stderr
