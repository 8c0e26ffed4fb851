"""Losses against SciPy's logistic function and their published formulas."""

from typing import get_args

import numpy as np
import pytest
from scipy.special import expit, log_expit

from dcgan_tf.config import LossName
from dcgan_tf.gan.losses import LOSSES

LOGITS = np.float32([[-30.0], [-2.5], [0.0], [0.7], [40.0]])


def log_of_not(logits):
    """log(1 - sigma(logit)), exact for large logits."""
    return log_expit(-logits)


FORMULAS = {
    "non_saturating": (
        lambda x: -log_expit(x).mean(),
        lambda x: -log_of_not(x).mean(),
        lambda x: -log_expit(x).mean(),
    ),
    "saturating": (lambda x: -log_expit(x).mean(), lambda x: -log_of_not(x).mean(), lambda x: log_of_not(x).mean()),
    "lsgan": (
        lambda x: np.mean((x - 1) ** 2) / 2,
        lambda x: np.mean(x**2) / 2,
        lambda x: np.mean((x - 1) ** 2) / 2,
    ),
    "hinge": (
        lambda x: np.mean(np.maximum(0, 1 - x)),
        lambda x: np.mean(np.maximum(0, 1 + x)),
        lambda x: -np.mean(x),
    ),
    "wgan_gp": (lambda x: -np.mean(x), lambda x: np.mean(x), lambda x: -np.mean(x)),
}


def test_every_loss_that_the_config_names_is_there_and_tested():
    assert set(get_args(LossName)) == set(LOSSES) == set(FORMULAS)


@pytest.mark.parametrize("name", get_args(LossName))
def test_loss_is_the_published_formula(name):
    loss, exact = LOSSES[name], LOGITS.astype(np.float64)
    for ours, formula in zip((loss.real, loss.fake, loss.generator), FORMULAS[name]):
        assert float(ours(LOGITS)) == pytest.approx(formula(exact), rel=1e-6)


def test_only_wgan_gp_has_a_penalty():
    assert {name for name, loss in LOSSES.items() if loss.gradient_penalty} == {"wgan_gp"}


def test_at_equilibrium_the_discriminators_loss_is_log_4():
    """Goodfellow et al. 2014, theorem 1: where D says 1/2 everywhere, its loss is log 4 and G's is log 2."""
    logits, loss = np.zeros((8, 1), np.float32), LOSSES["non_saturating"]
    assert float(loss.real(logits) + loss.fake(logits)) == pytest.approx(np.log(4))
    assert float(loss.generator(logits)) == pytest.approx(np.log(2))
    assert expit(0.0) == 0.5
