"""The optimisers on f(x, y) = x^2 / 20 + y^2, from (-7, 2).

The source does not print the learning rates of its figures. They are taken from the book that it summarises (Saito,
ch06/optimizer_compare_naive.py). That figure lacks Nesterov and RMSProp: Nesterov has Momentum's rate, RMSProp our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from experiments.framework.study import AGREES, DIFFERS, Options, Row, new_figure, render
from experiments.optimizers.formulas import MOMENTUM, NAMES, OF_NAME, iterate_formula, iterate_framework, make_optimizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

START, STEPS = (-7.0, 2.0), 30
RATES = {"SGD": 0.95, "Momentum": 0.1, "Nesterov": 0.1, "AdaGrad": 1.5, "RMSProp": 0.1, "Adam": 0.3}
LEVELS = (0.1, 0.4, 1, 2, 4, 7)


def height(x, y):
    return x**2 / 20 + y**2


def gradient(w: np.ndarray) -> np.ndarray:
    """Gradient of `height` at w = (x, y): [2]."""
    return w * [0.1, 2.0]


def trajectory(name: str, rate: float) -> np.ndarray:
    """Path of the framework's optimiser: (x, y) at the start and after each of the 30 updates, float64 [31, 2]."""
    start = np.array(START)
    ways = iterate_framework(make_optimizer(name, rate), start, gradient)
    return np.array([start, *(w.copy() for _, w in zip(range(STEPS), ways))])


def optimizer_paths(options: Options) -> Row:
    """Draw surface, field and trajectories, and check the source's statements about them. Nothing is random."""
    paths = {name: trajectory(name, RATES[name]) for name in NAMES}
    formula = {
        name: np.array([w for _, w in zip(range(STEPS), iterate_formula(name, RATES[name], START, gradient))])
        for name in NAMES
    }
    off = max(float(np.abs(paths[name][1:] - formula[name]).max()) for name in NAMES)
    turns = {name: count_swings(path) for name, path in paths.items()}
    ends = {name: float(height(*path[-1])) for name, path in paths.items()}
    lengths = {name: float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()) for name, path in paths.items()}
    # The same rate for both separates the effect of momentum from that of the rate.
    fast, slow = trajectory("Momentum", RATES["SGD"]), trajectory("SGD", RATES["Momentum"])
    first_sum = float(gradient(np.array(START))[0] ** 2)
    angles = field_angles()
    said = {
        "SGD swings across the valley at every update": turns["SGD"] == STEPS,
        "Momentum swings less, on a shorter way": turns["Momentum"] < STEPS / 2
        and lengths["Momentum"] < lengths["SGD"],
        "AdaGrad goes straight": turns["AdaGrad"] == 0 and lengths["AdaGrad"] < lengths["Momentum"],
        "gradients point past the minimum": float(np.median(angles)) > 10,
    }
    wrong = [name for name, holds in said.items() if not holds]
    remarks = []
    if count_swings(slow) == 0 and count_swings(fast) > 0:
        remarks.append(
            f"Momentum's calm in y is its smaller rate: at {RATES['Momentum']} SGD does not swing either (but is slow, "
            f"x = {slow[-1, 0]:.2f} after {STEPS}), at {RATES['SGD']} Momentum swings {count_swings(fast)} times and "
            f"ends at f = {height(*fast[-1]):.2f}, above SGD's {ends['SGD']:.3f}"
        )
    if first_sum < 1:
        remarks.append(f"AdaGrad's first step in x is long because h = {first_sum:.2f} is below 1, not above it")
    return Row(
        title="six optimisers on x^2 / 20 + y^2 from (-7, 2)",
        published="figures: SGD zigzags, Momentum and AdaGrad do less; most gradients do not point at the minimum",
        ours=f"turns in y over {STEPS} updates: "
        + ", ".join(f"{name} {n}" for name, n in turns.items())
        + "; f at the end: "
        + ", ".join(f"{name} {value:.2g}" for name, value in ends.items())
        + f"; median angle between descent and the way to the minimum {np.median(angles):.0f} degrees"
        + f"; Keras is within {off:.1e} of the formulas",
        spread="none: no chance in it",
        verdict=f"{DIFFERS}: not so: {'; '.join(wrong)}" if wrong else f"{AGREES}: {'; '.join(remarks)}",
        numbers={
            "turns in y": turns,
            "f at the end": ends,
            "length of the way": lengths,
            "median angle, degrees": float(np.median(angles)),
            "largest difference from the formulas": off,
            "decay of y by SGD, an update": float(paths["SGD"][1, 1] / paths["SGD"][0, 1]),
            "momentum above the step it works against": count_opposed(paths["Momentum"], RATES["Momentum"]),
            "Momentum at SGD's rate": {"turns": count_swings(fast), "f": float(height(*fast[-1]))},
            "SGD at Momentum's rate": {"turns": count_swings(slow), "f": float(height(*slow[-1]))},
            "AdaGrad's first sum in x": first_sum,
        },
        table=[
            ["optimiser", "learning rate", "updates done", "x", "y", "f"],
            *(
                [name, RATES[name], n, f"{x:.6f}", f"{y:.6f}", f"{height(x, y):.6g}"]
                for name, path in paths.items()
                for n, (x, y) in enumerate(path)
            ),
        ],
        figures={
            "optimizer_paths_surface": _surface(),
            "optimizer_paths_field": _field(),
            "optimizer_paths_trajectories": _trajectories(paths),
        },
        animations={"optimizer_paths": _frames(paths, every=6 if options.quick else 1)},
    )


