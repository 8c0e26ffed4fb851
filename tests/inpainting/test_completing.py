"""Search and completion with untrained networks: the z of an image that they generated can be found."""

import numpy as np
import pytest

from dcgan_tf.backend import tf
from dcgan_tf.config import preset
from dcgan_tf.errors import UserError
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.gan.models import to_float
from dcgan_tf.inpainting import complete, masks
from dcgan_tf.inpainting import search as search_module
from dcgan_tf.inpainting.scores import compute_scores
from dcgan_tf.inpainting.search import LEARNING_RATES, OBJECTIVES, Search, search

SMALL = {"image_size": 32, "g_width": 8, "d_width": 4, "latent_dim": 4, "latent": "uniform", "initializer": "he"}


@pytest.fixture(scope="module")
def gan():
    return DCGAN(preset("article", **SMALL))


@pytest.fixture(scope="module")
def drawn(gan):
    """(z, G(z)) of three images."""
    z = np.random.default_rng(5).uniform(-0.8, 0.8, (3, 4)).astype("float32")
    return z, gan.decode(z)


def test_the_z_of_a_generated_image_is_found_again(gan, drawn):
    """A hole of a quarter, filled so that PSNR is over 30 dB, and with the z that it came from."""
    z, images = drawn
    known = masks.make("centre", 32)
    done = complete(gan, images, known, loss="slides", iterations=300, restarts=8)
    assert (compute_scores(images, done.images, np.broadcast_to(known, (3, 32, 32)))["psnr_hole"] > 30).all()
    np.testing.assert_allclose(done.found.z, z, atol=0.1)
    np.testing.assert_array_equal(done.images[:, known], images[:, known])
    np.testing.assert_array_equal(done.proposals, gan.decode(done.found.z))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("latent", ["uniform", "normal"])
def test_the_objective_is_its_formula(objective, latent):
    """By NumPy from G's image and D's logit; 2.0 for the norm of z ~ N(0, 1)."""
    gan = DCGAN(preset("article", **SMALL | {"latent": latent}))
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    known = masks.make("centre", 32)
    start = np.float32([[[0.5, -0.5, 1.0, 0.0]]])
    found = search(gan, image, known[None], objective, iterations=1, starts=start)

    fake = gan.generator(start[0], training=False).numpy()
    logit = float(gan.discriminator(tf.constant(fake), training=False)[0, 0])
    d = 1 / (1 + np.exp(-logit))
    weights = known.astype(float) if objective == "slides" else masks.importance(known, 7)
    context = np.sum(weights[..., None] * np.abs(fake[0] - np.asarray(to_float(image))[0]))
    prior = {"slides": 0.2 * np.log(1 - d), "paper": 0.003 * np.log(1 - d), "non_saturating": -0.003 * np.log(d)}
    radius = np.linalg.norm(start)  # whose density falls as r^3 exp(-r^2 / 2), from r = sqrt(3) on
    norm = 0.0 if latent == "uniform" else 2.0 * ((radius**2 - 3) / 2 - 3 * np.log(radius / np.sqrt(3)))
    assert found.history[0, 0, 0] == pytest.approx(context + prior[objective] + norm, rel=1e-4)


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
def test_the_objective_falls_and_the_best_start_is_taken(gan, drawn, optimizer):
    _, images = drawn
    known = np.stack([masks.make(name, 32) for name in ("centre", "left", "strokes")])
    found = search(gan, images, known, iterations=60, restarts=4, optimizer=optimizer)
    assert found.history.shape == (60, 3, 4)
    assert (found.history[-1].min(axis=1) < 0.9 * found.history[0].min(axis=1)).all()
    assert (np.abs(found.z) <= 1).all()  # a uniform z is kept where the generator was trained
    assert (found.loss <= found.history[-1].min(axis=1) * 1.01).all()
    np.testing.assert_array_equal(found.path[-1], found.z)
    more = search(gan, images, known, iterations=60, restarts=6, optimizer=optimizer)
    assert (more.loss <= found.loss + 1e-3).all()  # the first four starts are the same


def adam(rate, t, gradient, slots):
    """The step of Kingma and Ba 2015, algorithm 1."""
    m, v = slots
    m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
    return -rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), (m, v)


def momentum(rate, t, gradient, slots):
    """The step of Nesterov's momentum in the form of Sutskever et al. 2013, section 2, seen from the point ahead."""
    velocity = 0.9 * slots[0] - rate * gradient
    return 0.9 * velocity - rate * gradient, (velocity, slots[1])


