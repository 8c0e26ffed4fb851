"""Initial weights: how signals and gradients pass through deep networks, and through a DCGAN.

This module has the rows of the notes, whose networks are matrices and an activation. The other rows have a module each.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from experiments.framework import study
from experiments.framework.study import AGREES, DIFFERS, SOURCE_ERROR, Options, Row
from experiments.initialization.dcgan import dcgan_initialization
from experiments.initialization.inputs import equal_weights, input_mean
from experiments.initialization.layers import convolution_fans, framework_defaults
from experiments.initialization.variance import forward_backward, he, sigmoid, xavier

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


def tanh_100_layers(options: Options) -> Row:
    """Compare the notes' standard deviation with the distribution over runs and with 3^-50."""
    values = [propagate(np.tanh, uniform(math.sqrt(1 / WIDTH)), seed) for seed in range(count_runs(options))]
    logs = np.log([v.std() for v in values])
    theory = -0.5 * DEPTH * math.log(3.0)  # each layer multiplies the variance by n Var(w) = 1/3
    sigmas, published = (theory - logs.mean()) / logs.std(), (math.log(E1_STD) - logs.mean()) / logs.std()
    share = E1_MEAN / E1_STD * math.sqrt(WIDTH)  # of a mean of WIDTH independent values: about N(0, 1)
    good = abs(sigmas) < 3 and abs(published) < 3 and abs(share) < 3
    figure = study.new_figure(9, 3.6)
    axes = figure.subplots()
    axes.hist(logs / math.log(10), bins=25, color=study.COLORS[0], label=f"{len(logs)} runs")
    axes.axvline(math.log10(E1_STD), color=study.COLORS[1], label="the notes' run")
    axes.axvline(theory / math.log(10), color="k", linestyle="--", label="3^-50")
    axes.set(xlabel="log10 of the standard deviation after 100 layers of tanh", ylabel="runs")
    axes.legend(frameon=False)
    return Row(
        "100 layers of tanh, weights U(-1, 1) / sqrt(512)",
        f"mean {E1_MEAN}, std {E1_STD}; theory 3^-50 = 1.4e-24",
        f"std {math.exp(logs.mean()):.3g} (geometric mean)",
        f"factor {math.exp(logs.std()):.2f} either way ({len(logs)} runs); -50 ln 3 lies {sigmas:+.1f} sigma from the "
        f"mean of ln std, the notes' run {published:+.1f}; its mean is {share:.1f} sigma from 0",
        AGREES if good else f"{DIFFERS}: more than 3 sigma",
        {"log_std": logs.tolist(), "theory": theory, "published_sigmas": published, "theory_sigmas": sigmas},
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


def activation_histograms(options: Options) -> Row:
    """Draw the activations of five layers for four standard deviations of the weights."""
    units, inputs, layers = 100, 1000, 5
    kinds = {"N(0, 1)": 1.0, "N(0, 0.01²)": 0.01, "1 / sqrt(n)": units**-0.5, "times sqrt(n)": units**0.5}
    figure, numbers = study.new_figure(9, 7.5), {}
    plots = figure.subplots(2 * len(kinds), layers, sharey="row")
    for part, (label, activation) in enumerate({"sigmoid": sigmoid, "tanh": np.tanh}.items()):
        for row, (kind, std) in enumerate(kinds.items()):
            rng = np.random.default_rng(0)
            x = rng.standard_normal((inputs, units))
            for layer in range(layers):
                x = activation(x @ (std * rng.standard_normal((units, units))))
                axes = plots[part * len(kinds) + row, layer]
                axes.hist(x.ravel(), 30, range=(0 if label == "sigmoid" else -1, 1), color=study.COLORS[part])
                axes.set_yticks([])
                axes.tick_params(labelsize=7)
            plots[part * len(kinds) + row, 0].set_ylabel(kind, rotation=0, ha="right", va="center", fontsize=8)
            middle, reach = (0.5, 0.5) if label == "sigmoid" else (0.0, 1.0)
            saturated = float((np.abs(x - middle) > 0.95 * reach).mean())
            numbers[f"{label}, {kind}"] = {"saturated": saturated, "std": float(x.std())}
    for layer in range(layers):
        plots[0, layer].set_title(f"layer {layer + 1}", fontsize=9)
        plots[-1, layer].set_xlabel("value of a unit", fontsize=8)
    figure.suptitle("activations of 5 layers x 100 units, 1,000 inputs: sigmoid above (blue), tanh below (orange)")
    right, wrong = numbers["sigmoid, 1 / sqrt(n)"], numbers["sigmoid, times sqrt(n)"]
    proof = right["saturated"] < 0.05 < 0.5 < wrong["saturated"]
    return Row(
        "histograms of activations",
        "N(0, 1): at 0 and 1; N(0, 0.01²): at 0.5; Xavier: spread; its code multiplies by sqrt(n)",
        "; ".join(f"{k}: {v['saturated']:.0%} saturated, std {v['std']:.3f}" for k, v in numbers.items()),
        "none: 100,000 values of one draw a layer, fifth layer",
        f"{SOURCE_ERROR}: the text's 1 / sqrt(n) is right, the code's times sqrt(n) saturates" if proof else DIFFERS,
        numbers,
        figures={"activation_histograms": figure},
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
