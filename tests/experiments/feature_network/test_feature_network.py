"""The drawn images, their faults and the training of the feature network."""

import subprocess
import sys

import numpy as np
import pytest

from dcgan_tf.backend import keras, layers
from dcgan_tf.metrics.features import FaultFeatures
from experiments.feature_network import drawing, faults, train
from tests.e2e.commands import environment


@pytest.fixture(scope="module")
def leaves():
    return drawing.draw_leaves(np.random.default_rng(0), 30)


@pytest.mark.parametrize("draw", [drawing.draw_leaves, drawing.draw_portraits])
def test_drawn_images_follow_from_their_generator(draw):
    one, same, other = (draw(np.random.default_rng(seed), 3) for seed in (1, 1, 2))
    assert one.shape == (3, 64, 64, 3) and one.dtype == np.uint8
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.5 and (one[0] != one[1]).mean() > 0.5
    assert one.std(axis=(1, 2, 3)).min() > 3  # nothing is a plain colour


def test_roads_are_frames_of_the_renderer():
    frames = drawing.draw_roads(1_000_000, 0)
    assert frames.shape == (drawing.FRAMES_USED, 64, 64, 3) and frames.dtype == np.uint8
    assert (frames[0] != frames[-1]).any()


def test_textures_have_mean_zero_and_unit_deviation():
    textures = drawing.make_textures(np.random.default_rng(0))
    np.testing.assert_allclose(textures.mean(axis=(1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(textures.std(axis=(1, 2)), 1, rtol=1e-3)


@pytest.mark.parametrize("fault", faults.SIMPLE_FAULTS, ids=lambda fault: fault.__name__)
def test_every_fault_changes_the_image(leaves, fault):
    image, other = (leaves[k].astype(np.float32) / 255 for k in (0, 1))
    before = image.copy()
    changed = [fault(np.random.default_rng(seed), image, other) for seed in range(5)]
    np.testing.assert_array_equal(image, before)  # the image given is left alone
    for found in changed:
        assert found.shape == image.shape and np.isfinite(found).all()
        assert np.abs(found - image).mean() > 0.003


def test_scattered_phases_keep_the_spectrum(leaves):
    image = leaves[0].astype(np.float32) / 255
    found = faults.scatter_phases(np.random.default_rng(0), image, image)
    power = [np.abs(np.fft.fft2(x, axes=(0, 1))) for x in (image, found)]
    for i, j in ((0, 32), (32, 0), (32, 32)):  # their coefficients must stay real, so that a change of phase is lost
        power[0][i, j] = power[1][i, j] = 0
    np.testing.assert_allclose(power[1], power[0], atol=1e-2 * power[0].mean())


def test_the_projection_on_all_components_is_the_image_itself(leaves):
    few = leaves[:12]
    linear = faults.LinearGenerator(few)
    image = few[3].astype(np.float32) / 255
    np.testing.assert_allclose(linear.project(np.random.default_rng(0), image, image), image, atol=0.02)


def test_damage_says_which_faults_there_are(leaves):
    damaged, present = faults.damage(np.random.default_rng(0), leaves, 300)
    assert damaged.shape == (300, 64, 64, 3) and present.shape == (300, faults.FAULTS)
    counts = present.sum(axis=1)
    shares = [(counts == k).mean() for k in range(4)]
    # Binomial: 3 sigma of 300 draws.
    np.testing.assert_allclose(shares, faults.NUMBER_OF_FAULTS, atol=3 * np.sqrt(0.25 / 300))
    assert (present.sum(axis=0) > 0).all()
    again, _ = faults.damage(np.random.default_rng(0), leaves, 300)
    np.testing.assert_array_equal(again, damaged)


def test_folded_layers_compute_what_convolution_and_norm_do():
    model = train.build(5)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            for weight, low in zip(layer.weights, (0.5, -0.5, -0.5, 0.5)):
                weight.assign(rng.uniform(low, low + 1, weight.shape))
    images = rng.integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    rescaling, convolution, norm, *_ = model.layers
    expected = norm(convolution(rescaling(images)), training=False)
    kernel, bias = train.fold(model)[0]
    found = keras.ops.conv(images / 64 - 2, kernel, 2, "same") + bias
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_quantised_kernels_are_within_half_a_step():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 6)).astype(np.float32)
    integers, scale = train.quantise(kernel)
    assert integers.dtype == np.int8 and np.abs(integers).max() == 127
    assert np.abs(integers * scale - kernel).max() <= 0.5 * scale.max() * (1 + 1e-5)


@pytest.mark.slow
def test_the_command_writes_a_network_that_the_package_reads(tmp_path):
    """Very small: one trunk, a few steps beyond the warm-up."""
    sizes = ["--leaves=24", "--portraits=8", "--drives=1", "--faulty=60", "--trunks=1", "--steps=45"]
    command = [sys.executable, "-m", "experiments.feature_network.train", f"--out={tmp_path / 'network.npz'}", *sizes]
    subprocess.run(command, env=environment(), check=True, capture_output=True, timeout=300)
    network = FaultFeatures((tmp_path / "network.npz").read_bytes())
    assert network.dimension == 192 and network.name != FaultFeatures().name
    found = network(drawing.draw_leaves(np.random.default_rng(5), 40))
    assert np.isfinite(found).all() and 0.2 < np.median(found.std(axis=0)) < 5  # near 1, as it is normalised
