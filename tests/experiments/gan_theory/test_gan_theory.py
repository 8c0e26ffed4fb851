"""Games and divergences against closed forms."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from experiments.framework.study import Options
from experiments.gan_theory import densities, gaussian, modes, players
from experiments.gan_theory import rows as theory

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


@pytest.mark.parametrize("kind", theory.growth_factors(0.1))
@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_a_round_is_its_matrix_and_the_factor_its_largest_eigenvalue(kind, rate):
    m = matrix(kind, rate)
    state = np.array([1.0, 1.0, 1.0, 1.0])[: len(m)]
    path = theory.play(kind, 5, rate)
    for u, v in path[1:]:
        state = m @ state
        np.testing.assert_allclose((u, v), state[:2], rtol=1e-12)
    assert theory.growth_factors(rate)[kind] == pytest.approx(np.abs(np.linalg.eigvals(m)).max(), rel=1e-12)


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


TOO_SHORT = ("updates_per_player", "mode_collapse")  # these effects take more rounds than the quick form has


@pytest.mark.parametrize("name", theory.ROWS)
def test_the_quick_rows_agree_or_are_too_short_to(name):
    row = theory.ROWS[name](QUICK)
    if name == "algorithm_1":
        assert row.verdict.startswith("differs: it ")
    elif name not in TOO_SHORT:
        assert row.verdict.partition(":")[0] == "agrees"
    assert row.figures or row.table


def read_record(name):
    return json.loads((Path(theory.__file__).parent / "results" / f"{name}.json").read_text())


def test_the_verdict_on_updates_follows_from_the_recorded_numbers_and_can_fail():
    kept = read_record("updates_per_player")
    gap = {name: np.mean(parts["gap"], axis=0) for name, parts in kept["numbers"].items()}
    late = {name: np.median(parts["js"][-12:], axis=0) for name, parts in kept["numbers"].items()}
    assert gaussian.judge(gap, late) == kept["verdict"] and kept["verdict"].startswith("agrees")
    assert "more updates of D do not bring G nearer" in kept["verdict"]
    one, more_d, more_g = gap
    assert "more updates of D bring G nearer" in gaussian.judge(gap, late | {more_d: 0.1 * late[one]})
    assert gaussian.judge(gap | {more_d: gap[one]}, late) == "differs"
    more = np.append(gap[more_g], gap[one].min())  # one seed is enough
    assert gaussian.judge(gap | {more_g: more}, late) == "differs"


def test_the_verdict_on_algorithm_1_follows_from_the_recorded_numbers_and_can_change():
    kept = read_record("algorithm_1")
    numbers = {name: np.array(kept["numbers"][name]) for name in ("js", "floor")}
    first, late, floor = numbers["js"][0], numbers["js"][-kept["numbers"]["last"] :], numbers["floor"]
    assert gaussian.judge_end(first, late, floor) == kept["verdict"]
    assert kept["verdict"].startswith("differs: it comes near and circles")
    assert gaussian.judge_end(first, late * 0 + 1.5 * floor, floor).startswith("agrees")
    far = late.copy()
    far[:, 0] = 0.5 * first[0]  # one game is enough
    assert gaussian.judge_end(first, far, floor) == "differs: it does not come near"


def test_the_sampling_floor_is_that_of_a_histogram():
    """2 n KL is about chi-squared with as many degrees of freedom as bins, and JS is KL / 4 of a small difference."""
    inside = (gaussian.COUNT * gaussian.WIDTH * densities.gaussian(3.0, 0.7)(gaussian.CENTERS) > 1).sum()
    floor = gaussian.sampling_floor(range(20)).mean()
    assert floor == pytest.approx(inside / (8 * gaussian.COUNT), rel=0.3)


def test_settings_fail_collapse_or_cover():
    assert modes.describe(np.array([1, 0]), np.array([0.9, 0.03]), 8) == "fails"
    assert modes.describe(np.array([4, 2]), np.array([0.9, 0.5]), 8) == "collapses"
    assert modes.describe(np.array([4, 5]), np.array([0.9, 0.5]), 8) == "in between"
    assert modes.describe(np.array([8, 6]), np.array([0.9, 0.5]), 8) == "covers"


def test_the_verdict_on_collapse_follows_from_the_recorded_numbers_and_can_fail():
    kept = read_record("mode_collapse")
    last = {tuple(play.split(", ", 1)): np.array(n["history"])[-1] for play, n in kept["numbers"].items()}
    counts = {"ring of 8": 8, "grid of 25": 25}
    assert modes.judge(last, counts) == kept["verdict"]
    assert kept["verdict"].startswith("agrees: collapsed: grid of 25, D 1, G 1, faster D; with the penalty")
    control, penalty = ("grid of 25", "D 1, G 1, faster D"), ("grid of 25", "D 1, G 1, faster D, penalty")
    assert modes.judge(last | {control: last[penalty]}, counts) == "differs"  # nothing collapses
    assert modes.judge(last | {control: last["grid of 25", "D 1, G 5"]}, counts) == "differs"  # failing is not enough
    assert modes.judge(last | {penalty: last[control]}, counts) == "differs"  # the penalty does not help
    assert modes.judge(last | {penalty: last[control]}, counts, too_short=True) == "differs: too few rounds"


def test_no_trained_discriminator_exceeds_the_value_at_the_optimum():
    """V by quadrature at five trained networks is at most the formula's -log 4 + 2 JS."""
    for name, outputs in densities.train_for(QUICK).items():
        p, q = (density(theory.POINTS) for density in theory.PAIRS[name])
        for output in outputs:
            assert theory.value(output, p, q) <= -math.log(4) + 2 * theory.js(p, q) + 1e-6


