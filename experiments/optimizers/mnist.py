"""Five optimisers on MNIST, compared with the losses that the source prints."""

from __future__ import annotations

import numpy as np

from dcgan_tf.console import progress
from experiments.framework.mnist import Digits, load_digits
from experiments.framework.study import AGREES, DIFFERS, Options, Row, new_figure
from experiments.optimizers import published_mnist
from experiments.optimizers.formulas import OF_NAME, RATES, make_optimizer

NAMES = ("SGD", "Momentum", "AdaGrad", "Adam", "RMSProp")
ITERATIONS, QUICK_ITERATIONS = 2000, 400
WINDOW = 10  # iterations on either side from which the deviation between batches is estimated
CONFIDENCE, WANTED = 0.95, 0.9
LATE = slice(100, None)  # iterations whose mean loss decides which learns faster


def optimizers_on_mnist(options: Options) -> Row:
    """Train `options.seeds` runs of each optimiser and compare the source's one run with them.

    A published point is the loss of one batch in one run, so the verdict uses the band that holds 95 % of such losses.
    The range of n runs is a narrower band: it would hold (n - 1) / (n + 1) of the points of one more run, two thirds
    for five runs. Both shares are given.
    """
    data = load_digits(options.data_dir)
    # A band needs two runs. All seeds are trained side by side, so a second one costs little.
    seeds, iterations = (2, QUICK_ITERATIONS) if options.quick else (max(options.seeds, 2), ITERATIONS)
    runs = {
        name: train_networks(data, name, range(seeds), iterations)
        for name in progress(NAMES, "optimizers_on_mnist", unit="optimisers")
    }
    losses = {name: found for name, (found, _) in runs.items()}
    accuracies = {name: accuracy for name, (_, accuracy) in runs.items()}
    points = [t for t in published_mnist.ITERATIONS if t < iterations]
    bands = {name: np.array([prediction_band(found, t) for t in points]) for name, found in losses.items()}
    inside = {name: _inside(name, *bands[name].T) for name in published_mnist.LOSSES}
    extremes = {
        name: _inside(name, losses[name][points].min(axis=1), losses[name][points].max(axis=1)) for name in inside
    }
    share, between = (float(np.mean(list(found.values()))) for found in (inside, extremes))
    held_out = left_out_coverage(losses) if seeds > 2 else None
    means = {name: losses[name][LATE].mean() for name in NAMES}
    count = sum(map(len, inside.values()))
    return Row(
        title=f"optimisers compared on {data.name}: 5-layer ReLU network, batch 128, {iterations:,} iterations",
        published=f"{count} losses of one run: SGD, Momentum, AdaGrad, Adam every 100 iterations; the other three are "
        "faster than SGD and nearly equal, AdaGrad slightly the fastest",
        ours=f"{100 * share:.1f} % of them within the band of 95 % of losses, {100 * between:.1f} % from least to most "
        f"of {seeds} runs (such a run: {100 * (seeds - 1) / (seeds + 1):.0f} %); mean loss from iteration 100 on: "
        + ", ".join(f"{name} {value:.3f}" for name, value in means.items())
        + "; test images right: "
        + ", ".join(f"{name} {100 * np.mean(accuracies[name]):.1f} %" for name in NAMES),
        spread=f"bands over {seeds} runs"
        + (f"; they hold {100 * held_out:.1f} % of a run left out of them" if held_out else ""),
        verdict=_verdict(data, share, inside, points, means),
        numbers={
            "data": data.name,
            "share in band": share,
            "share from least to most": between,
            "coverage of a run left out": held_out,
            "outside the band": {n: [t for t, i in zip(points, found) if not i] for n, found in inside.items()},
            "mean loss from iteration 100": {name: float(value) for name, value in means.items()},
            "test accuracy": accuracies,
            "largest loss": {name: float(found.max()) for name, found in losses.items()},
        },
        table=[
            ["optimiser", "iteration", "published", *(f"seed {n}" for n in range(seeds)), "band from", "band to"],
            *(
                [name, t, _published(name, t), *(f"{v:.4f}" for v in [*losses[name][t], *bands[name][k]])]
                for name in NAMES
                for k, t in enumerate(points)
            ),
        ],
        figures={"optimizers_on_mnist": _figure(data, losses, points)},
    )


def train_networks(data: Digits, name: str, seeds: range, iterations: int) -> tuple[np.ndarray, list[float]]:
    """Train a network for each seed; returns the losses [iterations, seeds] of the batches and the test accuracies."""
    from experiments.optimizers.network import Networks

    networks = Networks(data, make_optimizer(name, RATES[name]), seeds)
    return networks.train(iterations, RATES[name]), networks.accuracy()


