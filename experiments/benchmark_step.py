"""Step time of our train step and of others' forms of it, all taking turns in one process.

    python -m experiments.benchmark_step                       # the article's 1D:2G; PyTorch's too if it is installed
    python -m experiments.benchmark_step --g_steps=1 --rounds=12
    python -m experiments.benchmark_step --only=ours_bfloat16,torch_channels_last_bfloat16

All make the same updates of the same networks (the article's, batch 64) on the same images. Beside them the products
of two 2048 x 2048 matrices are timed in TensorFlow and PyTorch: the best is the peak that a step's share is of. The
work of a step is counted by `experiments/work.py`, the same for all variants, whatever they really compute.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import flags
from dcgan_tf.errors import UserError

FLAGS = absl_flags.FLAGS
flags.define_config("batch_size", "image_size", "g_width", "d_width", "latent_dim", "d_steps", "g_steps")
flags.define("rounds", 8, "rounds; in each, every variant takes its turn")
flags.define("steps", 3, "steps of one turn")
flags.define("only", "", "variants with commas between; empty: all that can run here")
flags.define("output", "experiments/results/step.json", "file for the figures")
flags.define("figure", "", "PNG for the bars; empty: none")

SIDE = 2048  # of the matrices whose product is the peak


def ours(config, kernels: str) -> Callable:
    """The package's step, its losses fetched as the training loop does."""
    import tensorflow as tf

    from dcgan_tf.gan.dcgan import DCGAN

    gan = DCGAN(dataclasses.replace(config, kernels=kernels))

    def run(batches, count: int) -> None:
        for step in range(count):
            gan.train_steps(batches[None], tf.constant(step, tf.int64)).numpy()

    return run


def tutorial(config) -> Callable:
    import tensorflow as tf

    from experiments.peers import Tutorial

    peer = Tutorial(config)

    def run(batches, count: int) -> None:
        for step in range(count):
            _ = {name: float(value) for name, value in peer(batches, tf.constant(step, tf.int64)).items()}

    return run


def keras_fit(config) -> Callable:
    from experiments.peers import KerasFit

    return KerasFit(config).run


def torch_form(config, channels_last: bool) -> Callable:
    from experiments.peers import TorchDCGAN

    peer = TorchDCGAN(config, channels_last)
    return lambda batches, count: [peer(batches, step) for step in range(count)]


# name -> (precision, how it is made)
VARIANTS = {
    "ours_float32": ("float32", lambda config: ours(config, "auto")),
    "ours_bfloat16": ("bfloat16", lambda config: ours(config, "auto")),
    "ours_plain_float32": ("float32", lambda config: ours(config, "plain")),
    "ours_plain_bfloat16": ("bfloat16", lambda config: ours(config, "plain")),
    "tf_tutorial_float32": ("float32", tutorial),
    "tf_tutorial_bfloat16": ("bfloat16", tutorial),
    "keras_fit_float32": ("float32", keras_fit),
    "torch_float32": ("float32", lambda config: torch_form(config, False)),
    "torch_channels_last_float32": ("float32", lambda config: torch_form(config, True)),
    "torch_channels_last_bfloat16": ("bfloat16", lambda config: torch_form(config, True)),
}


def product(library: str, precision: str) -> Callable[[int], None]:
    """Matrix products of two SIDE x SIDE matrices, as many as it is told."""
    if library == "torch":
        import torch

        matrix = torch.ones(SIDE, SIDE, dtype=getattr(torch, precision))
        return lambda count: [torch.mm(matrix, matrix) for _ in range(count)]
    import tensorflow as tf

    matrix = tf.ones((SIDE, SIDE), precision)
    multiply = tf.function(lambda: tf.matmul(matrix, matrix))
    return lambda count: [multiply() for _ in range(count)]


def chosen_variants() -> list[str]:
    has_torch = importlib.util.find_spec("torch") is not None
    names = FLAGS.only.split(",") if FLAGS.only else [n for n in VARIANTS if has_torch or not n.startswith("torch")]
    for name in names:
        if name not in VARIANTS:
            raise UserError(f"--only={name}: it can be {', '.join(VARIANTS)}.")
        if name.startswith("torch") and not has_torch:
            raise UserError(f'--only={name}: PyTorch is not installed (pip install ".[peers]").')
    return names


