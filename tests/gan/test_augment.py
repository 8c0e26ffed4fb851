"""What D's images undergo: shifts and mirroring against NumPy, and G learning through them."""

import numpy as np
import pytest

from dcgan_tf.backend import tf
from dcgan_tf.batch import Batch
from dcgan_tf.config import preset
from dcgan_tf.errors import UserError
from dcgan_tf.gan.augment import mirror_half, translate
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.gan.train_step import update_generator
from tests.gan.stepping import make_steps, noise_of


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
    moved = translate(tf.constant(images), tf.constant(draws.astype("float32"))).numpy()
    for image, result, y, x in zip(images, moved, down, right):
        wanted = np.zeros_like(image)
        wanted[max(0, y) : 32 + min(0, y), max(0, x) : 32 + min(0, x)] = image[
            max(0, -y) : 32 + min(0, -y), max(0, -x) : 32 + min(0, -x)
        ]
        np.testing.assert_array_equal(result, wanted)


def test_without_augmentation_the_images_are_as_they_are(images):
    assert small().augmentation.apply(images, np.zeros((6, 0))) is images


def test_images_whose_draw_is_below_a_half_are_mirrored(images):
    draws = np.float32([[0.0], [0.49], [0.5], [0.9], [0.2], [0.7]])
    mirrored = mirror_half(tf.constant(images), tf.constant(draws)).numpy()
    for k, image in enumerate(images):
        np.testing.assert_array_equal(mirrored[k], image[:, ::-1] if k in (0, 1, 4) else image)


def test_every_update_of_a_step_has_draws_of_its_own_and_stays_finite():
    gan, seen = small(augment="translation", d_steps=3, g_steps=2), []
    plain = gan.augmentation
    gan.augmentation = plain._replace(apply=lambda images, draws: seen.append(draws) or plain.apply(images, draws))
    batches = np.random.default_rng(1).integers(0, 256, (1, 3, 8, 32, 32, 3), np.uint8)
    (metrics,) = make_steps(gan, batches)
    assert len(seen) == len({id(draws) for draws in seen}) == 3 * 2 + 2
    assert all(np.isfinite(value) for value in metrics.values())


def test_the_generator_learns_through_the_move():
    """Its gradient is that of the whole way z -> G -> move -> D -> loss under a single tape."""
    gan = small(augment="translation")
    noise = noise_of(gan, 4)
    z, batch = noise.z[0], Batch.unlabelled(np.zeros((8, 32, 32, 3), np.uint8))
    kernel = gan.generator.get_layer("h1").kernel
    with tf.GradientTape() as tape:
        moved = translate(gan.generator(z, training=True), noise.g[0].fake)
        loss = gan.loss.generator(gan.discriminator(moved, training=True))
    wanted = tape.gradient(loss, kernel.value).numpy()
    before = kernel.numpy()
    with tf.GradientTape() as tape:
        fake = gan.generator(z, training=True)
    metrics = update_generator(gan, batch, fake, tape, noise.g[0], average=lambda tensors: tensors)
    assert float(metrics["g_loss"]) == pytest.approx(float(loss), rel=1e-5)
    # Adam's first step is the learning rate against the gradient's sign, where that is not all but zero.
    large = np.abs(wanted) > 1e-3 * np.abs(wanted).max()
    np.testing.assert_allclose((kernel.numpy() - before)[large], -2e-4 * np.sign(wanted[large]), rtol=1e-2)


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(UserError, match="--augment=translate: unknown; it can be none or translation. Did you mean"):
        preset("article", augment="translate")
