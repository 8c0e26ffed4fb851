"""The framework's optimisers with the source's settings, and the source's formulas.

The source (sources/optimisers.txt) prints the formulas of SGD, Momentum and AdaGrad, describes RMSProp in words and has
an empty section on Adam. The rest is taken from the book that the source summarises, Saito's "Deep Learning from
Scratch" (common/optimizer.py in its code): Nesterov, RMSProp with decay 0.99, Adam (Kingma & Ba 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from experiments.framework.study import AGREES, COLORS, DIFFERS, Options, Row, new_figure

if TYPE_CHECKING:
    from dcgan_tf.backend import keras

MOMENTUM, DECAY, BETA1, BETA2, EPSILON = 0.9, 0.99, 0.9, 0.999, 1e-7
# Learning rates of the book's classes, used on MNIST.
RATES = {"SGD": 0.01, "Momentum": 0.01, "Nesterov": 0.01, "AdaGrad": 0.01, "RMSProp": 0.01, "Adam": 0.001}
NAMES = tuple(RATES)
OF_NAME = dict(zip(NAMES, COLORS))  # one colour an optimiser, in every figure
TOLERANCE = 1e-6


def make_optimizer(name: str, rate: float) -> keras.optimizers.Optimizer:
    """The framework's optimiser that follows the source's formula.

    In AdaGrad and RMSProp Keras adds epsilon under the root and the source adds it to the root. EPSILON^2 under the
    root gives the same where all gradients were 0 and differs negligibly where none is tiny. Keras starts AdaGrad's
    sum at 0.1, the source at 0.
    """
    from dcgan_tf.backend import keras

    make = keras.optimizers
    return {
        "SGD": lambda: make.SGD(rate),
        "Momentum": lambda: make.SGD(rate, momentum=MOMENTUM),
        "Nesterov": lambda: make.SGD(rate, momentum=MOMENTUM, nesterov=True),
        "AdaGrad": lambda: make.Adagrad(rate, initial_accumulator_value=0.0, epsilon=EPSILON**2),
        "RMSProp": lambda: make.RMSprop(rate, rho=DECAY, epsilon=EPSILON**2),
        "Adam": lambda: make.Adam(rate, beta_1=BETA1, beta_2=BETA2, epsilon=EPSILON),
    }[name]()


Gradient = Callable[[np.ndarray], np.ndarray]


def iterate_formula(
    name: str, rate: float, w: np.ndarray, gradient: Gradient, momentum: float = MOMENTUM
) -> Iterator[np.ndarray]:
    """Yield W after each update by the source's formula, float64, without end; `gradient` is taken at the W before."""
    w = np.array(w, np.float64)
    v, h = np.zeros_like(w), np.zeros_like(w)
    t = 0
    while True:
        g, t = gradient(w), t + 1
        if name == "SGD":
            w = w - rate * g
        elif name == "Momentum":
            v = momentum * v - rate * g
            w = w + v
        elif name == "Nesterov":  # W is the look-ahead point, as in Bengio et al. 2012, eq. 7
            v = momentum * v - rate * g
            w = w + momentum * v - rate * g
        elif name == "AdaGrad":
            h = h + g * g
            w = w - rate * g / (np.sqrt(h) + EPSILON)
        elif name == "RMSProp":
            h = DECAY * h + (1 - DECAY) * g * g
            w = w - rate * g / (np.sqrt(h) + EPSILON)
        elif name == "Adam":
            v = BETA1 * v + (1 - BETA1) * g
            h = BETA2 * h + (1 - BETA2) * g * g
            w = w - rate * np.sqrt(1 - BETA2**t) / (1 - BETA1**t) * v / (np.sqrt(h) + EPSILON)
        else:
            raise ValueError(f"{name}: none of {', '.join(NAMES)}")
        yield w


def iterate_framework(optimizer: keras.optimizers.Optimizer, w: np.ndarray, gradient: Gradient) -> Iterator[np.ndarray]:
    """Yield W after each update by the framework, as `iterate_formula` does, in the precision of W."""
    from dcgan_tf.backend import keras

    variable = keras.Variable(w, dtype=w.dtype)
    while True:
        optimizer.apply([keras.ops.convert_to_tensor(gradient(variable.numpy()).astype(w.dtype))], [variable])
        yield variable.numpy()


