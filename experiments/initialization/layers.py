"""Fans of convolutions, measured, and the initial weights of the frameworks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from experiments.framework.study import AGREES, COLORS, DIFFERS, Options, Row, new_figure

if TYPE_CHECKING:
    from dcgan_tf.backend import keras

SIDE, BATCH, C_IN, C_OUT, EDGE = 16, 8, 48, 24, 4
# Layer, kernel side, stride -> inputs that reach one output and outputs that one input reaches, for one map each.
FANS = {
    ("convolution", 5, 1): (25, 25),
    ("convolution", 5, 2): (25, 25 / 4),
    ("convolution", 4, 2): (16, 4),
    ("transposed", 5, 1): (25, 25),
    ("transposed", 5, 2): (25 / 4, 25),
    ("transposed", 4, 2): (4, 16),
}


def _make_layer(kind: str, size: int, stride: int, initializer) -> keras.layers.Layer:
    from dcgan_tf.backend import keras

    made = keras.layers.Conv2D if kind == "convolution" else keras.layers.Conv2DTranspose
    return made(C_OUT, size, strides=stride, padding="same", use_bias=False, kernel_initializer=initializer)


def gains(kind: str, size: int, stride: int, initializer) -> tuple[float, float]:
    """Gains of the mean square away from the edges: inputs to outputs, and gradients of outputs to those of inputs."""
    from dcgan_tf.backend import tf

    rng = np.random.default_rng([size, stride])
    x = tf.constant(rng.standard_normal((BATCH, SIDE, SIDE, C_IN), np.float32))
    layer = _make_layer(kind, size, stride, initializer)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    gradient = rng.standard_normal(y.shape).astype(np.float32)
    back = tape.gradient(y, x, output_gradients=tf.constant(gradient)).numpy()
    edge = max(1, EDGE * y.shape[1] // SIDE)  # whole periods of the stride where the kernel stays inside
    forward = y.numpy()[:, edge:-edge, edge:-edge]
    back = back[:, EDGE:-EDGE, EDGE:-EDGE]
    return float(np.mean(forward**2)), float(np.mean(back**2))


def convolution_fans(options: Options) -> Row:
    """Measure the fans as the gains of weights of variance 1; then measure the gains of Keras's He weights."""
    from dcgan_tf.backend import keras

    found, worst, spread = {}, 0.0, 0.0
    for (kind, size, stride), (n_in, n_out) in FANS.items():
        name = f"{kind} {size}x{size}, stride {stride}"
        runs = np.array(
            [gains(kind, size, stride, keras.initializers.RandomNormal(0, 1, seed=seed)) for seed in range(options.few)]
        )
        keras_he = [
            gains(kind, size, stride, keras.initializers.HeNormal(seed=seed))[0] / 2 for seed in range(options.few)
        ]
        fans = np.array([n_in * C_IN, n_out * C_OUT], float)
        worst = max(worst, float(np.abs(runs.mean(axis=0) / fans - 1).max()))
        spread = max(spread, float((runs.std(axis=0) / fans).max()))
        found[name] = {
            "fan_in": float(fans[0]),
            "fan_in_measured": float(runs[:, 0].mean()),
            "fan_out": float(fans[1]),
            "fan_out_measured": float(runs[:, 1].mean()),
            # The factor of the signal by Keras's He rule, which should be 1. Keras takes a transposed layer's fans from
            # the shape of its kernel, [k, k, out, in], as if it were [k, k, in, out], and ignores strides.
            "keras_he": float(np.mean(keras_he)),
            "keras_he_expected": float(fans[0] / (size**2 * (C_IN if kind == "convolution" else C_OUT))),
        }
    he = max(abs(f["keras_he"] / f["keras_he_expected"] - 1) for f in found.values())
    return Row(
        "fans of convolutions and transposed convolutions",
        "beyond the sources, which have n = k k c: with stride s one output of a transposed layer sees k k c / s²",
        "; ".join(f"{n}: {f['fan_in_measured']:.0f} in, {f['fan_out_measured']:.0f} out" for n, f in found.items())
        + f"; from the formula by {worst:.1%} at most. He's rule by Keras keeps, of 1: "
        + ", ".join(f"{f['keras_he']:.2f} ({n})" for n, f in found.items()),
        f"{spread:.1%} at most ({options.few} seeds), {C_IN} maps in, {C_OUT} out",
        f"{AGREES}: Keras's fan of a transposed layer is its fan_out and has no stride in it; ours is the one measured"
        if max(worst, he) < 0.06
        else DIFFERS,
        found,
        [["layer", *found[next(iter(found))]], *([n, *(f"{v:.4g}" for v in f.values())] for n, f in found.items())],
        {"convolution_fans": _fan_figure(found)},
    )


