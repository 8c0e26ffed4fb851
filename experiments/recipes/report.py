"""Tables (Markdown) and figures of the recipe study's results. The study writes them; this command writes them again.

python -m experiments.recipes.report
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli

FLAGS = absl_flags.FLAGS
TITLES = {
    "screen": "Screening: one trick at a time",
    "third_set": "Those that helped, on a third set",
    "precision": "float32 and bfloat16 at equal steps",
    "combine": "What helped, together",
    "seeds": "The base and the four together, three seeds",
    "confirm": "Full width",
}
SCORES = {"frechet": "Fréchet distance (random features)", "sliced_wasserstein": "sliced Wasserstein x1e3"}
KINDS = ("raw", "averaged")


def read_results(folder: Path, stage: str) -> list[dict]:
    """Read the results of a stage: a dict for each run, in the order of variants, sets and seeds."""
    results = [json.loads(path.read_text()) for path in folder.glob(f"{stage}-*-*-*.json")]
    if stage == "seeds":  # the first seed of these runs is in other stages
        kinds = {(r["variant"], r["dataset"]) for r in results}
        first = [json.loads(path.read_text()) for path in folder.glob("*-*-*-0.json")]
        results += [r for r in first if (r["variant"], r["dataset"]) in kinds and r["image_size"] == 32]
    if stage == "confirm":
        results += [json.loads(path.read_text()) for path in folder.glob("confirm_seed-*.json")]
    return sorted(results, key=lambda r: (r["order"], r["dataset"], r["seed"]))


def group_runs(results: list[dict]) -> dict[tuple[str, str], list[dict]]:
    """Group runs: (title of the variant, set) -> its runs."""
    found: dict[tuple[str, str], list[dict]] = {}
    for r in results:
        found.setdefault((r["title"], r["dataset"]), []).append(r)
    return found


def table(results: list[dict]) -> str:
    """The table of Fréchet and sliced Wasserstein distance, raw / averaged generator, for each variant and set."""
    sets = sorted({r["dataset"] for r in results})
    by_group = group_runs(results)
    first = by_group.values()
    steps = {title: runs[0]["steps"] for (title, _), runs in zip(by_group, first)}
    lines = ["| variant | steps | " + " | ".join(f"{name}: Fréchet | sliced W." for name in sets) + " |"]
    lines.append("|---|---|" + "---|---|" * len(sets))
    for title in dict.fromkeys(title for title, _ in by_group):
        cells = [f"{steps[title]:,}"]
        for name in sets:
            runs = by_group.get((title, name), [])
            cells += [" / ".join(_format_mean([r[kind][score] for r in runs]) for kind in KINDS) for score in SCORES]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _format_mean(values: list[float]) -> str:
    if not values:
        return "-"
    mean = f"{np.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.1f}"


def draw_figure(path: Path, results: list[dict], title: str) -> None:
    """Draw a row of panels for each score and a panel for each set; every dot is a run."""
    from matplotlib.figure import Figure

    from dcgan_tf.files import replacing
    from dcgan_tf.pictures.curves import BLUE, ORANGE

    sets = sorted({r["dataset"] for r in results})
    names = list(dict.fromkeys(r["title"] for r in results))
    figure = Figure(figsize=(11, 1.4 + len(SCORES) * (0.7 + 0.24 * len(names))), layout="constrained")
    figure.suptitle(f"{title}: lower is better", fontsize=11)
    axes = figure.subplots(len(SCORES), len(sets), squeeze=False, sharey=True)
    for row, (score, label) in zip(axes, SCORES.items()):
        for panel, dataset in zip(row, sets):
            for kind, colour, marker, shift in (("raw", ORANGE, "o", -0.15), ("averaged", BLUE, "D", 0.15)):
                runs = [r for r in results if r["dataset"] == dataset]
                places = [names.index(r["title"]) + shift for r in runs]
                panel.plot(
                    [r[kind][score] for r in runs], places, marker, color=colour, ms=5, label=f"{kind} generator"
                )
            panel.set_xlim(0, 1.06 * max(line.get_xdata().max() for line in panel.lines))
            panel.set_xlabel(label, fontsize=8)
            panel.set_title(dataset, fontsize=9)
            panel.set_yticks(range(len(names)), names, fontsize=8)
            panel.set_ylim(len(names) - 0.5, -0.5)
            panel.grid(alpha=0.3)
            panel.tick_params(axis="x", labelsize=7)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower right", ncols=2, fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def draw_grids(path: Path, folder: Path, results: list[dict]) -> None:
    """Draw images of the article's generator beside those of `stable`'s averaged generator, a row for each set."""
    from matplotlib.figure import Figure
    from PIL import Image

    from dcgan_tf.files import replacing

    sets = sorted({r["dataset"] for r in results})
    figure = Figure(figsize=(9, 3.3 * len(sets)), layout="constrained")
    for row, dataset in zip(figure.subplots(len(sets), 2, squeeze=False), sets):
        for panel, variant, half in zip(row, ("article", "stable"), (0, 1)):
            panel.axis("off")
            runs = [r for r in results if (r["dataset"], r["variant"]) == (dataset, variant)]
            if not runs:  # not made yet
                continue
            result = runs[0]
            with Image.open(folder / f"confirm-{dataset}-{variant}-{result['seed']}.png") as sheet:
                width = (sheet.width - 8) // 2  # raw and averaged images with 8 pixels between them
                panel.imshow(sheet.crop((half * (width + 8), 0, half * (width + 8) + width, sheet.height)))
            panel.set_title(f"{dataset}: {variant}, {result['steps']:,} steps in the same time", fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="jpeg", dpi=100, pil_kwargs={"quality": 85})


def write_report(folder: Path, figures: Path) -> list[Path]:
    """Write `recipes.md` into `folder` and a figure for each stage into `figures`; returns the files."""
    from dcgan_tf.files import write_text

    written, text = [folder / "recipes.md"], []
    for stage, title in TITLES.items():
        if results := read_results(folder, stage):
            hours = sum(r["seconds"] for r in results) / 3600
            budget = f"{len(results)} runs, {hours:.1f} hours of training"
            text.append(f"### {title}\n\n{budget}; raw / averaged generator.\n\n{table(results)}\n")
            written.append(figures / f"recipes_{stage}.png")
            draw_figure(written[-1], results, f"{title} ({results[0]['image_size']} px)")
        # The sheets of images are large and not kept in the repository; without them the figure stays as it is.
        if stage == "confirm" and any(folder.glob("confirm-*.png")):
            written.append(figures / "recipes_grids.jpg")
            draw_grids(written[-1], folder, results)
    write_text(written[0], "\n".join(text))
    return written


def main() -> None:
    for path in write_report(Path(FLAGS.results), Path(FLAGS.figures)):
        print(path)


if __name__ == "__main__":
    cli.define("results", "experiments/recipes/results", "folder of the study's results")
    cli.define("figures", "experiments/recipes/figures", "folder for the figures")
    cli.run(main, __doc__)
