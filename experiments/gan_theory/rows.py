"""GAN theory by numbers: optimal discriminators, divergences, Algorithm 1 on known densities, collapse, gradients.

This module has gradient play in F(u, v) = uv, the value at the optimal D, and divergences. The other rows have a module
each.
"""

from __future__ import annotations

import math

import numpy as np

from experiments.framework import study
from experiments.framework.study import AGREES, DIFFERS, Options, Row
from experiments.gan_theory.densities import PAIRS, POINTS, STEP, optimal_discriminator, optimal_output, train_for
from experiments.gan_theory.gaussian import algorithm_1, updates_per_player
from experiments.gan_theory.gradients import vanishing_gradients
from experiments.gan_theory.modes import mode_collapse

RATE = 0.1  # learning rate of the players


def growth_factors(rate: float) -> dict[str, float]:
    """The factor by which the distance from (0, 0) grows in a round of each play, in the long run.

    With w = u + iv the gradient is a rotation: simultaneous play is w <- (1 + i rate) w. Each factor is the largest
    modulus of the roots of a polynomial (extragradient: x - (1 + i rate - rate^2); optimistic: x^2 - (1 + 2 i rate) x +
    i rate).
    """
    return {
        "simultaneous": math.hypot(1.0, rate),
        "alternating": 1.0,  # its matrix has determinant 1 and complex eigenvalues for rates below 2
        "extragradient": abs(1 - rate**2 + 1j * rate),
        "optimistic": float(np.abs(np.roots([1, -(1 + 2j * rate), 1j * rate])).max()),
    }


def play(kind: str, rounds: int, rate: float = RATE) -> np.ndarray:
    """Gradient play in F(u, v) = uv from (1, 1), where u minimises and v maximises: float64 [rounds + 1, 2]."""
    u, v = 1.0, 1.0
    last, path = (v, u), [(u, v)]
    for _ in range(rounds):
        if kind == "simultaneous":
            u, v = u - rate * v, v + rate * u
        elif kind == "alternating":
            u = u - rate * v
            v = v + rate * u
        elif kind == "extragradient":
            ahead = u - rate * v, v + rate * u
            u, v = u - rate * ahead[1], v + rate * ahead[0]
        else:  # optimistic: twice this gradient minus the one before
            now = (v, u)
            u, v = u - rate * (2 * now[0] - last[0]), v + rate * (2 * now[1] - last[1])
            last = now
        path.append((u, v))
    return np.array(path)


def gradient_play(options: Options) -> Row:
    """Compare four ways to play with the eigenvalues of their rounds."""
    rounds = 1000
    theory, measured = growth_factors(RATE), {}
    figure = study.new_figure(9, 4.2)
    trajectory, norms = figure.subplots(1, 2)
    for color, kind in zip(study.COLORS, theory):
        path = play(kind, rounds)
        distance = np.linalg.norm(path, axis=1)
        half = rounds // 2
        measured[kind] = float((distance[-1] / distance[half]) ** (1 / (rounds - half)))
        trajectory.plot(*path[:120].T, color=color, label=kind)
        norms.plot(distance, color=color)
    trajectory.plot(0, 0, "k+", markersize=10)
    trajectory.set(xlabel="u", ylabel="v", title="120 rounds from (1, 1)", aspect="equal")
    norms.set(xlabel="round", ylabel="distance from the equilibrium", yscale="log")
    figure.legend(loc="outside lower center", ncols=4)
    error = max(abs(measured[kind] - theory[kind]) for kind in theory)
    good = error < 1e-3 and measured["simultaneous"] > 1.0 > max(measured["extragradient"], measured["optimistic"])
    return Row(
        "Nash equilibrium of F(u, v) = uv",
        "optimum u = v = 0; gradient play does not converge",
        f"distance a round at rate {RATE}: " + ", ".join(f"{k} x {m:.5f}" for k, m in measured.items()),
        "none: no chance in it; eigenvalues " + ", ".join(f"{t:.5f}" for t in theory.values()),
        f"{AGREES}: simultaneous play leaves, alternating circles, extragradient and optimistic arrive"
        if good
        else DIFFERS,
        {"measured": measured, "theory": theory},
        [["play", "measured", "eigenvalue"], *([k, measured[k], theory[k]] for k in theory)],
        {"gradient_play": figure},
    )


def integral(values: np.ndarray) -> float:
    """Integral over POINTS of a function's values there."""
    return float(values.sum() * STEP)


