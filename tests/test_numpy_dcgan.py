"""The NumPy oracle is right by something else still: finite differences, SciPy, closed forms."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import correlate

from . import numpy_dcgan as oracle

LATENT, BATCH, CHANNELS = 6, 3, 3


def make_weights(rng, widths=(5, 4)):
    """Both networks for images of 4 * 2**len(widths); unlike a first draw, no array is constant or small."""
    weights = {}

    def normal(name, *shape, scale):
        weights[name] = scale * rng.standard_normal(shape)

    def batch_norm(name, width):
        weights[f"{name}/gamma"] = 1 + 0.3 * rng.standard_normal(width)
        normal(f"{name}/beta", width, scale=0.3)
        normal(f"{name}/moving_mean", width, scale=0.3)
        weights[f"{name}/moving_variance"] = rng.uniform(0.5, 2, width)

    n = len(widths)
    normal("g/h0/kernel", LATENT, 16 * widths[0], scale=0.4)
    batch_norm("g/h0_bn", widths[0])
    outward = [*widths, CHANNELS]
    for k in range(1, n + 1):
        normal(f"g/h{k}/kernel", 5, 5, outward[k], outward[k - 1], scale=0.2)
        if k < n:
            batch_norm(f"g/h{k}_bn", outward[k])
    normal(f"g/h{n}/bias", CHANNELS, scale=0.3)
    inward = outward[::-1]
    for k in range(n):
        normal(f"d/h{k}/kernel", 5, 5, inward[k], inward[k + 1], scale=0.2)
        if k > 0:
            batch_norm(f"d/h{k}_bn", inward[k + 1])
    normal("d/h0/bias", inward[1], scale=0.3)
    normal(f"d/h{n}/kernel", 16 * inward[-1], 1, scale=0.2)
    normal(f"d/h{n}/bias", 1, scale=0.3)
    return weights


def make_batches(rng, count, size=16):
    reals = [rng.uniform(-1, 1, (BATCH, size, size, CHANNELS)) for _ in range(count)]
    return reals, [rng.uniform(-1, 1, (BATCH, LATENT)) for _ in range(count)]


def train_step(weights, reals, zs, g_steps=1, loss="non_saturating", **options):
    """The oracle's step on a copy of `weights`, with the weights after it."""
    after = dict(weights)
    noise = SimpleNamespace(z=zs)
    return oracle.train_step(after, oracle.new_adam(), reals, noise, g_steps, loss, **options), after


def trainable(weights, network):
    return {name for name in weights if name.startswith(f"{network}/") and "/moving_" not in name}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Arithmetic.


def test_conv_is_scipys_correlation_of_the_padded_image(rng):
    x, kernel = rng.standard_normal((2, 8, 6, 3)), rng.standard_normal((5, 5, 3, 4))
    padded = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)))
    expected = np.stack(
        [[correlate(image, kernel[..., o], mode="valid")[::2, ::2, 0] for o in range(4)] for image in padded]
    )
    np.testing.assert_allclose(oracle.conv(x, kernel), np.moveaxis(expected, 1, -1), rtol=1e-12, atol=1e-12)


def test_conv_transpose_is_the_adjoint_of_conv(rng):
    x, y = rng.standard_normal((2, 8, 6, 3)), rng.standard_normal((2, 4, 3, 4))
    kernel = rng.standard_normal((5, 5, 3, 4))
    assert np.vdot(oracle.conv(x, kernel), y) == pytest.approx(np.vdot(x, oracle.conv_transpose(y, kernel)))


def test_conv_transpose_spreads_a_pixel_over_its_kernel(rng):
    kernel = rng.standard_normal((5, 5, 3, 1))
    y = np.zeros((1, 4, 4, 1))
    y[0, 1, 2] = 1
    image = oracle.conv_transpose(y, kernel)[0]
    np.testing.assert_array_equal(image[1:6, 3:8], kernel[..., 0])  # from 2*1 - 1 and 2*2 - 1
    assert np.count_nonzero(image) == kernel.size


def test_adam_follows_its_closed_forms(rng):
    gradient = rng.uniform(0.1, 2, 7) * rng.choice([-1, 1], 7)
    weights, state = {"w": np.zeros(7)}, oracle.new_adam()["d"]
    # At t = 1, m = (1-b1) g and v = (1-b2) g^2: the corrections cancel, but for eps beside sqrt(v).
    oracle.adam_update(weights, state, {"w": gradient}, 0.01, 0.5, 0.999, 1e-8)
    np.testing.assert_allclose(weights["w"], -0.01 * np.sign(gradient), rtol=1e-5)
    exact = -0.01 * gradient / (np.abs(gradient) + 1e-8 / np.sqrt(0.001))
    np.testing.assert_allclose(weights["w"], exact, rtol=1e-12)
    # A constant gradient keeps both corrected moments constant, and so the step.
    for t in range(2, 5):
        oracle.adam_update(weights, state, {"w": gradient}, 0.01, 0.5, 0.999, 0.0)
        assert state["t"] == t
    np.testing.assert_allclose(weights["w"], exact - 0.03 * np.sign(gradient), rtol=1e-12)


