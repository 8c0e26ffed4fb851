"""Initial weights: how signals and gradients pass through deep networks, and through a DCGAN.

This module has the rows of the notes, whose networks are matrices and an activation. The other rows have a module each.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from experiments.framework import study
from experiments.framework.study import AGREES, DIFFERS, Options, Row
from experiments.initialization.dcgan import dcgan_initialization
from experiments.initialization.histograms import activation_histograms
from experiments.initialization.inputs import equal_weights, input_mean
from experiments.initialization.layers import convolution_fans, framework_defaults
from experiments.initialization.variance import forward_backward, he, predict, xavier

CHANGED = "(in version 0.1.0 compared with 3^-50, by the deviation of one run)"
WIDTH, DEPTH = 512, 100  # of the notes' networks
E1_MEAN, E1_STD = 3.7062e-26, 9.9671e-25  # published
Draw = Callable[[np.random.Generator], np.ndarray]


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


def uniform(bound: float) -> Draw:
    """Square weights ~ U[-bound, bound], of variance bound^2 / 3."""
    return lambda rng: rng.uniform(-bound, bound, (WIDTH, WIDTH)).astype(np.float32)


def normal(std: float) -> Draw:
    """Square weights ~ N(0, std^2)."""
    return lambda rng: std * rng.standard_normal((WIDTH, WIDTH), dtype=np.float32)


def propagate(activation: Callable, weights: Draw, seed: int, depth: int = DEPTH) -> np.ndarray:
    """Propagate one input ~ N(0, 1) through `depth` layers: float64 [WIDTH]."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(WIDTH)
    for _ in range(depth):
        x = activation(weights(rng).astype(np.float64) @ x)
    return x


def count_runs(options: Options) -> int:
    """Number of runs; the notes' one number is a draw from their distribution."""
    return 20 if options.quick else max(options.seeds, 200)


def expected_log_std(activation: str) -> float:
    """The mean over runs of ln std after `DEPTH` layers with weights U(-1, 1) / sqrt(WIDTH), inputs ~ N(0, 1).

    The mean square follows the recursion of infinitely wide layers. In layers of n units it is a mean of n squares,
    whose logarithm is less than that of the expectation by 1 / n on average.
    """
    signal, _ = predict("±1/√n", activation, [WIDTH] * (DEPTH + 1))
    return 0.5 * (math.log(signal[-1]) - (DEPTH + 1) / WIDTH)


def judge_tanh(logs: np.ndarray) -> tuple[str, dict[str, float]]:
    """The verdict on ln std of the runs, and the numbers behind it.

    The mean of the runs must be within 3 standard errors of the expected one, which an identity in place of tanh is
    not, and the notes' one run within 3 standard deviations of the runs.
    """
    error = logs.std(ddof=1) / math.sqrt(len(logs))
    numbers = {
        "expected": (expected_log_std("tanh") - logs.mean()) / error,
        "identity": (expected_log_std("linear") - logs.mean()) / error,
        "3^-50": (-0.5 * DEPTH * math.log(3.0) - logs.mean()) / error,
        "published": (math.log(E1_STD) - logs.mean()) / logs.std(ddof=1),
        # Of a mean of WIDTH independent values: about N(0, 1).
        "published mean": E1_MEAN / E1_STD * math.sqrt(WIDTH),
    }
    if max(abs(numbers[name]) for name in ("expected", "published", "published mean")) >= 3:
        return f"{DIFFERS}: more than 3 standard errors from the recursion, or 3 sigma from the notes' run", numbers
    return (
        f"{AGREES}: with the recursion of tanh; 3^-50, its limit for small values, lies {numbers['3^-50']:+.0f} "
        f"standard errors from the mean, as tanh makes the first layers' values smaller {CHANGED}",
        numbers,
    )


def tanh_100_layers(options: Options) -> Row:
    """Compare the notes' standard deviation with the distribution over runs, and that with the recursion of tanh."""
    values = [propagate(np.tanh, uniform(math.sqrt(1 / WIDTH)), seed) for seed in range(count_runs(options))]
    logs = np.log([v.std() for v in values])
    verdict, numbers = judge_tanh(logs)
    figure = study.new_figure(9, 3.6)
    axes = figure.subplots()
    axes.hist(logs / math.log(10), bins=25, color=study.COLORS[0], label=f"{len(logs)} runs")
    axes.axvline(math.log10(E1_STD), color=study.COLORS[1], label="the notes' run")
    axes.axvline(expected_log_std("tanh") / math.log(10), color="k", label="recursion of tanh")
    axes.axvline(-0.5 * DEPTH * math.log10(3.0), color="k", linestyle="--", label="3^-50")
    axes.set(xlabel="log10 of the standard deviation after 100 layers of tanh", ylabel="runs")
    axes.legend(frameon=False)
    return Row(
        "100 layers of tanh, weights U(-1, 1) / sqrt(512)",
        f"mean {E1_MEAN}, std {E1_STD}; theory 3^-50 = 1.4e-24",
        f"std {math.exp(logs.mean()):.3g} (geometric mean), expected {math.exp(expected_log_std('tanh')):.3g}",
        f"factor {math.exp(logs.std(ddof=1)):.2f} either way ({len(logs)} runs); in standard errors from the mean of "
        f"ln std: the recursion of tanh {numbers['expected']:+.1f}, without tanh {numbers['identity']:+.1f}; the "
        f"notes' run {numbers['published']:+.1f} sigma of one run, its mean {numbers['published mean']:.1f} from 0",
        verdict,
        {"log_std": logs.tolist()} | numbers,
        figures={"tanh_100_layers": figure},
    )


