"""Evaluation of a run, or of two folders of images, by all metrics."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from dcgan_tf.console import Progress, say
from dcgan_tf.errors import UserError
from dcgan_tf.evaluation.options import EvaluateOptions
from dcgan_tf.evaluation.page import save_quality_page
from dcgan_tf.evaluation.sets import Sets, draw_rows, open_sets, resolve_run, spool_rows
from dcgan_tf.files import check_output, explain_write_error, write_text
from dcgan_tf.metrics.memorisation import Nearest, find_nearest
from dcgan_tf.metrics.results import HALVES, LEAST_IMAGES, Column, Evaluation
from dcgan_tf.training import learned_set


def evaluate(options: EvaluateOptions) -> tuple[Evaluation, list[Path]]:
    """Compute all metrics and write `evaluation.json`, `evaluation.csv` and `evaluation.png`.

    The files are written to `options.output`. If that is empty, they are written to `evaluation/step-N` in the run or,
    for two folders, to `evaluation/NAME-against-NAME`.

    Returns:
      The result and the files written.

    Raises:
      UserError: there is no such run, checkpoint, folder or weights file, there are too few images, or the disk is
        full or may not be written.
    """
    check_output(options.output)
    inception = None
    if options.inception:  # first, so that a wrong path is refused before the long work
        from dcgan_tf.metrics.inception import InceptionFeatures

        inception = InceptionFeatures(options.inception)
    run, config = resolve_run(options)
    cache = learned_set.choose_cache(run, config) if run else Path(config.cache_dir)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # Not in the system's temporary folder, which may be in memory.
        spool = tempfile.TemporaryDirectory(prefix=".evaluating-", dir=cache)
    except OSError as error:
        raise explain_write_error(error, cache) from error
    with spool:
        sets = open_sets(options, run, config, Path(spool.name))
        evaluation = _measure(options, sets, inception, Path(spool.name))
        folder = Path(options.output) if options.output else sets.folder
        files = [folder / f"evaluation.{kind}" for kind in ("json", "csv", "png")]
        write_text(files[0], evaluation.to_json())
        write_text(files[1], evaluation.to_csv())
        save_quality_page(files[2], evaluation)
    return evaluation, files


def _measure(options: EvaluateOptions, sets: Sets, inception, spool: Path) -> Evaluation:
    from dcgan_tf.metrics.comparison import Sample, compare
    from dcgan_tf.metrics.features import FaultFeatures, extract

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
        say(f"{count:,} images are few for FID with its {inception.dimension:,} features: its bias is large; use KID.")
    at_held_out = min(count, len(unseen))
    if at_held_out < LEAST_IMAGES:
        say(f"{len(unseen):,} real images were held out, too few to compare with: the table has no column for them.")
        at_held_out = 0

    # All are in random order, so that the first n of a sample are a random sample too.
    chosen_real = spool_rows(spool / "real", training, draw_rows(len(training), count, options.seed))
    unseen = unseen[draw_rows(len(unseen), at_held_out, options.seed)]
    fakes = fakes[:count]
    with Progress("searching for copies", count + at_held_out) as bar:
        fakes_nearest = find_nearest(fakes, training, bar)
        unseen_nearest = find_nearest(unseen, training, bar) if at_held_out else None
    network = FaultFeatures()

    def sample(images: np.ndarray, near: Nearest | None = None) -> Sample:
        with Progress(f"features of {len(images):,} images", len(images)) as bar:
            features = extract(network, images, bar)
        seen = None
        if inception:
            with Progress(f"Inception features of {len(images):,} images", len(images)) as bar:
                seen = extract(inception, images, bar)
        return Sample(images, features, near.distance if near else None, seen)

    reference, generated = sample(chosen_real), sample(fakes, fakes_nearest)
    what = "measured" if options.fake else "generated"
    comparisons = [(what, generated, count)]
    if at_held_out:
        if at_held_out < count:  # biased metrics are comparable at equal numbers of images only
            comparisons.append((what, generated, at_held_out))
        comparisons.append(("held out", sample(unseen, unseen_nearest), at_held_out))
    columns = []
    with Progress("measuring", (1 + HALVES) * len(comparisons), "rounds") as bar:
        unseen_distances = unseen_nearest.distance if unseen_nearest else None
        for what, images, n in comparisons:
            first = slice(0, n)
            metrics = compare(reference.part(first), images.part(first), unseen_distances, options.seed, bar)
            columns.append(Column(what, n, metrics))
    about = sets.about | {"seed": options.seed, "features": network.name, "resamples": HALVES}
    if inception:
        about |= {"inception": inception.name, "inception_sha256": inception.sha256}
    return Evaluation(about, columns, fakes, unseen, training, fakes_nearest, unseen_nearest)
