"""Train the network whose features the quality metrics use, from drawn images alone.

    python -m experiments.feature_network.train --out=FILE

Dead leaves, portraits and roads are drawn and given the faults of generated images. Small convolutional networks (the
trunks) learn to say which faults an image has. Each trunk starts from other weights, and the features are those of all
trunks: single ones order generators too differently. The file holds the trunks with 8-bit kernels.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags as absl_flags

from dcgan_tf import cli
from dcgan_tf.console import Progress, say

FLAGS = absl_flags.FLAGS

MAPS, KERNELS = (32, 64, 64, 96, 128), (5, 3, 3, 3, 3)
PART = 250  # images that a worker draws at a time
POOL = 1000  # drawn images that a worker gives faults at a time
BATCH = 96
LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 2e-3, 1e-2, 40
MEASURED = 2000  # drawn images that the features are normalised on


def run_parts(what: str, calls: list[tuple]) -> list:
    """Run (function, *arguments) on all cores, and return the results in order."""
    from dcgan_tf.processes import worker_processes

    with worker_processes(len(calls)) as submit, Progress(what, len(calls), "parts") as bar:
        tasks: list[Future] = [submit(*call) for call in calls]
        for task in tasks:
            task.add_done_callback(lambda _: bar.advance())
        return [task.result() for task in tasks]


def draw_images(seed: int) -> np.ndarray:
    """Draw all clean images, shuffled: uint8 [N, 64, 64, 3]."""
    from experiments.feature_network import drawing

    calls: list[tuple] = []
    kinds: list[tuple[Callable, int]] = [
        (drawing.draw_leaves, FLAGS.leaves),
        (drawing.draw_portraits, FLAGS.portraits),
    ]
    for kind, (draw, count) in enumerate(kinds):
        for start in range(0, count, PART):
            calls.append((draw, np.random.default_rng([seed, kind, start]), min(PART, count - start)))
    # Not the data set's own seed, so that no frame of it is used here.
    calls += [(drawing.draw_roads, 1_000_000 + seed, drive) for drive in range(FLAGS.drives)]
    images = np.concatenate(run_parts("drawing", calls))
    return images[np.random.default_rng([seed, len(kinds)]).permutation(len(images))]


def damage_images(images: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Give faults to drawn images: uint8 [about `count`, 64, 64, 3], and float32 [about `count`, FAULTS]."""
    from experiments.feature_network.faults import damage

    pools = np.array_split(images, max(1, len(images) // POOL))
    calls = [
        (damage, np.random.default_rng([seed, 3, number]), pool, count // len(pools))
        for number, pool in enumerate(pools)
    ]
    damaged, present = zip(*run_parts("adding faults", calls))
    return np.concatenate(damaged), np.concatenate(present)


def build(faults: int):
    """Build one trunk with a linear layer that scores each fault, [n, size, size, 3] in 0 to 255 -> [n, faults]."""
    from dcgan_tf.backend import keras, layers
    from dcgan_tf.metrics.features import STRIDES

    network = [layers.Rescaling(1 / 64, -2)]
    for maps, kernel, stride in zip(MAPS, KERNELS, STRIDES):
        network += [
            layers.Conv2D(maps, kernel, stride, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.95),
            layers.ReLU(),
        ]
    network += [layers.GlobalAveragePooling2D(), layers.Dropout(0.2), layers.Dense(faults)]
    return keras.Sequential([keras.Input((None, None, 3)), *network])


def train(images: np.ndarray, present: np.ndarray, what: str, steps: int, seed: int):
    """Train one trunk to say which faults are present, and return it."""
    from dcgan_tf.backend import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = build(present.shape[1])
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - WARM_UP, warmup_target=LEARNING_RATE, warmup_steps=WARM_UP
    )
    adam = keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY)
    model.compile(adam, keras.losses.BinaryCrossentropy(from_logits=True))
    with Progress(what, steps, "steps") as bar:
        for _ in range(steps):
            rows = rng.integers(0, len(images), BATCH)
            loss = model.train_on_batch(images[rows], present[rows])  # the mean since the start
            bar.advance(note=f"mean loss {float(loss):.3f}")
    return model


def fold(model) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fold each batch normalisation into the convolution before it: (kernel [k, k, in, out], bias [out]) per layer."""
    from dcgan_tf.backend import layers

    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    folded = []
    for convolution, norm in zip(convolutions, norms):
        gamma, beta, mean, variance = (weight.numpy() for weight in norm.weights)
        gain = gamma / np.sqrt(variance + norm.epsilon)
        folded.append((convolution.kernel.numpy() * gain, beta - mean * gain))
    return folded


def quantise(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round a kernel to int8, with a float32 scale [out] for each filter."""
    scale = (np.abs(kernel).max(axis=(0, 1, 2)) / 127).astype(np.float32)
    return np.round(kernel / scale).astype(np.int8), scale


def make_weights(images: np.ndarray, damaged: np.ndarray, present: np.ndarray) -> dict[str, Any]:
    """Train all trunks, and return the arrays of the file."""
    from dcgan_tf.metrics.features import AVERAGED, FaultFeatures, extract

    weights: dict[str, Any] = {}
    for trunk in range(FLAGS.trunks):
        what = f"training trunk {trunk + 1} of {FLAGS.trunks}"
        model = train(damaged, present, what, FLAGS.steps, seed=FLAGS.trunks * FLAGS.seed + trunk)
        for layer, (kernel, bias) in enumerate(fold(model)):
            of_layer = f"{trunk}_{layer}"
            weights[f"kernel{of_layer}"], weights[f"scale{of_layer}"] = quantise(kernel)
            weights[f"bias{of_layer}"] = bias.astype(np.float32)
    weights["normaliser"] = np.ones(FLAGS.trunks * sum(MAPS[layer] for layer in AVERAGED), np.float32)
    deviation = extract(FaultFeatures(pack(weights)), images[:MEASURED]).std(axis=0)
    # A feature that drawn images hardly excite is not enlarged without limit.
    weights["normaliser"] = (1 / (deviation + 1e-3)).astype(np.float32)
    return weights


def pack(weights: dict[str, Any]) -> bytes:
    """The bytes of the file of weights."""
    file = io.BytesIO()
    np.savez_compressed(file, **weights)
    return file.getvalue()


def main() -> None:
    images = draw_images(FLAGS.seed)
    damaged, present = damage_images(images, FLAGS.faulty, FLAGS.seed)
    weights = make_weights(images, damaged, present)
    out = Path(FLAGS.out)
    out.write_bytes(pack(weights))
    say(f"{out}: {len(weights['normaliser'])} features, {out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    cli.define("out", "dcgan_tf/metrics/fault_network.npz", "the weights")
    cli.define("seed", 0, "seed of the drawn images, the faults and the training")
    cli.define("leaves", 3000, "images of dead leaves")
    cli.define("portraits", 2000, "portraits")
    cli.define("drives", 40, "drives, of 10 road frames each")
    cli.define("faulty", 12000, "images with and without faults to train on")
    cli.define("trunks", 2, "networks whose features are joined")
    cli.define("steps", 450, "training steps of each trunk")
    cli.run(main, __doc__)
