"""Data sets stored in several files: read like one array, packed like one file."""

import dataclasses
import os
import resource
import shutil

import numpy as np
import pytest
from PIL import Image

from dcgan_tf.batch import Batch
from dcgan_tf.config import preset
from dcgan_tf.datasets import decoding, packing
from dcgan_tf.datasets.batching import batches
from dcgan_tf.datasets.shards import Shards
from dcgan_tf.errors import UserError

COUNTS = [3, 0, 4, 1]


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 256, (8, 4, 4, 3), np.uint8)


@pytest.fixture
def shards(tmp_path, array):
    files = [tmp_path / f"{n}.npy" for n in range(len(COUNTS))]
    for file, part in zip(files, np.split(array, np.cumsum(COUNTS)[:-1])):
        np.save(file, part)
    return Shards(files, COUNTS, (4, 4, 3))


@pytest.mark.parametrize("key", [0, 7, -1, [5, 0, 5, 7], [[1, 2], [-8, 3]], np.zeros((0,), int)])
def test_indexing_gives_the_rows_of_one_array(shards, array, key):
    np.testing.assert_array_equal(shards[key], array[np.asarray(key)])


@pytest.mark.parametrize("part", [slice(2, 6), slice(None, None, 3), slice(5, 5), slice(-3, None)])
def test_a_slice_and_its_slices_are_views(shards, array, part):
    view = shards[part]
    assert isinstance(view, Shards) and view.shape == array[part].shape and view.nbytes == array[part].nbytes
    np.testing.assert_array_equal(np.asarray(view), array[part])
    np.testing.assert_array_equal(np.asarray(view[1:]), array[part][1:])
    if len(view):
        np.testing.assert_array_equal(view[-1], array[part][-1])


@pytest.mark.parametrize("key", [8, -9, [0, 8], [0.5]])
def test_other_indices_are_index_errors(shards, key):
    with pytest.raises(IndexError):
        shards[key]


def test_only_the_files_that_are_needed_are_opened(shards, tmp_path, array):
    (tmp_path / "2.npy").write_bytes(b"damaged")
    (tmp_path / "3.npy").unlink()
    np.testing.assert_array_equal(shards[[0, 2]], array[[0, 2]])
    for number in (4, 7):
        with pytest.raises(UserError, match="missing or damaged"):
            shards[number]


def test_there_may_be_more_files_than_a_process_may_open(tmp_path):
    files = [tmp_path / f"{n}.npy" for n in range(100)]
    for n, file in enumerate(files):
        np.save(file, np.full((2, 4, 4, 3), n, np.uint8))
    shards = Shards(files, [2] * 100, (4, 4, 3))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 50, limits[1]))
    try:
        np.testing.assert_array_equal(np.asarray(shards)[:, 0, 0, 0], np.arange(200) // 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """The same folder packed into one file and, as if it were very large, into parts of 8."""
    images = tmp_path / "images"
    images.mkdir()
    for n in range(50):
        Image.new("RGB", (40, 40), (n, n, n)).save(images / f"{n}.png")
    (images / "7.png").write_bytes(b"no image")
    config = preset("article", dataset="folder", data_dir=str(images), image_size=32, batch_size=8)
    config = {name: dataclasses.replace(config, cache_dir=str(tmp_path / name)) for name in ("one", "parts")}
    one = packing.open_packed(config["one"])
    monkeypatch.setattr(decoding, "PART", 8)
    monkeypatch.setattr(packing, "ONE_FILE", 10_000)
    return config, one, packing.open_packed(config["parts"])


def test_a_set_in_parts_equals_the_set_in_one_file(sets):
    config, one, parts = sets
    assert isinstance(parts.images, Shards) and not isinstance(one.images, Shards)
    assert sum(parts.manifest["parts"]) == len(parts.images) == len(one.images) == 49
    for name in ("sha256", "training", "left_out", "images"):
        assert parts.manifest[name] == one.manifest[name]
    np.testing.assert_array_equal(np.asarray(parts.training), one.training)
    np.testing.assert_array_equal(np.asarray(parts.held_out), one.held_out)
    of_parts, of_one = (
        batches(Batch(pack.training, pack.labels), config[name], 0, 7)
        for name, pack in (("parts", parts), ("one", one))
    )
    for a, b in zip(of_parts, of_one, strict=True):
        np.testing.assert_array_equal(a.images, b.images)


def test_only_a_damaged_part_is_made_again(sets):
    config, one, parts = sets
    folder = parts.images.filename
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npy")}
    assert packing.open_packed(config["parts"]).manifest == parts.manifest
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npy")} == before
    (folder / "000002.npy").write_bytes((folder / "000002.npy").read_bytes()[:-1])
    assert packing.find_packed(config["parts"]) is None
    again = packing.open_packed(config["parts"])
    np.testing.assert_array_equal(np.asarray(again.images), one.images)
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npy")}
    assert {name for name in after if after[name] != before[name]} == {"000002.npy"}


def test_parts_of_changed_sources_are_removed(sets, tmp_path):
    config, _, parts = sets
    shutil.copy(tmp_path / "images" / "8.png", tmp_path / "images" / "7.png")
    again = packing.open_packed(config["parts"])
    assert len(again.images) == 50 and again.images.filename != parts.images.filename
    left = sorted(path.name for path in again.images.filename.parent.iterdir())
    assert left == sorted([again.images.filename.name, next(n for n in left if n.endswith(".json"))])


def test_a_set_without_usable_images_leaves_no_parts(sets, tmp_path):
    config, _, _ = sets
    for image in (tmp_path / "images").iterdir():
        image.write_bytes(b"no image")
    cache = tmp_path / "empty"
    with pytest.raises(UserError, match="no image in"):
        packing.open_packed(dataclasses.replace(config["parts"], cache_dir=str(cache)))
    assert not list(cache.iterdir())


def test_parts_removed_by_another_process_are_a_user_error(sets, tmp_path, monkeypatch):
    config, _, _ = sets
    monkeypatch.setattr(packing, "remove_leftovers", lambda folder: shutil.rmtree(folder, ignore_errors=True))
    with pytest.raises(UserError, match="removed by another process, which packs this set with changed images"):
        packing.open_packed(dataclasses.replace(config["parts"], cache_dir=str(tmp_path / "raced")))
