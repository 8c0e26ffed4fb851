"""Every part against its definition in NumPy or SciPy, and in the train step."""

import numpy as np
import pytest
from scipy.special import log_expit

from dcgan_tf.backend import tf
from dcgan_tf.batch import Batch
from dcgan_tf.config import preset
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.gan.losses import LOSSES
from dcgan_tf.gan.train_step import update_generator
from dcgan_tf.training import checkpoints
from experiments.recipes import parts
from experiments.recipes.parts import AUGMENTATIONS, DRAWS, diff_augment, make
from tests.gan.stepping import make_steps, noise_of

SMALL = {"g_width": 4, "d_width": 4, "batch_size": 8, "latent_dim": 6, "image_size": 32, "g_steps": 1}


def small(settings=None, **parts):
    return make(preset("article", **SMALL | (settings or {})), **parts)


def train(gan, steps):
    rng = np.random.default_rng(0)
    return make_steps(gan, rng.integers(0, 256, (steps, gan.config.d_steps, 8, 32, 32, 3), np.uint8))[-1]


# Making.


def test_without_parts_it_is_the_packages_gan_bit_for_bit():
    ours, plain = small(), DCGAN(preset("article", **SMALL))
    neutral = parts.Recipe(plain.config, parts.Parts())
    assert type(ours) is DCGAN
    metrics = [train(gan, 2) for gan in (ours, plain, neutral)]
    assert metrics[0] == metrics[1] == metrics[2]
    wanted = checkpoints.variables(plain)
    for gan in (ours, neutral):
        variables = checkpoints.variables(gan)
        assert variables.keys() == wanted.keys()
        for name, variable in variables.items():
            np.testing.assert_array_equal(variable.numpy(), wanted[name].numpy(), err_msg=name)


@pytest.mark.parametrize(
    "parts, named",
    [
        ({"dropout": 0.5}, "dropout"),
        ({"augment": "color,rotation"}, "rotation"),
        ({"spectral": "yes"}, "yes"),
        ({"label_smoothing": 0.6}, "0.6"),
        ({"d_learning_rate": -1.0}, "learning"),
    ],
)
def test_what_is_not_a_part_is_refused(parts, named):
    with pytest.raises(ValueError, match=named):
        small(**parts)


def test_only_a_loss_with_labels_can_be_smoothed():
    with pytest.raises(ValueError, match="hinge"):
        small({"loss": "hinge"}, label_smoothing=0.1)


EVERYTHING = {
    "label_smoothing": 0.1,
    "augment": "color,translation,cutout",
    "d_learning_rate": 4e-4,
    "g_learning_rate": 1e-4,
}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "parts",
    [
        {"label_smoothing": 0.1},
        {"augment": "translation"},
        {"augment": "color,translation"},
        {"augment": "color,translation,cutout"},
        {"spectral": "with_bn"},
        {"spectral": "without_bn"},
        {"d_learning_rate": 4e-4, "g_learning_rate": 1e-4},
        EVERYTHING | {"spectral": "with_bn"},
        EVERYTHING | {"spectral": "without_bn"},
    ],
    ids=lambda parts: "-".join(f"{name}={value}" for name, value in parts.items()),
)
def test_each_part_and_all_together_train_a_step(parts, precision):
    gan = small({"precision": precision, "ema": 0.9}, **parts)
    before = {name: variable.numpy() for name, variable in checkpoints.variables(gan).items()}
    assert np.isfinite(list(train(gan, 1).values())).all()
    for name, variable in checkpoints.variables(gan).items():
        if name.endswith("kernel"):
            assert np.isfinite(variable.numpy()).all() and np.any(variable.numpy() != before[name]), name
            assert variable.dtype == "float32"
    assert gan.generate(2).shape == (2, 32, 32, 3)


def test_a_gradient_penalty_goes_with_the_other_parts():
    metrics = train(small({"loss": "wgan_gp"}, augment="color,translation", spectral="without_bn"), 1)
    assert metrics["d_loss"] > metrics["d_loss_real"] + metrics["d_loss_fake"]  # the penalty is positive
    assert np.isfinite(list(metrics.values())).all()