def measure(config, names: list[str]) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds per step of each variant, one value a round, and the peak of each precision in FLOP/s."""
    import tensorflow as tf

    from experiments.timing import interleaved

    shape = (config.d_steps, config.batch_size, config.image_size, config.image_size, config.channels)
    batches = tf.constant(np.random.default_rng(0).integers(0, 256, shape, np.uint8))

    def turn(run):
        return lambda count: run(batches, count)

    made = {name: turn(VARIANTS[name][1](dataclasses.replace(config, precision=VARIANTS[name][0]))) for name in names}
    seconds = interleaved(made, FLAGS.rounds, FLAGS.steps)
    libraries = ["tf"] + ["torch"] * (importlib.util.find_spec("torch") is not None)
    kinds = [(library, precision) for library in libraries for precision in ("float32", "bfloat16")]
    products = interleaved({"/".join(kind): product(*kind) for kind in kinds}, FLAGS.rounds, 10)
    peaks = {
        precision: 2 * SIDE**3 / min(np.median(products[f"{library}/{precision}"]) for library in libraries)
        for precision in ("float32", "bfloat16")
    }
    return seconds, peaks


def summary(config, seconds: dict[str, list[float]], peaks: dict[str, float]) -> dict:
    """What the table, the JSON file and the picture show."""
    from experiments.timing import ratios
    from experiments.work import step_flop

    nominal, exact = step_flop(config), step_flop(config, exact=True)
    references = [name for name in ("tf_tutorial_float32", "torch_channels_last_bfloat16") if name in seconds]
    rows = {}
    for name, values in seconds.items():
        rate = nominal / float(np.median(values))
        rows[name] = {"seconds": values, "gflop_per_second": rate / 1e9, "peak": rate / peaks[VARIANTS[name][0]]}
        rows[name] |= {f"ratio_to_{reference}": ratios(seconds, reference)[name] for reference in references}
    about = {"batch_size": config.batch_size, "d_steps": config.d_steps, "g_steps": config.g_steps}
    about |= {"cores": os.cpu_count(), "gflop_nominal": nominal / 1e9, "gflop_exact": exact / 1e9}
    return about | {"peaks_gflop_per_second": {k: v / 1e9 for k, v in peaks.items()}, "variants": rows}


def table(found: dict) -> str:
    peaks = found["peaks_gflop_per_second"]
    lines = [
        f"batch {found['batch_size']}, {found['d_steps']}D:{found['g_steps']}G, {found['cores']} cores; a step is "
        f"{found['gflop_nominal']:.1f} GFLOP nominal, {found['gflop_exact']:.1f} exact; peak "
        f"{peaks['float32']:.0f} GFLOP/s in float32, {peaks['bfloat16']:.0f} in bfloat16",
        "",
    ]
    references = [key for key in next(iter(found["variants"].values())) if key.startswith("ratio_to_")]
    lines.append(
        "| variant | s/step: median [least, most] | of peak | " + " | ".join(references).replace("_", " ") + " |"
    )
    lines.append("|---|---|---|" + "---|" * len(references))
    for name, row in found["variants"].items():
        values = row["seconds"]
        cells = [f"{np.median(values):.3f} [{min(values):.3f}, {max(values):.3f}]", f"{100 * row['peak']:.0f} %"]
        cells += ["{:.2f} [{:.2f}, {:.2f}]".format(*row[reference]) for reference in references]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(found: dict, path: Path) -> None:
    """Bars of seconds per step, from fastest to slowest, with the spread over rounds."""
    from matplotlib.figure import Figure  # without pyplot no display is looked for

    rows = sorted(found["variants"].items(), key=lambda item: -np.median(item[1]["seconds"]))
    names = [name.replace("_", " ") for name, _ in rows]
    values = [row["seconds"] for _, row in rows]
    medians = np.array([np.median(v) for v in values])
    spread = np.abs([[m - min(v), max(v) - m] for m, v in zip(medians, values)]).T
    colors = ["#0072B2" if name.startswith("ours") else "#999999" for name in names]
    figure = Figure(figsize=(9, 0.5 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.barh(names, medians, xerr=spread, color=colors, error_kw={"elinewidth": 1, "capsize": 2})
    for place, (median, most) in enumerate(zip(medians, map(max, values))):
        axes.text(max(median, most) + 0.01 * medians.max(), place, f"{median:.2f}", va="center", fontsize=9)
    axes.set_xlim(0, 1.1 * max(map(max, values)))
    axes.set_xlabel(
        f"seconds per step (median; lines: least to most of {len(values[0])} rounds), batch {found['batch_size']}, "
        f"{found['d_steps']}D:{found['g_steps']}G, {found['cores']} cores"
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    names = chosen_variants()
    config = flags.given_config()
    import dcgan_tf.backend  # noqa: F401
    from dcgan_tf.files import write_text

    found = summary(config, *measure(config, names))
    print(table(found))
    write_text(Path(FLAGS.output), json.dumps(found, indent=1) + "\n")
    if FLAGS.figure:
        draw(found, Path(FLAGS.figure))


if __name__ == "__main__":
    flags.run(main, __doc__)
