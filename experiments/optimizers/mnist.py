"""Five optimisers on MNIST, compared with the losses that the source prints."""

from __future__ import annotations

import numpy as np

from dcgan_tf.console import progress
from experiments.framework.mnist import Digits, load_digits
from experiments.framework.study import AGREES, DIFFERS, Options, Row, new_figure
from experiments.optimizers import published_mnist
from experiments.optimizers.bands import Curve, fit_curve, leave_one_out, left_out_coverage, sum_scores
from experiments.optimizers.formulas import OF_NAME, RATES, make_optimizer

NAMES = ("SGD", "Momentum", "AdaGrad", "Adam", "RMSProp")
ITERATIONS, QUICK_ITERATIONS = 2000, 400
CHANGED = "(as a whole and the order of all four were added after the points had been seen to agree)"
WANTED = 0.9  # of the points within the band of 95 %
FARTHEST = 3.0  # standard deviations of a run's summed scores
LATE = slice(100, None)  # iterations whose mean loss is printed


def optimizers_on_mnist(options: Options) -> Row:
    """Train `options.seeds` runs of each optimiser and compare the source's one run with them.

    A published point is the loss of one batch in one run. It is compared with the band that holds 95 % of such losses;
    all points of an optimiser together, and all together, by their summed scores, which see a shift that the bands are
    too wide for; and the optimisers by their order. The range of n runs is a narrower band: it would hold (n - 1) /
    (n + 1) of the points of one more run.
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
    curves = {name: fit_curve(found, points) for name, found in losses.items()}
    published = {name: np.array(values[: len(points)]) for name, values in published_mnist.LOSSES.items()}
    between = np.mean(
        [
            (losses[name][points].min(axis=1) <= values) & (values <= losses[name][points].max(axis=1))
            for name, values in published.items()
        ]
    )
    # The summed scores of runs that were left out of the curves show by how much those of one run vary.
    left_out = leave_one_out({name: losses[name] for name in published}, points) if seeds > 2 else {}
    deviation = float(np.sqrt(np.mean([sum_scores(z) ** 2 for z in left_out.values()]))) if left_out else 1.0
    held_out = left_out_coverage(losses) if seeds > 2 else None
    verdict, numbers = judge(published, curves, points, deviation)
    if not data.genuine:
        verdict = f"{DIFFERS}: {data.name} are not MNIST (give --data_dir); {numbers['share in band']:.0%} inside"
    means = {name: float(losses[name][LATE].mean()) for name in NAMES}
    return Row(
        title=f"optimisers compared on {data.name}: 5-layer ReLU network, batch 128, {iterations:,} iterations",
        published=f"{sum(map(len, published.values()))} losses of one run: SGD, Momentum, AdaGrad, Adam every 100 "
        "iterations; the other three are faster than SGD and nearly equal, AdaGrad slightly the fastest",
        ours=f"{100 * numbers['share in band']:.1f} % of them within the band of 95 % of losses, {100 * between:.1f} % "
        f"from least to most of {seeds} runs (such a run: {100 * (seeds - 1) / (seeds + 1):.0f} %); summed scores "
        + ", ".join(f"{name} {value:+.1f}" for name, value in numbers["summed scores"].items())
        + "; mean loss from iteration 100 on: "
        + ", ".join(f"{name} {value:.3f}" for name, value in means.items())
        + "; test images right: "
        + ", ".join(f"{name} {100 * np.mean(accuracies[name]):.1f} %" for name in NAMES),
        spread=f"bands over {seeds} runs"
        + (f"; they hold {100 * held_out:.1f} % of a run left out of them" if held_out else "")
        + f"; the summed scores of such a run have the deviation {deviation:.2f}",
        verdict=verdict,
        numbers=numbers
        | {
            "data": data.name,
            "share from least to most": float(between),
            "coverage of a run left out": held_out,
            "deviation of summed scores": deviation,
            "iterations": points,
            "curves": {name: [c.mean.tolist(), c.deviation.tolist(), c.freedom.tolist()] for name, c in curves.items()},
            "mean loss from iteration 100": means,
            "test accuracy": accuracies,
            "largest loss": {name: float(found.max()) for name, found in losses.items()},
        },
        table=[
            ["optimiser", "iteration", "published", *(f"seed {n}" for n in range(seeds)), "band from", "band to"],
            *(
                [name, t, published[name][k] if name in published else "", *(f"{v:.4f}" for v in values)]
                for name, curve in curves.items()
                for k, (t, *values) in enumerate(zip(points, *losses[name][points].T, *curve.band()))
            ),
        ],
        figures={"optimizers_on_mnist": _figure(data, losses, points)},
    )


def train_networks(data: Digits, name: str, seeds: range, iterations: int) -> tuple[np.ndarray, list[float]]:
    """Train a network for each seed; returns the losses [iterations, seeds] of the batches and the test accuracies."""
    from experiments.optimizers.network import Networks

    networks = Networks(data, make_optimizer(name, RATES[name]), seeds)
    return networks.train(iterations, RATES[name]), networks.accuracy()


def judge(
    published: dict[str, np.ndarray], curves: dict[str, Curve], points: list[int], deviation: float
) -> tuple[str, dict]:
    """The verdict on one published run, and the numbers behind it.

    Args:
      published: name -> losses at the points.
      curves: name -> the curve of our runs there.
      points: iterations.
      deviation: of the summed scores of one run of our own that is left out of the curves.
    """
    scores = {name: curves[name].scores(values) for name, values in published.items()}
    inside = {}
    for name, values in published.items():
        low, high = curves[name].band()
        inside[name] = (low <= values) & (values <= high)
    share = float(np.mean(list(inside.values())))
    summed = {name: float(sum_scores(z)) for name, z in scores.items()}
    summed["all"] = float(sum_scores(np.concatenate(list(scores.values()))))
    far = [name for name, value in summed.items() if abs(value) > FARTHEST * max(deviation, 1.0)]
    theirs = sorted(published, key=lambda name: np.log(published[name][1:]).mean())  # untrained, all are equal
    ours = sorted(published, key=lambda name: curves[name].mean[1:].mean())
    outside = {name: [t for t, good in zip(points, found) if not good] for name, found in inside.items()}
    numbers = {"share in band": share, "summed scores": summed, "outside the band": outside, "order": ours}
    listed = [f"{name} at {t}" for name, times in outside.items() for t in times]
    where = f"; outside: {', '.join(listed[:8])}{', ...' if len(listed) > 8 else ''}" if listed else ""
    if share < WANTED:
        return f"{DIFFERS}: less than {100 * WANTED:.0f} % of the points inside{where}", numbers
    if far:
        return f"{DIFFERS}: as a whole too far from our runs: {', '.join(far)}{where}", numbers
    if theirs != ours:
        return f"{DIFFERS}: the order by mean logarithm is {', '.join(ours)}, published {', '.join(theirs)}", numbers
    return f"{AGREES}: point by point, as a whole and in order ({', '.join(ours)}){where} {CHANGED}", numbers


def _figure(data: Digits, losses: dict[str, np.ndarray], points: list[int]):
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure = new_figure(9, 6)
    axes = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
    kernel = np.kaiser(11, 2)  # the source's smoothing
    places = np.r_[0:200:5, 200 : len(losses["SGD"]) : 20]  # close together where the losses fall fast
    for axis, (name, found) in zip(axes, losses.items()):
        color, marks = OF_NAME[name], found[places]
        axis.fill_between(places, *fit_curve(found, list(places)).band(), color=color, alpha=0.15, linewidth=0)
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
