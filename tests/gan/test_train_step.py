"""The train step against an independent one: NumPy in float64 with hand-derived gradients (tests/numpy_dcgan.py)."""

import numpy as np
import pytest

from dcgan_tf.backend import tf
from dcgan_tf.config import preset
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.training.checkpoints import variables
from tests import numpy_dcgan

LOSSES = ["non_saturating", "saturating", "lsgan", "hinge"]
SCHEDULES = [(1, 2), (2, 1), (1, 1)]  # the article, the slides, the paper


def small(**settings) -> DCGAN:
    settings = {"g_width": 4, "d_width": 4, "batch_size": 8, "latent_dim": 6, "image_size": 32} | settings
    return DCGAN(preset("article", **settings))


def weights_of(gan: DCGAN) -> dict[str, np.ndarray]:
    return {name: v.numpy() for name, v in variables(gan).items() if name.startswith(("g/", "d/"))}


def real_batches(config, rng) -> np.ndarray:
    return rng.integers(0, 256, (config.d_steps, config.batch_size, 32, 32, config.channels), np.uint8)


def run_both(gan: DCGAN, loss: str, steps: int = 2):
    """The same steps by both, from the same weights, images and z."""
    config = gan.config
    rng = np.random.default_rng(5)
    oracle = {name: array.astype(np.float64) for name, array in weights_of(gan).items()}
    adam = numpy_dcgan.new_adam()
    for step in range(steps):
        reals = real_batches(config, rng)
        zs = [gan.latent(tf.constant(step, tf.int64), config.batch_size, i).numpy() for i in range(config.d_steps)]
        ours = gan.train_step(tf.constant(reals), tf.constant(step, tf.int64))
        theirs = numpy_dcgan.train_step(
            oracle, adam, [r / 127.5 - 1.0 for r in reals], zs, config.g_steps, loss,
            lr=config.learning_rate, beta1=config.beta1,
        )  # fmt: skip
    return {name: float(v) for name, v in ours.items()}, theirs, oracle, adam


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("d_steps, g_steps", SCHEDULES)
def test_two_steps_agree_with_the_numpy_step(loss, d_steps, g_steps):
    gan = small(loss=loss, d_steps=d_steps, g_steps=g_steps)
    before = weights_of(gan)
    ours, theirs, oracle, adam = run_both(gan, loss)

    for name in ("d_loss", "d_loss_real", "d_loss_fake", "g_loss"):
        assert ours[name] == pytest.approx(theirs[name], abs=1e-4, rel=1e-4), name
    for network in "gd":
        norm = np.sqrt(sum(np.sum(g**2) for g in theirs[f"{network}_grads"].values()))
        # Adam's first update is about lr * sign(gradient): where a gradient is all but zero, float32 and float64
        # step to different sides, and the second step's gradients differ a little more than rounding.
        assert ours[f"{network}_grad_norm"] == pytest.approx(norm, rel=2e-3)

    after = weights_of(gan)
    assert after.keys() == oracle.keys()
    for name, wanted in oracle.items():
        np.testing.assert_allclose(after[name], wanted, atol=1e-4, rtol=1e-4, err_msg=name)
        # The weights moved by a few 1e-4 in all: also compare how they moved, to a few hundredths of that.
        if "moving" not in name:
            moved, wanted_move = after[name] - before[name], wanted - before[name]
            error = np.linalg.norm(moved - wanted_move) / np.linalg.norm(wanted_move)
            assert error < 3e-2, (name, error)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_agree_with_the_numpy_step(loss):
    """Adam's first moment is a weighted sum of the gradients so far: it shows every one of them."""
    gan = small(loss=loss)
    _, _, _, adam = run_both(gan, loss, steps=1)
    slots = {name: v.numpy() for name, v in variables(gan).items() if name.endswith("_momentum")}
    checked = 0
    for network in "gd":
        for name, wanted in adam[network]["m"].items():
            ours = slots[f"{network}_optimizer/{name.replace('/', '_')}_momentum"]
            np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max(), err_msg=name)
            checked += 1
    assert checked == len(slots)


def test_bfloat16_step_stays_near_the_float32_one_and_keeps_float32_variables():
    """bfloat16 has 8 significant bits: each rounding errs by up to 0.4 %, the losses by a few times that."""
    full, half = small(), small(precision="bfloat16")
    results = []
    for gan in (full, half):
        rng = np.random.default_rng(0)
        results.append(gan.train_step(tf.constant(real_batches(gan.config, rng)), tf.constant(0, tf.int64)))
    for name in ("d_loss", "g_loss"):
        assert float(results[1][name]) == pytest.approx(float(results[0][name]), rel=0.1)
        assert results[1][name].dtype == tf.float32
    assert {str(v.dtype) for v in variables(half).values()} <= {"float32", "int64", "int32"}
    assert half.generator.get_layer("h1").compute_dtype == "bfloat16"
    logits = half.discriminator(np.zeros((2, 32, 32, 3), "float32"))
    assert logits.dtype == tf.float32
    assert half.generator(np.zeros((2, 6), "float32")).dtype == tf.float32