def _fan_figure(found: dict):
    figure = new_figure(9, 3.8)
    plots = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(found))
    for axes, part in zip(plots, ("fan_in", "fan_out")):
        axes.barh(places, [f[f"{part}_measured"] for f in found.values()], color=COLORS[5], label="measured")
        axes.plot([f[part] for f in found.values()], places, "k|", markersize=18, label="formula")
        axes.set(xlabel="inputs that reach an output" if part == "fan_in" else "outputs that an input reaches")
        axes.set_title("forward" if part == "fan_in" else "backward")
    plots[0].set_yticks(places, list(found))
    plots[0].invert_yaxis()
    figure.legend(*plots[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _truncated_normal(fan: float, scale: float) -> tuple[float, float]:
    """Variance and bound of Keras's truncated normal of variance scale / fan, cut at two standard deviations."""
    # The standard deviation of N(0, 1) cut at 2 is 0.8796 (closed form: 1 - 2 * 2 phi(2) / (Phi(2) - Phi(-2))).
    phi, inside = math.exp(-2) / math.sqrt(2 * math.pi), math.erf(math.sqrt(2))
    return scale / fan, 2 * math.sqrt(scale / fan / (1 - 4 * phi / inside))


def _uniform(variance: float) -> tuple[float, float]:
    return variance, math.sqrt(3 * variance)


def _keras_weights(n_in: int, n_out: int, k: int) -> dict[str, tuple[np.ndarray, tuple[float, float]]]:
    """Name -> weights, and by the formula their variance and bound (inf: none)."""
    from dcgan_tf.backend import keras

    def of(layer, shape):
        layer.build(shape)
        return layer.kernel.numpy()

    make, layers = keras.initializers, keras.layers
    image, both = (None, 8, 8, n_in), k * k * (n_in + n_out)

    def dense(initializer):
        return of(layers.Dense(n_out, kernel_initializer=initializer), (None, n_in))

    return {
        "Dense, default": (dense(make.GlorotUniform(seed=0)), _uniform(2 / (n_in + n_out))),
        "Conv2D, default": (
            of(layers.Conv2D(n_out, k, kernel_initializer=make.GlorotUniform(seed=0)), image),
            _uniform(2 / both),
        ),
        "Conv2DTranspose, default": (
            of(layers.Conv2DTranspose(n_out, k, kernel_initializer=make.GlorotUniform(seed=0)), image),
            _uniform(2 / both),
        ),
        "GlorotNormal": (dense(make.GlorotNormal(seed=0)), _truncated_normal(n_in + n_out, 2)),
        "HeNormal": (dense(make.HeNormal(seed=0)), _truncated_normal(n_in, 2)),
        "HeUniform": (dense(make.HeUniform(seed=0)), _uniform(2 / n_in)),
        "LecunNormal": (dense(make.LecunNormal(seed=0)), _truncated_normal(n_in, 1)),
        "Orthogonal": (dense(make.Orthogonal(seed=0)), (1 / max(n_in, n_out), math.inf)),
        "RandomNormal": (dense(make.RandomNormal(seed=0)), (0.05**2, math.inf)),
        "HeNormal of Conv2DTranspose": (
            of(layers.Conv2DTranspose(n_out, k, kernel_initializer=make.HeNormal(seed=0)), image),
            _truncated_normal(k * k * n_out, 2),  # its fan is taken from the outputs
        ),
    }


def _torch_weights(n_in: int, n_out: int, k: int) -> dict[str, tuple[np.ndarray, tuple[float, float]]]:
    """The same for PyTorch."""
    import torch
    from torch import nn

    torch.manual_seed(0)

    def values(layer, part="weight"):
        return getattr(layer, part).detach().numpy()

    # Kaiming uniform with a = sqrt(5): bound sqrt(6 / ((1 + 5) fan)) = 1 / sqrt(fan).
    return {
        "Conv2d, default": (values(nn.Conv2d(n_in, n_out, k)), _uniform(1 / (3 * k * k * n_in))),
        "Conv2d, bias": (values(nn.Conv2d(n_in, 4096, k), "bias"), _uniform(1 / (3 * k * k * n_in))),
        "Linear, default": (values(nn.Linear(n_in, n_out)), _uniform(1 / (3 * n_in))),
        "ConvTranspose2d, default": (values(nn.ConvTranspose2d(n_in, n_out, k)), _uniform(1 / (3 * k * k * n_out))),
    }


def framework_defaults(options: Options) -> Row:
    """Compare the initial weights of Keras and, if it is installed, PyTorch with their formulas."""
    from dcgan_tf.backend import keras

    sizes = (192, 320, 5)
    # The default initialisers are read from the layers.
    defaults = {
        type(layer.kernel_initializer).__name__
        for layer in (keras.layers.Dense(1), keras.layers.Conv2D(1, 1), keras.layers.Conv2DTranspose(1, 1))
    }
    every = {f"Keras {name}": found for name, found in _keras_weights(*sizes).items()}
    try:
        every |= {f"PyTorch {name}": found for name, found in _torch_weights(*sizes).items()}
        missing = ""
    except ImportError:
        missing = "; PyTorch is not installed here: not measured"
    found, good = {}, defaults == {"GlorotUniform"}
    for name, (values, (variance, bound)) in every.items():
        largest = float(np.abs(values).max())
        # The standard error of the variance of n values is at most sqrt(2 / n); 4 of these, and 0.001 for float32.
        near = abs(values.var() / variance - 1) < 4 * math.sqrt(2 / values.size) + 1e-3
        filled = math.isinf(bound) or 0.98 * bound < largest <= bound * (1 + 1e-6)
        good &= bool(near and filled)
        found[name] = {"variance": float(values.var()), "formula": variance, "largest": largest, "bound": bound}
    off = max(abs(f["variance"] / f["formula"] - 1) for f in found.values())
    shown = {
        n: {k: "none" if isinstance(v, float) and math.isinf(v) else v for k, v in f.items()} for n, f in found.items()
    }
    return Row(
        "defaults of frameworks",
        "PyTorch's Conv2d: Kaiming uniform, a = sqrt(5); Keras: Glorot uniform",
        f"{len(found)} initialisers: variances within {off:.1%} of the formulas, every bounded one fills its bound and "
        f"keeps it; Keras's default is {' and '.join(sorted(defaults))}{missing}",
        "4 standard errors of one draw of each",
        f"{AGREES}{missing.replace(';', ':', 1)}" if good else DIFFERS,
        {"found": shown},
        [["initialiser", "variance", "by the formula", "largest", "bound"]]
        + [[n, *(f"{v:.5g}" if isinstance(v, float) else v for v in f.values())] for n, f in shown.items()],
    )
