"""The region of a picture that the networks see, and pasting their output back into it."""

import numpy as np
import pytest
from PIL import Image

from dcgan_tf.datasets.images import BadImage, load
from dcgan_tf.datasets.regions import Region, open_region
from tests.images import open_image

RNG = np.random.default_rng(0)


def picture(path, width=100, height=80, mode="RGB"):
    pixels = RNG.integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR).convert(mode).save(path)
    return str(path)


@pytest.mark.parametrize("crop", ["60", "square", "none"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_network_input_is_the_image_of_the_training(tmp_path, crop, channels):
    path = picture(tmp_path / "a.png")
    region = open_region(path, "a.png", 32, crop, channels)
    tolerance = 0 if channels == 3 else 1  # converted to grey before or after resizing, the rounding differs
    np.testing.assert_allclose(
        region.network_input().astype(int), load(path, 32, crop, channels).astype(int), atol=tolerance
    )
    assert region.picture.shape == (80, 100, channels)


def test_of_a_picture_smaller_than_the_crop_the_central_square_is_used(tmp_path):
    region = open_region(picture(tmp_path / "a.png", 50, 40), "a.png", 32, "108", 3)
    assert region.box == (5, 0, 45, 40)


def test_a_hole_in_the_network_input_and_in_the_picture():
    """The region of 64x64 pixels becomes 32x32, so one pixel of the input is two by two of the picture."""
    region = Region("a", np.zeros((80, 100, 3), np.uint8), np.zeros((80, 100), bool), (10, 8, 74, 72), 32)
    known = np.ones((32, 32), bool)
    known[3:9, 20:30] = False
    hole = region.hole_in_picture(known)
    expected = np.zeros((80, 100), bool)
    expected[8 + 6 : 8 + 18, 10 + 40 : 10 + 60] = True
    np.testing.assert_array_equal(hole, expected)
    np.testing.assert_array_equal(region.known_pixels(hole), known)
    hole[8 + 3, 10 + 5] = True  # one pixel of four makes the pixel of the input unknown
    known[1, 2] = False
    np.testing.assert_array_equal(region.known_pixels(hole), known)


def test_only_the_part_of_the_hole_inside_the_region_is_filled():
    original = RNG.integers(0, 256, (80, 100, 3), np.uint8)
    region = Region("a", original.copy(), np.zeros((80, 100), bool), (10, 8, 42, 40), 32)
    completed = RNG.integers(0, 256, (32, 32, 3), np.uint8)
    hole = np.zeros((80, 100), bool)
    hole[20:50, 30:60] = True  # it reaches beyond the region
    filled = region.fill(completed, hole)
    inside = np.zeros_like(hole)
    inside[8:40, 10:42] = hole[8:40, 10:42]
    np.testing.assert_array_equal(filled[~inside], original[~inside])
    np.testing.assert_array_equal(filled[inside], completed[inside[8:40, 10:42]])
    np.testing.assert_array_equal(region.picture, original)


def test_transparency_is_stored_separately(tmp_path):
    image = open_image(picture(tmp_path / "a.png")).convert("RGBA")
    alpha = np.full((80, 100), 255, np.uint8)
    alpha[10:20, 30:50] = 0
    image.putalpha(Image.fromarray(alpha))
    image.save(tmp_path / "b.png")
    region = open_region(str(tmp_path / "b.png"), "b.png", 32, "none", 3)
    np.testing.assert_array_equal(region.transparent, alpha == 0)
    assert not open_region(str(tmp_path / "a.png"), "a.png", 32, "none", 3).transparent.any()


def test_other_files_are_bad_images(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    for name in ("a.png", "missing.png", "."):
        with pytest.raises(BadImage):
            open_region(str(tmp_path / name), name, 32, "none", 3)
