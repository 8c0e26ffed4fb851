"""Holes in images filled by a run's networks: which images and holes, and what is written about it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from dcgan_tf.console import say
from dcgan_tf.datasets.images import FORMATS, BadImage
from dcgan_tf.datasets.packed import Packed, open_packed
from dcgan_tf.datasets.regions import Region, open_region
from dcgan_tf.errors import UserError
from dcgan_tf.files import write_text
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.inpainting import baselines, masks
from dcgan_tf.inpainting.completing import Completion, complete
from dcgan_tf.inpainting.scores import NAMES, scores
from dcgan_tf.pictures.completions import masked, save_search, save_sheet
from dcgan_tf.pictures.grids import save_png
from dcgan_tf.runs import loading
from dcgan_tf.runs.directory import chosen

SHOWN = 12  # images of a sheet
ANIMATED = 8
FRAMES = 24
STRANGE = 40.0  # mean difference of known pixels, of 255: faces and roads of the run's kind are far below


@dataclass(frozen=True)
class Request:
    """What is wanted, as the flags of `dcgan_tf.inpaint` have it; checked when made."""

    run: str = ""
    checkpoint: str = "last"
    images: str = ""
    num_images: int = 16
    mask: str = "centre"
    mask_image: str = ""
    loss: str = "paper"
    optimizer: str = "adam"
    iterations: int = 500
    restarts: int = 4
    blend: str = "poisson"
    seed: int = 0
    benchmark: bool = False

    def __post_init__(self) -> None:
        for flag, value, least in (
            ("num_images", self.num_images, 1), ("iterations", self.iterations, 1), ("restarts", self.restarts, 1),
            ("seed", self.seed, 0),
        ):  # fmt: skip
            if value < least:
                raise UserError(f"--{flag}={value}: it must be at least {least}.")
        for name in self.masks():
            if name != "alpha":
                masks.make(name, 64)
        if "alpha" in self.masks() and not self.images:
            raise UserError("--mask=alpha: it needs pictures of your own, with --images.")

    def masks(self) -> list[str]:
        """The masks by name; "image": that of `mask_image`."""
        if self.benchmark:
            return list(masks.MASKS)
        return ["image"] if self.mask_image else self.mask.split(",")


def inpaint(request: Request, output: str | None = None) -> tuple[str, list[Path]]:
    """Fill the holes; returns a table of scores and what was written.

    Args:
      request: what is wanted.
      output: folder for the results; None: `inpainting/step-N` in the run.

    Raises:
      UserError: no such run, checkpoint or image, a mask without hole or of nothing but hole, or the disk does not
        allow it.
    """
    if output and Path(output).exists() and not Path(output).is_dir():
        raise UserError(f"--output={output}: a file stands where a folder is needed; choose another one.")
    drawn = _mask_image(request.mask_image) if request.mask_image else None
    gan, step = loading.load_with_step(request.run or None, request.checkpoint)
    folder = Path(output) if output else chosen(request.run).path / "inpainting" / f"step-{step}"
    packed = None
    if request.benchmark or not request.images:
        packed = open_packed(gan.config)
    regions = _own(request.images, gan) if request.images else _held_out(packed, gan, request)
    seen = np.stack([region.seen() for region in regions])

    rows, written = [], []
    for name in request.masks():
        holes = [_hole(name, region, drawn, request.seed + i) for i, region in enumerate(regions)]
        known = np.stack([region.known(hole) for region, hole in zip(regions, holes)])
        _check(regions, known, name)
        completion = complete(
            gan, seen, known, request.loss, request.iterations, request.restarts, request.optimizer, request.blend,
            request.seed,
        )  # fmt: skip
        _warn_if_strange(seen, known, completion)
        methods = {"dcgan": completion.images}
        if request.benchmark:
            kinds = baselines.available()
            methods |= {kind: baselines.fill(kind, seen, known, packed.training) for kind in kinds}
        for method, images in methods.items():
            values = scores(seen, images, known)
            for i, region in enumerate(regions):
                loss = f"{completion.found.loss[i]:.4f}" if method == "dcgan" else ""
                rows.append([region.name, name, method, loss, *(f"{values[score][i]:.4f}" for score in NAMES)])
        written += _pictures(folder, name, gan, regions, holes, seen, known, completion, methods)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["image", "mask", "method", "loss", *NAMES], *rows])
    write_text(folder / "inpainting.csv", text.getvalue())
    return _table(rows), [*written, folder / "inpainting.csv"]


def _own(given: str, gan: DCGAN) -> list[Region]:
    """The user's pictures; those that cannot be read are named and left out."""
    paths = []
    for one in given.split(","):
        if os.path.isdir(one):
            paths += sorted(entry.path for entry in os.scandir(one) if entry.is_file())
        else:
            paths.append(one)
    config, regions = gan.config, []
    for path in paths:
        try:
            name = os.path.basename(path)
            regions.append(open_region(path, name, config.image_size, config.resolved_crop, config.channels))
        except BadImage as reason:
            say(f"{path} is left out: {reason}.")
    if not regions:
        raise UserError(f"--images={given}: no picture there can be used.")
    return regions