def entropy(p: np.ndarray) -> float:
    """Differential entropy, nats."""
    return -integral(np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0))


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || q), nats; inf if p has mass where q has none."""
    if integral(np.where(q <= 0, p, 0.0)) > 1e-9:
        return math.inf
    inside = (p > 0) & (q > 0)
    return integral(np.where(inside, p * np.log(np.where(inside, p, 1.0) / np.where(inside, q, 1.0)), 0.0))


def js(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen-Shannon divergence, nats, by entropies: that of the mixture minus the mean of both."""
    return entropy(0.5 * (p + q)) - 0.5 * (entropy(p) + entropy(q))


def value(d: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    """V = E_p log D + E_q log(1 - D), nats."""
    tiny = 1e-300
    return integral(p * np.log(np.maximum(d, tiny))) + integral(q * np.log(np.maximum(1 - d, tiny)))


def value_at_optimum(options: Options) -> Row:
    """Compute V by quadrature at D*, at other D and at a trained D, and compare with the formula."""
    found, outputs, rng = {}, train_for(options), np.random.default_rng(0)
    for name, (first, second) in PAIRS.items():
        p, q = first(POINTS), second(POINTS)
        best = optimal_output(p, q)
        # Any other D has a lower value; here the logit of D* is changed by smooth waves.
        logit = np.log(np.clip(best, 1e-12, 1 - 1e-12)) - np.log(np.clip(1 - best, 1e-12, 1 - 1e-12))
        others = [
            value(1 / (1 + np.exp(-(logit + a * np.sin(f * POINTS + s)))), p, q)
            for a, f, s in rng.uniform((0.1, 0.1, 0), (2, 3, 6), (20, 3))
        ]
        found[name] = {
            "value": value(best, p, q),
            "formula": -math.log(4) + 2 * js(p, q),
            "best_of_others": max(others),
            "trained": [value(output, p, q) for output in outputs[name]],
        }
    short = max(abs(v - f["formula"]) for f in found.values() for v in f["trained"])
    error = max(abs(f["value"] - f["formula"]) for f in found.values())
    good = error < 1e-4 and all(f["best_of_others"] < f["value"] + 1e-9 for f in found.values())
    good &= short < (0.05 if options.quick else 0.01)
    good &= abs(found["equal"]["value"] + math.log(4)) < 1e-6 and min(f["value"] for f in found.values()) > -1.386295
    return Row(
        "V(G, D*) on five pairs of densities",
        "-log 4 + 2 JS; least -log 4 = -1.386294, where p_g = p_data",
        ", ".join(f"{name} {f['value']:.6f}" for name, f in found.items())
        + f"; from the formula by {error:.1e} at most; of a trained D by {short:.5f} nats at most",
        f"none: by quadrature; 20 other D a pair, all with less; {len(found['equal']['trained'])} trained ones a pair",
        AGREES if good else DIFFERS,
        found,
        [["pair", "V(G, D*)", "-log 4 + 2 JS", "best of 20 others", "trained"]]
        + [[n, *list(f.values())[:3], float(np.mean(f["trained"]))] for n, f in found.items()],
    )


def divergences(options: Options) -> Row:
    """Compute KL both ways and JS of five pairs of densities."""
    found = {}
    for name, (first, second) in PAIRS.items():
        p, q = first(POINTS), second(POINTS)
        found[name] = {"kl": kl(p, q), "kl_reversed": kl(q, p), "js": js(p, q)}
    kls = [f[k] for f in found.values() for k in ("kl", "kl_reversed")]
    apart = found["narrow in wide"]
    good = min(kls) > -1e-9 and abs(apart["kl"] - apart["kl_reversed"]) > 0.1
    good &= all(-1e-9 < f["js"] < math.log(2) + 1e-6 for f in found.values())
    good &= abs(found["disjoint"]["js"] - math.log(2)) < 1e-6
    return Row(
        "Kullback-Leibler and Jensen-Shannon divergence",
        "KL >= 0, not symmetric; JS in [0, log 2], log 2 for disjoint supports",
        "; ".join(f"{n}: KL {f['kl']:.4f} and {f['kl_reversed']:.4f}, JS {f['js']:.4f}" for n, f in found.items()),
        "none: by quadrature",
        AGREES if good else DIFFERS,
        {n: {k: v if math.isfinite(v) else "inf" for k, v in f.items()} for n, f in found.items()},
        [["pair", "KL(p || q)", "KL(q || p)", "JS"], *([n, *f.values()] for n, f in found.items())],
    )


ROWS: study.Rows = study.name_rows(
    updates_per_player,
    gradient_play,
    mode_collapse,
    vanishing_gradients,
    optimal_discriminator,
    value_at_optimum,
    divergences,
    algorithm_1,
)
