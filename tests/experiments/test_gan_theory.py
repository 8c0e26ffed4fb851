"""Games and divergences against closed forms."""

import math

import numpy as np
import pytest

from experiments import gan_theory as theory
from experiments.study import Options

QUICK = Options(quick=True)


def matrix(kind, rate):
    """One round as a linear map of (u, v), or of (u, v) now and before."""
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    one = np.eye(2)
    if kind == "simultaneous":
        return one + rate * turn
    if kind == "alternating":
        return np.array([[1.0, -rate], [rate, 1.0 - rate**2]])
    if kind == "extragradient":
        return one + rate * turn @ (one + rate * turn)
    return np.block([[one + 2 * rate * turn, -rate * turn], [one, np.zeros((2, 2))]])


@pytest.mark.parametrize("kind", theory.factors(0.1))
@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_a_round_is_its_matrix_and_the_factor_its_largest_eigenvalue(kind, rate):
    m = matrix(kind, rate)
    state = np.array([1.0, 1.0, 1.0, 1.0])[: len(m)]
    path = theory.play(kind, 5, rate)
    for u, v in path[1:]:
        state = m @ state
        np.testing.assert_allclose((u, v), state[:2], rtol=1e-12)
    assert theory.factors(rate)[kind] == pytest.approx(np.abs(np.linalg.eigvals(m)).max(), rel=1e-12)


def test_divergences_of_gaussians_are_the_closed_form():
    """KL of N(0, 0.5^2) from N(0, 2^2): log 4 + 1/32 - 1/2; of N(-1, 1) from N(1, 1): 2."""
    p, q = (density(theory.POINTS) for density in theory.PAIRS["narrow in wide"])
    assert theory.kl(p, q) == pytest.approx(math.log(4) + 1 / 32 - 0.5, abs=1e-6)
    assert theory.kl(q, p) == pytest.approx(-math.log(4) + 8 - 0.5, abs=1e-5)
    p, q = (density(theory.POINTS) for density in theory.PAIRS["shifted"])
    assert theory.kl(p, q) == pytest.approx(2.0, abs=1e-6)
    m = 0.5 * (p + q)
    assert theory.js(p, q) == pytest.approx(0.5 * theory.kl(p, m) + 0.5 * theory.kl(q, m), abs=1e-6)
    p, q = (density(theory.POINTS) for density in theory.PAIRS["disjoint"])
    assert theory.kl(p, q) == math.inf


@pytest.mark.parametrize("name", theory.ROWS)
def test_the_rows_agree(name):
    assert theory.ROWS[name](QUICK).verdict.partition(":")[0] == "agrees"
