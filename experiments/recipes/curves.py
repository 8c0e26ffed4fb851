"""Tables (Markdown) and figures of the recipes at equal time, from the results of `experiments.recipes.compare`.

python -m experiments.recipes.curves
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.errors import UserError
from experiments.recipes.arms import ARMS, SETS, name_run, scores_at

FLAGS = absl_flags.FLAGS
COLUMNS = {
    "trained_frechet": ("trained Fréchet", 2),
    "trained_recall": ("trained recall", 2),
    "trained_coverage": ("trained coverage", 2),
    "sliced_wasserstein": ("sliced W. x1e3", 1),
    "fault_frechet": ("fault-feature Fréchet", 1),
    "high_frequencies": ("highest frequencies", 2),
}
COLORS = ("#999999", "#E69F00", "#56B4E9", "#F0E442", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#8B4513", "#000000")


def read_results(folder: Path) -> dict[float, list[dict]]:
    """Read all runs: minutes -> runs, in the order of arms, sets and seeds."""
    results: dict[float, list[dict]] = {}
    for path in folder.glob("*min-*.json"):
        run = json.loads(path.read_text())
        results.setdefault(run["minutes"], []).append(run)
    orders = list(ARMS), list(SETS)
    for runs in results.values():
        runs.sort(key=lambda run: (orders[0].index(run["arm"]), orders[1].index(run["dataset"]), run["seed"]))
    return dict(sorted(results.items()))


def table(runs: list[dict]) -> str:
    """A line for each arm and set: mean and standard deviation over seeds; a line of real images for each set."""
    lines = ["| set | recipe | seeds | steps | " + " | ".join(title for title, _ in COLUMNS.values()) + " |"]
    lines.append("|" + "---|" * (4 + len(COLUMNS)))
    for dataset in dict.fromkeys(
        run["dataset"] for run in sorted(runs, key=lambda run: list(SETS).index(run["dataset"]))
    ):
        of_set = [run for run in runs if run["dataset"] == dataset]
        for arm in dict.fromkeys(run["arm"] for run in of_set):
            same = [run for run in of_set if run["arm"] == arm]
            cells = [format_mean([scores_at(run)[name] for run in same], d) for name, (_, d) in COLUMNS.items()]
            seeds = ", ".join(str(run["seed"]) for run in same)
            lines.append(f"| {dataset} | {same[0]['title']} | {seeds} | {same[0]['steps']:,} | {' | '.join(cells)} |")
        real = of_set[0]["real_beside"]
        cells = [format_mean([real[name]], decimals) for name, (_, decimals) in COLUMNS.items()]
        lines.append(f"| {dataset} | other real images | | | {' | '.join(cells)} |")
    return "\n".join(lines)


def format_mean(values: list[float], decimals: int) -> str:
    """Mean ± standard deviation; the value alone if there is only one."""
    mean = f"{np.mean(values):.{decimals}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{decimals}f}"


def draw_curves(runs: list[dict], score: str, path: Path) -> None:
    """Draw a score over seconds of training: a panel for each set, a line for each arm, its band from seed to seed."""
    from matplotlib.figure import Figure

    from dcgan_tf.files import replacing

    sets = [name for name in SETS if any(run["dataset"] == name for run in runs)]
    colors = dict(zip(ARMS, COLORS, strict=False))
    figure = Figure(figsize=(3.2 * len(sets) + 0.6, 3.9), layout="constrained")
    lines = {}
    for panel, dataset in zip(figure.subplots(1, len(sets), squeeze=False)[0], sets):
        of_set = [run for run in runs if run["dataset"] == dataset]
        for arm in dict.fromkeys(run["arm"] for run in of_set):
            same = [run for run in of_set if run["arm"] == arm]
            seconds = [mark["seconds"] for mark in same[0]["measured"]]
            values = np.array([[scores_at(run, k)[score] for k in range(len(seconds))] for run in same])
            (lines[same[0]["title"]],) = panel.plot(seconds, values.mean(axis=0), "o-", ms=3, color=colors[arm])
            panel.fill_between(seconds, values.min(axis=0), values.max(axis=0), color=colors[arm], alpha=0.2, lw=0)
        panel.axhline(of_set[0]["real_beside"][score], color="black", lw=1, ls=":")
        panel.set(title=dataset, xlabel="seconds of training, two cores", yscale="log")
        panel.grid(alpha=0.3)
    figure.supylabel(COLUMNS[score][0] + " (dotted: other real images)", fontsize=9)
    figure.legend(lines.values(), lines, loc="outside lower center", ncols=4, fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def draw_images(runs: list[dict], folder: Path, path: Path) -> None:
    """Draw images of each arm at the end beside each other: a row for each set, of the lowest seed."""
    from matplotlib.figure import Figure
    from PIL import Image

    from dcgan_tf.files import replacing

    sets = [name for name in SETS if any(run["dataset"] == name for run in runs)]
    arms = list(dict.fromkeys(run["arm"] for run in runs))
    figure = Figure(figsize=(3.4 * len(arms), 2.0 * len(sets)), layout="constrained")
    for row, dataset in zip(figure.subplots(len(sets), len(arms), squeeze=False), sets):
        for panel, arm in zip(row, arms):
            panel.axis("off")
            same = [run for run in runs if (run["dataset"], run["arm"]) == (dataset, arm)]
            file = folder / name_of(same[0]) / "images.png" if same else Path()
            if file.is_file():
                with Image.open(file) as image:
                    panel.imshow(np.asarray(image))
                panel.set_title(f"{dataset}: {same[0]['title']}", fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="jpeg", dpi=110, pil_kwargs={"quality": 88})


def name_of(run: dict) -> str:
    """The name of the run with this result."""
    return name_run(run["minutes"], run["dataset"], run["arm"], run["seed"])


def main() -> None:
    from dcgan_tf.files import write_text

    results = read_results(Path(FLAGS.results))
    if not results:
        raise UserError(
            f"--results={FLAGS.results}: holds no results; `python -m experiments.recipes.compare` makes them."
        )
    figures, text = Path(FLAGS.figures), []
    for minutes, runs in results.items():
        title = f"{minutes:g} minutes of two cores"
        text.append(f"### {title}\n\nMean ± standard deviation over seeds.\n\n{table(runs)}\n")
        draw_curves(runs, "trained_frechet", figures / f"curves_{minutes:g}min.png")
        print(figures / f"curves_{minutes:g}min.png")
        if any((Path(FLAGS.runs) / name_of(run) / "images.png").is_file() for run in runs):
            draw_images(runs, Path(FLAGS.runs), figures / f"images_{minutes:g}min.jpg")
            print(figures / f"images_{minutes:g}min.jpg")
    write_text(Path(FLAGS.results) / "compare.md", "\n".join(text))
    print(Path(FLAGS.results) / "compare.md")


if __name__ == "__main__":
    cli.define("results", "experiments/recipes/results/compare", "folder of the results")
    cli.define("figures", "experiments/recipes/figures", "folder for the figures")
    cli.define("runs", "runs/recipes", "folder of the runs, with their images")
    cli.run(main, __doc__)
