"""The networks are the article's, in shape, initial weights and constants."""

import numpy as np
import pytest
from scipy.signal import correlate

from dcgan_tf.backend import keras
from dcgan_tf.gan.models import Discriminator, Generator, ResizeConvolution, to_float, to_uint8


def built(network, *shape):
    network(np.zeros((1, *shape), "float32"))
    return network


@pytest.fixture(scope="module")
def generator():
    return built(Generator(), 100)


@pytest.fixture(scope="module")
def discriminator():
    return built(Discriminator(), 64, 64, 3)


def kernels(network):
    return {v.path: tuple(v.shape) for v in network.variables if v.name == "kernel"}


def test_generator_has_the_articles_layers(generator):
    assert kernels(generator) == {
        "g/h0/kernel": (100, 4 * 4 * 512),
        "g/h1/kernel": (5, 5, 256, 512),
        "g/h2/kernel": (5, 5, 128, 256),
        "g/h3/kernel": (5, 5, 64, 128),
        "g/h4/kernel": (5, 5, 3, 64),
    }
    weights = 100 * 8192 + 25 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    batch_norm = 4 * (512 + 256 + 128 + 64)  # gamma, beta and two moving statistics
    assert generator.count_params() == weights + batch_norm + 3


def test_discriminator_has_the_articles_layers(discriminator):
    assert kernels(discriminator) == {
        "d/h0/kernel": (5, 5, 3, 64),
        "d/h1/kernel": (5, 5, 64, 128),
        "d/h2/kernel": (5, 5, 128, 256),
        "d/h3/kernel": (5, 5, 256, 512),
        "d/h4/kernel": (4 * 4 * 512, 1),
    }
    weights = 25 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 8192
    assert discriminator.count_params() == weights + 64 + 1 + 4 * (128 + 256 + 512)


@pytest.mark.parametrize("side", [3, 4])
def test_the_discriminators_kernels_can_be_smaller(side):
    network = built(Discriminator(32, 3, 4, kernel=side), 32, 32, 3)
    shapes = [v.shape for v in network.variables if v.name == "kernel"]
    assert shapes == [(side, side, 3, 4), (side, side, 4, 8), (side, side, 8, 16), (4 * 4 * 16, 1)]
    again = Discriminator.from_config(network.get_config())
    assert built(again, 32, 32, 3).count_params() == network.count_params()


@pytest.mark.parametrize("size, maps", [(32, [4, 2, 1]), (64, [8, 4, 2, 1]), (128, [8, 8, 4, 2, 1])])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_layer_doubles_or_halves_the_size(size, maps, channels):
    width = 4
    g = built(Generator(size, channels, width, latent_dim=7), 7)
    d = built(Discriminator(size, channels, width), size, size, channels)
    x, seen = np.ones((2, 7), "float32"), []
    for layer in g.sequence:
        x = layer(x)
        if layer.name == "h0_reshape" or isinstance(layer, keras.layers.Conv2DTranspose):
            seen.append(x.shape)
    sizes = [4 * 2**k for k in range(len(maps) + 1)]
    assert seen == [(2, s, s, width * m) for s, m in zip(sizes, maps)] + [(2, size, size, channels)]
    images = g(np.random.default_rng(0).normal(size=(2, 7)).astype("float32"))
    assert images.shape == (2, size, size, channels) and np.abs(images).max() <= 1
    x, seen = images, []
    for layer in d.sequence:
        x = layer(x)
        if isinstance(layer, keras.layers.Conv2D):
            seen.append(x.shape)
    assert seen == [(2, s, s, width * m) for s, m in zip(sizes[-2::-1], maps[::-1])]
    assert d(images).shape == (2, 1)


def test_other_sizes_are_refused():
    for size in (48, 4, 0):
        with pytest.raises(ValueError):
            Generator(size)


def fans(path, shape):
    """(inputs per output, outputs per input) of the published formulas, which ignore the stride."""
    if len(shape) == 2:
        return shape
    taps = shape[0] * shape[1]
    first, second = shape[2] * taps, shape[3] * taps
    return (second, first) if path.startswith("g") else (first, second)


