"""The split: how many images are held out, which ones, and that none like them is trained on."""

from itertools import groupby

import numpy as np
import pytest

from dcgan_tf.config import preset
from dcgan_tf.datasets import lfw, sully_chen
from dcgan_tf.datasets.batching import steps_per_epoch
from dcgan_tf.datasets.listing import Listed
from dcgan_tf.datasets.splitting import split
from tests.datasets.test_lfw import shared as shared_faces
from tests.datasets.test_sully_chen import shared as shared_drive

WAYS = ("time block", "person", "random choice")


def drive(count):
    return [Listed(f"{n}.jpg", "") for n in range(count)]


def people(*sizes):
    """Photographs of persons; person n has sizes[n] of them."""
    return [Listed(f"{p}/{n}.jpg", "", person=str(p)) for p, size in enumerate(sizes) for n in range(size)]


def numbers(images):
    return [int(image.name.removesuffix(".jpg")) for image in images]


def runs(numbers):
    """The lengths of runs of consecutive numbers."""
    return [len(list(run)) for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.25, 1 / 3, 0.5])
@pytest.mark.parametrize("count", [1, 2, 3, 9, 64, 399, 4400])
def test_every_image_is_in_one_part_in_order_and_the_requested_number_is_held_out(by, share, count):
    images = people(*[1] * count)
    training, held_out = split(images, share, by)
    assert {image.name for image in training + held_out} == {image.name for image in images}
    assert training and len(training) + len(held_out) == count
    assert abs(len(held_out) - share * count) <= 0.5
    places = {image.name: place for place, image in enumerate(images)}
    for part in (training, held_out):
        assert [places[image.name] for image in part] == sorted(places[image.name] for image in part)
    assert split(images, share, by) == (training, held_out)


def test_the_ends_of_ten_parts_of_a_drive_are_held_out():
    _, held_out = split(drive(4400), 0.1, "time block")
    assert numbers(held_out) == [n for n in range(4400) if n % 440 >= 396]


@pytest.mark.parametrize(
    "count, share, lengths",
    [
        (400, 0.1, [20, 20]),  # no time block is shorter than 20 frames
        (399, 0.1, [20, 20]),
        (380, 0.1, [38]),
        (30, 0.1, [3]),
        (4403, 0.5, [220] * 10),
        (63_825, 0.1, [638, 638, 638, 638, 639] * 2),
    ],
)
def test_a_short_drive_has_fewer_time_blocks_of_equal_length(count, share, lengths):
    _, held_out = split(drive(count), share, "time block")
    found = runs(numbers(held_out))
    assert len(found) == len(lengths) and sum(found) == round(share * count)
    assert max(found) - min(found) <= 1
    assert numbers(held_out)[-1] == count - 1


def test_an_epoch_on_nine_tenths_of_the_data_set_of_the_article_has_897_steps():
    training, held_out = split(drive(63_825), 0.1, "time block")
    assert len(held_out) in (6382, 6383)  # a tenth is 6,382.5
    assert steps_per_epoch(len(training), preset("article")) == 897  # 57,443 / 64 = 897.5


def test_persons_are_not_split_and_their_number_of_images_is_close_to_the_share():
    rng = np.random.default_rng(0)
    for _ in range(20):
        sizes = rng.geometric(0.4, 300)
        images = people(*sizes, 200)  # one person has many photographs, as in LFW
        training, held_out = split(images, 0.1, "person")
        assert {i.person for i in training}.isdisjoint(i.person for i in held_out)
        # Persons with one photograph fill the rest. A person who exceeds the target is taken only if that comes closer.
        assert -0.5 <= len(held_out) - 0.1 * len(images) < max(sizes) / 2


@pytest.mark.parametrize(
    "sizes, share, held_out",
    [((10,), 0.5, 0), ((10, 10), 0.5, 10), ((100, 100), 0.1, 0), ((3, 3, 3, 3), 0.25, 3), ((4, 4, 4), 0.5, 4)],
)
def test_few_persons_are_split_as_close_to_the_share_as_possible(sizes, share, held_out):
    assert len(split(people(*sizes), share, "person")[1]) == held_out


def test_a_random_choice_is_spread_evenly():
    _, held_out = split(drive(10_000), 0.1, "random choice")
    counts, _ = np.histogram(numbers(held_out), bins=10, range=(0, 10_000))
    # 1,000 of 10,000 without repetition: 100 a bin, standard deviation sqrt(100 * 0.9 * 0.9) = 9.
    assert counts.sum() == 1000 and abs(counts - 100).max() < 36


def test_a_new_image_hardly_changes_what_a_random_choice_holds_out():
    before = {image.name for image in split(drive(1000), 0.1, "random choice")[1]}
    after = {image.name for image in split(drive(1001), 0.1, "random choice")[1]}
    assert len(before - after) <= 1


def test_names_that_are_not_valid_text_are_split():
    images = [Listed(f"{n}\udcff.jpg", "") for n in range(10)]
    assert len(split(images, 0.5, "random choice")[1]) == 5


# The real data sets


def test_ten_time_blocks_of_the_driving_simulator_are_held_out():
    listing = sully_chen.find(shared_drive("driving_sim"))
    training, held_out = split(listing.images, 0.1, listing.split_by)
    assert (len(training), len(held_out)) == (3960, 440)
    places = {image.name: place for place, image in enumerate(listing.images)}
    assert runs([places[image.name] for image in held_out]) == [44] * 10


def test_no_person_of_lfw_is_in_both_parts():
    images = lfw.find(shared_faces()).images
    training, held_out = split(images, 0.1, "person")
    sides = [{image.name.split("/")[0] for image in part} for part in (training, held_out)]
    assert sides[0].isdisjoint(sides[1]) and len(sides[0] | sides[1]) == 2469
    assert len(held_out) == 605  # of 6,048
