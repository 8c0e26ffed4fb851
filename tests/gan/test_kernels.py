"""The faster layers against TensorFlow's plain operations, and both against loops of the definition."""

import functools

import numpy as np
import pytest

from dcgan_tf.backend import keras, tf
from dcgan_tf.batch import Batch
from dcgan_tf.config import preset
from dcgan_tf.distributed.replicas import compile_train_steps
from dcgan_tf.gan import kernels, models
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.run_metrics import STEP_NAMES
from dcgan_tf.training.checkpoints import variables
from experiments.recipes.parts import make
from tests.gan.stepping import make_steps

# Of the largest value. In bfloat16 the result is rounded once, by 2**-8 of a value at most; the sums are float32.
TOLERANCE = {"float32": 1e-5, "bfloat16": 2**-8}
# Small maps on both sides of each rule's threshold.
SIDES = [(2, 2), (4, 6), (6, 4), (8, 4), (10, 8), (16, 16)]
ids = [f"{h}x{w}" for h, w in SIDES]


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    """With one, "auto" means other layers."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])


def agree(ours, wanted, tolerance=1e-5):
    ours, wanted = (np.asarray(tf.cast(a, tf.float64)) for a in (ours, wanted))
    assert ours.shape == wanted.shape
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


def meetings(height, width, k):
    """(i, j, a, b, row, column): output [i, j] meets pixel [row, column] at tap [a, b], (k - 2) // 2 zeros before."""
    for i, j, a, b in np.ndindex(height, width, k, k):
        row, column = 2 * i + a - (k - 2) // 2, 2 * j + b - (k - 2) // 2
        if 0 <= row < 2 * height and 0 <= column < 2 * width:
            yield i, j, a, b, row, column


def plain_conv2d(x, kernel):
    return tf.nn.conv2d(x, kernel, 2, "SAME")


def plain_conv2d_transpose(y, kernel):
    n, height, width, _ = tf.unstack(tf.shape(y))
    return tf.nn.conv2d_transpose(y, kernel, (n, 2 * height, 2 * width, kernel.shape[2]), 2, "SAME")


def plain_kernel_gradient(x, dy, shape):
    kernel = tf.zeros(shape, x.dtype)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        y = plain_conv2d(x, kernel)
    return tape.gradient(y, kernel, output_gradients=dy)


def draw(side, k=5, maps=(3, 6), n=2, dtype="float32"):
    """x [n, 2h, 2w, C], y [n, h, w, D] and kernel [k, k, C, D], none symmetric, as bfloat16 rounds them."""
    (h, w), (c, d) = side, maps
    rng = np.random.default_rng(0)
    shapes = (n, 2 * h, 2 * w, c), (n, h, w, d), (k, k, c, d)
    return [tf.cast(tf.constant(rng.normal(size=shape), tf.bfloat16), dtype) for shape in shapes]


def value_and_gradients(form, x, kernel, dy):
    with tf.GradientTape() as tape:
        tape.watch((x, kernel))
        y = form(x, kernel)
    return y, *tape.gradient(y, (x, kernel), output_gradients=dy)


@pytest.mark.parametrize("k", [4, 5])
def test_every_form_is_the_loop_of_its_definition(k):
    x, y, kernel = draw((2, 3), k, (2, 3))
    images, maps, taps = (a.numpy().astype(np.float64) for a in (x, y, kernel))
    conv, transposed, gradient = np.zeros(y.shape), np.zeros(x.shape), np.zeros(kernel.shape)
    seen = np.zeros((2, 2, 3, k, k, 2))
    for i, j, a, b, row, column in meetings(2, 3, k):
        conv[:, i, j] += images[:, row, column] @ taps[a, b]
        transposed[:, row, column] += maps[:, i, j] @ taps[a, b].T
        gradient[a, b] += images[:, row, column].T @ maps[:, i, j]
        seen[:, i, j, a, b] = images[:, row, column]
    for form in (kernels.conv2d, plain_conv2d):
        agree(form(x, kernel), conv)
    for form in (
        kernels.conv2d_transpose,
        kernels.conv2d_transpose_by_phases,
        kernels.conv2d_transpose_by_sub_pixels,
        plain_conv2d_transpose,
    ):
        agree(form(y, kernel), transposed)
    for form in (kernels.kernel_gradient, plain_kernel_gradient):
        agree(form(x, y, kernel.shape), gradient)
    agree(kernels.patches(x, k), seen.reshape(2 * 2 * 3, k * k * 2), 0)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("maps", [(3, 6), (6, 3), (1, 8)], ids=str)
