"""The train step against an independent one: NumPy in float64 with hand-derived gradients (tests/numpy_dcgan.py)."""

import numpy as np
import pytest

from dcgan_tf.backend import keras, tf
from dcgan_tf.batch import Batch
from dcgan_tf.config import preset
from dcgan_tf.distributed.replicas import compile_train_step
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.gan.losses import LOSSES as BY_NAME
from dcgan_tf.gan.losses import Loss, gradient_penalty
from dcgan_tf.gan.models import to_float
from dcgan_tf.training.checkpoints import variables
from tests import numpy_dcgan
from tests.gan.stepping import make_steps, noise_of

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
    """The same steps by both, from the same weights, images and noise."""
    config = gan.config
    rng = np.random.default_rng(5)
    oracle = {name: array.astype(np.float64) for name, array in weights_of(gan).items()}
    adam = numpy_dcgan.new_adam()
    for step in range(steps):
        reals = real_batches(config, rng)
        (ours,) = make_steps(gan, [reals], first=step)
        theirs = numpy_dcgan.train_step(
            oracle, adam, [r / 127.5 - 1.0 for r in reals], noise_of(gan, step), config.g_steps, loss,
            flip=config.flip == "on", translate=config.augment == "translation",
            lr=config.learning_rate, beta1=config.beta1,
        )  # fmt: skip
    return ours, theirs, oracle, adam


AUGMENTED = {"flip": "on", "augment": "translation"}
CASES = [(loss, *schedule, {}) for loss in LOSSES for schedule in SCHEDULES]
CASES += [("non_saturating", *schedule, AUGMENTED) for schedule in SCHEDULES]


@pytest.mark.parametrize("loss, d_steps, g_steps, augmented", CASES)
def test_two_steps_agree_with_the_numpy_step(loss, d_steps, g_steps, augmented):
    gan = small(loss=loss, d_steps=d_steps, g_steps=g_steps, **augmented)
    before = weights_of(gan)
    ours, theirs, oracle, _adam = run_both(gan, loss)

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
        batch = Batch.unlabelled(real_batches(gan.config, rng))
        results.append(compile_train_step(gan)(batch, tf.constant(0, tf.int64)))
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
    a = tf.constant(np.random.default_rng(1).normal(size=(32 * 32 * 3, 1)), tf.float32)
    real, fake = tf.random.stateless_normal((2, 8, 32, 32, 3), (1, 2))
    draws = tf.random.stateless_uniform((8, 1, 1, 1), (3, 4))
    penalty = gradient_penalty(lambda x, training: tf.reshape(x, (x.shape[0], -1)) @ a, real, fake, draws)
    assert float(penalty) == pytest.approx((float(tf.norm(a)) - 1) ** 2, rel=1e-4)


