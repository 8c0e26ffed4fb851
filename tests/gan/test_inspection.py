"""Activations against an independent forward pass; ways back against hand-worked values and finite differences."""

import numpy as np
import pytest

from dcgan_tf.backend import keras, tf
from dcgan_tf.config import preset
from dcgan_tf.gan import inspection
from dcgan_tf.gan.dcgan import DCGAN
from tests import numpy_dcgan
from tests.gan.stepping import make_steps

SMALL = {"g_width": 4, "d_width": 4, "batch_size": 8, "latent_dim": 6, "image_size": 32}


@pytest.fixture(scope="module")
def gan():
    """A few steps trained, so that moving statistics and betas are no longer the initial ones."""
    gan = DCGAN(preset("article", **SMALL, learning_rate=0.01))
    rng = np.random.default_rng(0)
    make_steps(gan, rng.integers(0, 256, (3, 1, 8, 32, 32, 3), np.uint8))
    return gan


def weights_of(network):
    return {v.path: v.numpy().astype(np.float64) for v in network.variables}


def normalize(x, w, name):
    mean, variance = w[f"{name}/moving_mean"], w[f"{name}/moving_variance"]
    return (x - mean) / np.sqrt(variance + 1e-5) * w[f"{name}/gamma"] + w[f"{name}/beta"]


def numpy_generator(w, z):
    maps, n = {}, 3
    x = (z @ w["g/h0/kernel"]).reshape(len(z), 4, 4, -1)
    for k in range(n + 1):
        if k:
            x = numpy_dcgan.conv_transpose(x, w[f"g/h{k}/kernel"]) + w.get(f"g/h{k}/bias", 0)
        maps[f"g/h{k}"] = x
        if k < n:
            maps[f"g/h{k}_bn"] = x = normalize(x, w, f"g/h{k}_bn")
            maps[f"g/h{k}_relu"] = x = np.maximum(x, 0)
    return maps | {f"g/h{n}_tanh": np.tanh(x)}


def numpy_discriminator(w, x):
    maps = {}
    for k in range(3):
        maps[f"d/h{k}"] = x = numpy_dcgan.conv(x, w[f"d/h{k}/kernel"]) + w.get(f"d/h{k}/bias", 0)
        if k:
            maps[f"d/h{k}_bn"] = x = normalize(x, w, f"d/h{k}_bn")
        maps[f"d/h{k}_lrelu"] = x = np.where(x > 0, x, 0.2 * x)
    return maps


def test_activations_of_every_layer_equal_an_independent_forward_pass(gan):
    rng = np.random.default_rng(1)
    z, images = rng.normal(size=(3, 6)), rng.uniform(-1, 1, (3, 32, 32, 3))
    for network, oracle, x in (
        (gan.generator, numpy_generator, z),
        (gan.discriminator, numpy_discriminator, images),
    ):
        ours, theirs = inspection.activations(network, x.astype("float32")), oracle(weights_of(network), x)
        assert list(ours) == list(theirs)
        for name, wanted in theirs.items():
            np.testing.assert_allclose(ours[name], wanted, atol=1e-4, err_msg=name)


def test_gan_activations_takes_latents_and_pictures(gan):
    z, images = gan.sample_latents(2, 0), gan.generate(2)
    g, d = gan.activations(z), gan.activations(images)
    assert next(iter(g)) == "g/h0" and next(iter(d)) == "d/h0"
    again = inspection.activations(gan.discriminator, images / 127.5 - 1.0)
    np.testing.assert_allclose(d["d/h1"], again["d/h1"], atol=1e-5)
    assert {a.dtype for a in (g | d).values()} == {np.dtype("float32")}
    with pytest.raises(ValueError, match=r"\[N, 32, 32, 3\]"):
        gan.activations(np.zeros((2, 16, 16, 3), np.uint8))


class Toy(keras.Model):
    """Dense on each pixel, an activation, dense again: small enough to work out by hand."""

    def __init__(self, activation, first, second):
        super().__init__(name="d")
        self.sequence = [
            keras.layers.Dense(len(first[0]), use_bias=False, name="h0"),
            activation,
            keras.layers.Dense(len(second[0]), use_bias=False, name="h1"),
        ]
        for layer, kernel in ((self.sequence[0], first), (self.sequence[2], second)):
            layer.build((None, 1, 1, len(kernel)))
            layer.kernel.assign(np.float32(kernel))


# x = (1, 2) -> (1*1 + 2*1, 1*1 - 2*1, -2) = (3, -1, -2) -> activation -> one number.
X = np.float32([1, 2]).reshape(1, 1, 1, 2)
FIRST, SECOND = [[1, 1, 0], [1, -1, -1]], [[2], [3], [-5]]