@pytest.mark.parametrize("k", [4, 5])
@pytest.mark.parametrize("side", SIDES, ids=ids)
def test_values_and_gradients_are_the_plain_forms(side, k, maps, dtype):
    x, y, kernel = draw(side, k, maps, dtype=dtype)
    exact = draw(side, k, maps)
    for ours, plain, into, out in (
        (kernels.conv2d, plain_conv2d, 0, 1),
        (kernels.conv2d_transpose, plain_conv2d_transpose, 1, 0),
    ):
        results = value_and_gradients(ours, (x, y)[into], kernel, (x, y)[out])
        for result, wanted in zip(results, value_and_gradients(plain, exact[into], exact[2], exact[out])):
            assert result.dtype == dtype
            agree(result, wanted, TOLERANCE[dtype])
    for form in (kernels.conv2d_transpose_by_phases, kernels.conv2d_transpose_by_sub_pixels):
        agree(form(y, kernel), plain_conv2d_transpose(*exact[1:]), TOLERANCE[dtype])
    agree(
        kernels.kernel_gradient(x, y, kernel.shape), plain_kernel_gradient(*exact[:2], kernel.shape), TOLERANCE[dtype]
    )


def slope(form, x, kernel):
    """How the gradients' norms depend on both: what a gradient penalty needs. The sine makes each depend on each."""
    with tf.GradientTape() as outer:
        outer.watch((x, kernel))
        _, dx, dkernel = value_and_gradients(lambda *both: tf.sin(form(*both)), x, kernel, None)
        norms = tf.norm(dx) + tf.norm(dkernel)
    return norms, *outer.gradient(norms, (x, kernel))


@pytest.mark.parametrize("maps", [(3, 6), (6, 3)], ids=str)
@pytest.mark.parametrize("k", [4, 5])
@pytest.mark.parametrize("side", [(2, 2), (4, 6), (8, 4), (16, 16)], ids=str)
def test_gradients_of_gradients_are_the_plain_forms_for_any_batch(side, k, maps):
    for ours, plain, into in (
        (kernels.conv2d, plain_conv2d, 0),
        (kernels.conv2d_transpose, plain_conv2d_transpose, 1),
    ):
        unknown = tf.TensorSpec((None, *draw(side, k, maps)[into].shape[1:]))
        any_batch = tf.function(functools.partial(slope, ours), (unknown, tf.TensorSpec((k, k, *maps))))
        for n in (1, 3):
            inputs = draw(side, k, maps, n)
            x, kernel = inputs[into], 0.1 * inputs[2]
            wanted = slope(plain, x, kernel)
            for results in (any_batch(x, kernel), slope(ours, x, kernel)):
                for result, value in zip(results, wanted):
                    agree(result, value)


def norm_closed_form(x, gamma, beta, dy, epsilon):
    """(y, mean, variance, dx, dgamma, dbeta) in float64: Ioffe & Szegedy 2015, section 3."""
    x, gamma, beta, dy = (np.asarray(tf.cast(a, tf.float64)) for a in (x, gamma, beta, dy))
    axes = (0, 1, 2)
    mean, variance = x.mean(axes), x.var(axes)
    deviation = np.sqrt(variance + epsilon)
    unit = (x - mean) / deviation
    dx = gamma / deviation * (dy - dy.mean(axes) - unit * (dy * unit).mean(axes))
    return unit * gamma + beta, mean, variance, dx, (dy * unit).sum(axes), dy.sum(axes)