def prediction_band(losses: np.ndarray, t: int) -> tuple[float, float]:
    """The band that holds the loss of one batch of one more run at iteration t with 95 %: (low, high).

    The logarithms of losses are taken as normally distributed about the mean of the runs at t. Their deviation is
    pooled over the WINDOW around t, each iteration about its own mean, so that the slope of the curve does not count.

    Args:
      losses: [iterations, runs], at least two runs.
    """
    from scipy.stats import t as student

    window = np.log(losses[max(0, t - WINDOW) : t + WINDOW + 1])
    runs = losses.shape[1]
    freedom = len(window) * (runs - 1)
    deviation = np.sqrt(np.square(window - window.mean(axis=1, keepdims=True)).sum() / freedom)
    half = student.ppf((1 + CONFIDENCE) / 2, freedom) * deviation * np.sqrt(1 + 1 / runs)
    middle = np.log(losses[t]).mean()
    return float(np.exp(middle - half)), float(np.exp(middle + half))


def left_out_coverage(losses: dict[str, np.ndarray]) -> float:
    """Share of each run's losses, every 20 iterations, within the band of the other runs; 0.95 if the band is right."""
    found = []
    for values in losses.values():
        for seed in range(values.shape[1]):
            rest = np.delete(values, seed, axis=1)
            for t in range(0, len(values), 20):
                low, high = prediction_band(rest, t)
                found.append(low <= values[t, seed] <= high)
    return float(np.mean(found))


def _inside(name: str, low: np.ndarray, high: np.ndarray) -> list[bool]:
    """Whether each published point lies between its bounds; as many as there are bounds."""
    return [bool(a <= p <= b) for p, a, b in zip(published_mnist.LOSSES[name], low, high)]


def _published(name: str, t: int) -> float | str:
    return dict(zip(published_mnist.ITERATIONS, published_mnist.LOSSES.get(name, ()))).get(t, "")


def _verdict(data: Digits, share: float, inside: dict, points: list[int], means: dict[str, float]) -> str:
    outside = [f"{name} at {t}" for name, found in inside.items() for t, i in zip(points, found) if not i]
    where = f"; outside: {', '.join(outside[:8])}{', ...' if len(outside) > 8 else ''}" if outside else ""
    if not data.genuine:
        return f"{DIFFERS}: {data.name} are not MNIST (give --data_dir); {100 * share:.0f} % of the points inside"
    if share < WANTED:
        return f"{DIFFERS}: less than {100 * WANTED:.0f} % of the points inside{where}"
    others = [means[name] for name in ("Momentum", "AdaGrad", "Adam")]
    if means["SGD"] <= max(others) or means["AdaGrad"] != min(others):
        return f"{DIFFERS}: the points lie inside, the order by mean loss is another{where}"
    return f"{AGREES}: by the band of 95 %, as a point is one batch of one run{where}"


def _figure(data: Digits, losses: dict[str, np.ndarray], points: list[int]):
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure = new_figure(9, 6)
    axes = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
    kernel = np.kaiser(11, 2)  # the source's smoothing
    places = np.r_[0:200:5, 200 : len(losses["SGD"]) : 20]  # close together where the losses fall fast
    for axis, (name, found) in zip(axes, losses.items()):
        color, marks = OF_NAME[name], found[places]
        band = np.array([prediction_band(found, t) for t in places])
        axis.fill_between(places, *band.T, color=color, alpha=0.15, linewidth=0)
        axis.fill_between(places, marks.min(axis=1), marks.max(axis=1), color=color, alpha=0.35, linewidth=0)
        smooth = [np.convolve(np.pad(run, 5, "edge"), kernel / kernel.sum(), "valid") for run in found.T]
        for shown in (axis, axes[5]):
            shown.plot(np.mean(smooth, axis=0), color=color, linewidth=0.8, label=name)
        published = published_mnist.LOSSES.get(name, ())[: len(points)]
        axis.plot(points[: len(published)], published, "o", color="k", markersize=4, markerfacecolor="w")
        axis.set_title(name if published else f"{name} (not published)")
    axes[5].set_title("means together")
    axes[5].legend(fontsize=8)
    axes[0].set_yscale("log")
    axes[0].set_ylim(0.008, 5)
    for axis in axes:
        axis.grid(alpha=0.3)
        axis.tick_params(labelbottom=True)
    for axis in axes[3:]:
        axis.set_xlabel("iteration")
    figure.supylabel("loss of the batch just used, nats", fontsize=10)
    count = next(iter(losses.values())).shape[1]
    handles = {
        "published": Line2D([], [], linestyle="", marker="o", color="k", markersize=4, markerfacecolor="w"),
        f"mean of {count} runs, smoothed": Line2D([], [], color="0.4"),
        "least to most of them": Patch(facecolor="0.4", alpha=0.5),
        "holds 95 % of losses": Patch(facecolor="0.4", alpha=0.2),
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    figure.suptitle(f"{data.name}: ReLU network 784-100-100-100-100-10, batch 128")
    return figure
