"""The random numbers of a step: what fixes them, their distributions, and that no two streams share them."""

import numpy as np
import pytest

from dcgan_tf.backend import tf
from dcgan_tf.config import preset
from dcgan_tf.gan.noise import draw_noise

N = 1000


def draw(step=7, n=N, augment_draws=2, **settings):
    config = preset("article", **{"latent_dim": 100, "d_steps": 2, "g_steps": 2} | settings)
    return draw_noise(config, augment_draws, tf.constant(step, tf.int64), n)


def arrays(noise):
    return [np.asarray(tensor) for tensor in tf.nest.flatten(noise)]


def test_seed_and_step_alone_fix_them():
    tf.random.uniform((3,))  # what others draw in between changes nothing
    for once, again in zip(arrays(draw()), arrays(draw())):
        np.testing.assert_array_equal(once, again)
    for other in (draw(step=8), draw(seed=1)):
        for once, different in zip(arrays(draw()), arrays(other)):
            assert (once != different).mean() > 0.99


def test_no_two_draws_of_a_step_are_the_same_numbers():
    """Of every two the first 1,000 numbers are uncorrelated: 5 standard errors are 0.16."""
    columns = [array.reshape(-1)[:N] for array in arrays(draw())]
    assert len(columns) == 2 + 2 * 4 + 2 * 4
    correlations = np.corrcoef(columns)
    np.fill_diagonal(correlations, 0)
    assert np.abs(correlations).max() < 5 / np.sqrt(N)


@pytest.mark.parametrize("latent, deviation", [("normal", 1.0), ("uniform", 1 / np.sqrt(3))])
def test_latents_have_the_distribution_asked_for(latent, deviation):
    for z in draw(latent=latent).z:
        z = z.numpy()
        assert z.shape == (N, 100) and z.dtype == np.float32
        assert z.mean() == pytest.approx(0, abs=5 * deviation / np.sqrt(z.size))
        assert z.std() == pytest.approx(deviation, rel=0.01)
        assert latent == "normal" or np.abs(z).max() <= 1


def test_updates_are_given_uniform_numbers_of_their_shapes():
    for update in (*draw().d, *draw().g):
        assert [tuple(values.shape) for values in update] == [(N, 1), (N, 2), (N, 2), (N, 1, 1, 1)]
        for values in update:
            assert np.min(values) >= 0 and np.max(values) < 1
            assert np.mean(values) == pytest.approx(0.5, abs=5 / np.sqrt(12 * np.size(values)))


def test_an_augmentation_without_draws_is_given_none():
    assert tuple(draw(augment_draws=0).d[0].real.shape) == (N, 0)


def test_the_streams_are_those_of_the_first_version():
    """Its z of seed 0, step 0, and its numbers of a flip: TensorFlow's Philox, keyed by the parts of version 0.1.0."""
    of_step = tf.random.fold_in(tf.constant([0, 0], tf.int64), tf.constant(7, tf.int64), alg="philox")
    key = tf.random.fold_in(of_step, 1, alg="philox")
    np.testing.assert_array_equal(draw().z[1], tf.random.stateless_normal((N, 100), key, alg="philox"))
    for part, values in (
        ((1 << 20) + 1, draw().d[1].penalty),
        ((1 << 21) + 2, draw().d[1].real),
        ((1 << 21) + 3, draw().d[1].fake),
        ((1 << 22) + 1, draw().g[1].fake),
        ((1 << 23) + 1, draw().d[1].flip),
    ):
        key = tf.random.fold_in(of_step, part, alg="philox")
        np.testing.assert_array_equal(values, tf.random.stateless_uniform(values.shape, key, alg="philox"))