def norm_inputs(shape, dtype="float32"):
    rng = np.random.default_rng(3)
    x, dy = (tf.constant(rng.normal(loc, 1 + np.arange(shape[-1]), shape), dtype) for loc in (2, 0))
    gamma, beta = (tf.constant(rng.normal(loc, 0.3, shape[-1]), tf.float32) for loc in (1, 0))
    return x, gamma, beta, dy


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [(1, 1, 2, 3), (1, 4, 6, 2), (5, 3, 2, 4)], ids=str)
def test_batch_norm_is_the_closed_form(shape, dtype):
    x, gamma, beta, dy = norm_inputs(shape, dtype)
    epsilon = 0.1  # large enough to be seen

    @tf.function(input_signature=[tf.TensorSpec((None, *shape[1:]), dtype)] * 2)
    def any_batch(x, dy):
        with tf.GradientTape() as tape:
            tape.watch((x, gamma, beta))
            y, mean, variance = kernels.batch_norm(x, gamma, beta, epsilon)
        return y, mean, variance, *tape.gradient(y, (x, gamma, beta), output_gradients=dy)

    for i, (result, wanted) in enumerate(zip(any_batch(x, dy), norm_closed_form(x, gamma, beta, dy, epsilon))):
        as_x = i in (0, 3)  # all but y and dx are float32, and as exact
        assert result.dtype == (dtype if as_x else "float32")
        agree(result, wanted, TOLERANCE[dtype if as_x else "float32"])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_batch_norm_by_given_statistics_is_the_closed_form(dtype):
    x, gamma, beta, dy = norm_inputs((5, 3, 2, 4), dtype)
    rng = np.random.default_rng(5)
    mean, variance = (tf.constant(values, tf.float32) for values in (rng.normal(size=4), rng.uniform(0.2, 3, 4)))
    with tf.GradientTape() as tape:
        tape.watch((x, gamma, beta))
        y = kernels.normalize(x, gamma, beta, mean, variance, 0.1)
    by_x, by_gamma, by_beta = tape.gradient(y, (x, gamma, beta), output_gradients=dy)
    exact_x, exact_dy, g, b, m, v = (np.asarray(tf.cast(a, tf.float64)) for a in (x, dy, gamma, beta, mean, variance))
    normed = (exact_x - m) / np.sqrt(v + 0.1)
    agree(y, normed * g + b, TOLERANCE[dtype])
    agree(by_x, exact_dy * g / np.sqrt(v + 0.1), TOLERANCE[dtype])
    agree(by_gamma, (exact_dy * normed).sum((0, 1, 2)))
    agree(by_beta, exact_dy.sum((0, 1, 2)))


def test_batch_norms_gradient_has_the_right_slope():
    """By central differences of the closed form. (tf.nn.moments, which Keras takes, errs by a few hundredths here.)"""
    x, gamma, beta, dy = norm_inputs((2, 3, 4, 2))
    towards = np.random.default_rng(4).normal(size=x.shape)

    def component(x, gamma, dy):
        return np.sum(norm_closed_form(x, gamma, beta, dy, 0.1)[3] * towards)

    with tf.GradientTape() as outer:
        outer.watch((x, gamma, dy))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = kernels.batch_norm(x, gamma, beta, 0.1)[0]
        dx = tape.gradient(y, x, output_gradients=dy)
        along = tf.reduce_sum(dx * tf.constant(towards, tf.float32))
    inputs = [a.numpy().astype(np.float64) for a in (x, gamma, dy)]
    for which, ours in enumerate(outer.gradient(along, (x, gamma, dy))):
        wanted = np.zeros(ours.shape)
        for at in np.ndindex(*ours.shape):
            moved = [[a.copy() for a in inputs] for _ in range(2)]
            for sign, m in zip((1, -1), moved):
                m[which][at] += sign * 1e-4
            wanted[at] = (component(*moved[0]) - component(*moved[1])) / 2e-4
        agree(ours, wanted)


def pair(network, *shape, **settings):
    """(faster, plain) with the same weights, all of them away from their initial values."""
    built = []
    for name in ("auto", "plain"):
        built.append(network(**settings, layer_set=kernels.layer_set(name)))
        built[-1](np.zeros((1, *shape), "float32"))
    faster, plain = built
    assert [(v.path, v.shape, v.dtype) for v in faster.variables] == [
        (v.path, v.shape, v.dtype) for v in plain.variables
    ]
    rng = np.random.default_rng(0)
    plain.set_weights([w + 0.1 * np.abs(rng.normal(size=w.shape)) for w in plain.get_weights()])
    faster.set_weights(plain.get_weights())
    return faster, plain


NETWORKS = [
    (models.Generator, {"latent_dim": 6}, (6,)),
    (models.Generator, {"latent_dim": 6, "upsampling": "resize"}, (6,)),
    (models.Discriminator, {}, (64, 64, 3)),
]
of_networks = pytest.mark.parametrize("network, settings, shape", NETWORKS, ids=["g", "g_resize", "d"])


# Rounding adds up over the layers, and in mixed_bfloat16 each of the four or five in a row rounds its outputs.
@pytest.mark.parametrize("dtype, tolerance", [("float32", 5e-5), ("mixed_bfloat16", 5 * 2**-8)])
@of_networks
def test_networks_of_either_layers_agree(network, settings, shape, dtype, tolerance):
    faster, plain = pair(network, *shape, **settings, width=6, dtype=dtype)
    own = {type(layer) for layer in faster.sequence} & set(kernels.layer_set("auto"))
    assert len(own) == 2 and not own & {type(layer) for layer in plain.sequence}
    x = np.random.default_rng(1).normal(size=(4, *shape)).astype("float32")
    for training in (False, True, False):  # the last with the statistics that training has moved
        agree(faster(x, training=training), plain(x, training=training), tolerance)
    for ours, wanted in zip(faster.variables, plain.variables):
        agree(ours, wanted, max(tolerance, 1e-4))  # a variance may be much smaller than its summands


