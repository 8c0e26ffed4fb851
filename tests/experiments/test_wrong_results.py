"""Each row's verdict is "differs" when what it measures is wrong: it could have failed.

The rows that have a function of their own for the verdict are tested with wrong numbers in their studies' tests.
"""

import math

import numpy as np
import pytest

from experiments.convolution import equality, im2col
from experiments.framework.study import Options
from experiments.gan_theory import densities, gradients, players
from experiments.gan_theory import rows as theory
from experiments.initialization import dcgan, inputs, layers, variance
from experiments.initialization import rows as notes
from experiments.optimizers import formulas, surface
from experiments.reproduction import networks

pytestmark = pytest.mark.slow
QUICK = Options(seeds=2, quick=True)


def scale_values(propagate):
    def wrong(x, rng):
        before, after = propagate(x, rng)
        return [1.3 * values for values in before], after

    return wrong


def start_unequal(train):
    def wrong(weights, *rest):
        weights[0] += np.random.default_rng(0).normal(0, 0.1, weights[0].shape)
        return train(weights, *rest)

    return wrong


def build_he_networks(_):
    from dcgan_tf.gan.models import Discriminator, Generator

    def wrong(seed=0):
        g, d = Generator(seed=seed, initializer="he"), Discriminator(seed=seed, initializer="he")
        d(g(np.zeros((1, 100), "float32")))
        return g, d

    return wrong


# Row; where the fault is; the name there; the right function or value -> the wrong one.
FAULTS = [
    (theory.gradient_play, theory, "play", lambda right: lambda kind, rounds: right(kind, rounds, 1.2 * theory.RATE)),
    (theory.value_at_optimum, theory, "js", lambda right: lambda p, q: 1.1 * right(p, q)),
    (theory.divergences, theory, "kl", lambda right: lambda p, q: 0.5 * (right(p, q) + right(q, p))),
    (densities.optimal_discriminator, densities, "optimal_output", lambda right: lambda p, q: right(p, 2 * q)),
    (
        gradients.vanishing_gradients,
        players.Game,
        "g_loss",
        lambda right: lambda self, fake, kind="": right(self, fake, "non_saturating"),
    ),
    (variance.xavier, variance, "VARIANCES", lambda v: v | {"Xavier normal": (lambda n, m: 3 / (n + m), "normal")}),
    (variance.he, variance, "VARIANCES", lambda v: v | {"He": (lambda n, m: 1 / n, "normal")}),
    (variance.forward_backward, variance, "draw_weights", lambda right: lambda *given: 1.2 * right(*given)),
    (inputs.input_mean, inputs, "_propagate", scale_values),
    (inputs.equal_weights, inputs, "train", start_unequal),
    (notes.variance_product, notes, "normal", lambda right: lambda std: right(1.1 * std)),
    (notes.xavier_100_layers, notes, "uniform", lambda right: lambda bound: right(0.5 * bound)),
    (notes.relu_100_layers, notes, "relu", lambda right: lambda x: x),
    (layers.framework_defaults, layers, "_uniform", lambda right: lambda v: (1.2 * v, math.sqrt(3.6 * v))),
    (layers.convolution_fans, layers, "FANS", lambda right: right | {("transposed", 5, 2): (25, 25)}),
    (dcgan.dcgan_initialization, dcgan, "make_dcgan", lambda right: lambda kind, seed: right("article", seed)),
    (surface.optimizer_paths, surface, "gradient", lambda right: lambda w: w * [0.1, 0.2]),
    (
        formulas.optimizer_formulas,
        formulas,
        "make_optimizer",
        lambda right: lambda name, rate: right(name, rate * (1.001 if name == "Adam" else 1)),
    ),
    (
        equality.transposed_convolution,
        im2col,
        "conv2d_fractionally_strided",
        lambda right: lambda *given: 1.01 * right(*given),
    ),
    (networks.generator, networks, "G_SHAPES", lambda right: right[::-1]),
    (networks.discriminator, networks, "D_SHAPES", lambda right: right[::-1]),
    (networks.initial_weights, networks, "_networks", build_he_networks),
]


@pytest.mark.parametrize("row, place, name, fault", FAULTS, ids=[row.__name__ for row, *_ in FAULTS])
def test_a_wrong_result_differs(row, place, name, fault, monkeypatch):
    monkeypatch.setattr(place, name, fault(getattr(place, name)))
    assert row(QUICK).verdict.partition(":")[0] == "differs"
