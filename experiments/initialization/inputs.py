"""Inputs whose mean is not 0, and weights that are all equal."""

from __future__ import annotations

import itertools
import math

import numpy as np

from experiments.framework.mnist import load_digits
from experiments.framework.study import AGREES, COLORS, DIFFERS, Options, Row, new_figure

UNITS, DEPTH, INPUTS = 256, 10, 200
MEANS = (0.0, 0.5, 1.0, 2.0)


def _propagate(x: np.ndarray, rng: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pre-activations and activations of DEPTH tanh layers with weights N(0, 1/n), [INPUTS, UNITS] each."""
    before, after = [], [x]
    for _ in range(DEPTH):
        w = rng.standard_normal((after[-1].shape[1], UNITS)) / math.sqrt(after[-1].shape[1])
        before.append(after[-1] @ w)
        after.append(np.tanh(before[-1]))
    return before, after[1:]


def mean_cosine(x: np.ndarray) -> float:
    """Mean cosine of the angle between two different inputs, rows of [N, n]."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    n = len(x)
    return float((np.sum(unit @ unit.T) - n) / (n * (n - 1)))


def input_mean(options: Options) -> Row:
    """Compare with Var(z) = n Var(w) E[x²] = n Var(w) (Var(x) + mean²); the rule's formula assumes mean 0."""
    data = load_digits(options.data_dir)
    images = data.images[:INPUTS].reshape(INPUTS, -1) / 255.0
    images = images / images.std()
    centred = images - images.mean(axis=0)
    kinds = {f"N({mean:g}, 1)": None for mean in MEANS} | {data.name: images, f"{data.name}, mean taken away": centred}
    found = {}
    for kind, given in kinds.items():
        runs = []
        for seed in range(options.few):
            rng = np.random.default_rng(seed)
            x = float(kind[2:].split(",")[0]) + rng.standard_normal((INPUTS, UNITS)) if given is None else given
            before, after = _propagate(x, rng)
            runs.append(
                {
                    "first": np.mean(before[0] ** 2),
                    "formula": np.mean(x**2),
                    "saturated": np.mean(np.abs(after[0]) > 0.95),
                    "likeness": [mean_cosine(x), *(mean_cosine(a) for a in after)],
                }
            )
        found[kind] = {part: np.mean([run[part] for run in runs], axis=0).tolist() for part in runs[0]}
        found[kind]["spread"] = float(np.std([run["first"] / run["formula"] for run in runs]))
    worst = max(abs(f["first"] / f["formula"] - 1) for f in found.values())
    theory = {mean: mean**2 / (1 + mean**2) for mean in MEANS}  # of the cosine between two inputs
    alike = max(abs(found[f"N({m:g}, 1)"]["likeness"][0] - c) for m, c in theory.items())
    good = worst < 0.1 and alike < 0.02 and found[f"N({MEANS[-1]:g}, 1)"]["first"] > 4 * found["N(0, 1)"]["first"]
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    means = np.linspace(0, MEANS[-1], 50)
    left.plot(means, 1 + means**2, "k--", label="1 + mean²")
    left.plot(MEANS, [found[f"N({m:g}, 1)"]["first"] for m in MEANS], "o", color=COLORS[0], label="measured")
    left.set(xlabel="mean of the inputs, standard deviation 1", ylabel="mean square into the first tanh")
    left.legend(frameon=False)
    for color, (kind, f) in zip(COLORS, found.items()):
        right.plot(f["likeness"], ".-", color=color, label=kind)
    right.set(xlabel="layer (0: the inputs)", ylabel="mean cosine between two inputs")
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return Row(
        "inputs with a mean, 10 layers of tanh, weights N(0, 1/n)",
        "inputs must have mean 0: subtract the mean over axis 0",
        "mean square into the first tanh "
        + ", ".join(f"{f['first']:.2f} ({k})" for k, f in found.items())
        + f": n Var(w) E[x²] to {worst:.1%}; share of its units saturated "
        + ", ".join(f"{f['saturated']:.0%}" for f in found.values())
        + "; mean cosine between inputs "
        + ", ".join(f"{abs(f['likeness'][0]):.2f}" for f in found.values()),
        f"{max(f['spread'] for f in found.values()):.1%} at most ({options.few} seeds)",
        f"{AGREES}: of a mean the rule's variance becomes 1 + mean² times as large, and all inputs look alike"
        if good
        else DIFFERS,
        found,
        [["inputs", "first", "formula", "saturated", "cosine of inputs", "cosine of layer 10"]]
        + [
            [k, *(f"{v:.4f}" for v in (f["first"], f["formula"], f["saturated"], f["likeness"][0], f["likeness"][-1]))]
            for k, f in found.items()
        ],
        {"input_mean": figure},
    )


def train(
    weights: list[np.ndarray], x: np.ndarray, labels: np.ndarray, steps: int, rate: float = 0.5
) -> tuple[list[float], np.ndarray]:
    """Train a sigmoid network by gradient descent on the softmax cross-entropy of all images, biases starting at 0.

    Args:
      weights: [n_in, n_out] of each layer; changed in place.

    Returns:
      the loss before each step and at the end, and the last activations of the first hidden layer, [N, n].
    """
    biases = [np.zeros(w.shape[1]) for w in weights]
    target, losses = np.eye(weights[-1].shape[1])[labels], []
    for step in range(steps + 1):
        values = [x]
        for w, b in zip(weights[:-1], biases):
            values.append(1 / (1 + np.exp(-(values[-1] @ w + b))))
        logits = values[-1] @ weights[-1] + biases[-1]
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        shares /= shares.sum(axis=1, keepdims=True)
        losses.append(float(-np.mean(np.log((shares * target).sum(axis=1)))))
        if step == steps:
            return losses, values[1]
        delta = (shares - target) / len(x)
        for k in range(len(weights) - 1, -1, -1):
            back = delta @ weights[k].T
            weights[k] -= rate * values[k].T @ delta
            biases[k] -= rate * delta.sum(axis=0)
            if k:
                delta = back * values[k] * (1 - values[k])


def equal_weights(options: Options) -> Row:
    """Train from equal weights: units that start equal get equal updates, so a hidden layer stays one unit repeated."""
    data, sizes = load_digits(options.data_dir), (784, 50, 50, 10)
    count, steps = (200, 100) if options.quick else (1000, 500)
    x, labels = data.images[:count].reshape(count, -1) / 255.0, data.labels[:count]
    found, curves = {}, {}
    rng = np.random.default_rng(0)
    for kind in ("zero", "constant 0.01", "N(0, 1/n)"):
        shapes = list(itertools.pairwise(sizes))
        if kind.startswith("N"):
            weights = [rng.standard_normal(shape) / math.sqrt(shape[0]) for shape in shapes]
        else:
            weights = [np.full(shape, float(kind.split()[1]) if " " in kind else 0.0) for shape in shapes]
        losses, hidden = train(weights, x, labels, steps)
        found[kind] = {
            "loss": losses[-1],
            "rank": int(np.linalg.matrix_rank(hidden, tol=1e-8 * np.linalg.norm(hidden))),
            "weights_rank": int(np.linalg.matrix_rank(weights[0], tol=1e-8 * max(np.linalg.norm(weights[0]), 1e-30))),
            "apart": float(np.ptp(hidden, axis=1).max()),
        }
        curves[kind] = losses
    figure = new_figure(9, 3.4)
    axes = figure.subplots()
    for color, (kind, losses) in zip(COLORS, curves.items()):
        style = "--" if kind.startswith("constant") else "-"  # it coincides with the curve of zero
        axes.plot(losses, style, color=color, label=f"{kind}: rank {found[kind]['rank']}")
    axes.set(xlabel=f"step (all {count} images of {data.name})", ylabel="cross-entropy, nats")
    axes.legend(frameon=False)
    same = [found[k] for k in ("zero", "constant 0.01")]
    good = all(f["rank"] <= 1 and f["apart"] < 1e-9 for f in same) and found["N(0, 1/n)"]["rank"] > 25
    return Row(
        f"zero and constant initial weights, {'-'.join(map(str, sizes))}, sigmoid",
        "hidden units stay identical",
        f"after {steps} steps: rank of the hidden layer's values "
        + ", ".join(f"{f['rank']} ({k}; loss {f['loss']:.3f})" for k, f in found.items())
        + f"; units differ by {max(f['apart'] for f in same):.1e} at most",
        "none: no chance in equal weights; the random ones: one draw",
        f"{AGREES}: the loss is that of one hidden unit a layer" if good else DIFFERS,
        found,
        [["weights", "loss", "rank of the values", "rank of the weights", "largest difference"]]
        + [[k, *f.values()] for k, f in found.items()],
        {"equal_weights": figure},
    )
