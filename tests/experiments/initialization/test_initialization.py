"""Signals through deep networks, against closed forms."""

import math
import subprocess
import sys

import numpy as np
import pytest

from experiments.framework.study import Options
from experiments.initialization import rows

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
    np.testing.assert_allclose(rows.sigmoid(x)[1:4], 1 / (1 + np.exp(-x[1:4])))
    assert rows.sigmoid(x)[[0, 4]].tolist() == [0.0, 1.0]


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


def test_an_unknown_row_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.initialization", "--only=xavir"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "xavir: no such row" in done.stderr and "Did you mean xavier" in done.stderr