# Label smoothing.


def test_smoothed_loss_is_cross_entropy_with_the_label_nine_tenths():
    x = np.linspace(-12, 12, 25)[:, None]
    plain, loss = LOSSES["non_saturating"], parts.smooth(LOSSES["non_saturating"], 0.1)
    logits = np.float32(x)
    assert float(loss.real(logits)) == pytest.approx(-np.mean(0.9 * log_expit(x) + 0.1 * log_expit(-x)), rel=1e-6)
    assert float(loss.fake(logits)) == float(plain.fake(logits))
    assert float(loss.generator(logits)) == float(plain.generator(logits))


def test_smoothed_loss_is_least_where_d_says_nine_tenths():
    loss = parts.smooth(LOSSES["non_saturating"], 0.1)
    logit = tf.constant([[np.log(0.9 / 0.1)]], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logit)
        value = loss.real(logit)
    assert float(tape.gradient(value, logit)[0, 0]) == pytest.approx(0, abs=1e-6)


# DiffAugment.


@pytest.fixture
def images():
    return np.random.default_rng(1).uniform(-1, 1, (40, 32, 32, 3)).astype("float32")


@pytest.fixture
def draws():
    return np.random.default_rng(2).uniform(0, 1, (40, DRAWS)).astype("float32")


NEUTRAL = np.full(DRAWS, 0.5, "float32")  # brightness + 0, saturation x 1, contrast x 1


def coloured(images, column, draw):
    numbers = np.tile(NEUTRAL, (len(images), 1))
    numbers[:, column] = draw
    return diff_augment(tf.constant(images), tf.constant(numbers), ["color"]).numpy().astype(np.float64)


def test_neutral_colour_changes_nothing(images):
    np.testing.assert_allclose(coloured(images, 0, 0.5), images, atol=1e-6)


def test_brightness_adds_one_number_to_each_image(images, draws):
    added = coloured(images, 0, draws[:, 0]) - images
    np.testing.assert_allclose(added, np.broadcast_to(draws[:, :1, None, None] - 0.5, added.shape), atol=1e-6)


def test_saturation_keeps_each_pixels_mean_and_scales_what_departs_from_it(images, draws):
    changed = coloured(images, 1, draws[:, 1])
    grey = images.mean(3, keepdims=True)
    np.testing.assert_allclose(changed.mean(3), images.mean(3), atol=1e-6)
    np.testing.assert_allclose(changed - grey, 2 * draws[:, 1, None, None, None] * (images - grey), atol=1e-6)
    assert np.ptp(coloured(images, 1, 0.0), axis=3).max() < 1e-6  # no colour left


