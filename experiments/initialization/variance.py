"""The mean square of signals and gradients through deep networks, against the formulas.

A layer multiplies the mean square by n_in Var(w) forward and by n_out Var(w) backward. Its activation multiplies it by
a factor that is, for infinitely wide layers, an integral over one Gaussian variable (Poole et al. 2016; 1/2 for ReLU,
He et al. 2015).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from experiments.framework.study import AGREES, COLORS, DIFFERS, Options, Row, new_figure

SLOPE = 0.2  # of LeakyReLU
WIDTH, DEPTH, INPUTS = 256, 20, 64
TOLERANCE = 0.06  # of the natural logarithm of a layer's factor, mean over layers and seeds
MARKERS = "osv^D*XP"


@dataclass(frozen=True)
class Activation:
    """An activation and its derivative, both of float64 arrays."""

    value: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * x))  # does not overflow


ACTIVATIONS = {
    "linear": Activation(lambda x: x, np.ones_like),
    "tanh": Activation(np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": Activation(sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "ReLU": Activation(lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    "LeakyReLU 0.2": Activation(lambda x: np.where(x > 0, x, SLOPE * x), lambda x: np.where(x > 0, 1.0, SLOPE)),
}


def _orthogonal(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # without this the matrix is not uniformly distributed (Mezzadri 2007)
    return q if rows >= columns else q.T


# Name -> Var(w) of a layer [n_out, n_in], and the kind of distribution.
VARIANCES: dict[str, tuple[Callable[[int, int], float], str]] = {
    "N(0, 1)": (lambda n_in, n_out: 1.0, "normal"),
    "N(0, 0.01²)": (lambda n_in, n_out: 1e-4, "normal"),
    "±1/√n": (lambda n_in, n_out: 1 / (3 * n_in), "uniform"),
    "1/n (LeCun)": (lambda n_in, n_out: 1 / n_in, "normal"),
    "Xavier normal": (lambda n_in, n_out: 2 / (n_in + n_out), "normal"),
    "Xavier uniform": (lambda n_in, n_out: 2 / (n_in + n_out), "uniform"),
    "He": (lambda n_in, n_out: 2 / n_in, "normal"),
    "orthogonal": (lambda n_in, n_out: 1 / max(n_in, n_out), "orthogonal"),
    "1/n_out": (lambda n_in, n_out: 1 / n_out, "normal"),
    "He, 2/n_out": (lambda n_in, n_out: 2 / n_out, "normal"),
}
SQUARE = tuple(VARIANCES)[:8]  # the others equal one of these if n_in = n_out


def draw_weights(scheme: str, n_in: int, n_out: int, rng: np.random.Generator) -> np.ndarray:
    """Draw initial weights, float64 [n_out, n_in]."""
    variance, kind = VARIANCES[scheme]
    std = math.sqrt(variance(n_in, n_out))
    if kind == "orthogonal":
        return _orthogonal(rng, n_out, n_in)
    if kind == "uniform":
        return rng.uniform(-math.sqrt(3) * std, math.sqrt(3) * std, (n_out, n_in))
    return std * rng.standard_normal((n_out, n_in))


def measure(scheme: str, activation: str, widths: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Measure mean squares through one network; inputs and gradients at the output ~ N(0, 1).

    Returns:
      mean squares of the values of layers 0 (the input), 1, .. and of the gradients by them: [layers + 1] each.
    """
    rng, function = np.random.default_rng(seed), ACTIVATIONS[activation]
    x, layers = rng.standard_normal((widths[0], INPUTS)), []
    signal = [np.mean(x**2)]
    for n_in, n_out in itertools.pairwise(widths):
        w = draw_weights(scheme, n_in, n_out, rng)
        z = w @ x
        x = function.value(z)
        layers.append((w, function.slope(z)))
        signal.append(np.mean(x**2))
    gradient = rng.standard_normal(x.shape)
    back = [np.mean(gradient**2)]
    for w, slope in reversed(layers):
        gradient = w.T @ (gradient * slope)
        back.append(np.mean(gradient**2))
    return np.array(signal), np.array(back[::-1])


_POINTS = np.linspace(-9.0, 9.0, 40_001)
_DENSITY = np.exp(-0.5 * _POINTS**2) / math.sqrt(2 * math.pi) * (_POINTS[1] - _POINTS[0])