def _held_out(packed: Packed, gan: DCGAN, request: Request) -> list[Region]:
    """Held-out images of the run's set, drawn at random; of LFW one of each person."""
    images, first = packed.held_out, len(packed.training)
    if not len(images):
        say("The run held nothing out: images that it was trained on are completed.")
        images, first = packed.training, 0
    chosen_ones, people = [], set()
    for i in np.random.default_rng(request.seed).permutation(len(images)):
        name = packed.manifest["images"][first + i]["name"]
        person = name.rpartition("/")[0] if gan.config.dataset == "lfw" else name
        if person not in people:
            people.add(person)
            chosen_ones.append((name, images[i]))
        if len(chosen_ones) == request.num_images:
            break
    size = gan.config.image_size
    nothing = np.zeros((size, size), bool)
    return [Region(name, np.array(image), nothing, (0, 0, size, size), size) for name, image in chosen_ones]


def _mask_image(path: str) -> np.ndarray:
    """A user's mask, bool [h, w], True where it is brighter than half: the hole."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return np.asarray(image.convert("L")) > 127
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        raise UserError(f"--mask_image={path}: not an image that can be read.") from None


def _hole(name: str, region: Region, drawn: np.ndarray | None, seed: int) -> np.ndarray:
    """The hole in a region's picture: bool [h, w]."""
    if name == "alpha":
        return region.transparent
    if name == "image":
        height, width = region.picture.shape[:2]
        scaled = Image.fromarray(np.where(drawn, 255, 0).astype(np.uint8)).resize((width, height), Image.Resampling.BOX)
        return np.asarray(scaled) > 127
    return region.hole_of(masks.make(name, region.size, seed))


def _check(regions: list[Region], known: np.ndarray, name: str) -> None:
    for region, one in zip(regions, known):
        if one.all() or not one.any():
            what = "has no hole in the part that the networks see" if one.all() else "is nothing but hole"
            raise UserError(f"{region.name}: with the mask {name} it {what}.")


def _warn_if_strange(seen: np.ndarray, known: np.ndarray, completion: Completion) -> None:
    difference = np.abs(seen.astype(float) - completion.proposals).mean(axis=3)[known].mean()
    if difference > STRANGE:
        say(
            f"Known pixels are met only to {difference:.0f} of 255: the run has probably learned from another kind of "
            "image, or not for long."
        )


def _pictures(
    folder: Path, name: str, gan: DCGAN, regions: list[Region], holes: list, seen: np.ndarray, known: np.ndarray,
    completion: Completion, methods: dict[str, np.ndarray],
) -> Iterable[Path]:  # fmt: skip
    stem = name.replace(":", "-")
    for i, (region, hole) in enumerate(zip(regions, holes)):
        file = folder / stem / f"{Path(region.name).stem}-{i:03d}.png"
        save_png(file, region.filled(completion.images[i], hole))
    columns = {
        "original": seen,
        "masked": masked(seen, known),
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


def _table(rows: list[list[str]]) -> str:
    """Mean and standard deviation over the images, for each mask and method."""
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