def test_article_weights_are_truncated_glorot_normal(generator, discriminator):
    checked = 0
    for network in (generator, discriminator):
        for variable in network.variables:
            if variable.name != "kernel":
                continue
            w = variable.numpy()
            deviation = np.sqrt(2.0 / sum(fans(variable.path, w.shape)))
            # The standard error of a sample's deviation is about deviation / sqrt(2 n).
            assert w.std() == pytest.approx(deviation, rel=5 / np.sqrt(2 * w.size)), variable.path
            assert abs(w.mean()) < 5 * deviation / np.sqrt(w.size)
            # Cut at two deviations of the normal it is cut from, whose own deviation is 1 / 0.87963 of the result's.
            assert np.abs(w).max() <= 2 * deviation / 0.8796256
            checked += 1
    assert checked == 10


def test_gamma_is_near_one_and_biases_are_zero(generator, discriminator):
    gammas = np.concatenate([v.numpy() for n in (generator, discriminator) for v in n.variables if v.name == "gamma"])
    assert gammas.size == 512 + 256 + 128 + 64 + 128 + 256 + 512
    assert gammas.mean() == pytest.approx(1.0, abs=5 * 0.02 / np.sqrt(gammas.size))
    assert gammas.std() == pytest.approx(0.02, rel=5 / np.sqrt(2 * gammas.size))
    for network in (generator, discriminator):
        for variable in network.variables:
            if variable.name in ("bias", "beta", "moving_mean"):
                assert not variable.numpy().any()


def test_paper_weights_have_deviation_002():
    for network in (built(Generator(initializer="paper"), 100), built(Discriminator(initializer="paper"), 64, 64, 3)):
        for variable in network.variables:
            if variable.name == "kernel":
                w = variable.numpy()
                assert w.std() == pytest.approx(0.02, rel=5 / np.sqrt(2 * w.size))
                # Not truncated: of many draws from a normal some lie beyond three deviations.
                assert w.size < 10_000 or np.abs(w).max() > 0.06


def test_he_counts_the_inputs_that_reach_one_output():
    """At stride 2 an output of a 5x5 transposed convolution sees 25 / 4 of the taps on average (He et al., eq. 10)."""
    g = built(Generator(initializer="he"), 100)
    d = built(Discriminator(initializer="he"), 64, 64, 3)
    inputs = {"g/h0": 100, "g/h1": 512 * 6.25, "g/h2": 256 * 6.25, "g/h3": 128 * 6.25, "g/h4": 64 * 6.25}
    inputs |= {"d/h0": 3 * 25, "d/h1": 64 * 25, "d/h2": 128 * 25, "d/h3": 256 * 25, "d/h4": 8192}
    for network in (g, d):
        for variable in network.variables:
            if variable.name == "kernel":
                w = variable.numpy()
                wanted = np.sqrt(2 / inputs.pop(variable.path.removesuffix("/kernel")))
                assert w.std() == pytest.approx(wanted, rel=5 / np.sqrt(2 * w.size))
    assert not inputs


def test_equal_layers_start_with_different_weights_and_seeds_decide(discriminator):
    firsts = [v.numpy().ravel()[:8] for n in (built(Generator(), 100), discriminator) for v in n.variables]
    firsts = [f for f in firsts if f.size == 8 and f.std() > 0]
    scaled = np.round([f / f.std() for f in firsts], 4)
    assert len(np.unique(scaled, axis=0)) == len(firsts)
    again, other = built(Discriminator(width=4), 64, 64, 3), built(Discriminator(width=4, seed=1), 64, 64, 3)
    first = built(Discriminator(width=4), 64, 64, 3)
    np.testing.assert_array_equal(again.variables[0], first.variables[0])
    assert np.abs(other.variables[0] - first.variables[0]).max() > 0


def test_constants_are_the_reference_codes_not_keras_defaults(generator, discriminator):
    everything = generator.sequence + discriminator.sequence
    norms = [layer for layer in everything if isinstance(layer, keras.layers.BatchNormalization)]
    lrelus = [layer for layer in everything if isinstance(layer, keras.layers.LeakyReLU)]
    assert (len(norms), len(lrelus)) == (4 + 3, 4)  # in D all but the first convolution are normalised
    for norm in norms:
        assert (norm.momentum, norm.epsilon) == (0.9, 1e-5)
    x = np.array([[-1.0, 2.0]], "float32")
    for lrelu in lrelus:
        np.testing.assert_allclose(lrelu(x), [[-0.2, 2.0]], rtol=1e-6)