def optimizer_formulas(options: Options) -> Row:
    """Compare the source's formulas with the framework's optimisers, then with Keras's own defaults and epsilon."""
    steps, seeds = (20, 1) if options.quick else (100, options.seeds)
    runs = {name: [difference(name, steps, seed) for seed in range(seeds)] for name in NAMES}
    worst = {name: float(np.max(values)) for name, values in runs.items()}
    defaults = {name: float(difference(name, steps, 0, own=True).max()) for name in ("AdaGrad", "RMSProp")}
    tiny = {name: float(difference(name, steps, 0, smallest=1e-5).max()) for name in ("AdaGrad", "RMSProp")}
    exact = {
        name: max(difference(name, steps, seed, rounded=False).max() for seed in range(seeds))
        for name in ("Momentum", "Nesterov")
    }
    good = max(worst.values()) < TOLERANCE
    return Row(
        title="update formulas of the source against the framework's optimisers",
        published="formulas of SGD, Momentum and AdaGrad, RMSProp in words; Nesterov and Adam from the book it notes "
        f"down; to agree to {TOLERANCE:g}",
        ours=f"largest difference of a weight (relative above 1) over {steps} updates: "
        + ", ".join(f"{name} {value:.1e}" for name, value in worst.items()),
        spread=f"the largest of {seeds} seed{'s' if seeds > 1 else ''}",
        verdict=f"{AGREES}: Keras's defaults would not (AdaGrad's first sum 0.1: {defaults['AdaGrad']:.1e} apart, "
        f"RMSProp's decay 0.9: {defaults['RMSProp']:.1e}), nor do gradients near epsilon (from 1e-5: RMSProp "
        f"{tiny['RMSProp']:.1e}), as Keras has epsilon under the root. The formulas have rate and momentum rounded to "
        f"float32, as Keras keeps them; with 0.01 and 0.9 Momentum is {exact['Momentum']:.1e} apart and Nesterov "
        f"{exact['Nesterov']:.1e}. (The first record was that, and so differed; the gradients were then made smaller, "
        "which hid it. They have their first size again.)"
        if good
        else f"{DIFFERS}: more than {TOLERANCE:g} in " + ", ".join(n for n in NAMES if worst[n] >= TOLERANCE),
        numbers={
            "largest": worst,
            "not rounded": exact,
            "Keras's defaults": defaults,
            "gradients from 1e-5": tiny,
            "updates": steps,
        },
        table=[
            ["optimiser", "seed", "update", "largest difference"],
            *(
                [name, seed, step + 1, f"{value:.3e}"]
                for name in NAMES
                for seed, values in enumerate(runs[name])
                for step, value in enumerate(values)
            ),
        ],
        figures={"optimizer_formulas": _figure(runs)},
    )


def difference(
    name: str, steps: int, seed: int, own: bool = False, smallest: float = 1.0, rounded: bool = True
) -> np.ndarray:
    """Largest |W by formula - W by framework| / max(1, |W|) after each update, float64 [steps], of 60 weights.

    The difference is relative for large W. W starts as N(0, 1). The size of a weight's gradients goes from `smallest`
    to 10 over the first 50 weights and is 0 for the last ten; each gradient is 0.5 to 1.5 times that size, with a
    random sign.

    Args:
      own: take the framework's optimiser with its own defaults except for the rate.
      rounded: let the formula have rate and momentum in float32, as Keras keeps them whatever the weights are.
    """
    from dcgan_tf.backend import keras

    draw, rate = np.random.default_rng(seed), RATES[name]
    w = draw.normal(size=60)
    signs, factors = draw.choice([-1.0, 1.0], (steps, 60)), draw.uniform(0.5, 1.5, (steps, 60))
    gradients = signs * factors * np.r_[np.geomspace(smallest, 10, 50), np.zeros(10)]
    defaults = {"AdaGrad": keras.optimizers.Adagrad, "RMSProp": keras.optimizers.RMSprop}
    optimizer = defaults[name](rate) if own else make_optimizer(name, rate)
    given, again = iter(gradients), iter(gradients)
    keep = np.float32 if rounded else float
    formula = iterate_formula(name, float(keep(rate)), w, lambda _: next(given), float(keep(MOMENTUM)))
    found = iterate_framework(optimizer, w, lambda _: next(again))
    return np.array([(np.abs(a - b) / np.abs(a).clip(1)).max() for _, a, b in zip(range(steps), formula, found)])


def _figure(runs: dict[str, list[np.ndarray]]):
    figure = new_figure(9, 4)
    axis = figure.subplots()
    for name, values in runs.items():
        largest = np.max(values, axis=0)
        axis.plot(range(1, len(largest) + 1), largest.clip(1e-18), color=OF_NAME[name], label=name)
    axis.axhline(TOLERANCE, color="0.4", linestyle="--", label="tolerance")
    axis.set_yscale("log")
    axis.set_xlabel("update")
    axis.set_ylabel("largest difference / max(1, |W|)")
    axis.set_title("source's formulas (NumPy, float64) against Keras's optimisers")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right center")
    return figure