def test_wgan_gp_adds_ten_times_the_penalty_and_trains_the_critic_towards_it():
    gan = small(loss="wgan_gp", learning_rate=1e-3)
    batch = real_batches(gan.config, np.random.default_rng(0))
    steps = make_steps(gan, [batch] * 25)
    for m in steps:
        assert m["d_loss"] == pytest.approx(m["d_loss_real"] + m["d_loss_fake"] + m["d_penalty"], rel=1e-5)
    penalties = [m["d_penalty"] / 10 for m in steps]
    assert np.mean(penalties[-5:]) < 0.5 * np.mean(penalties[:5])


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings, decays",
    [({"ema": 0.2}, (1 / 10, 2 / 11, 0.2, 0.2)), ({"ema": 0.7, "ema_ramp": 1.0}, (1 / 2, 2 / 3, 0.7, 0.7))],
)
def test_average_follows_the_closed_form(settings, decays):
    """a_t = d_t a_(t-1) + (1 - d_t) w_t, d_t = min(ema, (1 + t) / (1 + ramp + t)), the ramp 9 unless given."""
    gan = small(**settings)
    rng = np.random.default_rng(0)
    expected = [v.numpy().astype(np.float64) for v in gan.generator.variables]
    for average, start in zip(gan.ema_generator.variables, expected):
        np.testing.assert_array_equal(average.numpy(), start)  # one seed: it starts as the generator does
    for step, decay in enumerate(decays):
        make_steps(gan, [real_batches(gan.config, rng)], first=step)
        expected = [decay * e + (1 - decay) * v.numpy() for e, v in zip(expected, gan.generator.variables)]
    for average, wanted in zip(gan.ema_generator.variables, expected):
        np.testing.assert_allclose(average.numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("latent, deviation", [("normal", 1.0), ("uniform", 1 / np.sqrt(3))])
def test_latents_to_sample_from_have_the_distribution_asked_for(latent, deviation):
    z = small(latent=latent, latent_dim=100).sample_latents(1000, seed=3)
    assert z.shape == (1000, 100) and z.dtype == np.float32
    assert z.mean() == pytest.approx(0, abs=5 * deviation / np.sqrt(z.size))
    assert z.std() == pytest.approx(deviation, rel=0.01)
    assert latent == "normal" or np.abs(z).max() <= 1


def test_an_image_does_not_change_when_more_are_drawn():
    gan = small()
    np.testing.assert_array_equal(gan.generate(3, seed=4), gan.generate(9, seed=4)[:3])
    assert gan.generate(0).shape == (0, 32, 32, 3)


# Other losses, without a touch to the step.


class RelativisticPairing(Loss):
    """Jolicoeur-Martineau 2019: each of D and G wants its side's logit above the other's."""

    generator_needs_real = True

    def discriminator_terms(self, real, fake):
        return {"d_loss_real": tf.reduce_mean(tf.nn.softplus(fake.logits - real.logits))}

    def generator_loss(self, fake, real):
        return tf.reduce_mean(tf.nn.softplus(real.logits - fake.logits))


class WithLabelHead(Loss):
    """Cross-entropy, and an extra output of D that learns the real images' labels (degrees)."""

    def discriminator_terms(self, real, fake):
        terms = BY_NAME["non_saturating"].discriminator_terms(real, fake)
        return terms | {"d_label": tf.reduce_mean(tf.square(real.extra["angle"][:, 0] - real.batch.labels))}

    def generator_loss(self, fake, real):
        return BY_NAME["non_saturating"].generator_loss(fake, real)


def test_a_relativistic_loss_takes_both_sides():
    """At equal logits each term is log 2; the step's own first values are the formula's of independent passes."""
    gan = small(g_steps=1)
    gan.loss = RelativisticPairing()
    images, noise = real_batches(gan.config, np.random.default_rng(0)), noise_of(gan, 0)
    fake = gan.generator(noise.z[0], training=True)
    logits = [np.asarray(gan.discriminator(x, training=True)) for x in (to_float(images[0]), fake)]
    (metrics,) = make_steps(gan, [images])
    assert metrics["d_loss"] == pytest.approx(np.logaddexp(0, logits[1] - logits[0]).mean(), rel=1e-4)
    # G's update saw D after its own: only that it is the softplus of both sides, below log 2 where G is ahead.
    real, fake = (np.asarray(gan.discriminator(x, training=True)) for x in (to_float(images[0]), fake))
    assert metrics["g_loss"] == pytest.approx(np.logaddexp(0, real - fake).mean(), rel=1e-4)


def test_an_extra_output_of_d_and_the_labels_reach_the_loss():
    gan = small(g_steps=1)
    gan.loss, gan.discriminator = WithLabelHead(), TwoHeads(gan.discriminator)
    gan.d_optimizer = keras.optimizers.Adam(gan.config.learning_rate)
    labels = np.float32([[1, -2, 3, 4, 0, 0, 5, -6]])
    (metrics,) = make_steps(gan, [real_batches(gan.config, np.random.default_rng(0))], labels=[labels])
    assert metrics["d_label"] == pytest.approx(np.mean(labels**2), rel=1e-5)  # the new head says 0 degrees
    parts = metrics["d_loss_real"] + metrics["d_loss_fake"] + metrics["d_label"]
    assert metrics["d_loss"] == pytest.approx(parts, rel=1e-5)
    assert abs(np.asarray(gan.discriminator.angle.kernel)).max() > 0  # the head is trained


class TwoHeads:
    """A discriminator whose last logit feeds a second output, "angle"."""

    def __init__(self, plain):
        self.plain, self.angle = plain, keras.layers.Dense(1, kernel_initializer="zeros")
        self.angle.build((None, 1))
        self.trainable_variables = plain.trainable_variables + self.angle.trainable_variables

    def __call__(self, x, training):
        logits = self.plain(x, training=training)
        return {"logits": logits, "angle": self.angle(logits)}