def test_gradient_penalty_of_a_linear_critic_is_known():
    """For D(x) = a.x the gradient is a everywhere: the penalty is (|a| - 1)^2."""
    gan = small(loss="wgan_gp")
    a = tf.constant(np.random.default_rng(1).normal(size=(32 * 32 * 3, 1)), tf.float32)
    gan.discriminator = lambda x, training: tf.reshape(x, (x.shape[0], -1)) @ a
    real, fake = tf.random.stateless_normal((2, 8, 32, 32, 3), (1, 2))
    penalty = gan.gradient_penalty(real, fake, tf.constant(0, tf.int64), 0)
    assert float(penalty) == pytest.approx((float(tf.norm(a)) - 1) ** 2, rel=1e-4)


def test_wgan_gp_adds_ten_times_the_penalty_and_trains_the_critic_towards_it():
    gan = small(loss="wgan_gp", learning_rate=1e-3)
    rng = np.random.default_rng(0)
    batch = tf.constant(real_batches(gan.config, rng))
    penalties = []
    for step in range(25):
        m = gan.train_step(batch, tf.constant(step, tf.int64))
        penalties.append(float(m["d_loss"] - m["d_loss_real"] - m["d_loss_fake"]) / 10)
    assert min(penalties) >= 0
    assert np.mean(penalties[-5:]) < 0.5 * np.mean(penalties[:5])


def test_average_follows_the_closed_form():
    """a_t = d_t a_(t-1) + (1 - d_t) w_t, d_t = min(ema, (1 + t) / (10 + t)): 1/10, 2/11, and then the ema of 0.2."""
    gan = small(ema=0.2)
    rng = np.random.default_rng(0)
    expected = [v.numpy().astype(np.float64) for v in gan.generator.variables]
    for average, start in zip(gan.ema_generator.variables, expected):
        np.testing.assert_array_equal(average.numpy(), start)  # one seed: it starts as the generator does
    for step, decay in enumerate((1 / 10, 2 / 11, 0.2, 0.2)):
        gan.train_step(tf.constant(real_batches(gan.config, rng)), tf.constant(step, tf.int64))
        expected = [decay * e + (1 - decay) * v.numpy() for e, v in zip(expected, gan.generator.variables)]
    for average, wanted in zip(gan.ema_generator.variables, expected):
        np.testing.assert_allclose(average.numpy(), wanted, atol=1e-6)


def test_latents_depend_on_seed_step_and_update_alone():
    one, other, seeded = small(), small(), small(seed=1)
    key = tf.constant(7, tf.int64)
    np.testing.assert_array_equal(one.latent(key, 8), other.latent(key, 8))
    for different in (one.latent(key, 8, 1), one.latent(key + 1, 8), seeded.latent(key, 8)):
        assert np.abs(different - one.latent(key, 8)).max() > 0.1


@pytest.mark.parametrize("latent, deviation", [("normal", 1.0), ("uniform", 1 / np.sqrt(3))])
def test_latents_have_the_distribution_asked_for(latent, deviation):
    gan = small(latent=latent, latent_dim=100)
    for z in (gan.latent(tf.constant(3, tf.int64), 1000).numpy(), gan.sample_latents(1000, seed=3)):
        assert z.shape == (1000, 100) and z.dtype == np.float32
        assert z.mean() == pytest.approx(0, abs=5 * deviation / np.sqrt(z.size))
        assert z.std() == pytest.approx(deviation, rel=0.01)
        assert latent == "normal" or np.abs(z).max() <= 1


def test_an_image_does_not_change_when_more_are_drawn():
    gan = small()
    np.testing.assert_array_equal(gan.generate(3, seed=4), gan.generate(9, seed=4)[:3])
    assert gan.generate(0).shape == (0, 32, 32, 3)


def test_half_of_the_real_images_are_mirrored_at_random():
    gan = small(flip="on")
    images = tf.constant(np.random.default_rng(0).standard_normal((400, 4, 4, 3)).astype("float32"))
    flipped = gan.flipped(images, tf.constant(5, tf.int64), 0).numpy()
    mirrored = np.array([np.array_equal(f, i[:, ::-1]) for f, i in zip(flipped, images.numpy())])
    as_they_were = np.array([np.array_equal(f, i) for f, i in zip(flipped, images.numpy())])
    assert (mirrored ^ as_they_were).all() and 150 < mirrored.sum() < 250
    assert not np.array_equal(flipped, gan.flipped(images, tf.constant(6, tf.int64), 0).numpy())
    assert small().flipped(images, 5, 0) is images