@pytest.mark.parametrize(
    "activation, rule, expected",
    [
        # Plain: back from the output come 2, 3, -5; ReLU lets through where its input was positive: 2, 0, 0.
        (keras.layers.ReLU, "gradient", [2, 2]),
        (keras.layers.ReLU, "guided", [2, 2]),
        # Deconvolution: the positive ones, 2, 3, 0, whatever the input: (2 + 3, 2 - 3).
        (keras.layers.ReLU, "deconvolution", [5, -1]),
        # LeakyReLU 0.2, plain: 2, 0.6, -1: (2 + 0.6, 2 - 0.6 + 1).
        (lambda **k: keras.layers.LeakyReLU(0.2, **k), "gradient", [2.6, 2.4]),
        # Guided: 2, 0.2 * 3, 0: (2 + 0.6, 2 - 0.6).
        (lambda **k: keras.layers.LeakyReLU(0.2, **k), "guided", [2.6, 1.4]),
        (lambda **k: keras.layers.LeakyReLU(0.2, **k), "deconvolution", [5, -1]),
    ],
)
def test_ways_back_through_a_toy_net_are_those_worked_out_by_hand(activation, rule, expected):
    toy = Toy(activation(name="h0_act"), FIRST, SECOND)
    for strongest in (True, False):  # with one position the strongest is the sum
        back = inspection.input_gradients(toy, X, "d/h1", [0], rule, strongest)
        np.testing.assert_allclose(back.ravel(), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["d/h0_lrelu", "d/h2", "d/h2_bn"])
@pytest.mark.parametrize("strongest", [True, False])
def test_plain_gradients_agree_with_finite_differences(gan, name, strongest):
    rng = np.random.default_rng(2)
    w = weights_of(gan.discriminator)
    image, direction = rng.uniform(-1, 1, (1, 32, 32, 3)), rng.normal(size=(1, 32, 32, 3))

    def fired(x, channel):
        maps = numpy_discriminator(w, x)[name][0, ..., channel]
        return maps.max() if strongest else maps.sum()

    channels = [0, 3, 1]
    gradients = inspection.input_gradients(gan.discriminator, image, name, channels, "gradient", strongest)
    for gradient, channel in zip(gradients, channels):
        step = 1e-6
        slope = (fired(image + step * direction, channel) - fired(image - step * direction, channel)) / (2 * step)
        assert np.sum(gradient * direction[0]) == pytest.approx(slope, rel=2e-3, abs=1e-3)


def test_many_maps_at_once_are_each_maps_own_way_back(gan):
    image = np.random.default_rng(3).uniform(-1, 1, (1, 32, 32, 3)).astype("float32")
    together = inspection.input_gradients(gan.discriminator, image, "d/h2_lrelu", range(16))
    alone = [inspection.input_gradients(gan.discriminator, image, "d/h2_lrelu", [c])[0] for c in range(16)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_receptive_field_is_what_the_gradient_reaches(gan, depth):
    """Put the question to the network itself: where in the image does the gradient of one position live?"""
    name = f"d/h{depth - 1}"
    x = tf.Variable(np.random.default_rng(4).uniform(-1, 1, (1, 32, 32, 3)), dtype=tf.float32)
    side = 32 // 2**depth
    for row, column in ((0, 0), (side - 1, side // 2), (side // 2, 1)):
        with tf.GradientTape() as tape:
            y = x
            for layer in gan.discriminator.sequence:
                y = layer(y)
                if layer.name == f"h{depth - 1}":
                    break
            one = tf.reduce_sum(y[0, row, column])
        reached = np.any(tape.gradient(one, x).numpy()[0] != 0, axis=-1)
        rows, columns = np.flatnonzero(reached.any(1)), np.flatnonzero(reached.any(0))
        box = (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
        assert inspection.receptive_field(row, column, depth, 32) == box, name


def test_strongest_images_are_found_over_batches(gan):
    images = np.random.default_rng(5).uniform(-1, 1, (20, 32, 32, 3)).astype("float32")
    images[13] *= 0.0
    found = inspection.strongest_images(
        gan.discriminator, [images[:7], images[7:14], images[14:]], "d/h1_lrelu", [2, 5], 4
    )
    maps = numpy_discriminator(weights_of(gan.discriminator), images)["d/h1_lrelu"]
    for channel in (2, 5):
        peaks = maps[..., channel].reshape(20, -1).max(1)
        assert [e.index for e in found[channel]] == list(np.argsort(-peaks)[:4])
        for e in found[channel]:
            assert e.value == pytest.approx(peaks[e.index], rel=1e-4)
            row, column = np.unravel_index(maps[e.index, ..., channel].argmax(), (8, 8))
            assert e.box == inspection.receptive_field(row, column, 2, 32)


def test_a_map_switched_off_is_zero_from_there_on(gan):
    z = gan.sample_latents(2, 1)
    w = weights_of(gan.generator)
    x = numpy_generator(w, z)["g/h1_relu"].copy()
    x[..., 3] = 0
    x = np.maximum(normalize(numpy_dcgan.conv_transpose(x, w["g/h2/kernel"]), w, "g/h2_bn"), 0)
    expected = np.tanh(numpy_dcgan.conv_transpose(x, w["g/h3/kernel"]) + w["g/h3/bias"])
    ours = inspection.without_map(gan.generator, z, "g/h1_relu", 3)
    np.testing.assert_allclose(ours, expected, atol=1e-4)
    assert np.abs(ours - np.asarray(gan.generator(z))).max() > 1e-3