@of_networks
def test_weights_saved_from_either_load_in_the_other(network, settings, shape, tmp_path):
    x = np.random.default_rng(1).normal(size=(2, *shape)).astype("float32")
    saving, loading = pair(network, *shape, **settings, width=4), pair(network, *shape, **settings, width=4, seed=1)
    for ours, theirs in zip(saving, loading[::-1]):
        ours.save(tmp_path / "whole.keras")
        theirs.load_weights(tmp_path / "whole.keras")
        agree(theirs(x), ours(x))
        agree(keras.models.load_model(tmp_path / "whole.keras")(x), ours(x))


def test_layer_set_takes_what_suits_the_machine(monkeypatch):
    assert kernels.layer_set("plain") is models.KERAS
    ours = (kernels.Conv2D, kernels.Conv2DTranspose, kernels.ResizeConvolution, kernels.BatchNormalization)
    assert kernels.layer_set("auto") == ours
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["one"] * (kind == "GPU"))
    assert kernels.layer_set("auto") == (*models.KERAS[:3], kernels.BatchNormalization)
    assert kernels.layer_set("plain") is models.KERAS


def small(**settings) -> DCGAN:
    settings = {"g_width": 4, "d_width": 4, "batch_size": 8, "latent_dim": 6, "image_size": 32} | settings
    return DCGAN(preset("article", **settings))


def batches_of(config, steps):
    shape = (steps, config.d_steps, config.batch_size, 32, 32, config.channels)
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


def whole_moments(x, axes, keepdims=False):
    """tf.nn.moments, without its stop_gradient: it is right for gradients and wrong for theirs, as in a penalty."""
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), axes, keepdims=True)
    return (mean, variance) if keepdims else (tf.squeeze(mean, axes), tf.squeeze(variance, axes))


OTHER = {"d_steps": 2, "g_steps": 1, "upsampling": "resize", "augment": "translation"}


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"loss": "wgan_gp"}, OTHER], ids=["article", "wgan_gp", "other"])
def test_three_steps_with_either_kernels_agree(settings, monkeypatch):
    if "loss" in settings:
        monkeypatch.setattr(tf.nn, "moments", whole_moments)
    faster, plain = (small(**settings, kernels=name) for name in ("auto", "plain"))
    start = {name: v.numpy() for name, v in variables(plain).items()}
    for step, batches in enumerate(batches_of(plain.config, 3)):
        (ours,), (wanted,) = (make_steps(gan, [batches], first=step) for gan in (faster, plain))
        for name in STEP_NAMES:
            assert ours[name] == pytest.approx(wanted[name], rel=1e-4), name
    ours, wanted = variables(faster), variables(plain)
    assert ours.keys() == wanted.keys() == start.keys()
    for name, value in wanted.items():
        # How they moved, all together: Adam's first step is lr * sign(gradient), so that a weight whose gradient is all
        # but zero may step to the other side.
        error = np.linalg.norm(ours[name].numpy() - value.numpy())
        assert error <= 1e-3 * np.linalg.norm(value.numpy() - start[name]), name


@pytest.mark.parametrize("kernels", ["auto", "plain"])
def test_steps_in_one_call_are_the_same_steps_bit_for_bit(kernels):
    single, block = (small(kernels=kernels, d_steps=2, ema=0.9) for _ in range(2))
    batches = batches_of(single.config, 3)
    rows = [[step[name] for name in STEP_NAMES] for step in make_steps(single, batches, first=7)]
    in_one_call = compile_train_steps(block)(Batch.unlabelled(np.stack(batches)), tf.constant(7, tf.int64))
    np.testing.assert_array_equal(in_one_call, np.float32(rows))
    ours, wanted = variables(block), variables(single)
    assert ours.keys() == wanted.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value.numpy(), wanted[name].numpy(), err_msg=name)


def test_spectral_normalisation_takes_the_layers_as_they_are():
    """A part of the recipe study that replaces layers by their settings."""
    config = small().config
    names = [layer.name for layer in make(config, spectral="with_bn").discriminator.sequence]
    assert names == [layer.name for layer in DCGAN(config).discriminator.sequence]
