"""Masks and pictures as users have them: painted in any program, labels, names with commas."""

import numpy as np
import pytest
from PIL import Image

import dcgan_tf
from dcgan_tf.errors import UserError
from dcgan_tf.inpainting.inputs import open_pictures, read_mask
from dcgan_tf.inpainting.options import InpaintOptions
from tests.e2e.commands import make_images

HOLE = np.zeros((20, 30), bool)
HOLE[4:9, 10:22] = True
CONFIG = dcgan_tf.preset("article", dataset="folder", image_size=32)


def grey(hole, outside, dtype=np.uint8):
    return Image.fromarray(np.where(HOLE, dtype(hole), dtype(outside)))


def painted(stroke, ground):
    return Image.fromarray(np.where(HOLE[..., None], np.uint8(stroke), np.uint8(ground)))


MASKS = {
    "white on black": grey(255, 0),
    "labels 1 and 0": grey(1, 0),
    "light on dark grey": grey(200, 90),
    "one bit": grey(255, 0).convert("1"),
    "16 bits": grey(4000, 0, np.uint16),
    "32 bits": grey(70000, 0, np.int32),
    "red on black": painted((255, 0, 0), (0, 0, 0)),
    "palette": painted((0, 200, 0), (0, 0, 0)).convert("P"),
    "grey and opaque": grey(255, 0).convert("LA"),
    "white, opaque": painted((255, 255, 255, 255), (0, 0, 0, 255)),
    "white strokes on transparent white": painted((255, 255, 255, 255), (255, 255, 255, 0)),
    "black strokes on transparent black": painted((0, 0, 0, 255), (0, 0, 0, 0)),
    "red strokes, half transparent": painted((255, 0, 0, 160), (0, 0, 0, 0)),
}


@pytest.mark.parametrize("name", MASKS)
def test_the_hole_is_what_was_painted(name, tmp_path):
    file = tmp_path / ("mask.tif" if name == "32 bits" else "mask.png")
    MASKS[name].save(file)
    np.testing.assert_array_equal(read_mask(str(file)), HOLE)


def test_an_empty_mask_has_no_hole(tmp_path):
    grey(0, 0).save(tmp_path / "mask.png")
    assert not read_mask(str(tmp_path / "mask.png")).any()


def test_a_comma_in_a_name_separates_no_names(tmp_path, monkeypatch):
    make_images(tmp_path / "mine", 2)
    (tmp_path / "mine/000.jpg").rename(tmp_path / "mine/Smith, John.jpg")
    monkeypatch.setenv("HOME", str(tmp_path / "mine"))
    for given, names in (
        (f"{tmp_path}/mine/Smith, John.jpg", ["Smith, John.jpg"]),
        ("~/Smith, John.jpg", ["Smith, John.jpg"]),
        ("~/001.jpg,~/001.jpg", ["001.jpg", "001.jpg"]),
    ):
        assert [region.name for region in open_pictures(given, CONFIG)] == names


def test_a_missing_file_is_called_missing(tmp_path, capsys):
    make_images(tmp_path / "mine", 1)
    open_pictures(f"{tmp_path}/mine/000.jpg,{tmp_path}/none.jpg", CONFIG)
    assert f"{tmp_path}/none.jpg is left out: no such file." in capsys.readouterr().out
    with pytest.raises(UserError, match="no picture there can be used"):
        open_pictures(f"{tmp_path}/none.jpg", CONFIG)


def test_both_spellings_of_the_centre():
    assert InpaintOptions(mask="center").mask_names == InpaintOptions(mask="centre").mask_names == ["centre"]
