"""What the source says of steps in passing: momentum where no axis is steeper, vanishing updates, falling rates."""

from __future__ import annotations

import math

import numpy as np

from experiments.framework.study import AGREES, COLORS, DIFFERS, Options, Row, new_figure
from experiments.optimizers.formulas import MOMENTUM, OF_NAME, RATES, iterate_framework, make_optimizer
from experiments.optimizers.surface import RATES as SURFACE_RATES
from experiments.optimizers.surface import START, count_opposed, trajectory

BOWL_RATES, UPDATES = (0.001, 0.01, 0.1), 200
NOISY = 0.1  # the constant rate on a noisy parabola
SLOPE = 0.03  # tolerance of an exponent


def decay_factor(name: str, rate: float) -> float:
    """The factor an update by which SGD or Momentum comes nearer to the minimum of |w|^2 / 2, in the long run.

    Momentum's W follows w'' = (1 + alpha - rate) w' - alpha w: the largest modulus of the roots of z^2 - (1 + alpha -
    rate) z + alpha, which are complex, so that W swings, where rate is above (1 - sqrt(alpha))^2.
    """
    if name == "SGD":
        return abs(1 - rate)
    return float(np.abs(np.roots([1, -(1 + MOMENTUM - rate), MOMENTUM])).max())


def descend_bowl(name: str, rate: float) -> np.ndarray:
    """The framework's path on (x^2 + y^2) / 2 from `START`: float64 [UPDATES + 1, 2]."""
    start = np.array(START)
    ways = iterate_framework(make_optimizer(name, rate), start, lambda w: w)
    return np.array([start, *(w.copy() for _, w in zip(range(UPDATES), ways))])


def fit_factor(x: np.ndarray) -> float:
    """The largest modulus of the roots of the recursion x'' = a x' + b x that fits a path best, [n]."""
    (a, b), *_ = np.linalg.lstsq(np.stack([x[1:-1], x[:-2]], axis=1), x[2:], rcond=None)
    return float(np.abs(np.roots([1, -a, -b])).max())


def judge_bowl(swings: dict[float, int], factors: dict[tuple[str, float], float]) -> str:
    """The verdict on "no swings, only acceleration".

    Args:
      swings: rate -> changes of the sign of x by Momentum.
      factors: (name, rate) -> the factor of |w| an update.
    """
    swinging = [rate for rate, count in swings.items() if count]
    slower = [rate for rate in swings if factors["Momentum", rate] > factors["SGD", rate]]
    if not swinging and not slower:
        return f"{AGREES}: Momentum never swings and is always faster"
    limit = (1 - math.sqrt(MOMENTUM)) ** 2
    return (
        f"{DIFFERS}: Momentum swings through the minimum at rates above (1 - sqrt 0.9)² = {limit:.4f} (here at "
        f"{', '.join(map(str, swinging))}), along both axes at once, and is the faster one below "
        f"1 - sqrt 0.9 = {1 - math.sqrt(MOMENTUM):.3f} only (slower here at {', '.join(map(str, slower)) or 'none'})"
    )