def test_networks_survive_saving_and_loading(tmp_path):
    rng = np.random.default_rng(0)
    for network, x in (
        (Generator(32, 1, 4, 6), rng.normal(size=(3, 6)).astype("float32")),
        (Discriminator(32, 1, 4), rng.normal(size=(3, 32, 32, 1)).astype("float32")),
    ):
        for _ in range(3):
            network(x, training=True)  # so that the moving statistics are no longer the initial ones
        expected = np.asarray(network(x))
        network.save(tmp_path / "whole.keras")
        loaded = keras.models.load_model(tmp_path / "whole.keras")
        assert type(loaded) is type(network)
        np.testing.assert_array_equal(loaded(x), expected)
        network.save_weights(tmp_path / "some.weights.h5")
        fresh = type(network)(**network._settings | {"seed": 9})
        assert np.abs(fresh(x) - expected).max() > 1e-3
        fresh.load_weights(tmp_path / "some.weights.h5")
        np.testing.assert_array_equal(fresh(x), expected)


def test_pixels_survive_the_way_to_float_and_back():
    pixels = np.arange(256, dtype=np.uint8)
    floats = np.asarray(to_float(pixels))
    assert floats[0] == -1 and floats[-1] == 1 and np.all(np.diff(floats) > 0)
    np.testing.assert_array_equal(to_uint8(floats), pixels)
    np.testing.assert_array_equal(to_uint8(np.float32([-7, 7])), [0, 255])


@pytest.mark.parametrize("size", [32, 64, 128])
def test_resizing_generator_has_the_plain_ones_shapes_and_names(size):
    plain, ours = (Generator(size, 3, 4, 6, upsampling=upsampling) for upsampling in ("transposed", "resize"))
    assert [layer.name for layer in ours.sequence] == [layer.name for layer in plain.sequence]
    x = y = np.ones((2, 6), "float32")
    for theirs, layer in zip(plain.sequence, ours.sequence):
        x, y = theirs(x), layer(y)
        assert x.shape == y.shape, layer.name
    convolutions = [layer for layer in ours.sequence if isinstance(layer, ResizeConvolution)]
    assert len(convolutions) == np.log2(size) - 2
    assert all(layer.kernel.shape[:2] == (3, 3) for layer in convolutions)


@pytest.mark.parametrize("size", [3, 5])
def test_resize_convolution_is_upsampling_and_then_scipys_correlation(size):
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype("float32")
    layer = ResizeConvolution(2, size, bias_initializer="ones")
    ours = np.asarray(layer(x))
    large = np.kron(x, np.ones((1, 2, 2, 1)))  # each pixel four times
    kernel = layer.kernel.numpy()[::-1, ::-1]  # [k, k, outputs, inputs]
    expected = np.zeros((2, 8, 12, 2))
    for n, o, i in np.ndindex(2, 2, 3):
        expected[n, ..., o] += correlate(large[n, ..., i], kernel[..., o, i], mode="same")
    np.testing.assert_allclose(ours, expected + 1, atol=1e-5)


def test_he_weights_count_every_tap_of_a_resize_convolution():
    generator = Generator(64, 3, 32, 8, "he", upsampling="resize")
    generator(np.zeros((1, 8), "float32"))
    for layer in generator.sequence:
        if isinstance(layer, ResizeConvolution):
            kernel = layer.kernel.numpy()
            deviation = np.sqrt(2 / (9 * kernel.shape[3]))  # N(0, 2 / fan_in), He et al. 2015
            assert kernel.std() == pytest.approx(deviation, rel=5 / np.sqrt(2 * kernel.size))


def test_resizing_generator_survives_saving_and_loading(tmp_path):
    generator = Generator(32, 3, 4, 6, upsampling="resize", dtype="mixed_bfloat16")
    z = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    before = np.asarray(generator(z))
    generator.save(tmp_path / "g.keras")
    np.testing.assert_array_equal(np.asarray(keras.models.load_model(tmp_path / "g.keras")(z)), before)
