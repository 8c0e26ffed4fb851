"""Convolutions and transposed convolutions in NumPy against the framework's, and their speeds."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from experiments.convolution import im2col as ours
from experiments.framework.study import AGREES, COLORS, DIFFERS, SOURCE_ERROR, Options, Row, new_figure

TOLERANCE = 1e-4
SIZE = (15, 14)
KERNELS, STRIDES, DILATIONS = (1, 2, 3, 4, 5), (1, 2, 3), (1, 2, 3)
PADDINGS = ("valid", "same", "2 above, 1 below, 0 left, 3 right")
# The article's discriminator: side and maps of each convolution's input, maps of its output.
LAYERS = {"h0": (64, 3, 64), "h1": (32, 64, 128), "h2": (16, 128, 256), "h3": (8, 256, 512)}


def im2col(options: Options) -> Row:
    """Compare im2col + GEMM with the framework's convolution for all strides, paddings and dilations, and time both."""
    errors = {}
    for k, stride, padding, dilation in itertools.product(KERNELS, STRIDES, PADDINGS, DILATIONS):
        case = f"kernel {k}, stride {stride}, dilation {dilation}, padding {padding}"
        errors[case] = [_difference(k, stride, padding, dilation, seed) for seed in range(options.seeds)]
    worst = max(errors, key=lambda case: max(errors[case]))
    largest = [max(values[seed] for values in errors.values()) for seed in range(options.seeds)]
    seconds = _time_layers(options)
    ratios = {
        layer: {name: float(np.median(np.divide(s, turns["TensorFlow"]))) for name, s in turns.items()}
        for layer, turns in seconds.items()
    }
    slower = [r["NumPy"] for r in ratios.values()]
    agrees = max(largest) < TOLERANCE
    return Row(
        title="convolution as im2col + GEMM",
        published="Y = X W + b, X [N, k k c], W [k k c, d]; to 1e-4",
        ours=f"largest difference from tf.nn.conv2d {max(largest):.1e} over {len(errors)} settings; "
        f"in NumPy {min(slower):.1f} to {max(slower):.1f} times TensorFlow's time on the article's layers, either way",
        spread=f"[{min(largest):.1e}, {max(largest):.1e}] ({options.seeds} seeds)",
        verdict=AGREES if agrees else f"{DIFFERS}: {worst}",
        numbers={"largest": largest, "worst": worst, "seconds": seconds, "ratios to TensorFlow": ratios},
        table=[
            ["layer", "form", "median ms", "least ms", "most ms", "ratio to TensorFlow"],
            *(
                [
                    layer,
                    name,
                    *(round(1e3 * f(values), 3) for f in (np.median, min, max)),
                    round(ratios[layer][name], 3),
                ]
                for layer, turns in seconds.items()
                for name, values in turns.items()
            ),
        ],
        figures={"im2col_speed": _speed_figure(seconds, _batch_size(options))},
    )


def _difference(k: int, stride: int, padding: str, dilation: int, seed: int) -> float:
    """Largest difference between our convolution and TensorFlow's, inputs ~ N(0, 1) and weights ~ N(0, 1/fan_in)."""
    from dcgan_tf.backend import tf

    draw = np.random.default_rng([seed, k, stride, dilation])
    x = draw.normal(size=(2, *SIZE, 3)).astype("float32")
    kernel = (draw.normal(size=(k, k, 3, 4)) / np.sqrt(3 * k * k)).astype("float32")
    bias = draw.normal(size=4).astype("float32")
    pixels = {"valid": ours.NONE, "same": ours.same_padding(SIZE, (k, k), stride, dilation)}.get(
        padding, ((2, 1), (0, 3))
    )
    theirs = padding.upper() if padding in ("valid", "same") else [[0, 0], *pixels, [0, 0]]
    expected = tf.nn.bias_add(tf.nn.conv2d(x, kernel, stride, theirs, dilations=dilation), bias).numpy()
    return float(np.abs(ours.conv2d(x, kernel, bias, stride, pixels, dilation) - expected).max())


def _batch_size(options: Options) -> int:
    return 4 if options.quick else 32


def _time_layers(options: Options) -> dict[str, dict[str, list[float]]]:
    """Seconds of each form of each layer, the forms in turns: {layer: {form: one value a round}}."""
    from experiments.framework.timing import time_interleaved

    found = {}
    for layer, sizes in LAYERS.items():
        for kind, forms in _layer_forms(*sizes, _batch_size(options)).items():
            turns = {name: lambda count, form=form: [form() for _ in range(count)] for name, form in forms.items()}
            found[f"{kind} {layer}"] = time_interleaved(turns, rounds=3 if options.quick else 9, count=1)
    return found


