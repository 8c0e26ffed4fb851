"""What is held out: how many, which, and that nothing like it is trained on."""

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
    """Person n has sizes[n] photographs."""
    return [Listed(f"{p}/{n}.jpg", "", person=str(p)) for p, size in enumerate(sizes) for n in range(size)]


def numbers(images):
    return [int(image.name.removesuffix(".jpg")) for image in images]


def runs(numbers):
    """The lengths of the stretches of numbers that follow each other."""
    return [len(list(run)) for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.25, 1 / 3, 0.5])
@pytest.mark.parametrize("count", [1, 2, 3, 9, 64, 399, 4400])
def test_every_image_is_on_one_side_in_order_and_as_many_are_held_out_as_asked_for(by, share, count):
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
        (400, 0.1, [20, 20]),  # no stretch is shorter than 20 frames
        (399, 0.1, [20, 20]),
        (380, 0.1, [38]),
        (30, 0.1, [3]),
        (4403, 0.5, [220] * 10),
        (63_825, 0.1, [638, 638, 638, 638, 639] * 2),
    ],
)
def test_a_short_drive_has_fewer_stretches_and_all_are_of_one_length(count, share, lengths):
    _, held_out = split(drive(count), share, "time block")
    found = runs(numbers(held_out))
    assert len(found) == len(lengths) and sum(found) == round(share * count)
    assert max(found) - min(found) <= 1
    assert numbers(held_out)[-1] == count - 1


def test_an_epoch_on_nine_tenths_of_the_articles_set_has_897_steps():
    training, held_out = split(drive(63_825), 0.1, "time block")
    assert len(held_out) in (6382, 6383)  # a tenth is 6,382.5
    assert steps_per_epoch(len(training), preset("article")) == 897  # 57,443 / 64 = 897.5


def test_persons_are_whole_and_come_near_to_the_share():
    rng = np.random.default_rng(0)
    for _ in range(20):
        sizes = rng.geometric(0.4, 300)
        images = people(*sizes, 200)  # one of them is photographed again and again, as in LFW
        training, held_out = split(images, 0.1, "person")
        assert {i.person for i in training}.isdisjoint(i.person for i in held_out)
        # Singles fill up what is missing; who is too many brings it nearer, so is so by less than half of their own.
        assert -0.5 <= len(held_out) - 0.1 * len(images) < max(sizes) / 2


@pytest.mark.parametrize(
    "sizes, share, held_out",
    [((10,), 0.5, 0), ((10, 10), 0.5, 10), ((100, 100), 0.1, 0), ((3, 3, 3, 3), 0.25, 3), ((4, 4, 4), 0.5, 4)],
)
def test_few_persons_are_split_as_near_to_the_share_as_they_come(sizes, share, held_out):
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


def test_names_that_are_no_text_are_split_too():
    images = [Listed(f"{n}\udcff.jpg", "") for n in range(10)]
    assert len(split(images, 0.5, "random choice")[1]) == 5


# The genuine ones


def test_the_simulators_drive_is_held_out_in_ten_stretches():
    listing = sully_chen.find(shared_drive("driving_sim"))
    training, held_out = split(listing.images, 0.1, listing.split_by)
    assert (len(training), len(held_out)) == (3960, 440)
    places = {image.name: place for place, image in enumerate(listing.images)}
    assert runs([places[image.name] for image in held_out]) == [44] * 10


def test_nobody_in_lfw_is_on_both_sides():
    images = lfw.find(shared_faces()).images
    training, held_out = split(images, 0.1, "person")
    sides = [{image.name.split("/")[0] for image in part} for part in (training, held_out)]
    assert sides[0].isdisjoint(sides[1]) and len(sides[0] | sides[1]) == 2469
    assert len(held_out) == 605  # of 6,048
