"""The faster forms against the plain ones, and those against loops of the definition."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcgan_tf.config import preset
from dcgan_tf.gan import kernels, models
from dcgan_tf.gan.dcgan import DCGAN, METRICS
from dcgan_tf.runs import checkpoints
from experiments.recipe_parts import make

TINY = {"image_size": 32, "g_width": 4, "d_width": 4, "batch_size": 8, "latent_dim": 6}
# Smaller map h x w, taps, maps of the larger and of the smaller one: each side of every rule's limit.
SHAPES = [(2, 2, 5, 3, 7), (4, 4, 5, 6, 8), (4, 6, 4, 5, 3), (8, 8, 5, 4, 6), (6, 8, 4, 3, 5), (16, 16, 5, 3, 4),
          (16, 16, 5, 5, 4), (12, 10, 4, 6, 2)]  # fmt: skip


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def operands(shape, batch=3):
    height, width, k, maps, deeper = shape
    x, y = normal(0, batch, 2 * height, 2 * width, maps), normal(1, batch, height, width, deeper)
    return x, y, normal(2, k, k, maps, deeper)


def loops(x, kernel):
    """[N, h, w, D] by the definition: taps from (k - 2) // 2 before pixel 2p on, zeros outside."""
    k, before = kernel.shape[0], (kernel.shape[0] - 2) // 2
    n, height, width, _ = x.shape
    out = np.zeros((n, height // 2, width // 2, kernel.shape[3]))
    for p, q, i, j in itertools.product(range(height // 2), range(width // 2), range(k), range(k)):
        row, column = 2 * p + i - before, 2 * q + j - before
        if 0 <= row < height and 0 <= column < width:
            out[:, p, q] += x[:, row, column].astype(float) @ kernel[i, j]
    return out


def near(ours, plain, tolerance):
    ours, plain = np.asarray(tf.cast(ours, tf.float32)), np.asarray(tf.cast(plain, tf.float32))
    np.testing.assert_allclose(ours, plain, atol=tolerance * np.abs(plain).max())


def with_gradients(function, *inputs):
    """(values, gradients by each input for a fixed upstream gradient), compiled."""

    @tf.function
    def run(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = function(*inputs)
            upstream = tf.cast(tf.random.stateless_normal(tf.shape(outputs), (0, 9)), outputs.dtype)
        return outputs, *tape.gradient(outputs, inputs, output_gradients=upstream)

    return run(*map(tf.constant, inputs))


def plain_conv(x, kernel):
    return tf.nn.conv2d(x, kernel, 2, "SAME")


def plain_transpose(y, kernel):
    shape = (tf.shape(y)[0], 2 * y.shape[1], 2 * y.shape[2], kernel.shape[2])
    return tf.nn.conv2d_transpose(y, kernel, shape, 2, "SAME")


@pytest.mark.parametrize("shape", SHAPES[:5])
def test_the_plain_form_is_the_definition(shape):
    x, y, kernel = operands(shape)
    near(plain_conv(x, kernel), loops(x, kernel), 1e-5)
    near(kernels.conv2d(x, kernel), loops(x, kernel), 1e-5)
    # A transposed convolution is the transposed matrix: <conv(x), y> = <x, transposed(y)> for all x and y.
    left = np.sum(loops(x, kernel) * y)
    assert left == pytest.approx(np.sum(x * np.asarray(kernels.conv2d_transpose(y, kernel))), rel=1e-4)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_float32_values_and_gradients_are_the_plain_ones(shape, batch):
    x, y, kernel = operands(shape, batch)
    for ours, plain, inputs in (
        (kernels.conv2d, plain_conv, (x, kernel)),
        (kernels.conv2d_transpose, plain_transpose, (y, kernel)),
    ):
        for one, other in zip(with_gradients(ours, *inputs), with_gradients(plain, *inputs)):
            near(one, other, 1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_bfloat16_is_float32_within_its_rounding(shape):
    """Each result is a float32 sum rounded once to 8 bits, 2^-9 of it at most; values and all gradients."""
    x, y, kernel = (tf.cast(a, tf.bfloat16) for a in operands(shape))
    for ours, plain, inputs in (
        (kernels.conv2d, plain_conv, (x, kernel)),
        (kernels.conv2d_transpose, plain_transpose, (y, kernel)),
    ):
        upstream_rounded = with_gradients(ours, *inputs)
        exact = with_gradients(lambda *i, plain=plain: plain(*(tf.cast(a, tf.float32) for a in i)), *inputs)
        near(upstream_rounded[0], exact[0], 2**-8)
        for one, other in zip(upstream_rounded[1:], exact[1:]):  # here the upstream gradient is rounded too
            near(one, other, 2**-7)
        assert all(value.dtype == tf.bfloat16 for value in upstream_rounded)


@pytest.mark.parametrize("shape", SHAPES)
def test_each_form_alone_is_the_plain_one(shape):
    """Whatever the rules take for this shape."""
    x, y, kernel = operands(shape)
    near(kernels.conv2d_transpose_by_phases(y, kernel), plain_transpose(y, kernel), 1e-5)
    near(kernels.conv2d_transpose_by_sub_pixels(y, kernel), plain_transpose(y, kernel), 1e-5)
    seen = np.asarray(kernels.patches(x, shape[2]))
    near(seen @ kernel.reshape(-1, shape[4]), loops(x, kernel).reshape(-1, shape[4]), 1e-5)
    with tf.GradientTape() as tape:
        tape.watch(k := tf.constant(kernel))
        value = tf.reduce_sum(plain_conv(x, k) * y)
    near(kernels.kernel_gradient(x, y, kernel.shape), tape.gradient(value, k), 1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_second_gradients_are_the_plain_ones(shape):
    """A gradient penalty's: of |d conv / d x|^2 by the kernel, and back through the transposed one."""
    x, y, kernel = operands(shape)

    def penalty(function):
        def value(inputs, kernel):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                out = tf.reduce_sum(tf.tanh(function(inputs, kernel)))
            return tf.reduce_sum(tf.square(tape.gradient(out, inputs)))

        return value

    for ours, plain, inputs in (
        (kernels.conv2d, plain_conv, x), (kernels.conv2d_transpose, plain_transpose, y),
    ):  # fmt: skip
        pairs = zip(with_gradients(penalty(ours), inputs, kernel), with_gradients(penalty(plain), inputs, kernel))
        for one, other in pairs:
            near(one, other, 1e-4)


@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[3], SHAPES[5], SHAPES[6]])
def test_the_number_of_images_may_be_unknown(shape):
    x, y, kernel = operands(shape)
    for function, inputs in ((kernels.conv2d, x), (kernels.conv2d_transpose, y)):
        compiled = tf.function(function, [tf.TensorSpec((None, *inputs.shape[1:])), tf.TensorSpec(kernel.shape)])
        for n in (1, 3):
            near(compiled(inputs[:n], kernel), function(inputs[:n], kernel), 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_batch_norm_is_its_formula(dtype):
    """In float64; the gradient by x as Ioffe & Szegedy 2015 have it."""
    x = np.asarray(tf.cast(tf.cast(3 + 2 * normal(0, 5, 4, 6, 7), dtype), tf.float32)).astype(float)
    gamma, beta, upstream = normal(1, 7).astype(float), normal(2, 7).astype(float), normal(3, 5, 4, 6, 7).astype(float)
    if dtype == "bfloat16":
        upstream = np.asarray(tf.cast(tf.cast(upstream, dtype), tf.float64))
    with tf.GradientTape() as tape:
        inputs = [tf.constant(x, dtype), tf.constant(gamma, tf.float32), tf.constant(beta, tf.float32)]
        tape.watch(inputs)
        outputs, mean, variance = kernels.batch_norm(*inputs, 1e-3)
    gradients = tape.gradient(outputs, inputs, output_gradients=tf.constant(upstream, dtype))

    axes, count = (0, 1, 2), 5 * 4 * 6
    true_mean, true_variance = x.mean(axes), x.var(axes)
    normed = (x - true_mean) / np.sqrt(true_variance + 1e-3)
    assert mean.dtype == variance.dtype == tf.float32
    np.testing.assert_allclose(mean, true_mean, rtol=1e-5)
    np.testing.assert_allclose(variance, true_variance, rtol=1e-5)  # biased, as Keras keeps it
    tolerance = 1e-5 if dtype == "float32" else 2**-8
    near(outputs, normed * gamma + beta, tolerance)
    by_gamma, by_beta = (upstream * normed).sum(axes), upstream.sum(axes)
    by_x = gamma / np.sqrt(true_variance + 1e-3) * (upstream - by_beta / count - normed * by_gamma / count)
    for ours, true in zip(gradients, (by_x, by_gamma, by_beta)):
        near(ours, true, tolerance)


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_networks_of_either_layers_are_the_same_with_the_same_weights(upsampling, tmp_path):
    sizes = {"image_size": 32, "width": 4}
    z, images = normal(0, 6, 6), normal(1, 6, 32, 32, 3)
    for network, settings, inputs in (
        (models.Generator, {"latent_dim": 6, "upsampling": upsampling}, z), (models.Discriminator, {}, images),
    ):  # fmt: skip
        fast = network(**sizes, **settings, layer_set=kernels.layer_set("auto"))
        plain = network(**sizes, **settings, layer_set=kernels.layer_set("plain"), seed=3)
        for one in (fast, plain):
            one(inputs)
        named = [[(v.path.partition("/")[2], tuple(v.shape)) for v in one.variables] for one in (fast, plain)]
        assert named[0] == named[1]
        plain.set_weights(fast.get_weights())
        near(fast(inputs, training=True), plain(inputs, training=True), 1e-5)
        for ours, theirs in zip(fast.get_weights(), plain.get_weights()):  # the moving statistics have moved alike
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
        near(fast(inputs, training=False), plain(inputs, training=False), 1e-5)
        fast.save(tmp_path / "network.keras")
        near(keras.models.load_model(tmp_path / "network.keras")(inputs), fast(inputs), 1e-5)


def test_which_layers_are_taken(monkeypatch):
    assert kernels.layer_set("plain") is models.KERAS
    assert kernels.layer_set("auto").conv is kernels.Conv2D
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"])
    assert kernels.layer_set("auto") == models.KERAS._replace(batch_norm=kernels.BatchNormalization)


@pytest.mark.parametrize(
    "settings",
    [{}, {"d_steps": 2, "g_steps": 1}, {"loss": "wgan_gp"}, {"upsampling": "resize", "augment": "translation"}],
)
def test_a_step_is_the_plain_one(settings):
    """Adam's first steps move a weight by the rate in its gradient's sign, and rounding has a say in those near 0."""
    gans = [DCGAN(preset("article", **TINY | settings, kernels=name)) for name in ("auto", "plain")]
    rng = np.random.default_rng(0)
    batch = rng.integers(0, 256, (gans[0].config.d_steps, 8, 32, 32, 3), np.uint8)
    ours, plain = ({k: float(v) for k, v in gan.train_step(batch, tf.constant(0, tf.int64)).items()} for gan in gans)
    assert ours == pytest.approx(plain, rel=2e-2)
    for one, other in zip(*(gan.generator.variables + gan.discriminator.variables for gan in gans)):
        assert np.linalg.norm(one.numpy() - other.numpy()) <= 0.02 * np.linalg.norm(other.numpy()), one.path


def test_several_steps_in_one_call_are_the_steps_bit_for_bit():
    one_by_one, at_once = (DCGAN(preset("article", **TINY, ema=0.9)) for _ in range(2))
    batches = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 32, 32, 3), np.uint8)
    rows = [one_by_one.train_step(batch, tf.constant(7 + k, tf.int64)) for k, batch in enumerate(batches)]
    together = at_once.train_steps(tf.constant(batches), tf.constant(7, tf.int64)).numpy()
    np.testing.assert_array_equal(together, [[float(row[name]) for name in METRICS] for row in rows])
    for one, other in zip(*(checkpoints.variables(gan).values() for gan in (one_by_one, at_once))):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_half_of_the_real_images_are_mirrored_at_random():
    gan = DCGAN(preset("article", **TINY, flip="on"))
    images = tf.constant(normal(0, 400, 4, 4, 3))
    flipped = gan.flipped(images, tf.constant(5, tf.int64), 0).numpy()
    mirrored = np.array([np.array_equal(f, i[:, ::-1]) for f, i in zip(flipped, images.numpy())])
    as_they_were = np.array([np.array_equal(f, i) for f, i in zip(flipped, images.numpy())])
    assert (mirrored ^ as_they_were).all() and 150 < mirrored.sum() < 250
    assert not np.array_equal(flipped, gan.flipped(images, tf.constant(6, tf.int64), 0).numpy())
    assert DCGAN(preset("article", **TINY)).flipped(images, 5, 0) is images


def test_spectral_normalisation_takes_the_layers_as_they_are():
    """A part of the recipe study that replaces layers by their settings."""
    names = [layer.name for layer in make(preset("article", **TINY), spectral="with_bn").discriminator.sequence]
    assert names == [layer.name for layer in DCGAN(preset("article", **TINY)).discriminator.sequence]
