"""What the discriminator is shown: moved images, one move for one seed and step, and G learning through it."""

import numpy as np
import pytest

from dcgan_tf.backend import tf
from dcgan_tf.config import preset
from dcgan_tf.errors import UserError
from dcgan_tf.gan.augment import translated
from dcgan_tf.gan.dcgan import DCGAN, SHOWN_BY_G


def small(**settings):
    tiny = {"image_size": 32, "g_width": 4, "d_width": 4, "latent_dim": 8, "batch_size": 8}
    return DCGAN(preset("article", **tiny, **settings))


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(-1, 1, (6, 32, 32, 3)).astype("float32")


def test_images_are_moved_by_whole_pixels_and_zeros_come_in(images):
    """9 moves each way at 32 px: from -4 to 4, the k-th for draws from k/9 on."""
    down, right = np.array([-4, -1, 0, 1, 3, 4]), np.array([4, 0, -4, 2, -3, -1])
    draws = (np.stack([down, right], axis=1) + 4.5) / 9
    moved = translated(tf.constant(images), tf.constant(draws.astype("float32"))).numpy()
    for image, result, y, x in zip(images, moved, down, right):
        wanted = np.zeros_like(image)
        wanted[max(0, y) : 32 + min(0, y), max(0, x) : 32 + min(0, x)] = image[
            max(0, -y) : 32 + min(0, -y), max(0, -x) : 32 + min(0, -x)
        ]
        np.testing.assert_array_equal(result, wanted)


def test_without_augmentation_the_images_are_shown_as_they_are(images):
    assert small().shown(images, tf.constant(0, tf.int64), 0) is images


def test_moves_are_fixed_by_seed_step_and_part(images):
    gan, again, seeded = (small(augment="translation", seed=seed) for seed in (0, 0, 1))
    images = np.repeat(images, 20, axis=0)  # 120 draws: no two lists of them agree by chance
    step = tf.constant(5, tf.int64)
    first = gan.shown(images, step, 3).numpy()
    np.testing.assert_array_equal(first, again.shown(images, step, 3))
    for source, key, part in ((gan, step + 1, 3), (gan, step, 4), (seeded, step, 3)):
        assert (first != source.shown(images, key, part).numpy()).any()


def test_the_step_shows_every_update_other_moves_and_stays_finite():
    gan, parts = small(augment="translation", d_steps=3, g_steps=2), []
    plain = gan.shown
    gan.shown = lambda images, step, part: parts.append(part) or plain(images, step, part)
    batches = np.random.default_rng(1).integers(0, 256, (3, 8, 32, 32, 3), np.uint8)
    metrics = gan.train_step(tf.constant(batches), tf.constant(0, tf.int64))
    assert len(parts) == len(set(parts)) == 3 * 2 + 2
    assert all(np.isfinite(float(value)) for value in metrics.values())


def test_the_generator_learns_through_the_move():
    """Its gradient is that of the whole way z -> G -> move -> D -> loss under a single tape."""
    gan = small(augment="translation")
    z, step = gan.latent(0, 8), tf.constant(4, tf.int64)
    kernel = gan.generator.get_layer("h1").kernel
    with tf.GradientTape() as tape:
        shown = gan.shown(gan.generator(z, training=True), step, SHOWN_BY_G)
        loss = gan.loss.generator(gan.discriminator(shown, training=True))
    wanted = tape.gradient(loss, kernel.value).numpy()
    before = kernel.numpy()
    with tf.GradientTape() as tape:
        fake = gan.generator(z, training=True)
    metrics = gan.update_generator(fake, tape, step, 0)
    assert float(metrics["g_loss"]) == pytest.approx(float(loss), rel=1e-5)
    # Adam's first step is the learning rate against the gradient's sign, where that is not all but zero.
    large = np.abs(wanted) > 1e-3 * np.abs(wanted).max()
    np.testing.assert_allclose((kernel.numpy() - before)[large], -2e-4 * np.sign(wanted[large]), rtol=1e-2)


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(UserError, match="--augment=translate: unknown; it can be none or translation. Did you mean"):
        preset("article", augment="translate")