def momentum_isotropic(options: Options) -> Row:
    """Compare SGD and Momentum on a round bowl with the roots of their recursions; answer the source's question."""
    kinds = [(name, rate) for name in ("SGD", "Momentum") for rate in BOWL_RATES]
    paths = {kind: descend_bowl(*kind) for kind in kinds}
    measured = {kind: fit_factor(path[:, 0]) for kind, path in paths.items()}
    theory = {kind: decay_factor(*kind) for kind in kinds}
    swings = {rate: int((np.diff(np.sign(paths["Momentum", rate][:, 0])) != 0).sum()) for rate in BOWL_RATES}
    valley = trajectory("Momentum", SURFACE_RATES["Momentum"])
    larger = count_opposed(valley, SURFACE_RATES["Momentum"])
    figure = new_figure(9, 3.8)
    for axis, rate in zip(figure.subplots(1, len(BOWL_RATES), sharey=True), BOWL_RATES):
        for name in ("SGD", "Momentum"):
            axis.plot(paths[name, rate][:, 0], color=OF_NAME[name], label=name)
        axis.axhline(0, color="0.6", linewidth=0.8)
        axis.set(title=f"rate {rate:g}", xlabel="update")
        axis.grid(alpha=0.3)
    figure.axes[0].set_ylabel("x")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return Row(
        title="Momentum on (x² + y²) / 2, equally steep in all directions",
        published="no swings along an axis, as all movement is towards 0 from one side, so that momentum only "
        "accelerates (not certain, as the notes say); open: can the gradient's step be smaller than the momentum term?",
        ours="factor of the distance an update "
        + ", ".join(f"{name} {rate:g}: {measured[name, rate]:.4f}" for name, rate in kinds)
        + f"; changes of sign of x in {UPDATES} updates by Momentum "
        + ", ".join(f"{count} (rate {rate:g})" for rate, count in swings.items())
        + f"; open question: yes, on x² / 20 + y² in y at {larger} of {len(valley) - 2} updates the momentum term "
        "opposes the gradient's step and is larger",
        spread="none: no chance in it; by the roots of the recursion "
        + ", ".join(f"{name} {rate:g}: {theory[name, rate]:.4f}" for name, rate in kinds),
        verdict=judge_bowl(swings, theory),
        numbers={
            "measured": {f"{name}, {rate}": value for (name, rate), value in measured.items()},
            "theory": {f"{name}, {rate}": value for (name, rate), value in theory.items()},
            "swings": {str(rate): count for rate, count in swings.items()},
            "momentum above the step it opposes, on the valley": larger,
        },
        table=[["optimiser", "rate", "factor", "by the roots"]]
        + [[*kind, f"{measured[kind]:.6f}", f"{theory[kind]:.6f}"] for kind in kinds],
        figures={"momentum_isotropic": figure},
    )


def measure_steps(name: str, updates: int, seed: int) -> np.ndarray:
    """Mean size of each update of 100 weights by the framework, gradients ~ N(0, 1), over the rate: [updates]."""
    gradients = iter(np.random.default_rng(seed).standard_normal((updates, 100)))
    ways = iterate_framework(make_optimizer(name, RATES[name]), np.zeros(100), lambda _: next(gradients))
    path = np.array([np.zeros(100), *(w.copy() for _, w in zip(range(updates), ways))])
    return np.abs(np.diff(path, axis=0)).mean(axis=1) / RATES[name]