def test_the_region_of_a_gaussian_is_its_central_interval():
    p = densities.gaussian(1.0, 2.0)(theory.POINTS)
    held = theory.POINTS[densities.region(p, p)]
    # 95 % of a Gaussian lie within 1.959964 standard deviations.
    assert held.min() == pytest.approx(1 - 2 * 1.959964, abs=1e-3)
    assert held.max() == pytest.approx(1 + 2 * 1.959964, abs=1e-3)


def test_quantiles_of_a_gaussian_and_of_a_box():
    shares = np.array([0.025, 0.5, 0.975])
    p = densities.gaussian(1.0, 2.0)(theory.POINTS)
    np.testing.assert_allclose(densities.quantiles(p, shares), 1 + 2 * 1.959964 * np.array([-1, 0, 1]), atol=1e-3)
    p = densities.box(-4, -2)(theory.POINTS)
    np.testing.assert_allclose(densities.quantiles(p, shares), -4 + 2 * shares, atol=1e-3)


def test_modes_are_counted_by_hand():
    centers = np.array([[0.0, 0], [10, 0], [0, 10]])
    # 97 at the first mode; 2 at the second, fewer than a tenth of its share, 3.33; 1 at none.
    points = np.concatenate([np.zeros((97, 2)), [[10, 0.1], [10.2, 0]], [[5, 5]]])
    assert modes.count_modes(points, centers, 0.1) == (1, 0.99)
    assert modes.count_modes(np.repeat(centers, 4, axis=0), centers, 0.1) == (3, 1.0)


def apply_by_hand(game, seed, x, network):
    """A player's output in NumPy, float64 [N, outputs]."""
    w = [v.numpy()[seed].astype(np.float64) for v in network.weights]
    for k in range(0, len(w), 2):
        x = x @ w[k] + w[k + 1]
        x = np.maximum(x, 0) if k < len(w) - 2 else x
    return x


@pytest.fixture(scope="module")
def game():
    setting = players.Setting(penalty=0.3, g_steps=2)
    return players.Game(players.gaussian_mixture(players.ring(), 0.05), 2, setting, range(2), hidden=8)


