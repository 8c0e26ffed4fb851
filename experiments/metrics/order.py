"""Check that the metrics order the stages of a generator: 0, 100, 500 and 1,500 steps, and held-out real images.

    python -m experiments.metrics.order --data_dir=PATH

One run of the `stable` recipe at half the width is trained. Every stage is compared with the same training images, as
many as were held out. The command writes a table (Markdown) and a JSON file.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.errors import UserError

FLAGS = absl_flags.FLAGS
cli.define("data_dir", "data/driving_sim", "a driving set in Sully Chen's layout")
cli.define("cache_dir", "data/packed", "folder for decoded images")
cli.define("width", 32, "maps next to the image in both networks")
cli.define("seed", 0, "seed of the network and of all draws")
cli.define("out", "experiments/metrics/results/order", "the table and the numbers, without .md and .json")

MARKS = (0, 100, 500, 1500)


def measure() -> tuple[dict[str, dict], int]:
    """Measure each stage and the held-out images: {stage: {metric: result}}, and the number of images on each side."""
    import dcgan_tf
    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.console import say
    from dcgan_tf.datasets.batching import batches
    from dcgan_tf.datasets.packing import open_packed
    from dcgan_tf.distributed.replicas import compile_train_step
    from dcgan_tf.evaluation.sets import draw_rows
    from dcgan_tf.gan.dcgan import DCGAN
    from dcgan_tf.metrics.comparison import Sample, compare
    from dcgan_tf.metrics.features import FaultFeatures, extract
    from dcgan_tf.metrics.memorisation import find_nearest
    from dcgan_tf.metrics.results import LEAST_IMAGES

    where = {"dataset": "sully_chen", "data_dir": FLAGS.data_dir, "cache_dir": FLAGS.cache_dir}
    config = dcgan_tf.preset("stable", **where, g_width=FLAGS.width, d_width=FLAGS.width, seed=FLAGS.seed)
    packed = open_packed(config)
    if len(packed.held_out) < LEAST_IMAGES:
        raise UserError(f"{FLAGS.data_dir}: {len(packed.held_out)} images held out; {LEAST_IMAGES} are needed.")
    training, count, network = packed.training, len(packed.held_out), FaultFeatures()

    def sample(images: np.ndarray) -> Sample:
        return Sample(images, extract(network, images), find_nearest(images, training).distance)

    reference = sample(training[np.sort(draw_rows(len(training), count, FLAGS.seed))])
    held_out = sample(packed.held_out)
    gan, done, results = DCGAN(config), 0, {}
    train_step, data = compile_train_step(gan), Batch.unlabelled(training)
    for mark in MARKS:
        for step, batch in zip(range(done, mark), batches(data, config, done, mark)):
            train_step(batch, tf.constant(step, tf.int64))
        done = mark
        fakes = sample(gan.generate(count, seed=FLAGS.seed))
        results[f"{mark:,} steps"] = compare(reference, fakes, held_out.to_training, FLAGS.seed)
        say(f"{mark:,} steps are measured")
    results["held-out real"] = compare(reference, held_out, held_out.to_training, FLAGS.seed)
    return results, count


def main() -> None:
    from dcgan_tf.files import write_text
    from dcgan_tf.metrics.results import METRICS

    results, count = measure()
    names = list(next(iter(results.values())))
    lines = [f"| N = {count} | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    for name in names:
        cells = [
            f"{r[name].value:.{METRICS[name].decimals}f} ± {r[name].spread:.{METRICS[name].decimals}f}"
            for r in results.values()
        ]
        lines.append(f"| {METRICS[name].title} ({METRICS[name].better}) | " + " | ".join(cells) + " |")
    numbers = {stage: {name: [m.value, m.spread] for name, m in r.items()} for stage, r in results.items()}
    write_text(Path(f"{FLAGS.out}.md"), "\n".join(lines) + "\n")
    write_text(Path(f"{FLAGS.out}.json"), json.dumps({"n": count, "seed": FLAGS.seed} | numbers, indent=1) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    cli.run(main, __doc__)
