"""Damaged, hostile and unusual images: the short form of `experiments.faults.damaged_input`, by the real command."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from experiments.faults import damaged_images, damaged_input


@pytest.fixture(scope="module")
def found():
    return damaged_input.pack_damaged(240, seed=1)


def test_nothing_crashes_and_every_file_is_counted(found):
    assert found["code"] == 0, found["error"]
    assert sum(row["tried"] for row in found["kinds"].values()) >= 240 + 6 + 4
    assert [kind for kind, row in found["kinds"].items() if row["crashes"]] == []


def test_memory_is_bounded(found):
    """One of the huge images alone would take 12 GB."""
    assert found["peak_mb"] < 600


@pytest.mark.parametrize("kind", [kind for kind, whole in damaged_images.KINDS.items() if whole])
def test_unusual_images_are_read(found, kind):
    assert found["kinds"][kind]["left out"] == 0


@pytest.mark.parametrize("kind", ["truncated", "wrong header", "huge dimensions", "zero size", "random bytes"])
def test_damaged_ones_are_left_out(found, kind):
    assert found["kinds"][kind]["read"] == 0


def test_pipes_devices_and_loops_are_left_out_and_strange_names_are_read(found):
    assert found["kinds"]["no file"]["reasons"] == {"not a regular file": found["kinds"]["no file"]["tried"]}
    assert found["kinds"]["strange name"]["left out"] == 0


def test_the_generator_makes_the_damage_it_names():
    rng = np.random.default_rng(0)
    for kind in damaged_images.KINDS:
        data, _ = damaged_images.draw_file(kind, rng)
        if damaged_images.KINDS[kind]:
            image = Image.open(io.BytesIO(data))
            image.load()
            if kind == "CMYK":
                assert image.mode == "CMYK"
            if kind == "animated":
                assert image.n_frames == 4
    data, _ = damaged_images.draw_file("huge dimensions", rng)
    assert int.from_bytes(data[16:20], "big") ** 2 >= 1 << 32
    same, other = (damaged_images.draw_file("flipped bytes", np.random.default_rng(n)) for n in (5, 6))
    assert damaged_images.draw_file("flipped bytes", np.random.default_rng(5)) == same != other


def test_entries_are_made_where_that_is_allowed(tmp_path):
    made = dict(damaged_images.write_entries(tmp_path))
    assert set(made) <= set(os.listdir(tmp_path)) and {"pipe.png", "loop.png", "two\nlines.png"} <= set(made)