def test_each_seeds_players_are_their_own_networks(game):
    x = np.random.default_rng(0).standard_normal((2, 5, 2))
    for seed in range(2):
        np.testing.assert_allclose(
            game.d(x.astype("float32"))[seed], apply_by_hand(game, seed, x[seed], game.d), rtol=1e-4, atol=1e-6
        )


def test_losses_are_their_formulas(game):
    rng = np.random.default_rng(1)
    real, fake = rng.standard_normal((2, 2, 6, 2))
    d_loss = game.d_loss(*(players.tf.constant(v, players.tf.float32) for v in (real, fake))).numpy()
    for seed in range(2):
        d_real, d_fake = (1 / (1 + np.exp(-apply_by_hand(game, seed, v[seed], game.d))) for v in (real, fake))
        slopes = np.stack(
            [
                (
                    apply_by_hand(game, seed, real[seed] + 1e-6 * e, game.d)
                    - apply_by_hand(game, seed, real[seed] - 1e-6 * e, game.d)
                )[:, 0]
                / 2e-6
                for e in np.eye(2)
            ]
        )
        expected = -np.log(d_real).mean() - np.log(1 - d_fake).mean() + 0.15 * np.mean(np.sum(slopes**2, axis=0))
        assert d_loss[seed] == pytest.approx(expected, rel=1e-4)
        shown = players.tf.constant(fake, players.tf.float32)
        assert float(game.g_loss(shown, "saturating")[seed]) == pytest.approx(np.log(1 - d_fake).mean(), rel=1e-4)
        assert float(game.g_loss(shown)[seed]) == pytest.approx(-np.log(d_fake).mean(), rel=1e-4)


def test_the_penalty_of_a_linear_discriminator_is_known():
    """The gradient of D(x) = a.x is a everywhere: the penalty is half its weight times |a|^2, whatever the points."""
    tf = players.tf
    linear, plain = (
        players.Game(players.gaussian_mixture(players.ring(), 0.05), 2, players.Setting(penalty=p), range(2), hidden=8)
        for p in (0.3, 0.0)
    )
    for game in (linear, plain):
        game.d = players.Players((2, 1), range(2), 1)
    real, fake = tf.random.stateless_normal((2, 2, 6, 2), (1, 2))
    added = (linear.d_loss(real, fake) - plain.d_loss(real, fake)).numpy()
    slopes = linear.d.weights[0].numpy()[..., 0]
    np.testing.assert_allclose(added, 0.15 * np.sum(slopes**2, axis=1), rtol=1e-4)


def test_one_seed_alone_plays_as_beside_others():
    """The same seed, alone and as the second of two, after three rounds; other rounds draw other points."""
    tf, real = players.tf, players.gaussian_mixture(players.ring(), 0.05)
    outcomes = []
    for seeds in (range(1, 2), range(2)):
        played = players.Game(real, 2, players.Setting(), seeds, hidden=8)
        played.play(tf.constant(0), tf.constant(3))
        outcomes.append(played.generate(4)[-1])
    np.testing.assert_allclose(*outcomes, rtol=1e-4, atol=1e-5)
    assert np.abs(played.z(4, 0, 0, 3) - played.z(4, 1, 0, 3)).min() > 1e-4


def test_the_mixtures_points_lie_at_their_centers():
    real = players.gaussian_mixture(players.grid(), 0.1)(range(1), 25_000, players.tf.constant(5))[0].numpy()
    centers = players.grid()
    nearest = np.linalg.norm(real[:, None] - centers, axis=-1).argmin(axis=1)
    counts = np.bincount(nearest, minlength=25)
    assert np.abs(counts - 1000).max() < 5 * math.sqrt(1000)
    # 0.1 in each of two directions; 5 standard errors of 50,000 values.
    assert (real - centers[nearest]).std() == pytest.approx(0.1, rel=5 / math.sqrt(2 * 50_000))
