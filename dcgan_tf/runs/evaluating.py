"""How good a run is, or how far any two sets of images are apart: all metrics, as a table, files and a picture."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dcgan_tf.config import Config, preset
from dcgan_tf.console import Progress, say
from dcgan_tf.datasets.packed import Packed, find_packed, open_packed
from dcgan_tf.errors import UserError
from dcgan_tf.files import write_text
from dcgan_tf.metrics.memorisation import Nearest, nearest
from dcgan_tf.metrics.results import HALVES, LEAST_IMAGES, Column, Evaluation
from dcgan_tf.pictures.quality_page import save_quality_page
from dcgan_tf.runs.directory import RunDirectory, chosen

FEWER_TO_READ = 256  # images written to the spool at a time


@dataclass(frozen=True)
class Request:
    """What is to be measured; checked when made.

    Attributes:
      run, checkpoint: whose images; see `loading.load`. Not looked at where `real` and `fake` are both given.
      real: folder of real images in place of the run's data set.
      fake: folder of images to measure in place of the run's generator.
      num_images: how many of each; as many as there are, if there are fewer.
      seed: fixes the latents, the samples, and everything random of the metrics.
      inception: weights file of the Inception network, for FID and KID; "": without.
      image_size: pixels that two folders are compared at; with a run it is the run's.
    """

    run: str = ""
    checkpoint: str = "last"
    real: str = ""
    fake: str = ""
    num_images: int = 2000
    seed: int = 0
    inception: str = ""
    image_size: int = 64

    def __post_init__(self) -> None:
        if self.num_images < LEAST_IMAGES:
            raise UserError(f"--num_images={self.num_images}: at least {LEAST_IMAGES} are needed.")
        if self.seed < 0:
            raise UserError(f"--seed={self.seed}: it must be at least 0.")
        for flag, folder in (("real", self.real), ("fake", self.fake)):
            if folder and not Path(folder).is_dir():
                raise UserError(f"--{flag}={folder}: not a folder.")


def evaluate(request: Request, output: str | None = None) -> tuple[Evaluation, list[Path]]:
    """Measure, and write `evaluation.json`, `evaluation.csv` and `evaluation.png`.

    Args:
      request: what to compare.
      output: folder for the files; None: `evaluation/step-N` in the run, or `evaluation` for two folders.

    Returns:
      the result and the files written.

    Raises:
      UserError: no such run, checkpoint, folder or weights file, too few images, or the disk does not allow it.
    """
    inception = None
    if request.inception:  # first: a wrong path is said before anything takes its time
        from dcgan_tf.metrics.inception import InceptionFeatures

        inception = InceptionFeatures(request.inception)
    with tempfile.TemporaryDirectory() as spool:
        evaluation, folder = _measured(request, inception, Path(spool))
        folder = Path(output) if output else folder
        written = [folder / f"evaluation.{kind}" for kind in ("json", "csv", "png")]
        write_text(written[0], evaluation.to_json())
        write_text(written[1], evaluation.to_csv())
        save_quality_page(written[2], evaluation)
    return evaluation, written


def _measured(request: Request, inception, spool: Path) -> tuple[Evaluation, Path]:
    from dcgan_tf.metrics.comparison import Sample, compare, shuffled
    from dcgan_tf.metrics.features import RandomFeatures, extract

    real, fakes, about, folder = _sets(request, spool)
    training, unseen = real.training, real.held_out
    count = min(request.num_images, len(training), len(fakes))
    if count < LEAST_IMAGES:
        raise UserError(
            f"{len(training):,} real and {len(fakes):,} other images: at least {LEAST_IMAGES} of each are needed."
        )
    if count < request.num_images:
        say(f"{count:,} images of each are compared, not {request.num_images:,}: there are no more.")
    if inception and count <= inception.dimension:
        say(
            f"{count:,} images are few for FID, which has {inception.dimension:,} features: its bias is large; see KID."
        )
    at_held_out = min(count, len(unseen))
    if at_held_out < LEAST_IMAGES:
        say(f"{len(unseen):,} real images were held out, too few to set beside: there is no column of real images.")
        at_held_out = 0

    pick = [shuffled(len(images), n, request.seed) for images, n in ((training, count), (unseen, at_held_out))]
    chosen_real = spooled(spool / "real", (training[np.sort(rows)] for rows in _pieces(pick[0])), training.shape[1:])
    unseen = unseen[pick[1]]
    fakes_nearest, unseen_nearest = nearest(fakes[:count], training), nearest(unseen, training) if at_held_out else None
    network = RandomFeatures()

    def sample(images: np.ndarray, near: Nearest | None = None) -> Sample:
        with Progress(f"looking at {len(images):,} images", len(images)) as shown:
            features = extract(network, images, shown)
        seen = None
        if inception:
            with Progress(f"Inception features of {len(images):,} images", len(images)) as shown:
                seen = extract(inception, images, shown)
        return Sample(images, features, near and near.distance, seen)

    reference, generated = sample(chosen_real), sample(fakes[:count], fakes_nearest)
    what = "measured" if request.fake else "generated"
    comparisons = [(what, generated, count)]
    if at_held_out:
        if at_held_out < count:  # the biased metrics compare at equal numbers only
            comparisons.append((what, generated, at_held_out))
        comparisons.append(("held out", sample(unseen, unseen_nearest), at_held_out))
    columns = []
    with Progress("measuring", (1 + HALVES) * len(comparisons), "rounds") as shown:
        for what, images, n in comparisons:
            first = slice(0, n)
            unseen_distances = unseen_nearest and unseen_nearest.distance
            metrics = compare(reference.part(first), images.part(first), unseen_distances, request.seed, shown)
            columns.append(Column(what, n, metrics))
    about |= {"seed": request.seed, "features": network.name, "resamples": HALVES}
    if inception:
        about |= {"inception": inception.name, "inception_sha256": inception.sha256}
    return Evaluation(about, columns, fakes[:count], unseen, training, fakes_nearest, unseen_nearest), folder


def _sets(request: Request, spool: Path) -> tuple[Packed, np.ndarray, dict, Path]:
    """The real images, the others in random order, what they are, and where results go by default."""
    from dcgan_tf.metrics.comparison import shuffled

    if request.real and request.fake:
        run, config = None, preset("article", image_size=request.image_size)
        folder = Path("evaluation")
    else:
        run = chosen(request.run)
        config = run.config()
        folder = run.path / "evaluation"
    if request.real:
        real, about = open_packed(_folder_config(request.real, config)), {"real": request.real}
    else:
        real, about = _learned_from(run, config), {"real": f"{config.dataset} ({config.resolved_data_dir})"}
    if request.fake:
        fakes = open_packed(replace(_folder_config(request.fake, config), held_out=0.0)).images
        rows = shuffled(len(fakes), min(len(fakes), request.num_images), request.seed)
        fakes = spooled(spool / "fakes", (fakes[np.sort(piece)] for piece in _pieces(rows)), fakes.shape[1:])
        return real, fakes, about | {"images": request.fake}, folder
    from dcgan_tf.runs.loading import load_with_step

    gan, step = load_with_step(run.path, request.checkpoint)
    count = min(request.num_images, len(real.training))
    fakes = spooled(spool / "fakes", _generated(gan, count, request.seed), real.images.shape[1:])
    return real, fakes, about | {"run": str(run.path), "step": step}, folder / f"step-{step}"


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


def _folder_config(folder: str, config: Config) -> Config:
    """How a folder is packed: as a driving set if it has a data.txt, else as plain images."""
    dataset = "sully_chen" if (Path(folder) / "data.txt").exists() else "folder"
    same = dataset == config.dataset  # cropped as the run's own set
    crop = config.crop if same else "auto"
    return replace(config, dataset=dataset, data_dir=folder, crop=crop, num_images=0)


def _generated(gan, count: int, seed: int) -> Iterable[np.ndarray]:
    z = gan.sample_latents(count, seed)
    with Progress(f"generating {count:,} images", count) as shown:
        for i in range(0, count, FEWER_TO_READ):
            yield gan.decode(z[i : i + FEWER_TO_READ])
            shown.advance(min(FEWER_TO_READ, count - i))


def _pieces(rows: np.ndarray) -> Iterable[np.ndarray]:
    return (rows[i : i + FEWER_TO_READ] for i in range(0, len(rows), FEWER_TO_READ))


def spooled(path: Path, parts: Iterable[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Images as one array mapped from a file: it need not fit into memory.

    Args:
      path: the file to write.
      parts: uint8 [n, *shape] each, at least one image in all.
    """
    with open(path, "wb") as file:
        for part in parts:
            file.write(np.ascontiguousarray(part))
    return np.memmap(path, np.uint8, mode="r").reshape(-1, *shape)
