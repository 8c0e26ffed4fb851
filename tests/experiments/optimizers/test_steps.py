"""Steps against closed forms, and verdicts on wrong numbers."""

import math

import numpy as np
import pytest

from experiments.framework.study import Options
from experiments.optimizers import steps

QUICK = Options(seeds=2, quick=True)


@pytest.mark.parametrize(
    "name, rate, factor",
    [
        ("SGD", 0.1, 0.9),
        ("SGD", 1.5, 0.5),
        ("Momentum", 0.1, math.sqrt(0.9)),  # complex roots: their product is alpha
        ("Momentum", 0.001, (1.899 + math.sqrt(1.899**2 - 3.6)) / 2),
    ],
)
def test_the_factor_is_the_largest_root(name, rate, factor):
    assert steps.decay_factor(name, rate) == pytest.approx(factor)
    assert steps.fit_factor(steps.descend_bowl(name, rate)[:40, 0]) == pytest.approx(factor, rel=1e-5)


def test_momentum_swings_above_the_limit_of_real_roots():
    limit = (1 - math.sqrt(0.9)) ** 2
    below, above = (steps.descend_bowl("Momentum", rate)[:, 0] for rate in (0.9 * limit, 4 * limit))
    assert (below < 0).all() and (above > 0).any()


def test_both_axes_keep_their_ratio_on_a_round_bowl():
    path = steps.descend_bowl("Momentum", 0.1)
    np.testing.assert_allclose(path[:, 0] * 2.0, path[:, 1] * -7.0, atol=1e-9)


def test_the_verdict_on_the_bowl_follows_from_the_numbers():
    factors = {(name, rate): 0.9 if name == "SGD" else 0.8 for name in ("SGD", "Momentum") for rate in (0.01, 0.1)}
    assert steps.judge_bowl({0.01: 0, 0.1: 0}, factors).startswith("agrees")
    assert "(here at 0.1)" in steps.judge_bowl({0.01: 0, 0.1: 3}, factors)
    slow = factors | {("Momentum", 0.1): 0.95}
    assert steps.judge_bowl({0.01: 0, 0.1: 0}, slow).startswith("differs")
    assert steps.momentum_isotropic(QUICK).verdict.startswith("differs: Momentum swings")


def test_exponents_of_powers():
    t = np.arange(1, 1001)
    assert steps.exponent(3 / np.sqrt(t)) == pytest.approx(-0.5)
    assert steps.exponent(np.full(1000, 2.0)) == pytest.approx(0)


def test_the_verdict_on_vanishing_steps_follows_from_the_numbers():
    right = {"AdaGrad": [-0.5, -0.49], "RMSProp": [0.01, 0.0]}
    assert steps.judge_steps(right).startswith("agrees")
    assert steps.judge_steps(right | {"RMSProp": [0.0, -0.5]}) == "differs"
    assert steps.judge_steps(right | {"AdaGrad": [-0.5, -0.4]}) == "differs"


def test_the_expected_squares_are_the_closed_forms():
    """With a constant rate r they tend to r / (2 - r); with 1 / t, w is the mean of t noises: 1 / t."""
    schedules = steps.schedules(2000)
    assert steps.expected_squares(schedules["constant 0.1"])[-1] == pytest.approx(0.1 / 1.9)
    np.testing.assert_allclose(steps.expected_squares(schedules["1 / t"]), 1 / np.arange(1, 2001))
    assert schedules["0.1 falling to 0"][[0, 1000]].tolist() == [0.1, 0.05]


def test_the_verdict_on_falling_rates_follows_from_the_numbers():
    expected = {"constant": np.array([0.05]), "falling": np.array([0.005])}
    assert steps.judge_decay(expected, expected, 1000).startswith("agrees")
    assert steps.judge_decay(expected | {"falling": np.array([0.006])}, expected, 1000) == "differs"  # 20 % off
    level = expected | {"falling": np.array([0.04])}
    assert steps.judge_decay(level, level, 1000) == "differs"  # no better than constant
    assert steps.rate_decay(QUICK).verdict.startswith("agrees")