def predict(scheme: str, activation: str, widths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The limit of `measure` for wide layers."""
    variance, function = VARIANCES[scheme][0], ACTIVATIONS[activation]
    signal, shares = [1.0], []
    for n_in, n_out in itertools.pairwise(widths):
        q = n_in * variance(n_in, n_out) * signal[-1]  # the variance of the pre-activations
        z = math.sqrt(q) * _POINTS
        signal.append(float(np.sum(function.value(z) ** 2 * _DENSITY)))
        share = float(np.sum(function.slope(z) ** 2 * _DENSITY))
        shares.append(n_out * variance(n_in, n_out) * share)
    back = np.cumprod([1.0, *shares[::-1]])[::-1]
    return np.array(signal), back


def compare(schemes, activations, widths: list[int], seeds: int) -> dict:
    """Measure and predict all combinations.

    Returns:
      {activation: {scheme: {"signal" and "gradient": [seeds, layers + 1], and each with "_formula": [layers + 1]}}}.
    """
    found = {}
    for activation in activations:
        found[activation] = {}
        for scheme in schemes:
            runs = [measure(scheme, activation, widths, seed) for seed in range(seeds)]
            lines = predict(scheme, activation, widths)
            found[activation][scheme] = {
                part: np.array([run[place] for run in runs]) for place, part in enumerate(PARTS)
            } | {f"{part}_formula": lines[place] for place, part in enumerate(PARTS)}
    return found


PARTS = ("signal", "gradient")


def log_factor(found: dict[str, np.ndarray], part: str) -> np.ndarray:
    """Natural logarithm of a layer's factor, mean over layers: forward for the signal, backward for the gradient."""
    values = found[part] if part.startswith("signal") else found[part][..., ::-1]
    return (np.log(values[..., -1]) - np.log(values[..., 0])) / (values.shape[-1] - 1)


def errors(found: dict) -> dict[str, float]:
    """Largest difference over the schemes between the mean `log_factor` over seeds and the formula's."""
    return {
        activation: max(
            abs(float(log_factor(f, part).mean() - log_factor(f, f"{part}_formula")))
            for f in schemes.values()
            for part in PARTS
        )
        for activation, schemes in found.items()
    }


def draw(found: dict, title: str):
    """Draw signals (above) and gradients (below), an activation a column: measured as markers, the formula as lines."""
    figure = new_figure(9.5, 6.4)
    plots = figure.subplots(2, len(found), squeeze=False, sharex=True)
    for column, (activation, schemes) in enumerate(found.items()):
        for row, part in enumerate(PARTS):
            axes = plots[row, column]
            for n, (scheme, f) in enumerate(schemes.items()):
                color = "0.45" if n == 7 else COLORS[n]  # the eighth colour, yellow, is hard to see on white
                layers, middle = np.arange(f[part].shape[1]), np.exp(np.log(f[part]).mean(axis=0))
                axes.plot(layers, f[f"{part}_formula"], color=color, linewidth=1)
                turns = 4 if len(layers) > 12 else 2
                some = slice(n % turns, None, turns)  # markers of coinciding lines alternate
                axes.plot(layers[some], middle[some], MARKERS[n], color=color, markersize=5, label=scheme)
            axes.set_yscale("log")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3)
        plots[0, column].set_title(activation)
        plots[1, column].set_xlabel("layer")
    plots[0, 0].set_ylabel("mean square of the values")
    plots[1, 0].set_ylabel("mean square of the gradients")
    figure.legend(*plots[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    figure.suptitle(title)
    return figure


def _table(found: dict) -> list[list]:
    rows = [["activation", "weights", "part", "factor a layer", "by the formula", "least seed", "most seed"]]
    for activation, schemes in found.items():
        for scheme, f in schemes.items():
            for part in PARTS:
                factors = np.exp(log_factor(f, part))
                line = float(np.exp(log_factor(f, f"{part}_formula")))
                rows.append(
                    [activation, scheme, part]
                    + [f"{v:.4f}" for v in (np.exp(log_factor(f, part).mean()), line, factors.min(), factors.max())]
                )
    return rows


def _numbers(found: dict) -> dict:
    return {a: {s: {k: v.tolist() for k, v in f.items()} for s, f in schemes.items()} for a, schemes in found.items()}


def _spread(found: dict, seeds: int) -> str:
    worst = max(float(log_factor(f, p).std()) for s in found.values() for f in s.values() for p in PARTS)
    return f"{worst:.3f} of ln at most ({seeds} seeds)"


def _factors(schemes: dict, names, part: str = "signal") -> str:
    return ", ".join(f"{name} {np.exp(log_factor(schemes[name], part).mean()):.3g}" for name in names)


def xavier(options: Options) -> Row:
    """Measure symmetric activations, for which Xavier's weights should keep signal and gradient."""
    found = compare(SQUARE, ("linear", "tanh", "sigmoid"), [WIDTH] * (DEPTH + 1), options.few)
    error, linear = errors(found), found["linear"]
    kept = max(abs(float(log_factor(linear[s], p).mean())) for s in SQUARE[3:6] for p in PARTS)
    good = max(error.values()) < TOLERANCE and kept < TOLERANCE
    return Row(
        f"variance through {DEPTH} layers of {WIDTH}, symmetric activations",
        "n Var(w) a layer: Xavier's 1/n, 1/n_out, 2/(n_in + n_out) keep it",
        f"factor a layer of the signal, linear: {_factors(linear, SQUARE)}; from the formula's ln by at most "
        + ", ".join(f"{v:.3f} ({k})" for k, v in error.items()),
        _spread(found, options.few),
        f"{AGREES}: sigmoid's gradients vanish under every one of them but N(0, 1)" if good else DIFFERS,
        _numbers(found),
        _table(found),
        {"xavier": draw(found, f"{DEPTH} layers of {WIDTH}: measured (markers) and the formula (lines)")},
    )


def he(options: Options) -> Row:
    """Measure ReLU networks, in which He's weights should keep signal and gradient and Xavier's halve both a layer."""
    found = compare(SQUARE, ("ReLU", "LeakyReLU 0.2"), [WIDTH] * (DEPTH + 1), options.few)
    funnel = [1024, 768, 512, 384, 256, 192, 128]
    apart = compare(("He", "He, 2/n_out"), ("ReLU",), funnel, options.few)["ReLU"]
    # Through layers 2 to L of d_2, .. d_L units He's forward rule multiplies the gradients by d_L / d_1.
    constant = funnel[-1] / funnel[1]
    whole = {scheme: {part: change_after_first(f[part], part) for part in PARTS} for scheme, f in apart.items()}
    error = errors(found)
    kept = abs(float(log_factor(found["ReLU"]["He"], "signal").mean()))
    ratio = whole["He"]["gradient"] / constant, whole["He, 2/n_out"]["signal"] * constant
    good = max(error.values()) < TOLERANCE and kept < TOLERANCE and all(0.7 < r < 1.4 for r in ratio)
    return Row(
        f"variance through {DEPTH} layers of {WIDTH}, ReLU",
        "2/n or 2/n_out keep it; a constant d_1/d_L apart, the product over layers 2 to L",
        f"factor a layer of the signal, ReLU: {_factors(found['ReLU'], SQUARE)}; from the formula's ln by at most "
        + ", ".join(f"{v:.3f} ({k})" for k, v in error.items())
        + f"; from d_1 = {funnel[1]} to d_L = {funnel[-1]} units: gradients times {whole['He']['gradient']:.3f} under "
        f"2/n, signal times {whole['He, 2/n_out']['signal']:.2f} under 2/n_out (the constant: {constant:.3f} and "
        f"{1 / constant:g})",
        _spread(found, options.few),
        f"{AGREES}: the slide's d_1 is right, and equal to the paper's c_2: its product begins with the second layer "
        "(in version 0.1.0 compared with c_1/d_L, the product over all layers)"
        if good
        else DIFFERS,
        _numbers(found) | {"constant": whole},
        _table(found),
        {"he": draw(found, f"{DEPTH} layers of {WIDTH}: measured (markers) and the formula (lines)")},
    )


def change_after_first(values: np.ndarray, part: str) -> float:
    """The factor through layers 2 to L of mean squares [seeds, L + 1], mean of ln over seeds; gradients: backward."""
    first, last = (1, -1) if part == "signal" else (-1, 1)
    return float(np.exp(np.log(values[:, last] / values[:, first]).mean()))


def forward_backward(options: Options) -> Row:
    """Measure layers whose fan_in is not their fan_out, where no variance satisfies both of Xavier's conditions."""
    shapes = {
        "narrowing, 1024 to 64": [1024, 724, 512, 362, 256, 181, 128, 90, 64],
        "in turn 512 and 128": [512, 128] * 4 + [512],
    }
    schemes = ("1/n (LeCun)", "1/n_out", "Xavier normal", "Xavier uniform")
    found = {shape: compare(schemes, ("linear",), widths, options.few)["linear"] for shape, widths in shapes.items()}
    error = errors(found)
    # Each condition keeps one direction; the averaged one changes both, by less than the worse of the two.
    first = found["narrowing, 1024 to 64"]
    changes = {s: [float(np.exp(log_factor(f, p).mean() * 8)) for p in PARTS] for s, f in first.items()}
    bound = max(
        abs(np.abs(draw_weights("Xavier uniform", n, m, np.random.default_rng(0))).max() / math.sqrt(6 / (n + m)) - 1)
        for n, m in ((1024, 724), (512, 128))
    )
    good = max(error.values()) < TOLERANCE and bound < 1e-3
    return Row(
        "Xavier's conditions in rectangular layers, linear",
        "forward 1/n_in, backward 1/n_out, averaged 2/(n_in + n_out), bound sqrt(6 / (n_in + n_out))",
        "narrowing 1024 to 64, signal and gradient times: "
        + "; ".join(f"{s} {forward:.2f} and {back:.2f}" for s, (forward, back) in changes.items())
        + f"; from the formula's ln a layer by at most {max(error.values()):.3f}; largest uniform weight within "
        f"{bound:.1e} of the bound",
        _spread(found, options.few),
        f"{AGREES}: no variance keeps both directions; where widths alternate the averaged one lets both shrink"
        if good
        else DIFFERS,
        _numbers(found) | {"changes": changes},
        _table(found),
        {"forward_backward": draw(found, "linear layers, n_in not n_out: measured (markers) and the formula (lines)")},
    )