@pytest.mark.parametrize("step", [adam, momentum])
@pytest.mark.parametrize("latent", ["uniform", "normal"])
def test_the_updates_are_those_of_numpy_with_a_cosine_decay(latent, step):
    gan = DCGAN(preset("article", **SMALL | {"latent": latent}))
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (5, 32, 32, 3), np.uint8)
    weights = rng.uniform(0, 1, (5, 32, 32)).astype("float32")
    start = rng.uniform(-0.98, 0.98, (5, 4)).astype("float32")
    rate, iterations = LEARNING_RATES[step.__name__], 6
    searches = Search(gan, OBJECTIVES["paper"], step.__name__, rate, iterations, 5, False)

    z, slots, history = start.astype(float), (np.zeros((5, 4)), np.zeros((5, 4))), []
    target = to_float(tf.constant(images))
    for t in range(1, iterations + 1):
        point = tf.constant(z, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(point)
            value = searches.compute_objective(point, target, weights[..., None])
        history.append(value.numpy())
        decayed = rate * 0.5 * (1 + np.cos(np.pi * (t - 1) / iterations))
        change, slots = step(decayed, t, tape.gradient(value, point).numpy().astype(float), slots)
        z = np.clip(z + change, -1, 1) if latent == "uniform" else z + change

    for _ in range(2):  # a second run begins afresh
        path, values, _ = searches.run(start, images, weights, iterations)
        np.testing.assert_allclose(values, history, rtol=1e-5)
        np.testing.assert_allclose(path[-1], z, atol=2e-4)
        np.testing.assert_array_equal(path[0], start)
    assert np.abs(z - start).max() > 0.01


def test_searches_in_several_batches_are_those_of_one(gan, drawn, monkeypatch):
    _, images = drawn
    known = np.stack([masks.make(name, 32) for name in ("centre", "left", "strokes")])
    one = search(gan, images, known, iterations=5, restarts=3)
    monkeypatch.setattr(search_module, "BATCH_SIZE", 4)  # 4, 4 and 1 of the 9
    several = search(gan, images, known, iterations=5, restarts=3)
    np.testing.assert_allclose(several.history, one.history, rtol=1e-4)
    np.testing.assert_array_equal(several.best, one.best)
    np.testing.assert_allclose(several.z, one.z, atol=1e-3)


def test_an_image_does_not_depend_on_the_others(gan, drawn):
    _, images = drawn
    known = np.stack([masks.make("centre", 32)] * 3)
    together = search(gan, images, known, iterations=10, restarts=2)
    alone = search(gan, images[:1], known[:1], iterations=10, restarts=2)
    np.testing.assert_allclose(alone.z, together.z[:1], atol=1e-3)


def test_pixels_in_the_hole_have_no_influence(gan, drawn):
    _, images = drawn
    known = masks.make("left", 32)
    damaged = np.where(known[..., None], images, 7).astype(np.uint8)
    ours, theirs = (complete(gan, given, known, iterations=5, restarts=1) for given in (images, damaged))
    np.testing.assert_array_equal(ours.images, theirs.images)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"loss": "l2"}, "--loss=l2: unknown; it can be slides, paper or non_saturating"),
        ({"optimizer": "sgd"}, "--optimizer=sgd: unknown; it can be adam or momentum"),
        ({"iterations": 0}, "--iterations=0: it must be at least 1"),
        ({"restarts": 0}, "--restarts=0"),
        ({"blending": "mix"}, "--blend=mix"),
        ({"known": np.ones((32, 32), bool)}, "image 0: it has no hole"),
        ({"known": np.zeros((32, 32), bool)}, "image 0: all of it is hole"),
        ({"known": np.ones((16, 32), bool)}, r"the mask has shape \[16, 32\], not \[32, 32\]"),
        ({"images": np.zeros((1, 64, 64, 3), np.uint8)}, r"uint8 \[N, 32, 32, 3\]"),
        ({"images": np.zeros((1, 32, 32, 3), np.float32)}, "float32"),
    ],
)
def test_wrong_arguments_are_user_errors(gan, settings, said):
    given = {"images": np.zeros((1, 32, 32, 3), np.uint8), "known": masks.make("centre", 32), "iterations": 1}
    with pytest.raises(UserError, match=said):
        complete(gan, **given | settings)
