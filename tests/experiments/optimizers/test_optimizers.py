"""Optimisers against closed forms, bands against known distributions, networks against NumPy, the command."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from experiments.framework.mnist import Digits, draw_digits
from experiments.framework.study import Options
from experiments.optimizers import dcgan, formulas, rates, surface
from experiments.optimizers import rows as optimizers
from experiments.optimizers.formulas import NAMES, difference, iterate_formula

QUICK = Options(seeds=1, quick=True)


# The formulas.


def iterate_first(name, rate, start, gradient, count):
    return np.array([w for _, w in zip(range(count), iterate_formula(name, rate, np.array(start), gradient))])


def test_sgd_on_a_parabola_is_a_geometric_series():
    found = iterate_first("SGD", 0.95, [2.0], lambda w: 2 * w, 10)
    np.testing.assert_allclose(found[:, 0], 2 * (1 - 0.95 * 2) ** np.arange(1, 11), rtol=1e-12)


def test_momentum_under_a_constant_force_reaches_its_final_speed():
    found = iterate_first("Momentum", 0.1, [0.0], np.ones_like, 200)
    n = np.arange(1, 201)
    # v_n = -lr (1 - a^n) / (1 - a), summed up.
    np.testing.assert_allclose(found[:, 0], -(n - 9 * (1 - 0.9**n)), rtol=1e-12)


def test_nesterov_is_a_step_ahead_of_momentum():
    found = iterate_first("Nesterov", 0.1, [0.0], np.ones_like, 50)
    n = np.arange(1, 51)
    # The look-ahead point: W + alpha v with Momentum's W and v.
    speed = -(1 - 0.9**n)
    np.testing.assert_allclose(found[:, 0], -(n - 9 * (1 - 0.9**n)) + 0.9 * speed, rtol=1e-12)


@pytest.mark.parametrize("force", [-3.0, 0.2])
@pytest.mark.parametrize(
    "name, steps",
    [
        ("AdaGrad", 1 / np.sqrt(np.arange(1, 31))),  # h = t g^2
        ("RMSProp", 1 / np.sqrt(1 - 0.99 ** np.arange(1, 31))),  # h = (1 - 0.99^t) g^2
        ("Adam", np.ones(30)),  # both moments are corrected
    ],
)
def test_adaptive_steps_under_a_constant_force_do_not_depend_on_it(name, steps, force):
    found = iterate_first(name, 0.1, [0.0], lambda w: np.full_like(w, force), 30)
    np.testing.assert_allclose(found[:, 0], -np.sign(force) * 0.1 * np.cumsum(steps), rtol=1e-4)


def test_an_unknown_name():
    with pytest.raises(ValueError, match="Adams: none of SGD"):
        next(iterate_formula("Adams", 0.1, np.zeros(1), np.ones_like))


@pytest.mark.parametrize("name", NAMES)
def test_the_framework_follows_the_formula(name):
    assert difference(name, 60, seed=7).max() < 1e-6


def test_momentum_differs_by_its_rounding_to_float32_alone():
    assert difference("Momentum", 100, seed=0, rounded=False).max() > 5e-7
    assert difference("Momentum", 100, seed=0).max() < 1e-12


@pytest.mark.parametrize("name", ["AdaGrad", "RMSProp"])
def test_the_comparison_sees_other_settings(name):
    assert difference(name, 20, seed=0, own=True).max() > 1e-4


# The surface.


def test_the_gradient_is_the_slope_of_the_height():
    w, eps = np.array([-3.0, 1.5]), 1e-6
    for axis in range(2):
        step = eps * np.eye(2)[axis]
        slope = (surface.height(*(w + step)) - surface.height(*(w - step))) / (2 * eps)
        assert surface.gradient(w)[axis] == pytest.approx(slope, rel=1e-6)


def test_angles_of_the_field():
    # On the grid's diagonal x = 2 y: -gradient is along (0.2, 2), the way to the minimum along (2, 1).
    expected = np.degrees(np.arctan2(2, 0.2) - np.arctan2(1, 2))
    assert surface.field_angles(2).max() == pytest.approx(expected)


def test_optimizer_paths_agree_with_closed_forms():
    row = surface.optimizer_paths(QUICK)
    assert row.verdict.startswith("agrees")
    assert row.numbers["turns in y"]["SGD"] == 30  # y decays by 1 - 2 * 0.95 = -0.9 an update
    assert row.numbers["decay of y by SGD, an update"] == pytest.approx(-0.9)
    assert row.numbers["f at the end"]["SGD"] == pytest.approx((7 * 0.905**30) ** 2 / 20 + (2 * 0.9**30) ** 2, rel=1e-4)
    assert row.numbers["AdaGrad's first sum in x"] == pytest.approx(0.49)
    assert row.numbers["largest difference from the formulas"] < 1e-4
    assert row.numbers["SGD at Momentum's rate"]["turns"] == 0  # 1 - 2 * 0.1 is positive
    frames = row.animations["optimizer_paths"]
    assert len(frames) == 6 and frames[0].dtype == np.uint8 and (frames[0] != frames[-1]).any()


# MNIST: the networks.


@pytest.fixture(scope="module")
def data():
    return Digits("digits drawn from fonts", *draw_digits(400, 0), *draw_digits(100, 1))


def softmax_loss_and_gradients(weights, x, labels):
    """Loss before the update and gradients, by hand."""
    inputs = []
    for n in range(0, len(weights), 2):
        inputs.append(x)
        x = x @ weights[n] + weights[n + 1]
        if n + 2 < len(weights):
            x = np.maximum(x, 0)
    shares = np.exp(x - x.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    loss = -np.log(shares[np.arange(len(labels)), labels]).mean()
    back = (shares - np.eye(10)[labels]) / len(labels)
    gradients = []
    for n in range(len(weights) - 2, -1, -2):
        gradients[:0] = [inputs[n // 2].T @ back, back.sum(axis=0, keepdims=True)]
        back = (back @ weights[n].T) * (inputs[n // 2] > 0)
    return loss, gradients


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_training_is_that_of_each_network_alone_by_hand(data, name):
    from experiments.optimizers.network import BATCH, Networks, initial_weights

    rate = formulas.RATES[name]
    found = Networks(data, formulas.make_optimizer(name, rate), range(2)).train(3, rate)
    for seed in range(2):
        weights = initial_weights(seed)
        chosen = np.random.default_rng([seed, 1]).integers(0, 400, (3, BATCH), dtype=np.int32)
        batches = [(data.images[rows].reshape(BATCH, -1) / 255.0, data.labels[rows]) for rows in chosen]
        sizes = np.cumsum([w.size for w in weights])[:-1]
        shapes = [w.shape for w in weights]
        state = {"t": 0}

        def whole(flat, shapes=shapes, sizes=sizes):
            return [part.reshape(shape) for part, shape in zip(np.split(flat, sizes), shapes)]

        def gradient(flat, batches=batches, state=state, whole=whole):
            state["t"] += 1
            parts = softmax_loss_and_gradients(whole(flat), *batches[state["t"] - 1])[1]
            return np.concatenate([part.ravel() for part in parts])

        ways = iterate_formula(name, rate, np.concatenate([w.ravel() for w in weights]), gradient)
        for t, flat in zip(range(3), ways):
            assert found[t, seed] == pytest.approx(softmax_loss_and_gradients(whole(flat), *batches[t])[0], rel=2e-3)


def test_training_starts_from_the_initial_weights_each_time(data):
    from experiments.optimizers.network import Networks

    networks = Networks(data, formulas.make_optimizer("Adam", 0.001), range(2))
    losses = networks.train(30, 0.001)
    np.testing.assert_allclose(networks.train(30, 0.001), losses, rtol=1e-3)
    other = networks.train(30, 0.01)
    assert (np.abs(other[0] - losses[0]) > 1e-3).all()  # `train` sets the rate
    assert losses[-5:].mean() < losses[:5].mean()


def test_initial_weights_are_hes():
    from experiments.optimizers.network import initial_weights

    weights = initial_weights(0)
    assert [w.shape for w in weights[::2]] == [(784, 100), (100, 100), (100, 100), (100, 100), (100, 10)]
    for w in weights[::2]:
        assert w.std() == pytest.approx(np.sqrt(2 / w.shape[0]), rel=4 / np.sqrt(2 * w.size))
    assert all((b == 0).all() for b in weights[1::2])


# The verdicts.


@pytest.mark.parametrize(
    "adam, expected",
    [
        ([2.0, 0.2, np.inf], "agrees: at both ends"),
        ([2.0, 0.2, 9.0], "agrees: at both ends"),
        ([2.0, 0.2, 1.8], "differs: a hundredfold rate does not diverge with Adam (loss 1.80; nothing learned: 2.30)"),
        ([0.3, 0.2, 9.0], "differs: a hundredth of the rate is not too small for Adam"),
        ([0.2, 0.2, 0.2], "differs: a hundredth of the rate is not too small for Adam; a hundredfold rate does not"),
    ],
)
def test_the_verdict_on_learning_rates_follows_from_the_numbers(adam, expected):
    middle = {"SGD": np.array([2.3, 0.5, 9.0]), "Adam": np.array(adam)}
    assert rates.judge(middle, (0.01, 1.0, 100.0)).startswith(expected)


def test_the_recorded_verdict_on_learning_rates_is_that_of_its_table():
    folder = Path(rates.__file__).parent / "results"
    with open(folder / "learning_rates.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    seeds = [name for name in rows[0] if name.startswith("seed")]
    middle = {
        name: np.array([np.median([float(row[seed]) for seed in seeds]) for row in rows if row["optimiser"] == name])
        for name in NAMES
    }
    assert rates.judge(middle, rates.FACTORS) == json.loads((folder / "learning_rates.json").read_text())["verdict"]


def test_the_verdict_on_the_dcgans_follows_from_the_numbers():
    names = ("SGD", "Momentum", "Adam")
    runs = {"SGD": [50, 60], "Momentum": [20, 49], "Adam": [10, 12]}
    assert dcgan.judge(runs, names) == "agrees: every other optimiser is ahead of SGD in every run"
    assert dcgan.judge(runs | {"Momentum": [20, 51]}, names).endswith(
        "ahead of it Adam; behind none; not told apart Momentum"
    )
    assert dcgan.judge(runs | {"Momentum": [61, 70]}, names).endswith("ahead of it Adam; behind Momentum")


# The rows and the command.


def test_optimizer_formulas_agree():
    row = formulas.optimizer_formulas(QUICK)
    assert row.verdict.startswith("agrees") and max(row.numbers["largest"].values()) < 1e-6
    assert row.numbers["gradients from 1e-5"]["RMSProp"] > 1e-6  # epsilon's place counts there


def test_the_rows():
    assert list(optimizers.ROWS) == [
        "optimizer_paths",
        "optimizers_on_mnist",
        "optimizer_formulas",
        "learning_rates",
        "dcgan_optimizers",
        "momentum_isotropic",
        "vanishing_steps",
        "rate_decay",
    ]


def test_help_is_quick_and_names_the_rows():
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "experiments.optimizers", "--help"], capture_output=True, text=True, check=True
    )
    assert time.monotonic() - start < 3  # about 0.3 s; TensorFlow alone would take longer
    assert "dcgan_optimizers" in done.stdout and "--data_dir" in done.stdout


def test_the_package_is_imported_without_tensorflow():
    code = "import sys, experiments.optimizers; print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