def test_adam_forgets_at_its_two_rates():
    weights, state = {"w": np.array([0.0])}, oracle.new_adam()["g"]
    for g in (1.0, -3.0):
        before = weights["w"]
        oracle.adam_update(weights, state, {"w": np.array([g])}, 0.01, 0.5, 0.999, 1e-8)
    m_hat = (0.5 * 0.5 * 1 + 0.5 * -3) / (1 - 0.5**2)
    v_hat = (0.001 * 0.999 * 1 + 0.001 * 9) / (1 - 0.999**2)
    np.testing.assert_allclose(weights["w"] - before, -0.01 * m_hat / np.sqrt(v_hat), rtol=1e-5)


def test_batch_norm_is_its_formula():
    # The channels hold (0, 2) and (0, 0.02): the variance of the second, 1e-4, is near enough to epsilon.
    x = np.array([[0, 0], [2, 0.02]]).reshape(2, 1, 1, 2)
    weights = {"bn/gamma": np.array([3.0, 1.0]), "bn/beta": np.array([0.5, 0.0])}
    weights.update({"bn/moving_mean": np.zeros(2), "bn/moving_variance": np.ones(2)})
    y, _ = oracle.batch_norm_layer(x, weights, "bn", training=True)
    high = [0.5 + 3 / np.sqrt(1 + 1e-5), 0.01 / np.sqrt(1e-4 + 1e-5)]
    np.testing.assert_allclose(y.reshape(2, 2), [[1 - high[0], -high[1]], high], rtol=1e-12)
    np.testing.assert_allclose(weights["bn/moving_mean"], [0.1, 0.001], rtol=1e-12)
    np.testing.assert_allclose(weights["bn/moving_variance"], [1.0, 0.9 + 1e-5], rtol=1e-12)


def test_losses_are_their_formulas():
    s = np.linspace(-3, 3, 13)
    log_d, log_not_d = np.log(1 / (1 + np.exp(-s))), np.log(1 - 1 / (1 + np.exp(-s)))
    formulas = {
        "non_saturating": (-log_d, -log_not_d, -log_d),
        "saturating": (-log_d, -log_not_d, log_not_d),
        "lsgan": ((s - 1) ** 2 / 2, s**2 / 2, (s - 1) ** 2 / 2),
        "hinge": (np.clip(1 - s, 0, None), np.clip(1 + s, 0, None), -s),
        "wgan": (-s, s, -s),
    }
    assert formulas.keys() == oracle.LOSSES.keys()
    for loss, expected in formulas.items():
        for term, values in zip(oracle.LOSSES[loss], expected, strict=True):
            np.testing.assert_allclose(term(s)[0], values, rtol=1e-12, atol=1e-12)


# Gradients.


@pytest.mark.parametrize("loss", oracle.LOSSES)
@pytest.mark.parametrize("network", ["d", "g"])
def test_gradients_are_finite_differences(rng, loss, network):
    weights = make_weights(rng)
    reals, zs = make_batches(rng, 1)

    def losses(changed):  # without a rate the step leaves the weights: both losses are functions of them
        return train_step(changed, reals, zs, loss=loss, lr=0.0)[0]

    result = losses(weights)
    grads = result[f"{network}_grads"]
    assert grads.keys() == trainable(weights, network)
    assert result["d_loss"] == pytest.approx(result["d_loss_real"] + result["d_loss_fake"])
    step = 1e-6
    for name, gradient in grads.items():
        assert gradient.shape == weights[name].shape
        for flat in rng.choice(gradient.size, min(4, gradient.size), replace=False):
            index = np.unravel_index(flat, gradient.shape)
            ends = []
            for sign in (1, -1):
                moved = weights[name].copy()
                moved[index] += sign * step
                ends.append(losses({**weights, name: moved})[f"{network}_loss"])
            slope = (ends[0] - ends[1]) / (2 * step)
            assert gradient[index] == pytest.approx(slope, rel=1e-5, abs=1e-8), (name, index)


def test_directional_derivative_of_the_64_pixel_net(rng):
    weights = make_weights(rng, widths=(6, 5, 4, 3))
    reals, zs = make_batches(rng, 1, size=64)
    result, _ = train_step(weights, reals, zs, lr=0.0)
    assert oracle.generate(weights, zs[0]).shape == (BATCH, 64, 64, CHANNELS)
    assert oracle.discriminate(weights, reals[0]).shape == (BATCH, 1)
    for network in ("d", "g"):
        grads = result[f"{network}_grads"]
        direction = {name: rng.standard_normal(grads[name].shape) for name in sorted(grads)}
        slope = sum(np.vdot(grads[name], direction[name]) for name in grads)
        step, ends = 1e-7, []  # small: the many units' kinks must not lie between the ends
        for sign in (1, -1):
            moved = {**weights, **{name: weights[name] + sign * step * direction[name] for name in grads}}
            ends.append(train_step(moved, reals, zs, lr=0.0)[0][f"{network}_loss"])
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)