def test_contrast_keeps_each_images_mean_and_scales_its_deviation(images, draws):
    changed = coloured(images, 2, draws[:, 2])
    np.testing.assert_allclose(changed.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(
        changed.std((1, 2, 3)), (0.5 + draws[:, 2]) * images.astype(np.float64).std((1, 2, 3)), rtol=1e-5
    )


def test_colour_is_brightness_then_saturation_then_contrast(images, draws):
    x = images.astype(np.float64) + draws[:, 0, None, None, None] - 0.5
    x = x.mean(3, keepdims=True) + 2 * draws[:, 1, None, None, None] * (x - x.mean(3, keepdims=True))
    mean = x.mean((1, 2, 3), keepdims=True)
    expected = mean + (draws[:, 2, None, None, None] + 0.5) * (x - mean)
    ours = diff_augment(tf.constant(images), tf.constant(draws), ["color"])
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_translation_moves_by_the_drawn_offset_and_zeros_come_in(images, draws):
    moved = diff_augment(tf.constant(images), tf.constant(draws), ["translation"]).numpy()
    offsets = np.floor(draws[:, 3:5] * 9).astype(int) - 4  # 32 / 8 = 4: -4 .. 4, nine of them
    assert set(offsets.ravel()) == set(range(-4, 5))
    for image, ours, (down, right) in zip(images, moved, offsets):
        expected = np.zeros_like(image)
        for y in range(32):
            for x in range(32):
                if 0 <= y + down < 32 and 0 <= x + right < 32:
                    expected[y + down, x + right] = image[y, x]
        np.testing.assert_array_equal(ours, expected)


def test_cutout_zeros_exactly_a_square_of_half_the_side_clipped_by_the_image(draws):
    ones = np.ones((40, 32, 32, 3), "float32")
    draws[:3, 5:7] = [[0, 0], [1 - 2**-23, 1 - 2**-23], [0.5, 0.5]]  # two corners, the middle
    left = diff_augment(tf.constant(ones), tf.constant(draws), ["cutout"]).numpy()
    for ours, centre in zip(left, np.floor(draws[:, 5:7] * 33).astype(int)):
        expected = np.ones((32, 32, 3))
        (top, first), (bottom, last) = np.maximum(centre - 8, 0), centre + 8
        expected[top:bottom, first:last] = 0
        np.testing.assert_array_equal(ours, expected)
    assert (left[:3, ..., 0] == 0).sum((1, 2)).tolist() == [8 * 8, 8 * 8, 16 * 16]


def test_augmentations_are_applied_in_the_order_given(images, draws):
    x = tf.constant(images)
    for name in ("color", "translation", "cutout"):
        x = AUGMENTATIONS[name](x, tf.constant(draws))
    together = diff_augment(tf.constant(images), tf.constant(draws), ["color", "translation", "cutout"])
    np.testing.assert_array_equal(together, x)


@pytest.mark.parametrize("policy", ["translation", "color,translation", "color,translation,cutout"])
def test_gradient_by_the_images_agrees_with_finite_differences(images, draws, policy):
    weights = np.random.default_rng(3).normal(size=images.shape).astype("float32")
    direction = np.random.default_rng(4).normal(size=images.shape).astype("float32")
    x = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(weights * diff_augment(x, tf.constant(draws), policy.split(",")))
    gradient = tape.gradient(total, x).numpy()
    assert np.isfinite(gradient).all() and np.all(np.abs(gradient).sum((1, 2, 3)) > 0)
    # Every augmentation is affine in the images: the difference is the slope, however far the two are apart.
    ends = [diff_augment(tf.constant(images + s * direction), tf.constant(draws), policy.split(",")) for s in (1, -1)]
    slope = np.sum(weights.astype(np.float64) * (ends[0].numpy() - ends[1].numpy())) / 2
    assert np.sum(gradient.astype(np.float64) * direction) == pytest.approx(slope, rel=1e-4, abs=1e-2)


def test_generator_learns_through_the_augmentation():
    """G's gradient is that of the whole way z -> G -> augmentation -> D -> loss, under a single tape."""
    gan = small(augment="color,translation,cutout")
    noise, batch = noise_of(gan, 4), Batch.unlabelled(np.zeros((8, 32, 32, 3), np.uint8))
    z, draws = noise.z[0], noise.g[0].fake
    assert draws.shape == (8, DRAWS)
    with tf.GradientTape() as tape:
        changed = diff_augment(gan.generator(z, training=True), draws, ["color", "translation", "cutout"])
        loss = gan.loss.generator(gan.discriminator(changed, training=True))
    wanted = tape.gradient(loss, gan.generator.get_layer("h1").kernel.value).numpy()
    with tf.GradientTape() as tape:
        fake = gan.generator(z, training=True)
    metrics = update_generator(gan, batch, fake, tape, noise.g[0], average=lambda tensors: tensors)
    assert float(metrics["g_loss"]) == pytest.approx(float(loss), rel=1e-5)
    momentum = checkpoints.variables(gan)["g_optimizer/g_h1_kernel_momentum"].numpy()
    gradient = momentum / (1 - gan.config.beta1)  # Adam's first moment after one update
    np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


# Spectral normalisation.


def largest_singular_value(kernel):
    return np.linalg.svd(np.reshape(kernel, (-1, kernel.shape[-1])).astype(np.float64), compute_uv=False)[0]


@pytest.mark.parametrize("spectral, norms", [("with_bn", 2), ("without_bn", 0)])
def test_effective_kernels_have_the_norm_one(spectral, norms):
    d = small(spectral=spectral).discriminator
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    kernels = {name: d.get_layer(name).kernel.numpy() for name in ("h0", "h1", "h2", "h3")}
    for _ in range(200):
        d(images, training=True)
    for name, kernel in kernels.items():
        layer = d.get_layer(name)
        np.testing.assert_array_equal(layer.kernel.numpy(), kernel)  # the weights themselves are left alone
        effective = layer.normalised_kernel(training=False).numpy()
        sigma = np.linalg.norm(kernel) / np.linalg.norm(effective)
        assert sigma == pytest.approx(largest_singular_value(kernel), rel=1e-3), name
        assert largest_singular_value(effective) == pytest.approx(1, rel=1e-3), name
    names = [layer.name for layer in d.layers]
    assert sum(name.endswith("_bn") for name in names) == norms and len(names) == len(set(names))
    assert all((d.get_layer(name).bias is None) == (norms > 0) for name in ("h1", "h2"))


def test_u_moves_in_training_passes_only():
    d = small(spectral="with_bn").discriminator
    u, images = d.get_layer("h1").u, np.ones((2, 32, 32, 3), "float32")
    before = u.numpy()
    d(images)
    np.testing.assert_array_equal(u.numpy(), before)
    d(images, training=True)
    assert np.abs(u.numpy() - before).max() > 1e-3
    assert not u.trainable and any(variable is u for variable in d.variables)


def test_gradient_flows_through_sigma():
    """Equation 9's consequence: the effective kernel does not depend on the kernel's length, so the gradient is
    orthogonal to the kernel; and it is that of W / sigma(W) by finite differences, once u has settled."""
    layer = small(spectral="without_bn").discriminator.get_layer("h1")
    for _ in range(200):
        layer.normalised_kernel(training=True)
    rng = np.random.default_rng(0)
    weights, direction = rng.normal(size=(2, *layer.kernel.shape))
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(np.float32(weights) * layer.normalised_kernel(training=True))
    gradient = tape.gradient(value, layer.kernel.value).numpy().astype(np.float64)
    kernel = layer.kernel.numpy().astype(np.float64)
    assert np.sum(gradient * kernel) == pytest.approx(0, abs=1e-4 * np.linalg.norm(gradient) * np.linalg.norm(kernel))
    moved = [kernel + sign * 1e-5 * direction for sign in (1, -1)]
    ends = [np.sum(weights * kernel / largest_singular_value(kernel)) for kernel in moved]
    assert np.sum(gradient * direction) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3)


