"""A profile of the step: by layer in the plain form and in ours, and by kind of operation.

    python -m experiments.performance.profile --precision=bfloat16

Layers are timed one operation at a time, the two forms in turns. The times by kind come from TensorFlow's profiler over
whole steps, with one operation at a time so that their times add up.
"""

from __future__ import annotations

import collections
import dataclasses
import tempfile
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli

FLAGS = absl_flags.FLAGS
cli.define_config("batch_size", "image_size", "g_width", "d_width", "latent_dim", "d_steps", "g_steps", "precision")
cli.define("rounds", 15, "rounds; in each, every form of an operation takes its turn")
cli.define("kinds", 14, "number of kinds of operation to show")

STEPS = 4  # steps of a profile


def time_forms(forms: dict) -> str:
    """Median milliseconds of each form, a function without arguments, timed in turns: "16.7 -> 7.8"."""
    from dcgan_tf.backend import tf
    from experiments.framework.timing import time_interleaved

    compiled = {name: tf.function(form) for name, form in forms.items()}
    turns = {name: lambda count, form=form: [form() for _ in range(count)] for name, form in compiled.items()}
    times = time_interleaved(turns, FLAGS.rounds, 3)
    return " -> ".join(f"{1e3 * np.median(values):.1f}" for values in times.values())


def layer_row(config, side: int, maps: int, deeper: int) -> str:
    """A row for one of D's convolutions and G's of the same shape: milliseconds of each operation, plain -> ours."""
    from dcgan_tf.backend import tf
    from dcgan_tf.gan import kernels, models

    def normal(seed, *shape):
        return tf.cast(tf.random.stateless_normal(shape, (0, seed)), config.precision)

    x, y = normal(0, config.batch_size, side, side, maps), normal(1, config.batch_size, side // 2, side // 2, deeper)
    kernel = normal(2, 5, 5, maps, deeper)

    def plain_kernel_gradient():
        shapes = {"filter_sizes": kernel.shape, "strides": [1, 2, 2, 1], "padding": "SAME"}
        return tf.raw_ops.Conv2DBackpropFilter(input=x, out_backprop=y, **shapes)

    def norm_both_ways(batch_norm):
        policy = "mixed_bfloat16" if config.precision == "bfloat16" else "float32"
        layer = batch_norm(epsilon=models.BN_EPSILON, dtype=policy)
        layer.build(y.shape)

        def run():
            with tf.GradientTape() as tape:
                tape.watch(y)
                outputs = layer(y, training=True)
            return tape.gradient(outputs, y, output_gradients=y)

        return run

    pairs = [
        (lambda: tf.nn.conv2d(x, kernel, 2, "SAME"), lambda: kernels.conv2d(x, kernel)),
        (
            lambda: tf.nn.conv2d_transpose(y, kernel, x.shape, 2, "SAME"),
            lambda: kernels.conv2d_transpose(y, kernel),
        ),
        (plain_kernel_gradient, lambda: kernels.kernel_gradient(x, y, kernel.shape)),
        (norm_both_ways(models.KERAS.batch_norm), norm_both_ways(kernels.BatchNormalization)),
    ]
    cells = [time_forms({"plain": plain, "ours": ours}) for plain, ours in pairs]
    return f"| {side} -> {side // 2}, {maps} -> {deeper} maps | {' | '.join(cells)} |"


def layer_table(config) -> list[str]:
    """Lines of the table of layers, in Markdown."""
    titles = ["D's convolution", "forward", "gradient by the input", "by the kernel", "batch norm, both ways"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    side, maps, deeper = config.image_size, config.channels, config.d_width
    while side > 4:
        lines.append(layer_row(config, side, maps, deeper))
        side, maps, deeper = side // 2, deeper, min(2 * deeper, 8 * config.d_width)
    return lines


def profile_operations(config) -> collections.Counter:
    """Profile whole steps: kind of operation -> milliseconds a step."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.distributed.replicas import compile_train_step
    from dcgan_tf.gan.dcgan import DCGAN

    train_step = compile_train_step(DCGAN(config))
    shape = (config.d_steps, config.batch_size, config.image_size, config.image_size, config.channels)
    batches = Batch.unlabelled(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    for step in range(3):
        train_step(batches, tf.constant(step, tf.int64))
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for step in range(STEPS):
            train_step(batches, tf.constant(step, tf.int64))
        tf.profiler.experimental.stop()
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    times = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                _, colon, kind = plane.event_metadata[event.metadata_id].name.partition(":")
                if colon and kind.isidentifier():  # "layer/op:Kind"; other events are internal to TensorFlow
                    times[kind.removeprefix("_Mkl").removeprefix("Native")] += event.duration_ps / 1e9 / STEPS
    return times


def main() -> None:
    """Print both tables."""
    from dcgan_tf.backend import tf
    from dcgan_tf.gan.precision import fastest_precision

    tf.config.threading.set_inter_op_parallelism_threads(1)
    config = cli.read_config()
    if config.precision == "auto":
        config = dataclasses.replace(config, precision=fastest_precision())
    print(f"{config.precision}, batch {config.batch_size}; milliseconds, plain -> ours\n")
    print("\n".join(layer_table(config)))
    by_form = {form: profile_operations(dataclasses.replace(config, kernels=form)) for form in ("plain", "auto")}
    sums = {form: sum(times.values()) for form, times in by_form.items()}
    largest = sorted(set().union(*by_form.values()), key=lambda kind: -max(t[kind] for t in by_form.values()))
    print(f"\n| {config.d_steps}D:{config.g_steps}G, all operations of a kind | plain | ours |\n|---|---|---|")
    for kind in largest[: FLAGS.kinds]:
        print(f"| {kind} | {by_form['plain'][kind]:.1f} | {by_form['auto'][kind]:.1f} |")
    rest = {form: sum(times[kind] for kind in largest[FLAGS.kinds :]) for form, times in by_form.items()}
    print(f"| all others | {rest['plain']:.1f} | {rest['auto']:.1f} |")
    print(f"| sum | {sums['plain']:.0f} | {sums['auto']:.0f} |")


if __name__ == "__main__":
    cli.run(main, __doc__)