def exponent(sizes: np.ndarray) -> float:
    """The exponent of t in the size of update t, fitted from a tenth of the updates on."""
    t = np.arange(1, len(sizes) + 1)
    late = slice(len(sizes) // 10, None)
    return float(np.polyfit(np.log(t[late]), np.log(sizes[late]), 1)[0])


def judge_steps(exponents: dict[str, list[float]]) -> str:
    """The verdict on "AdaGrad's updates go to 0, RMSProp's do not": the exponents of t must be -1/2 and 0."""
    expected = {"AdaGrad": -0.5, "RMSProp": 0.0}
    if any(abs(value - expected[name]) > SLOPE for name, values in exponents.items() for value in values):
        return DIFFERS
    return f"{AGREES}: as 1 / sqrt(t); the way that AdaGrad goes in all still grows without bound, as sqrt(t)"


def vanishing_steps(options: Options) -> Row:
    """Measure the size of updates by AdaGrad and RMSProp over thousands of updates with gradients of one size."""
    updates = 500 if options.quick else 2000
    sizes = {n: [measure_steps(n, updates, seed) for seed in range(options.few)] for n in ("AdaGrad", "RMSProp")}
    exponents = {name: [exponent(s) for s in runs] for name, runs in sizes.items()}
    figure = new_figure(9, 3.8)
    axis = figure.subplots()
    for name, runs in sizes.items():
        axis.plot(np.arange(1, updates + 1), np.mean(runs, axis=0), color=OF_NAME[name], label=name, linewidth=0.8)
    t = np.arange(1, updates + 1)
    axis.plot(t, math.sqrt(2 / math.pi) / np.sqrt(t), "k--", label="sqrt(2 / pi) / sqrt(t)")
    axis.set(xscale="log", yscale="log", xlabel="update t", ylabel="mean size over the rate")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    return Row(
        title="size of updates by AdaGrad and RMSProp, gradients ~ N(0, 1)",
        published="AdaGrad's updates go to 0, as it adds up all squares; RMSProp forgets, and its updates do not",
        ours="exponent of t: "
        + ", ".join(f"{name} {np.mean(values):.3f}" for name, values in exponents.items())
        + f"; size of update {updates:,} over the rate: "
        + ", ".join(
            f"{name} {np.mean([s[-updates // 10 :].mean() for s in runs]):.3f}" for name, runs in sizes.items()
        ),
        spread=", ".join(f"{name} [{min(v):.3f}, {max(v):.3f}]" for name, v in exponents.items())
        + f" ({options.few} seeds)",
        verdict=judge_steps(exponents),
        numbers={"exponents": exponents, "updates": updates},
        figures={"vanishing_steps": figure},
    )


def schedules(steps: int) -> dict[str, np.ndarray]:
    """Learning rates of each step, float64 [steps]."""
    t = np.arange(1, steps + 1)
    return {
        f"constant {NOISY:g}": np.full(steps, NOISY),
        f"{NOISY:g} falling to 0": NOISY * (1 - (t - 1) / steps),
        "1 / t": 1.0 / t,
    }


def expected_squares(rates: np.ndarray) -> np.ndarray:
    """E[w^2] after each step of SGD on w^2 / 2 with noise N(0, 1) in the gradient, from 1: v <- (1 - r)^2 v + r^2."""
    values, square = [], 1.0
    for rate in rates:
        square = (1 - rate) ** 2 * square + rate**2
        values.append(square)
    return np.array(values)


def judge_decay(measured: dict[str, np.ndarray], expected: dict[str, np.ndarray], runs: int) -> str:
    """The verdict on "much at first, then little": nearer at the end than with the constant rate, and as expected.

    The mean of `runs` squares of normal values has the relative standard error sqrt(2 / runs); 4 of these.
    """
    constant, *falling = measured
    off = max(abs(measured[name][-1] / expected[name][-1] - 1) for name in measured)
    better = all(measured[name][-1] < 0.5 * measured[constant][-1] for name in falling)
    if off > 4 * math.sqrt(2 / runs) or not better:
        return DIFFERS
    return f"{AGREES}: with a constant rate the noise of the gradients remains, rate / (2 - rate) of it"


def rate_decay(options: Options) -> Row:
    """Compare SGD's distance from the minimum with constant and falling rates, where gradients are noisy."""
    steps, runs = 1000, 200 if options.quick else 4000
    measured, expected = {}, {}
    for name, rates in schedules(steps).items():
        draw, w, squares = np.random.default_rng(0), np.ones(runs), []
        for rate in rates:
            w = w - rate * (w + draw.standard_normal(runs))
            squares.append(np.mean(w**2))
        measured[name], expected[name] = np.array(squares), expected_squares(rates)
    figure = new_figure(9, 3.8)
    axis = figure.subplots()
    for color, (name, squares) in zip(COLORS, measured.items()):
        axis.plot(squares, color=color, label=name, linewidth=1)
        axis.plot(expected[name], "k:", linewidth=1)
    axis.plot([], [], "k:", label="by the recursion")
    axis.set(yscale="log", xlabel="step", ylabel="mean square distance from the minimum")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right center")
    return Row(
        title="learning-rate decay: SGD on w² / 2, gradients with noise N(0, 1)",
        published="the learning rate is often made smaller as learning goes on: learn much at first, then little",
        ours=f"mean square distance after {steps:,} steps: "
        + ", ".join(
            f"{values[-1]:.4g} ({name}; expected {expected[name][-1]:.4g})" for name, values in measured.items()
        ),
        spread=f"{math.sqrt(2 / runs):.1%} standard error ({runs:,} runs)",
        verdict=judge_decay(measured, expected, runs),
        numbers={name: {"measured": values[-1], "expected": expected[name][-1]} for name, values in measured.items()},
        figures={"rate_decay": figure},
    )