def xavier_100_layers(options: Options) -> Row:
    """Propagate through 100 layers of tanh with Xavier's weights."""
    bound = math.sqrt(6 / (2 * WIDTH))
    stds = np.array([propagate(np.tanh, uniform(bound), seed).std() for seed in range(count_runs(options) // 4)])
    # n Var(w) = 1 and tanh(x) = x - x^3 / 3: the variance q falls by 2 q^2 a layer, to 1 / (2 depth).
    theory = math.sqrt(1 / (2 * DEPTH))
    return Row(
        "the same with Xavier's uniform weights",
        "keeps the signal",
        f"std {stds.mean():.3f} after {DEPTH} layers; 1 / sqrt(2 depth) = {theory:.3f}",
        f"{stds.std():.3f} ({len(stds)} runs)",
        f"{AGREES}: it falls like 1 / sqrt(depth), not exponentially" if 0.5 < stds.mean() / theory < 2 else DIFFERS,
        {"std": stds.tolist(), "theory": theory},
    )


def relu_100_layers(options: Options) -> Row:
    """Propagate through 100 layers of ReLU with Xavier's and Kaiming's weights."""
    kinds = {"Xavier": math.sqrt(1 / WIDTH), "Kaiming": math.sqrt(2 / WIDTH)}
    theory = {
        "Xavier": -0.5 * DEPTH * math.log(2.0),
        "Kaiming": 0.0,
    }  # of the logarithm of the root mean square: ReLU sets half the units to 0
    logs = {}
    for kind, std in kinds.items():
        every = [propagate(relu, normal(std), seed) for seed in range(count_runs(options) // 4)]
        logs[kind] = np.log([math.sqrt(np.mean(np.square(x))) for x in every])
    good = all(abs(logs[kind].mean() - theory[kind]) < 3 * logs[kind].std() for kind in kinds)
    shown = {kind: f"{kind} {math.exp(values.mean()):.2g}" for kind, values in logs.items()}
    return Row(
        "100 layers of ReLU, Xavier's and Kaiming's weights",
        "Xavier vanishes, Kaiming keeps the signal",
        f"root mean square {', '.join(shown.values())}; theory 2^-50 = 8.9e-16 and 1",
        ", ".join(f"{kind} factor {math.exp(v.std()):.2f}" for kind, v in logs.items())
        + f" ({count_runs(options) // 4} runs)",
        AGREES if good else f"{DIFFERS}: more than 3 sigma from theory",
        {kind: values.tolist() for kind, values in logs.items()},
    )


def variance_product(options: Options) -> Row:
    """Compare the mean square through linear layers with (n Var(w))^k."""
    depths, factors = np.arange(1, 51), (0.5, 1.0, 2.0)
    figure = study.new_figure(9, 3.6)
    axes, slopes, seeds = figure.subplots(), {}, range(options.seeds)
    for color, factor in zip(study.COLORS, factors):
        moments = np.zeros((len(seeds), len(depths)))
        for seed in seeds:
            rng = np.random.default_rng(seed)
            x, weights = rng.standard_normal(WIDTH), normal(math.sqrt(factor / WIDTH))
            for k in range(len(depths)):
                x = weights(rng) @ x
                moments[seed, k] = np.mean(np.square(x))
        slopes[factor] = [float(np.polyfit(depths, np.log(m), 1)[0]) for m in moments]
        axes.fill_between(depths, moments.min(axis=0), moments.max(axis=0), color=color, alpha=0.4)
        axes.plot(depths, factor**depths, "--", color=color, label=f"{factor:g}^k")
    axes.set(xlabel="layers k", ylabel="mean square", yscale="log")
    axes.legend(frameon=False, title="bands: measured; lines: (n Var)^k")
    errors = {f: abs(np.mean(s) - math.log(f)) for f, s in slopes.items()}
    return Row(
        "variance through k linear layers",
        "(n Var(w))^k: explodes above 1, vanishes below",
        "growth a layer " + ", ".join(f"{math.exp(np.mean(s)):.3f} for {f:g}" for f, s in slopes.items()),
        f"{max(np.std(s) for s in slopes.values()):.3f} of ln ({options.seeds} seeds)",
        AGREES if max(errors.values()) < 0.05 else DIFFERS,
        {str(f): s for f, s in slopes.items()},
        figures={"variance_product": figure},
    )


ROWS: study.Rows = study.name_rows(
    xavier,
    he,
    input_mean,
    variance_product,
    forward_backward,
    equal_weights,
    activation_histograms,
    tanh_100_layers,
    xavier_100_layers,
    relu_100_layers,
    framework_defaults,
    convolution_fans,
    dcgan_initialization,
)
