"""The image sets of an evaluation: those of a run or a folder, and the real ones of a data set or a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dcgan_tf.config import Config, Dataset, preset
from dcgan_tf.console import Progress, say
from dcgan_tf.datasets.packing import Packed, open_packed
from dcgan_tf.evaluation.options import EvaluateOptions
from dcgan_tf.files import explain_write_error
from dcgan_tf.training import learned_set
from dcgan_tf.training.run_directory import RunDirectory, choose_run

PIECE = 256  # images generated, or read and written, at a time


@dataclass(frozen=True)
class Sets:
    """The sets that are compared.

    Attributes:
      real: the real images, split into training and held-out ones.
      images: the images to measure, uint8 [n, S, S, C], in random order, at most `options.num_images`.
      about: the names of both sets, and how the real images were prepared and split.
      folder: the default folder of the results.
    """

    real: Packed
    images: np.ndarray
    about: dict
    folder: Path


def resolve_run(options: EvaluateOptions) -> tuple[RunDirectory | None, Config]:
    """Return the run and its config or, for two folders, None and the config to read them with.

    Raises:
      UserError: there is no such run.
    """
    if options.real and options.fake:
        return None, preset("article", image_size=options.image_size or 64)
    run = choose_run(options.run)
    return run, run.config()


def open_sets(options: EvaluateOptions, run: RunDirectory | None, config: Config, spool: Path) -> Sets:
    """Load, generate and pack the images to compare.

    Args:
      options: what is compared.
      run, config: from `resolve_run`.
      spool: a folder for images that need not fit into memory.

    Raises:
      UserError: there is no such checkpoint, or a set cannot be used.
    """
    gan = None
    if run and not options.fake:  # first, so that a wrong checkpoint is refused before a set is packed
        from dcgan_tf.training.loading import load_with_step

        gan, step = load_with_step(run.path, options.checkpoint)
    if run and not options.real:
        real = learned_set.open_again(run, config, options.data_dir)
        name = f"{config.dataset} ({options.data_dir or config.resolved_data_dir})"
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
    images = write_images(spool / "images", _generate(gan, count, options.seed), real.images.shape[1:])
    return Sets(real, images, about | {"run": str(run.path), "step": step}, parent / f"step-{step}{against}")


def _real_config(folder: str, run: RunDirectory | None, config: Config) -> Config:
    """Return the config to read a folder of real images: cropped as the run's own set, with a share held out."""
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
    """Return the config to read a folder of images to measure: all of them, cropped to the central square."""
    return replace(config, dataset="folder", data_dir=folder, crop="square", held_out=0.0, num_images=0)


def _generate(gan, count: int, seed: int) -> Iterator[np.ndarray]:
    z = gan.sample_latents(count, seed)
    with Progress(f"generating {count:,} images", count) as bar:
        for i in range(0, count, PIECE):
            yield gan.decode(z[i : i + PIECE])
            bar.advance(min(PIECE, count - i))


def draw_rows(total: int, count: int, seed: int) -> np.ndarray:
    """Draw `count` different numbers below `total`, or all of them. A longer draw begins with a shorter one."""
    return np.random.default_rng([seed, 0]).permutation(total)[:count]


def spool_rows(path: Path, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Write `images[rows]`, in this order, to a file and return it as a memory map."""
    pieces = (images[rows[i : i + PIECE]] for i in range(0, len(rows), PIECE))
    return write_images(path, pieces, images.shape[1:])


def write_images(path: Path, parts: Iterable[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Write images to a file and return it as a memory map, which need not fit into memory.

    Args:
      path: the file to write.
      parts: uint8 [n, *shape] each, at least one image in total.
      shape: of one image.

    Raises:
      UserError: the disk is full or may not be written.
    """
    try:
        with open(path, "wb") as file:
            for part in parts:
                file.write(np.ascontiguousarray(part).data)
    except OSError as error:
        raise explain_write_error(error, path) from error
    return np.memmap(path, np.uint8, mode="r").reshape(-1, *shape)
