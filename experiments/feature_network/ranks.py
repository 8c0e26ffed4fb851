"""Do the package's metrics order generators as the features of a trained network do? Rank correlations and a figure.

    python -m experiments.feature_network.ranks

The checkpoints are those that `experiments.recipes.compare` measured: recipes, steps, sets and seeds that had no part
in the choice of the network. Distances are compared within each set, as sets differ in their scale.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.errors import UserError

FLAGS = absl_flags.FLAGS
FEATURES = {"fault": "fault network", "random": "random network"}
METRICS = {
    "frechet": "Fréchet distance",
    "kernel": "kernel distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}
LEAST = 10  # checkpoints of a set


def read_checkpoints(folder: Path) -> dict[str, list[dict]]:
    """Set -> the scores of each measured generator, averaged or not."""
    found: dict[str, list[dict]] = {}
    for path in sorted(folder.glob("*min-*.json")):
        run = json.loads(path.read_text())
        for mark in run["measured"]:
            found.setdefault(run["dataset"], []).extend(mark[kind] for kind in ("averaged", "raw") if kind in mark)
    return {name: checkpoints for name, checkpoints in found.items() if len(checkpoints) >= LEAST}


def correlate(checkpoints: list[dict], name: str, metric: str) -> float:
    """Spearman's rank correlation of a metric by a network's name with the same metric of the trained network."""
    from scipy.stats import spearmanr

    ours, trained = ([scores[f"{network}_{metric}"] for scores in checkpoints] for network in (name, "trained"))
    if len(set(ours)) == 1 or len(set(trained)) == 1:
        return float("nan")  # all are equal: they have no order
    return float(spearmanr(ours, trained).statistic)


def table(sets: dict[str, list[dict]]) -> str:
    """A line for each metric and network: the correlation in each set, and the mean over the sets that have one."""
    heads = [f"{name} ({len(checkpoints)})" for name, checkpoints in sets.items()]
    lines = [f"| metric | features | {' | '.join(heads)} | mean |", "|---" * (len(sets) + 3) + "|"]
    for metric, title in METRICS.items():
        for name, network in FEATURES.items():
            values = [correlate(checkpoints, name, metric) for checkpoints in sets.values()]
            mean = np.nanmean(values) if np.isfinite(values).any() else np.nan
            cells = ["-" if np.isnan(value) else f"{value:.2f}" for value in (*values, mean)]
            lines.append(f"| {title} | {network} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(sets: dict[str, list[dict]], path: Path) -> None:
    """Draw the Fréchet distance by each network over that of the trained one: a panel for each network and set."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    from dcgan_tf.files import replacing

    figure = Figure(figsize=(2.9 * len(sets) + 0.5, 5.6), layout="constrained")
    panels = figure.subplots(len(FEATURES), len(sets), squeeze=False)
    for row, (name, network) in zip(panels, FEATURES.items()):
        for panel, (dataset, checkpoints) in zip(row, sets.items()):
            trained, ours = ([s[f"{n}_frechet"] for s in checkpoints] for n in ("trained", name))
            panel.plot(trained, ours, "o", ms=3, color="#0072B2")
            panel.set(xscale="log", yscale="log")
            for axis in (panel.xaxis, panel.yaxis):
                axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter("{x:g}")
                axis.set_minor_formatter("")  # their numbers would overlap
            panel.set_title(f"{dataset}: {correlate(checkpoints, name, 'frechet'):.2f}", fontsize=10)
            panel.grid(alpha=0.3)
        row[0].set_ylabel(network)
    figure.supxlabel("Fréchet distance, trained MobileNet; a dot a generator", fontsize=9)
    figure.supylabel("Fréchet distance", fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def main() -> None:
    from dcgan_tf.files import write_text

    sets = read_checkpoints(Path(FLAGS.results))
    if not sets:
        raise UserError(
            f"--results={FLAGS.results}: no set has {LEAST} checkpoints there; `python -m experiments.recipes.compare` "
            "makes them."
        )
    write_text(Path(f"{FLAGS.out}.md"), table(sets) + "\n")
    draw(sets, Path(f"{FLAGS.out}.png"))
    print(table(sets))


if __name__ == "__main__":
    cli.define("results", "experiments/recipes/results/compare", "folder of the results of compare")
    cli.define("out", "experiments/feature_network/results/ranks", "the table and the figure, without .md and .png")
    cli.run(main, __doc__)
