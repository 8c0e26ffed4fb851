"""Step times of our train step and of other implementations, in turns in one process.

    python -m experiments.performance.step                       # the article's 1D:2G; PyTorch's too if it is installed
    python -m experiments.performance.step --g_steps=1 --rounds=12
    python -m experiments.performance.step --only=ours_bfloat16,torch_channels_last_bfloat16

All make the same updates of the same networks (the article's, batch 64) on the same images. Products of two matrices,
2048 x 2048 (8192 on a GPU), are timed with them; the fastest is the peak to which a step is compared. `framework.flop`
counts the work of a step, the same for all variants whatever they compute. On a GPU there are variants with ten steps a
call and with XLA, and none of PyTorch, whose CUDA libraries clash with TensorFlow's in one process.
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

from dcgan_tf import cli
from dcgan_tf.errors import UserError
from experiments.framework import timing

FLAGS = absl_flags.FLAGS
cli.define_config("batch_size", "image_size", "g_width", "d_width", "latent_dim", "d_steps", "g_steps")
cli.define("rounds", 8, "rounds; in each, every variant takes its turn")
cli.define("steps", 3, "steps in one turn")
cli.define("only", "", "variants, separated by commas; empty: all that can run here")
cli.define("output", "experiments/performance/results/step.json", "JSON file for the results")
cli.define("figure", "", "PNG for the bars; empty: none")


def ours(config, per_call: int = 1, **settings) -> Callable:
    """The package's step, `per_call` steps in one call, with losses fetched as the training loop does."""
    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.distributed.replicas import compile_train_steps
    from dcgan_tf.gan.dcgan import DCGAN

    train_steps = compile_train_steps(DCGAN(dataclasses.replace(config, **settings)))

    def run(batches, count: int) -> None:
        for step in range(0, count, per_call):
            of_call = Batch.unlabelled(tf.stack([batches] * min(per_call, count - step)))
            train_steps(of_call, tf.constant(step, tf.int64)).numpy()

    return run


def tutorial(config) -> Callable:
    from dcgan_tf.backend import tf
    from experiments.framework.peers import Tutorial

    peer = Tutorial(config)

    def run(batches, count: int) -> None:
        for step in range(count):
            _ = {name: float(value) for name, value in peer(batches, tf.constant(step, tf.int64)).items()}

    return run


def keras_fit(config) -> Callable:
    from experiments.framework.peers import KerasFit

    return KerasFit(config).run


def torch_form(config, channels_last: bool) -> Callable:
    from experiments.framework.peers import TorchDCGAN

    peer = TorchDCGAN(config, channels_last)
    return lambda batches, count: [peer(batches, step) for step in range(count)]


# name -> (precision, function of the config that makes its `run(batches, count)`)
VARIANTS = {
    "ours_float32": ("float32", ours),
    "ours_bfloat16": ("bfloat16", ours),
    "ours_plain_float32": ("float32", lambda config: ours(config, kernels="plain")),
    "ours_plain_bfloat16": ("bfloat16", lambda config: ours(config, kernels="plain")),
    "tf_tutorial_float32": ("float32", tutorial),
    "tf_tutorial_bfloat16": ("bfloat16", tutorial),
    "keras_fit_float32": ("float32", keras_fit),
    "torch_float32": ("float32", lambda config: torch_form(config, False)),
    "torch_channels_last_float32": ("float32", lambda config: torch_form(config, True)),
    "torch_channels_last_bfloat16": ("bfloat16", lambda config: torch_form(config, True)),
    # For GPUs, where a step takes milliseconds and starting its operations counts.
    "ours_ten_a_call_bfloat16": ("bfloat16", lambda config: ours(config, per_call=10)),
    "ours_xla_float32": ("float32", lambda config: ours(config, xla="on")),
    "ours_xla_bfloat16": ("bfloat16", lambda config: ours(config, xla="on")),
    "ours_xla_ten_a_call_bfloat16": ("bfloat16", lambda config: ours(config, per_call=10, xla="on")),
}
FOR_GPUS = ("ten_a_call", "xla")


def has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def choose_variants() -> list[str]:
    if not FLAGS.only:
        left_out = ("torch",) if timing.gpu_name() else FOR_GPUS if has_torch() else (*FOR_GPUS, "torch")
        return [name for name in VARIANTS if not any(word in name for word in left_out)]
    names = FLAGS.only.split(",")
    for name in names:
        if name not in VARIANTS:
            raise UserError(f"--only={name}: it can be {', '.join(VARIANTS)}.")
        if name.startswith("torch") and not has_torch():
            raise UserError(f'--only={name}: PyTorch is not installed (pip install ".[peers]").')
    if timing.gpu_name() and any(name.startswith("torch") for name in names):
        raise UserError("--only: PyTorch's variants are for CPUs; here is a GPU.")
    return names


