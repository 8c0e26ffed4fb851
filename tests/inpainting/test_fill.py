"""`inpaint` from a run to files, with a network that was hardly trained."""

import csv

import numpy as np
import pytest
from PIL import Image

from dcgan_tf.errors import UserError
from dcgan_tf.inpainting import masks
from dcgan_tf.inpainting.fill import inpaint
from dcgan_tf.inpainting.options import InpaintOptions
from tests.e2e.commands import make_images
from tests.images import open_image

QUICK = {"iterations": 3, "restarts": 2}


def rows(folder):
    with open(folder / "inpainting.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_images_of_the_runs_set_with_several_masks(trained, tmp_path, capsys):
    options = InpaintOptions(
        run=str(trained), mask="left,random:0.3", num_images=5, **QUICK, output=str(tmp_path / "out")
    )
    table, written = inpaint(options)
    found = rows(tmp_path / "out")
    assert [(row["mask"], row["method"]) for row in found] == [("left", "dcgan")] * 5 + [("random:0.3", "dcgan")] * 5
    assert len({row["image"] for row in found}) == 5
    assert all(path.exists() for path in written)
    assert "| left | dcgan |" in table and "| random:0.3 | dcgan |" in table
    assert "images that it was trained on are completed" in capsys.readouterr().out  # this run held no images out
    assert len(list((tmp_path / "out/left").iterdir())) == 5
    sheet = open_image(tmp_path / "out/left.png")
    assert sheet.size == (4 * (128 + 4) - 4, 22 + 5 * (128 + 4) - 4)
    assert open_image(tmp_path / "out/random-0.3.gif").n_frames >= 2


def test_the_scores_in_the_file_are_of_the_pictures_written(trained, tmp_path):
    inpaint(InpaintOptions(run=str(trained), num_images=2, blend="paste", **QUICK, output=str(tmp_path / "out")))
    hole = ~masks.make("centre", 32)
    sheet = np.asarray(Image.open(tmp_path / "out/centre.png"))[22:]
    for i, row in enumerate(rows(tmp_path / "out")):
        original = sheet[i * 132 : i * 132 + 128 : 4, 0:128:4].astype(float)
        (file,) = (tmp_path / "out/centre").glob(f"*-{i:03d}.png")
        completed = np.asarray(Image.open(file)).astype(float)
        np.testing.assert_array_equal(completed[~hole], original[~hole])
        mse = np.mean((completed - original)[hole] ** 2)
        assert float(row["psnr_hole"]) == pytest.approx(10 * np.log10(255**2 / mse), abs=1e-3)


def test_a_picture_of_another_size_keeps_all_pixels_outside_the_hole(trained, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    make_images(tmp_path / "more", 1)
    big = open_image(tmp_path / "more/000.jpg").resize((120, 90))
    big.save(tmp_path / "mine/big.png")
    big.convert("L").save(tmp_path / "mine/grey.png")
    (tmp_path / "mine/notes.txt").write_text("not a picture")
    drawn = Image.new("L", (60, 45))  # half the size: it is scaled
    drawn.paste(255, (25, 15, 35, 30))
    drawn.save(tmp_path / "hole.png")
    options = InpaintOptions(
        run=str(trained),
        images=str(tmp_path / "mine"),
        mask_image=str(tmp_path / "hole.png"),
        **QUICK,
        output=str(tmp_path / "out"),
    )
    inpaint(options)
    assert f"{tmp_path}/mine/notes.txt is left out" in capsys.readouterr().out
    for name, file in (("big.png", "big-000.png"), ("grey.png", "grey-001.png")):
        before = np.asarray(Image.open(tmp_path / "mine" / name).convert("RGB"))
        after = np.asarray(Image.open(tmp_path / "out/image" / file))
        hole = np.zeros((90, 120), bool)
        hole[30:60, 50:70] = True
        np.testing.assert_array_equal(after[~hole], before[~hole])
        assert (after[hole] != before[hole]).any()


def test_a_hole_outside_the_part_that_is_seen_is_reported_as_not_filled(trained, tmp_path, capsys):
    image = Image.new("RGBA", (80, 40), (10, 200, 30, 255))  # the middle 40 x 40 are seen
    image.paste((0, 0, 0, 0), (5, 10, 45, 20))
    image.save(tmp_path / "wide.png")
    options = InpaintOptions(
        run=str(trained), images=str(tmp_path / "wide.png"), mask="alpha", **QUICK, output=str(tmp_path / "out")
    )
    inpaint(options)
    assert "wide.png: the hole is not filled outside the part that the networks see" in capsys.readouterr().out
    filled = np.asarray(Image.open(tmp_path / "out/alpha/wide-000.png"))
    background = filled[10, 5]  # the background of transparent pixels
    assert (filled[10:20, 5:20] == background).all()
    assert (filled[12:18, 22:40] != background).any()


def test_transparent_pixels_are_filled_and_not_scored(trained, tmp_path):
    image = Image.new("RGBA", (40, 40), (10, 200, 30, 255))
    image.paste((0, 0, 0, 0), (10, 10, 20, 20))
    image.save(tmp_path / "a.png")
    options = InpaintOptions(
        run=str(trained), images=str(tmp_path / "a.png"), mask="alpha", **QUICK, output=str(tmp_path / "out")
    )
    inpaint(options)
    (row,) = rows(tmp_path / "out")
    assert row["psnr_hole"] == "nan" and float(row["loss"]) > 0
    filled = np.asarray(Image.open(tmp_path / "out/alpha/a-000.png"))
    assert (filled[:9] == (10, 200, 30)).all() and filled.shape == (40, 40, 3)


def test_the_benchmark_has_all_masks_and_baselines(trained, tmp_path):
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    inpaint(InpaintOptions(run=str(trained), benchmark=True, num_images=2, **QUICK, output=str(tmp_path / "out")))
    found = rows(tmp_path / "out")
    methods = ("dcgan", "mean_fill", "membrane", "nearest_image", "nearest_poisson", "biharmonic")
    expected = [(mask, method) for mask in masks.MASKS for method in methods for _ in range(2)]
    assert [(row["mask"], row["method"]) for row in found] == expected
    # This run held no images out: the nearest training image is the image itself.
    assert all(row["psnr_hole"] == "inf" for row in found if row["method"].startswith("nearest"))


@pytest.mark.parametrize(
    "given, said",
    [
        ({"num_images": 0}, "--num_images=0: it must be at least 1"),
        ({"iterations": 0}, "--iterations=0"),
        ({"restarts": -1}, "--restarts=-1"),
        ({"seed": -1}, "--seed=-1"),
        ({"mask": "centre,hole"}, "--mask=hole: unknown"),
        ({"mask": "alpha"}, "--mask=alpha: it needs pictures of your own"),
    ],
)
def test_wrong_options_are_refused(given, said):
    with pytest.raises(UserError, match=said):
        InpaintOptions(**given)


def test_pictures_and_masks_that_cannot_be_used_are_refused(trained, tmp_path):
    make_images(tmp_path / "images", 1)
    image = str(tmp_path / "images/000.jpg")
    Image.new("L", (36, 36)).save(tmp_path / "none.png")
    Image.new("L", (36, 36), 255).save(tmp_path / "all.png")
    (tmp_path / "file").write_text("")
    for given, output, said in (
        ({"images": str(tmp_path / "nix.png")}, "", "no picture there can be used"),
        ({"images": image, "mask_image": str(tmp_path / "file")}, "", "--mask_image=.*file: not an image"),
        (
            {"images": image, "mask_image": str(tmp_path / "none.png")},
            "",
            "there is no hole in the part that the networks see",
        ),
        ({"images": image, "mask_image": str(tmp_path / "all.png")}, "", "there is nothing but hole"),
        ({"images": image}, str(tmp_path / "file"), "--output=.*a file stands where a folder is needed"),
    ):
        with pytest.raises(UserError, match=said):
            inpaint(InpaintOptions(run=str(trained), **given, **QUICK, output=output))
