"""A pack is made once, and again when its sources, its settings or its own files have changed."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from dcgan_tf.datasets.packing import open_packed
from tests.datasets.test_packing import cached, colour, config_of, paint_of, write_flat


def test_the_pack_is_used_again_as_long_as_nothing_changed(tmp_path):
    for number in range(5):
        write_flat(tmp_path / "images", number)
    (tmp_path / "images/bad.jpg").write_bytes(b"bad")
    first = open_packed(config_of(tmp_path))
    files = cached(tmp_path)
    again = open_packed(config_of(tmp_path, seed=9, batch_size=2, epochs=1))  # settings that images do not depend on
    assert cached(tmp_path) == files and len(files) == 2
    assert again.manifest == first.manifest
    np.testing.assert_array_equal(again.images, first.images)


def test_parts_left_by_a_killed_packing_are_removed_at_the_next_start(tmp_path):
    # Killed between the manifest and the removal of the parts: the pack is complete and is not made again.
    write_flat(tmp_path / "images", 1)
    array = open_packed(config_of(tmp_path)).manifest["array"]
    files = cached(tmp_path)
    parts = tmp_path / "cache" / f".{array.removesuffix('.npy')}.parts"
    parts.mkdir()
    (parts / "000000.npy").write_bytes(b"pixels")
    open_packed(config_of(tmp_path))
    assert cached(tmp_path) == files


def come(images):
    write_flat(images, 2, "0000a.png")
    return [colour(0), colour(2), colour(1)]


def go(images):
    (images / "0000.png").unlink()
    return [colour(1)]


def rewritten(images):
    before = (images / "0001.png").stat()
    write_flat(images, 3, "0001.png")
    assert (images / "0001.png").stat().st_size == before.st_size
    os.utime(images / "0001.png", ns=(0, before.st_mtime_ns + 1))
    return [colour(0), colour(3)]


def renamed(images):
    (images / "0000.png").rename(images / "0002.png")
    return [colour(1), colour(0)]


def mended(images):
    write_flat(images, 4, "9.png")
    return [colour(0), colour(1), colour(4)]


@pytest.mark.parametrize("change", [come, go, rewritten, renamed, mended])
def test_the_pack_is_made_again_when_a_file_changes(tmp_path, change):
    images = tmp_path / "images"
    for number in range(2):
        write_flat(images, number)
    (images / "9.png").write_bytes(b"damaged")
    old = open_packed(config_of(tmp_path))
    assert paint_of(old) == [colour(0), colour(1)]
    expected = change(images)
    assert paint_of(open_packed(config_of(tmp_path))) == expected
    assert paint_of(old) == [colour(0), colour(1)]  # a process that trains on the old pack is not disturbed
    assert len(cached(tmp_path)) == 2  # and it leaves nothing behind


def test_a_changed_label_counts_as_a_change(tmp_path):
    write_flat(tmp_path / "images", 0, side=120)
    config = config_of(tmp_path, dataset="sully_chen")
    for angle in (1.0, 2.0):
        (tmp_path / "images/data.txt").write_text(f"0000.png {angle}\n")
        assert open_packed(config).manifest["images"][0]["angle"] == angle


def test_each_setting_has_its_own_pack_and_none_disturbs_another(tmp_path):
    (tmp_path / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (100, 150, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "images/0.png")
    settings = [{}, {"crop": "64"}, {"crop": "none"}, {"channels": 1}, {"image_size": 64}, {"held_out": 0.1}]
    sums = {open_packed(config_of(tmp_path, **given)).manifest["sha256"] for given in settings}
    files = cached(tmp_path)
    assert len(sums) == 5 and len(files) == 12  # of one image none is held out, so the last hash is the first one
    for given in settings:
        open_packed(config_of(tmp_path, **given))
    assert cached(tmp_path) == files


def test_two_folders_may_share_a_cache(tmp_path):
    for number, name in enumerate("ab"):
        write_flat(tmp_path / name, number)
    for _ in range(2):
        for number, name in enumerate("ab"):
            assert paint_of(open_packed(config_of(tmp_path, data_dir=str(tmp_path / name)))) == [colour(number)]
    assert len(cached(tmp_path)) == 4


def test_a_cache_among_the_images_is_not_part_of_the_set(tmp_path):
    write_flat(tmp_path / "images", 1)
    config = config_of(tmp_path, cache_dir=str(tmp_path / "images/packed"))
    open_packed(config)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "images/packed").iterdir()}
    packed = open_packed(config)
    assert paint_of(packed) == [colour(1)] and not packed.manifest["left_out"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "images/packed").iterdir()} == files


# Damage to the pack itself


def shorten(array, manifest):
    os.truncate(array, array.stat().st_size - 1)


def empty_array(array, manifest):
    array.write_bytes(b"")


def remove_array(array, manifest):
    array.unlink()


def no_array(array, manifest):
    array.write_bytes(b"\x93NUMPY\x01\x00v\0{'descr': (((" + bytes(200))


def pickled_array(array, manifest):
    np.save(array, np.array([None]), allow_pickle=True)


def fewer_images(array, manifest):
    np.save(array, np.load(array)[:2])


def empty_manifest(array, manifest):
    manifest.write_bytes(b"")


def half_a_manifest(array, manifest):
    os.truncate(manifest, manifest.stat().st_size // 2)


def bytes_as_manifest(array, manifest):
    manifest.write_bytes(b"\xff\xfe\0garbage")


def list_as_manifest(array, manifest):
    manifest.write_text("[1, 2]")


def manifest_without(*keys):
    def damage(array, manifest):
        values = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({key: value for key, value in values.items() if key not in keys}))

    damage.__name__ = "manifest_without_" + "_".join(keys)
    return damage


def manifest_with_training(count):
    def damage(array, manifest):
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"training": count}))

    damage.__name__ = f"manifest_with_training_{count!r}"
    return damage


@pytest.mark.parametrize(
    "damage",
    [
        shorten,
        empty_array,
        remove_array,
        no_array,
        pickled_array,
        fewer_images,
        empty_manifest,
        half_a_manifest,
        bytes_as_manifest,
        list_as_manifest,
        manifest_without("fingerprint"),
        manifest_without("array"),
        manifest_without("images"),
        manifest_without("training"),
        *(manifest_with_training(count) for count in (0, -1, 4, 2.0, True, None, "3")),
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_pack_is_made_again(tmp_path, damage):
    for number in range(3):
        write_flat(tmp_path / "images", number)
    open_packed(config_of(tmp_path))
    (array,), (manifest,) = ((tmp_path / "cache").glob(ending) for ending in ("*.npy", "*.json"))
    whole = array.read_bytes(), manifest.read_bytes()
    damage(array, manifest)
    assert paint_of(open_packed(config_of(tmp_path))) == [colour(number) for number in range(3)]
    assert (array.read_bytes(), manifest.read_bytes()) == whole
    assert len(cached(tmp_path)) == 2