def measure(config, names: list[str]) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Measure the seconds per step of each variant, one value a round, and the peak of each precision in FLOP/s."""
    from dcgan_tf.backend import tf

    shape = (config.d_steps, config.batch_size, config.image_size, config.image_size, config.channels)
    batches = tf.constant(np.random.default_rng(0).integers(0, 256, shape, np.uint8))

    def turn(run):
        return lambda count: run(batches, count)

    made = {name: turn(VARIANTS[name][1](dataclasses.replace(config, precision=VARIANTS[name][0]))) for name in names}
    seconds = timing.time_interleaved(made, FLAGS.rounds, FLAGS.steps)
    libraries = sorted({"torch" if name.startswith("torch") else "tf" for name in names})
    kinds = [(library, precision) for library in libraries for precision in ("float32", "bfloat16")]
    products = timing.time_interleaved({"/".join(kind): timing.make_product(*kind) for kind in kinds}, FLAGS.rounds, 10)
    flop = 2 * timing.matrix_side() ** 3
    peaks = {
        precision: flop / min(np.median(products[f"{library}/{precision}"]) for library in libraries)
        for precision in ("float32", "bfloat16")
    }
    return seconds, peaks


def summarize(config, seconds: dict[str, list[float]], peaks: dict[str, float]) -> dict:
    """Collect the results for the table, the JSON file and the figure."""
    from experiments.framework.flop import step_flop

    nominal, exact = step_flop(config), step_flop(config, exact=True)
    references = [name for name in ("tf_tutorial_float32", "torch_channels_last_bfloat16") if name in seconds]
    rows = {}
    for name, values in seconds.items():
        rate = nominal / float(np.median(values))
        rows[name] = {"seconds": values, "gflop_per_second": rate / 1e9, "peak": rate / peaks[VARIANTS[name][0]]}
        rows[name] |= {f"ratio_to_{reference}": timing.ratios(seconds, reference)[name] for reference in references}
    about = {"batch_size": config.batch_size, "d_steps": config.d_steps, "g_steps": config.g_steps}
    about |= {
        "machine": timing.gpu_name() or f"{os.cpu_count()} cores",
        "gflop_nominal": nominal / 1e9,
        "gflop_exact": exact / 1e9,
    }
    return about | {"peaks_gflop_per_second": {k: v / 1e9 for k, v in peaks.items()}, "variants": rows}


def table(found: dict) -> str:
    peaks = found["peaks_gflop_per_second"]
    lines = [
        f"batch {found['batch_size']}, {found['d_steps']}D:{found['g_steps']}G, {found['machine']}; a step is "
        f"{found['gflop_nominal']:.1f} GFLOP nominal, {found['gflop_exact']:.1f} exact; peak "
        f"{peaks['float32']:.0f} GFLOP/s in float32, {peaks['bfloat16']:.0f} in bfloat16",
        "",
    ]
    references = [key for key in next(iter(found["variants"].values())) if key.startswith("ratio_to_")]
    lines.append(
        "| variant | ms/step: median [least, most] | of peak | " + " | ".join(references).replace("_", " ") + " |"
    )
    lines.append("|---|---|---|" + "---|" * len(references))
    for name, row in found["variants"].items():
        middle, least, most = (
            1000 * value for value in (np.median(row["seconds"]), min(row["seconds"]), max(row["seconds"]))
        )
        digits = 2 if middle < 100 else 0
        cells = [f"{middle:.{digits}f} [{least:.{digits}f}, {most:.{digits}f}]", f"{100 * row['peak']:.0f} %"]
        cells += ["{:.2f} [{:.2f}, {:.2f}]".format(*row[reference]) for reference in references]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(found: dict, path: Path) -> None:
    """Draw seconds per step as bars, from fastest to slowest, with the spread over rounds."""
    from matplotlib.figure import Figure  # pyplot would need a display

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
        axes.text(max(median, most) + 0.01 * medians.max(), place, f"{median:.3g}", va="center", fontsize=9)
    axes.set_xlim(0, 1.1 * max(map(max, values)))
    axes.set_xlabel(
        f"seconds per step (median; lines: least to most of {len(values[0])} rounds), batch {found['batch_size']}, "
        f"{found['d_steps']}D:{found['g_steps']}G, {found['machine']}"
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    names = choose_variants()
    config = cli.read_config()
    from dcgan_tf.files import write_text

    found = summarize(config, *measure(config, names))
    print(table(found))
    write_text(Path(FLAGS.output), json.dumps(found, indent=1) + "\n")
    if FLAGS.figure:
        draw(found, Path(FLAGS.figure))


if __name__ == "__main__":
    cli.run(main, __doc__)
