"""Which images each step sees; every image carries its own number."""

import numpy as np
import pytest

from dcgan_tf.batch import Batch
from dcgan_tf.config import Config, preset
from dcgan_tf.datasets.batching import batches, choose_images, epoch_order, gather_on, stack_steps, steps_per_epoch
from dcgan_tf.errors import UserError


def numbered(count):
    """Images uint8 [count, 2, 2, 3], of which image n holds n in its first two values, with the label -n."""
    images = np.zeros((count, 2, 2, 3), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.divmod(np.arange(count), 256)
    return Batch(images, -np.arange(count, dtype=np.float32))


def numbers(batch):
    """int [d_steps, N]: which images a batch holds; their labels are theirs."""
    images = np.asarray(batch.images).astype(int)
    found = images[..., 0, 0, 0] * 256 + images[..., 0, 0, 1]
    np.testing.assert_array_equal(batch.labels, -found)
    assert np.asarray(batch.labels).dtype == np.float32
    return found


def seen(count, config, first, last):
    return [numbers(batch) for batch in batches(numbered(count), config, first, last)]


def test_a_set_that_is_too_small_for_what_is_held_out_says_so():
    said = "the set has 63 to train on and 7 held out; give --batch_size=63 or less, or --held_out=0.$"
    with pytest.raises(UserError, match=said):
        steps_per_epoch(63, Config(batch_size=64), held_out=7)
    with pytest.raises(UserError, match="the set has 1 to train on and 1 held out; more images are needed, or"):
        steps_per_epoch(1, Config(batch_size=2), held_out=1)
    with pytest.raises(UserError, match="50 to train on and 6 held out; give --batch_size=50 or less.$"):
        steps_per_epoch(50, Config(batch_size=64), held_out=6)  # all 56 would not do either


def test_an_epoch_of_the_article_has_997_steps():
    assert steps_per_epoch(63_825, preset("article")) == 997


@pytest.mark.parametrize(
    "images, batch, d_steps, steps",
    [(64, 64, 1, 1), (127, 64, 1, 1), (128, 64, 1, 2), (128, 64, 2, 1), (1000, 10, 3, 33)],
)
def test_the_last_partial_step_is_dropped(images, batch, d_steps, steps):
    assert steps_per_epoch(images, Config(batch_size=batch, d_steps=d_steps)) == steps


@pytest.mark.parametrize("images, d_steps", [(63, 1), (0, 1), (127, 2)])
def test_a_set_smaller_than_one_step_is_a_sentence(images, d_steps):
    config = Config(batch_size=64, d_steps=d_steps)
    for refused in (lambda: steps_per_epoch(images, config), lambda: batches(numbered(images), config, 0, 1)):
        with pytest.raises(UserError, match=f"^--batch_size=64: one step needs {64 * d_steps} .* the set has {images}"):
            refused()


@pytest.mark.parametrize("d_steps", [1, 3])
def test_every_image_is_seen_at_most_once_in_an_epoch(d_steps):
    config = Config(batch_size=8, d_steps=d_steps)
    steps = 400 // (8 * d_steps)
    for epoch in range(2):
        epochs = seen(400, config, epoch * steps, (epoch + 1) * steps)
        assert len(epochs) == steps and all(step.shape == (d_steps, 8) for step in epochs)
        flat = np.concatenate(epochs, axis=None)
        assert len(set(flat.tolist())) == len(flat) == steps * 8 * d_steps
        assert flat.max() < 400


def test_an_epoch_without_remainder_sees_every_image():
    assert sorted(np.concatenate(seen(64, Config(batch_size=8), 8, 16), axis=None)) == list(range(64))


def test_the_order_depends_on_seed_and_epoch_alone():
    order = epoch_order(3, 5, 1000)
    assert sorted(order) == list(range(1000))
    np.random.seed(1)
    np.random.random(7)  # what others draw in between changes nothing
    np.testing.assert_array_equal(epoch_order(3, 5, 1000), order)
    # Of independent permutations, about one place in 1,000 agrees; 20 would be a wonder.
    for other in (epoch_order(3, 6, 1000), epoch_order(4, 5, 1000), epoch_order(5, 3, 1000), np.arange(1000)):
        assert (other == order).sum() < 20


def test_steps_take_the_order_piece_by_piece():
    config = Config(batch_size=4, d_steps=2, seed=7)
    orders = [epoch_order(7, epoch, 30) for epoch in range(2)]  # 3 steps of 8 in an epoch
    for step, got in enumerate(seen(30, config, 0, 6)):
        epoch, position = divmod(step, 3)
        np.testing.assert_array_equal(got.ravel(), orders[epoch][8 * position : 8 * position + 8])


@pytest.mark.parametrize("start", [1, 3, 4, 11])
def test_starting_later_sees_the_rest_of_what_starting_at_0_sees(start):
    config = Config(batch_size=4, d_steps=2, seed=2)  # 4 steps of 8 in an epoch of 35
    whole = seen(35, config, 0, 13)
    later = seen(35, config, start, 13)
    assert len(whole) == 13
    np.testing.assert_array_equal(later, whole[start:])


def test_no_steps_give_no_batches():
    assert seen(35, Config(batch_size=4), 5, 5) == []


def test_pixels_arrive_unchanged_from_a_mapped_file(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 1), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    config = Config(batch_size=10, seed=4)
    (batch,) = batches(Batch.unlabelled(mapped), config, 2, 3)
    assert batch.images.dtype == "uint8" and batch.images.shape == (1, 10, 32, 32, 1)
    assert np.isnan(batch.labels).all() and batch.labels.shape == (1, 10)
    np.testing.assert_array_equal(batch.images[0], images[epoch_order(4, 0, 50)[20:30]])


def test_a_device_that_holds_the_images_gives_the_same_batches():
    config, data = Config(batch_size=4, d_steps=2, seed=2), numbered(35)  # 4 steps of 8 in an epoch
    held = list(gather_on("CPU:0", data, choose_images(35, config, 3, 9)))
    np.testing.assert_array_equal([numbers(batch) for batch in held], seen(35, config, 3, 9))
    assert held[0].images.dtype == np.uint8


@pytest.mark.parametrize("count", [1, 3])
def test_steps_of_one_call_are_stacked_in_order(count):
    config = Config(batch_size=4, d_steps=2, seed=2)
    stacked = stack_steps(batches(numbered(35), config, 0, 3), count)
    np.testing.assert_array_equal(numbers(stacked), seen(35, config, 0, 3)[:count])