# The order of the step.


def test_generator_learns_from_the_updated_discriminator(rng):
    weights = make_weights(rng)
    reals, zs = make_batches(rng, 2)
    result, after = train_step(weights, reals, zs, lr=0.01)
    assert all(np.any(weights[name] != after[name]) for name in weights)
    fake, _ = oracle.generator(dict(weights), zs[-1], training=True)
    logits, _ = oracle.discriminator(dict(after), fake, training=True)
    assert result["g_loss"] == pytest.approx(np.log1p(np.exp(-logits)).mean(), rel=1e-12)


def test_second_generator_step_makes_its_images_anew(rng):
    weights = make_weights(rng)
    reals, zs = make_batches(rng, 1)
    _, once = train_step(weights, reals, zs, lr=0.01)
    result, _ = train_step(weights, reals, zs, g_steps=2, lr=0.01)
    fake, _ = oracle.generator(once, zs[0], training=True)
    logits, _ = oracle.discriminator(once, fake, training=True)
    assert result["g_loss"] == pytest.approx(np.log1p(np.exp(-logits)).mean(), rel=1e-12)


def test_each_training_pass_moves_the_statistics_once_and_in_order(rng):
    weights = make_weights(rng)
    reals, zs = make_batches(rng, 2)
    _, after = train_step(weights, reals, zs, g_steps=2, lr=0.0)

    def check(name, batches):
        for statistic, of in (("mean", np.mean), ("variance", np.var)):
            moving = weights[f"{name}/moving_{statistic}"]
            for batch in batches:
                moving = 0.9 * moving + 0.1 * of(batch, axis=(0, 1, 2))
            np.testing.assert_allclose(after[f"{name}/moving_{statistic}"], moving, rtol=1e-12, atol=1e-12)

    def before_h1_bn(images):
        h0 = oracle.conv(images, weights["d/h0/kernel"]) + weights["d/h0/bias"]
        return oracle.conv(np.maximum(h0, 0.2 * h0), weights["d/h1/kernel"])

    # G's first update reuses the images of D's last; its second makes them again.
    check("g/h0_bn", [(zs[k] @ weights["g/h0/kernel"]).reshape(BATCH, 4, 4, -1) for k in (0, 1, 1)])
    fakes = [oracle.generator(dict(weights), z, training=True)[0] for z in zs]
    seen = (reals[0], fakes[0], reals[1], fakes[1], fakes[1], fakes[1])
    check("d/h1_bn", [before_h1_bn(images) for images in seen])


def test_inference_is_training_when_the_moving_statistics_are_the_batchs(rng):
    weights = make_weights(rng)
    (real,), (z,) = make_batches(rng, 1)
    weights.update({name: np.zeros_like(w) for name, w in weights.items() if "/moving_" in name})
    fake, _ = oracle.generator(weights, z, training=True)
    logits, _ = oracle.discriminator(weights, real, training=True)
    # From zero, one pass leaves a tenth of the batch's statistics.
    weights.update({name: 10 * w for name, w in weights.items() if "/moving_" in name})
    frozen = dict(weights)
    np.testing.assert_allclose(oracle.generate(weights, z), fake, rtol=1e-9)
    np.testing.assert_allclose(oracle.discriminate(weights, real), logits, rtol=1e-9)
    assert all(weights[name] is frozen[name] for name in weights)  # and inference moves nothing


def test_networks_keep_their_own_adam(rng):
    weights = make_weights(rng)
    adam = oracle.new_adam()
    reals, zs = make_batches(rng, 3)
    oracle.train_step(weights, adam, reals, SimpleNamespace(z=zs), 2, "lsgan")
    assert (adam["d"]["t"], adam["g"]["t"]) == (3, 2)
    for network in ("d", "g"):
        assert adam[network]["m"].keys() == adam[network]["v"].keys() == trainable(weights, network)


def test_a_shift_moves_pixels_and_its_way_back_is_its_adjoint(rng):
    """<T x, y> = <x, T' y>; at 16 px there are five shifts each way, from -2 to 2."""
    x, y = rng.standard_normal((2, 3, 16, 16, 2))
    draws = (np.array([[-2, 2], [0, 0], [1, -1]]) + 2.5) / 5
    moved, back = oracle.translate_layer(x, draws)
    np.testing.assert_array_equal(moved[1], x[1])
    np.testing.assert_array_equal(moved[0, :14, 2:], x[0, 2:, :14])
    np.testing.assert_array_equal(moved[2, 1:, :15], x[2, :15, 1:])
    assert not moved[0, 14:].any() and not moved[2, :, 15].any()
    assert np.sum(moved * y) == pytest.approx(np.sum(x * back(y, {})), rel=1e-12)