def test_normalised_dense_layer_takes_nothing_further_apart():
    """Its norm is one: two inputs a distance apart have logits at most that distance apart."""
    layer = small(spectral="without_bn").discriminator.get_layer("h3")
    x = np.random.default_rng(0).normal(size=(2, layer.kernel.shape[0])).astype("float32")
    logits = np.ravel(layer(x, training=True))
    assert abs(logits[0] - logits[1]) <= np.linalg.norm(x[0] - x[1])


# Two rates.


@pytest.mark.parametrize("d_rate, g_rate", [(4e-4, 1e-4), (2e-4, 4e-4)])
def test_each_network_learns_at_its_own_rate(d_rate, g_rate):
    gan, plain = small(d_learning_rate=d_rate, g_learning_rate=g_rate), small()
    for one, rates in ((gan, (d_rate, g_rate)), (plain, (2e-4, 2e-4))):
        found = [float(one.d_optimizer.learning_rate), float(one.g_optimizer.learning_rate)]
        np.testing.assert_allclose(found, rates, rtol=1e-6)
    # Adam's first update moves every weight by the rate, where the gradient is not all but zero.
    start = gan.discriminator.get_layer("h1").kernel.numpy()
    train(gan, 1)
    moved = np.abs(gan.discriminator.get_layer("h1").kernel.numpy() - start)
    assert np.median(moved) == pytest.approx(d_rate, rel=1e-2)


def test_one_rate_alone_leaves_the_other_the_configs():
    gan = small(g_learning_rate=1e-4)
    assert float(gan.d_optimizer.learning_rate) == pytest.approx(2e-4)