def _layer_forms(side: int, channels: int, maps: int, batch: int) -> dict[str, dict[str, Callable[[], np.ndarray]]]:
    """Each form of the 5x5 layer [side, side, channels] -> [side / 2, side / 2, maps] and of its transpose."""
    from dcgan_tf.backend import tf
    from dcgan_tf.gan import kernels

    draw = np.random.default_rng(0)
    x = draw.normal(size=(batch, side, side, channels)).astype("float32")
    y = draw.normal(size=(batch, side // 2, side // 2, maps)).astype("float32")
    kernel = (draw.normal(size=(5, 5, channels, maps)) / np.sqrt(25 * channels)).astype("float32")
    same = ours.same_padding((side, side), (5, 5), 2)
    seen = ours.extract_patches(x, (5, 5), 2, same, 1).reshape(-1, 25 * channels)
    weights, rows = kernel.reshape(-1, maps), y.reshape(-1, maps)
    x_tf, y_tf, kernel_tf = (tf.constant(values) for values in (x, y, kernel))
    return {
        "convolution": {
            "NumPy": lambda: ours.conv2d(x, kernel, stride=2, padding=same),
            "of that the GEMM": lambda: seen @ weights,
            "TensorFlow": lambda: tf.nn.conv2d(x_tf, kernel_tf, 2, "SAME").numpy(),
            "dcgan_tf": lambda: kernels.conv2d(x_tf, kernel_tf).numpy(),
        },
        "transposed": {
            "NumPy": lambda: ours.conv2d_transpose(y, kernel, (side, side), 2, same),
            "of that the GEMM": lambda: rows @ weights.T,
            "TensorFlow": lambda: tf.nn.conv2d_transpose(y_tf, kernel_tf, x.shape, 2, "SAME").numpy(),
            "dcgan_tf": lambda: kernels.conv2d_transpose(y_tf, kernel_tf).numpy(),
        },
    }


def _speed_figure(seconds: dict[str, dict[str, list[float]]], batch: int):
    figure = new_figure(9, 6.4)
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    height = 0.2
    for axis, kind in zip(axes, ("convolution", "transposed")):
        layers = {label: turns for label, turns in seconds.items() if label.startswith(kind)}
        for place, turns in enumerate(layers.values()):
            for n, (name, values) in enumerate(turns.items()):
                middle, least, most = (1e3 * f(values) for f in (np.median, np.min, np.max))
                axis.barh(
                    place + (n - 1.5) * height,
                    middle,
                    height,
                    xerr=[[middle - least], [most - middle]],
                    color=COLORS[n],
                    error_kw={"elinewidth": 1, "capsize": 2},
                    label=name if place == 0 else None,
                )
        axis.set_title("convolution, stride 2" if kind == "convolution" else "transposed convolution, stride 2")
        axis.set_xscale("log")
        axis.set_xlabel(f"milliseconds for {batch} images (log; whiskers: least, most)")
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(
        range(len(LAYERS)), [f"{n}\n{s}x{s}x{i}\n{s // 2}x{s // 2}x{o}" for n, (s, i, o) in LAYERS.items()]
    )
    axes[0].invert_yaxis()
    axes[0].set_ylabel("layer of the article's discriminator, larger and smaller map")
    handles, labels = axes[0].get_legend_handles_labels()
    labels[0] = "NumPy (im2col, GEMM; GEMM, col2im)"
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def transposed_convolution(options: Options) -> Row:
    """Compare ways to compute it: gradient, transposed matrix, zeros between the inputs, TensorFlow, Keras, col2im."""
    cases = list(itertools.product((3, 4, 5), STRIDES))
    found = [_differences_from_col2im(k, stride, seed) for k, stride in cases for seed in range(options.seeds)]
    largest = {way: max(f[way] for f in found) for way in found[0]}
    taps = np.arange(1.0, 6.0).reshape(1, 5, 1, 1)
    drawn = ours.convolution_matrix(taps, (1, 8), 2, ours.same_padding((1, 8), (1, 5), 2))
    inverse = [_distance_from_inverse(seed) for seed in range(options.seeds)]
    one_operation = max(largest.values()) < TOLERANCE
    rank = int(np.linalg.matrix_rank(drawn))
    return Row(
        title="transposed convolution",
        published='gradient of a convolution; "deconvolution"; "micro-stride (fractionally strided) convolution, '
        'upsampling + convolution; improvement: transposed convolution"',
        ours="largest difference "
        + ", ".join(f"{value:.1e} ({way})" for way, value in largest.items())
        + f"; no inverse: rank {rank} of {drawn.shape[1]}, |M^T M x - x| = {np.mean(inverse):.2f} |x|",
        spread=f"largest over {len(cases)} settings and {options.seeds} seeds; "
        f"no inverse by [{min(inverse):.2f}, {max(inverse):.2f}]",
        verdict=f"{SOURCE_ERROR}: fractionally strided and transposed convolution are one operation, no improvement "
        "of one by the other, and neither undoes a convolution"
        if one_operation and rank < drawn.shape[1]
        else f"{DIFFERS}: the ways do not lead to the same numbers",
        numbers={"largest": largest, "rank": rank, "columns": drawn.shape[1], "distance from inverse": inverse},
        table=[["way", "largest difference"], *([way, value] for way, value in largest.items())],
        figures={"transposed_convolution_matrix": _matrix_figure(drawn)},
    )


def _differences_from_col2im(k: int, stride: int, seed: int) -> dict[str, float]:
    """Largest difference of each other way from col2im, on 2 images of 12 x 6 x 3 with "same" padding."""
    from dcgan_tf.backend import keras, tf

    draw = np.random.default_rng([seed, k, stride])
    size = (12, 6)  # multiples of every stride, as Keras's layer makes no other sizes
    pixels = ours.same_padding(size, (k, k), stride)
    small = tuple(n // stride for n in size)
    y = draw.normal(size=(2, *small, 4)).astype("float32")
    kernel = (draw.normal(size=(k, k, 3, 4)) / np.sqrt(4 * k * k)).astype("float32")
    way = (y, kernel, size, stride, pixels)
    here = ours.conv2d_transpose(*way)

    x = tf.zeros((2, *size, 3))
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = tf.nn.conv2d(x, kernel, stride, "SAME")
    layer = keras.layers.Conv2DTranspose(3, k, stride, "same", use_bias=False)
    layer.build(y.shape)
    layer.kernel.assign(kernel)
    by_matrix = y.reshape(2, -1) @ ours.convolution_matrix(kernel, size, stride, pixels)
    others = {
        "gradient of tf.nn.conv2d": tape.gradient(outputs, x, output_gradients=y).numpy(),
        "transposed matrix": by_matrix.reshape(here.shape),
        "zeros between, then convolved": ours.conv2d_fractionally_strided(*way),
        "tf.nn.conv2d_transpose": tf.nn.conv2d_transpose(y, kernel, here.shape, stride, "SAME").numpy(),
        "Keras's Conv2DTranspose": layer(y).numpy(),
    }
    return {name: float(np.abs(other - here).max()) for name, other in others.items()}


def _distance_from_inverse(seed: int) -> float:
    """|M^T M x - x| / |x| for a random x and a random kernel of norm 1."""
    draw = np.random.default_rng(seed)
    taps = draw.normal(size=(1, 5, 1, 1))
    m = ours.convolution_matrix(taps / np.linalg.norm(taps), (1, 64), 2, ours.same_padding((1, 64), (1, 5), 2))
    x = draw.normal(size=64)
    return float(np.linalg.norm(m.T @ (m @ x) - x) / np.linalg.norm(x))


def _matrix_figure(drawn: np.ndarray):
    """Draw M and M^T of a convolution of 8 values with 5 taps, stride 2; `drawn` is M with the taps numbered from 1."""
    from matplotlib.colors import ListedColormap

    figure = new_figure(9, 4.6)
    axes = figure.subplots(1, 2, width_ratios=(8, 5))
    colors = ListedColormap(("white", *COLORS[:5]))
    for axis, values, title, ins, outs in (
        (axes[0], drawn, "convolution: y = Mx", "x", "y"),
        (axes[1], drawn.T, "transposed: x' = $M^T$y", "y", "x'"),
    ):
        axis.imshow(values, cmap=colors, vmin=-0.5, vmax=5.5)
        for (row, column), tap in np.ndenumerate(values):
            if tap:
                axis.text(column, row, f"w{tap - 1:.0f}", ha="center", va="center", color="white", fontweight="bold")
        axis.set_xticks(range(values.shape[1]), [f"{ins}{n}" for n in range(values.shape[1])])
        counts = (values > 0).sum(axis=1)
        axis.set_yticks(
            range(values.shape[0]), [f"{outs}{n} ({c} tap{'s' if c > 1 else ''})" for n, c in enumerate(counts)]
        )
        axis.set_xticks(np.arange(values.shape[1] - 1) + 0.5, minor=True)
        axis.set_yticks(np.arange(values.shape[0] - 1) + 0.5, minor=True)
        axis.grid(which="minor", color="0.8")
        axis.tick_params(which="minor", length=0)
        axis.set_title(title)
        axis.set_xlabel("input")
        axis.set_ylabel("output")
    figure.suptitle('kernel of 5 taps w0 .. w4, stride 2, "same" padding, 8 values')
    return figure