def count_swings(path: np.ndarray) -> int:
    """Count the changes of the sign of y along a path [n, 2]."""
    return int((np.diff(np.sign(path[:, 1])) != 0).sum())


def count_opposed(path: np.ndarray, rate: float) -> int:
    """Count updates in which alpha v in y opposes the gradient's step and is larger, which the source asks about."""
    kept = MOMENTUM * np.diff(path[:, 1])[:-1]
    step = -rate * gradient(path[1:-1])[:, 1]
    return int(((kept * step < 0) & (np.abs(kept) > np.abs(step))).sum())


def field_angles(side: int = 40) -> np.ndarray:
    """Degrees between -gradient and the direction to (0, 0), on a grid of even size over [-10, 10] x [-5, 5]."""
    x, y = np.meshgrid(np.linspace(-10, 10, side), np.linspace(-5, 5, side))
    cosine = (x * 0.1 * x + y * 2 * y) / np.hypot(0.1 * x, 2 * y) / np.hypot(x, y)
    return np.degrees(np.arccos(cosine.clip(-1, 1)))


def _contour(axis: Axes, x=(-8, 4), y=(-3, 3)) -> None:
    across, up = np.meshgrid(np.linspace(*x, 121), np.linspace(*y, 121))
    axis.contour(across, up, height(across, up), LEVELS, colors="0.75", linewidths=0.8)
    axis.plot(0, 0, "+", color="k", markersize=9)
    axis.set(xlim=x, ylim=y, xlabel="x", ylabel="y")


def _surface():
    figure = new_figure(9, 4)
    left, right = figure.add_subplot(1, 2, 1, projection="3d"), figure.add_subplot(1, 2, 2)
    x, y = np.meshgrid(np.linspace(-10, 10, 61), np.linspace(-10, 10, 61))
    left.plot_surface(x, y, height(x, y), cmap="cividis", linewidth=0)
    left.set(xlabel="x", ylabel="y", zlabel="f")
    lines = right.contour(x, y, height(x, y), (1, 4, 10, 20, 40, 60, 80), cmap="cividis")
    right.clabel(lines, fontsize=8)
    right.set(xlabel="x", ylabel="y", aspect="equal")
    figure.suptitle("f(x, y) = x²/20 + y²")
    return figure


def _field():
    figure = new_figure(9, 4.2)
    axis = figure.subplots()
    x, y = np.meshgrid(np.linspace(-10, 10, 21), np.linspace(-5, 5, 11))
    axis.quiver(x, y, -x / 10, -2 * y, angles="xy", color=OF_NAME["SGD"], width=0.002)
    axis.plot(0, 0, "+", color="k", markersize=12)
    axis.set(xlabel="x", ylabel="y", title="-gradient of x²/20 + y²: steep in y, nearly flat in x; + is the minimum")
    return figure


def _trajectories(paths: dict[str, np.ndarray]):
    figure = new_figure(9, 5.6)
    for axis, (name, path) in zip(figure.subplots(2, 3, sharex=True, sharey=True).ravel(), paths.items()):
        _contour(axis)
        axis.plot(*path.T, "o-", color=OF_NAME[name], markersize=3, linewidth=1)
        axis.set_title(f"{name}, rate {RATES[name]:g}")
        axis.label_outer()
    figure.suptitle(f"{STEPS} updates from (-7, 2) on x²/20 + y² (grey: contours; +: minimum)")
    return figure


def _frames(paths: dict[str, np.ndarray], every: int) -> list[np.ndarray]:
    """Frames of the animation: all optimisers, after every `every` updates."""
    figure = new_figure(5.6, 3.4)
    axis = figure.subplots()
    _contour(axis)
    lines = {name: axis.plot([], [], "-", color=OF_NAME[name], linewidth=1, label=name)[0] for name in paths}
    heads = {name: axis.plot([], [], "o", color=OF_NAME[name], markersize=5)[0] for name in paths}
    figure.legend(loc="outside right center", fontsize=8)
    frames = []
    for n in range(0, STEPS + 1, every):
        for name, path in paths.items():
            lines[name].set_data(*path[: n + 1].T)
            heads[name].set_data(*path[n : n + 1].T)
        axis.set_title(f"update {n}")
        frames.append(render(figure))
    return frames
