"""The image sets of an evaluation: a run's or a folder's, against a run's data set or a folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dcgan_tf.config import Config, Dataset, preset
from dcgan_tf.console import Progress, say
from dcgan_tf.datasets.packing import Packed, find_packed, open_packed
from dcgan_tf.evaluation.options import EvaluateOptions
from dcgan_tf.files import write_error
from dcgan_tf.training.run_directory import RunDirectory, choose_run

PIECE = 256  # images generated, or read and written, at a time


@dataclass(frozen=True)
class Sets:
    """The sets that are compared.

    Attributes:
      real: the real images, those held out apart.
      images: uint8 [n, S, S, C], in random order, at most as many as asked for.
      about: names of both, and how the real ones were prepared and split.
      folder: where the results go by default.
    """

    real: Packed
    images: np.ndarray
    about: dict
    folder: Path


def resolve_run(options: EvaluateOptions) -> tuple[RunDirectory | None, Config]:
    """The run and its config; for two folders None and the config that they are read with.

    Raises:
      UserError: no such run.
    """
    if options.real and options.fake:
        return None, preset("article", image_size=options.image_size or 64)
    run = choose_run(options.run)
    return run, run.config()


def open_sets(options: EvaluateOptions, run: RunDirectory | None, config: Config, spool: Path) -> Sets:
    """Load, generate and pack what is to be compared; `spool` is a folder for what need not fit into memory.

    Raises:
      UserError: no such checkpoint, or a set that cannot be used.
    """
    gan = None
    if run and not options.fake:  # first: a wrong checkpoint is said before a set is packed
        from dcgan_tf.training.loading import load_with_step

        gan, step = load_with_step(run.path, options.checkpoint)
    if run and not options.real:
        real, name = _learned_from(run, config), f"{config.dataset} ({config.resolved_data_dir})"
    else:
        real, name = open_packed(_real_config(options.real, run, config)), options.real
    settings = {key: real.manifest[key] for key in ("image_size", "channels", "crop", "split")}
    about = {"real": name, **settings, "real_held_out": len(real.held_out)}

    parent = run.path / "evaluation" if run else Path("evaluation")
    against = f"-against-{Path(options.real).resolve().name}" if options.real else ""
    if not (run and gan):
        images = open_packed(_measured_config(options.fake, config)).images
        rows = draw_rows(len(images), options.num_images, options.seed)
        images = spool_rows(spool / "images", images, rows)
        return Sets(
            real, images, about | {"images": options.fake}, parent / (Path(options.fake).resolve().name + against)
        )
    count = min(options.num_images, len(real.training))
    images = written(spool / "images", _generated(gan, count, options.seed), real.images.shape[1:])
    return Sets(real, images, about | {"run": str(run.path), "step": step}, parent / f"step-{step}{against}")


def _learned_from(run: RunDirectory, config: Config) -> Packed:
    """The run's data set, as it was packed for it."""
    packed = find_packed(config) or open_packed(config)
    try:
        same = json.loads(run.data_file.read_text(encoding="utf-8"))["sha256"] == packed.manifest["sha256"]
    except (OSError, ValueError, TypeError, KeyError):
        same = True  # unknown
    if not same:
        say(f"{config.resolved_data_dir} no longer holds the images that {run.path} learned from.")
    return packed


def _real_config(folder: str, run: RunDirectory | None, config: Config) -> Config:
    """The config that reads a folder of real images: cropped as the run's own set, with a share held out."""
    dataset: Dataset = "folder"
    if run and config.dataset == "lfw":
        dataset = "lfw"
    elif next(Path(folder).rglob("data.txt"), None):
        dataset = "sully_chen"
        say(f"{folder} is read as a driving set: there is a data.txt.")
    crop = config.resolved_crop if run else "auto"
    share = config.held_out or 0.1
    return replace(config, dataset=dataset, data_dir=folder, crop=crop, held_out=share, num_images=0)


def _measured_config(folder: str, config: Config) -> Config:
    """The config that reads a folder of images to measure: all of them, cropped to the central square."""
    return replace(config, dataset="folder", data_dir=folder, crop="square", held_out=0.0, num_images=0)


def _generated(gan, count: int, seed: int) -> Iterator[np.ndarray]:
    z = gan.sample_latents(count, seed)
    with Progress(f"generating {count:,} images", count) as shown:
        for i in range(0, count, PIECE):
            yield gan.decode(z[i : i + PIECE])
            shown.advance(min(PIECE, count - i))


def draw_rows(total: int, count: int, seed: int) -> np.ndarray:
    """`count` different numbers below `total`, or all: a longer list begins with a shorter one."""
    return np.random.default_rng([seed, 0]).permutation(total)[:count]


def spool_rows(path: Path, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`images[rows]`, in this order, mapped from a file."""
    pieces = (images[rows[i : i + PIECE]] for i in range(0, len(rows), PIECE))
    return written(path, pieces, images.shape[1:])


def written(path: Path, parts: Iterable[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Images as one array mapped from a file: it need not fit into memory.

    Args:
      path: the file to write.
      parts: uint8 [n, *shape] each, at least one image in all.

    Raises:
      UserError: the disk is full or may not be written.
    """
    try:
        with open(path, "wb") as file:
            for part in parts:
                file.write(np.ascontiguousarray(part).data)
    except OSError as error:
        raise write_error(error, path) from error
    return np.memmap(path, np.uint8, mode="r").reshape(-1, *shape)
