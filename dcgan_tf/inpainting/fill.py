"""Filling holes in images with a run's networks, and writing the images, sheets and scores."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dcgan_tf.console import say
from dcgan_tf.datasets.regions import Region
from dcgan_tf.datasets.shards import Images
from dcgan_tf.files import check_output, write_text
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.inpainting import baselines
from dcgan_tf.inpainting.completing import Completion, complete
from dcgan_tf.inpainting.inputs import check_holes, draw_held_out_images, make_hole, open_pictures, read_mask
from dcgan_tf.inpainting.masks import importance
from dcgan_tf.inpainting.options import InpaintOptions
from dcgan_tf.inpainting.pictures import hide_holes, save_search, save_sheet
from dcgan_tf.inpainting.scores import NAMES, compute_scores
from dcgan_tf.pictures.grids import save_png
from dcgan_tf.training import learned_set, loading
from dcgan_tf.training.run_directory import choose_run

SHOWN = 12  # images of a sheet
ANIMATED = 8
FRAMES = 24
# Mean difference of the known pixels near the hole, of 255. For a run on faces it is 10 to 20 on faces, 19 to 33 on
# roads.
LARGEST_MISMATCH = 24.0


def inpaint(options: InpaintOptions) -> tuple[str, list[Path]]:
    """Fill the holes that the options describe.

    Returns:
      A table of scores, and the files written.

    Raises:
      UserError: there is no such run, checkpoint or image, a mask has no hole or nothing but hole, or the disk is full
        or may not be written.
    """
    check_output(options.output)
    drawn = read_mask(options.mask_image) if options.mask_image else None
    gan, step = loading.load_with_step(options.run or None, options.checkpoint)
    folder = Path(options.output) if options.output else choose_run(options.run).path / "inpainting" / f"step-{step}"
    training: Images = None  # of the run's data set, for the benchmark
    if options.benchmark or not options.images:
        packed = learned_set.open_again(choose_run(options.run), gan.config, options.data_dir)
        training = packed.training
    if options.images:
        regions = open_pictures(options.images, gan.config)
    else:
        regions = draw_held_out_images(packed, gan.config, options)
    seen = np.stack([region.network_input() for region in regions])

    rows: list[list[str]] = []
    written: list[Path] = []
    mismatches: list[float] = []
    for name in options.mask_names:
        holes = [make_hole(name, region, drawn, options.seed + i) for i, region in enumerate(regions)]
        known = np.stack([region.known_pixels(hole) for region, hole in zip(regions, holes)])
        check_holes(regions, holes, known, name)
        completion = complete(
            gan, seen, known, options.loss, options.iterations, options.restarts, options.optimizer, options.blend,
            options.seed,
        )  # fmt: skip
        mismatches.append(_measure_mismatch(seen, known, completion))
        methods = {"dcgan": completion.images}
        if options.benchmark:
            kinds = baselines.list_available()
            methods |= {kind: baselines.fill(kind, seen, known, training) for kind in kinds}
        for method, images in methods.items():
            values = compute_scores(seen, images, known)
            if name == "alpha":  # the true pixels are unknown
                values = {score: np.full(len(seen), np.nan) for score in NAMES}
            for i, region in enumerate(regions):
                loss = f"{completion.found.loss[i]:.4f}" if method == "dcgan" else ""
                rows.append([region.name, name, method, loss, *(f"{values[score][i]:.4f}" for score in NAMES)])
        written += _save_pictures(folder, name, gan, regions, holes, seen, known, completion, methods)
    if max(mismatches) > LARGEST_MISMATCH:
        say(
            f"The generated images differ from the known pixels near the hole by {max(mismatches):.0f} of 255 on "
            "average: the run was probably trained on another kind of image, or not for long."
        )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["image", "mask", "method", "loss", *NAMES], *rows])
    write_text(folder / "inpainting.csv", text.getvalue())
    return _format_table(rows), [*written, folder / "inpainting.csv"]


def _measure_mismatch(seen: np.ndarray, known: np.ndarray, completion: Completion) -> float:
    """Measure how far G(z) is from the known pixels near the hole: mean absolute difference, of 255."""
    weights = np.stack([importance(one) for one in known])
    return float(np.average(np.abs(seen.astype(float) - completion.proposals).mean(axis=3), weights=weights))


def _save_pictures(
    folder: Path, name: str, gan: DCGAN, regions: list[Region], holes: list, seen: np.ndarray, known: np.ndarray,
    completion: Completion, methods: dict[str, np.ndarray],
) -> Iterable[Path]:  # fmt: skip
    stem = name.replace(":", "-")
    for i, (region, hole) in enumerate(zip(regions, holes)):
        file = folder / stem / f"{Path(region.name).stem}-{i:03d}.png"
        save_png(file, region.fill(completion.images[i], hole))
    columns = {
        "original": seen,
        "masked": hide_holes(seen, known),
        "G(z)": completion.proposals,
        "completed": completion.images,
    }
    columns |= {method.replace("_", " "): images for method, images in methods.items() if method != "dcgan"}
    sheet, animation = folder / f"{stem}.png", folder / f"{stem}.gif"
    save_sheet(sheet, {title: images[:SHOWN] for title, images in columns.items()})
    path = completion.found.path[:, :ANIMATED]
    some = path[np.unique(np.linspace(0, len(path) - 1, FRAMES).astype(int))]
    proposals = gan.decode(some.reshape(-1, some.shape[-1])).reshape(*some.shape[:2], *seen.shape[1:])
    save_search(animation, seen[:ANIMATED], known[:ANIMATED], proposals)
    return [folder / stem, sheet, animation]


def _format_table(rows: list[list[str]]) -> str:
    """Format the mean and standard deviation over the images, for each mask and method, as a Markdown table."""
    shown = ("psnr_hole", "ssim_hole", "l1_hole", "psnr_image", "ssim_image")
    lines = ["| mask | filled by | " + " | ".join(name.replace("_", ", ") for name in shown) + " |"]
    lines.append("|---" * (2 + len(shown)) + "|")
    for key in dict.fromkeys((row[1], row[2]) for row in rows):
        cells = []
        for name in shown:
            values = np.array([float(row[4 + NAMES.index(name)]) for row in rows if (row[1], row[2]) == key])
            cells.append(f"{np.nanmean(values):.3g} ± {np.nanstd(values):.2g}" if np.isfinite(values).any() else "")
        lines.append(f"| {key[0]} | {key[1]} | {' | '.join(cells)} |")
    return "\n".join(lines)
