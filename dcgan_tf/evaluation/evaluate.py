"""All metrics of a run, or of two folders of images: a table, files and a picture."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from dcgan_tf.console import Progress, say
from dcgan_tf.errors import UserError
from dcgan_tf.evaluation.options import EvaluateOptions
from dcgan_tf.evaluation.page import save_quality_page
from dcgan_tf.evaluation.sets import Sets, draw_rows, open_sets, resolve_run, spool_rows
from dcgan_tf.files import check_output, write_error, write_text
from dcgan_tf.metrics.memorisation import Nearest, nearest
from dcgan_tf.metrics.results import HALVES, LEAST_IMAGES, Column, Evaluation


def evaluate(options: EvaluateOptions) -> tuple[Evaluation, list[Path]]:
    """Measure, and write `evaluation.json`, `evaluation.csv` and `evaluation.png`.

    They go to `options.output`; if that is empty to `evaluation/step-N` in the run, or, of two folders, to
    `evaluation/NAME-against-NAME`.

    Returns:
      the result and the files written.

    Raises:
      UserError: no such run, checkpoint, folder or weights file, too few images, or the disk does not allow it.
    """
    check_output(options.output)
    inception = None
    if options.inception:  # first: a wrong path is said before anything takes its time
        from dcgan_tf.metrics.inception import InceptionFeatures

        inception = InceptionFeatures(options.inception)
    run, config = resolve_run(options)
    cache = Path(config.cache_dir)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # Not where temporary files usually are: that may be memory.
        spool = tempfile.TemporaryDirectory(prefix=".evaluating-", dir=cache)
    except OSError as error:
        raise write_error(error, cache) from error
    with spool:
        sets = open_sets(options, run, config, Path(spool.name))
        evaluation = _measured(options, sets, inception, Path(spool.name))
        folder = Path(options.output) if options.output else sets.folder
        files = [folder / f"evaluation.{kind}" for kind in ("json", "csv", "png")]
        write_text(files[0], evaluation.to_json())
        write_text(files[1], evaluation.to_csv())
        save_quality_page(files[2], evaluation)
    return evaluation, files


def _measured(options: EvaluateOptions, sets: Sets, inception, spool: Path) -> Evaluation:
    from dcgan_tf.metrics.comparison import Sample, compare
    from dcgan_tf.metrics.features import RandomFeatures, extract

    training, unseen, fakes = sets.real.training, sets.real.held_out, sets.images
    count = min(options.num_images, len(training), len(fakes))
    if count < LEAST_IMAGES:
        raise UserError(
            f"{len(training):,} real images besides those held out, and {len(fakes):,} others: at least "
            f"{LEAST_IMAGES} of each are needed."
        )
    if count < options.num_images:
        say(f"{count:,} images of each are compared, not {options.num_images:,}: there are no more.")
    if inception and count <= inception.dimension:
        say(
            f"{count:,} images are few for FID, which has {inception.dimension:,} features: its bias is large; see KID."
        )
    at_held_out = min(count, len(unseen))
    if at_held_out < LEAST_IMAGES:
        say(f"{len(unseen):,} real images were held out, too few to set beside: there is no column of real images.")
        at_held_out = 0

    # All in random order: the first n of a sample are a sample too.
    chosen_real = spool_rows(spool / "real", training, draw_rows(len(training), count, options.seed))
    unseen = unseen[draw_rows(len(unseen), at_held_out, options.seed)]
    fakes = fakes[:count]
    with Progress("looking for copies", count + at_held_out) as shown:
        fakes_nearest = nearest(fakes, training, shown)
        unseen_nearest = nearest(unseen, training, shown) if at_held_out else None
    network = RandomFeatures()

    def sample(images: np.ndarray, near: Nearest | None = None) -> Sample:
        with Progress(f"looking at {len(images):,} images", len(images)) as shown:
            features = extract(network, images, shown)
        seen = None
        if inception:
            with Progress(f"Inception features of {len(images):,} images", len(images)) as shown:
                seen = extract(inception, images, shown)
        return Sample(images, features, near.distance if near else None, seen)

    reference, generated = sample(chosen_real), sample(fakes, fakes_nearest)
    what = "measured" if options.fake else "generated"
    comparisons = [(what, generated, count)]
    if at_held_out:
        if at_held_out < count:  # the biased metrics compare at equal numbers only
            comparisons.append((what, generated, at_held_out))
        comparisons.append(("held out", sample(unseen, unseen_nearest), at_held_out))
    columns = []
    with Progress("measuring", (1 + HALVES) * len(comparisons), "rounds") as shown:
        unseen_distances = unseen_nearest.distance if unseen_nearest else None
        for what, images, n in comparisons:
            first = slice(0, n)
            metrics = compare(reference.part(first), images.part(first), unseen_distances, options.seed, shown)
            columns.append(Column(what, n, metrics))
    about = sets.about | {"seed": options.seed, "features": network.name, "resamples": HALVES}
    if inception:
        about |= {"inception": inception.name, "inception_sha256": inception.sha256}
    return Evaluation(about, columns, fakes, unseen, training, fakes_nearest, unseen_nearest)
