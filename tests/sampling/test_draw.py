"""Images generated with a trained run."""

import shutil

import numpy as np
import pytest
from PIL import Image

import dcgan_tf
from dcgan_tf.errors import UserError
from dcgan_tf.sampling.draw import draw
from dcgan_tf.sampling.options import SampleOptions
from tests.images import open_image


@pytest.fixture(scope="module")
def gan(trained):
    return dcgan_tf.load(trained)


@pytest.fixture
def drawn(trained, gan, tmp_path, monkeypatch):
    """`draw` with the networks of the run, which are loaded and traced once for all tests here."""
    from dcgan_tf.training import loading

    monkeypatch.setattr(loading, "load", lambda run, checkpoint: gan)

    def drawn(**request):
        return draw(SampleOptions(run=str(trained), output=str(tmp_path / "out"), **request))

    return drawn


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def cell(sheet, i, columns):
    row, column = divmod(i, columns)
    return sheet[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]


@pytest.mark.parametrize("n, rows, columns", [(1, 1, 1), (5, 2, 3), (7, 3, 3), (12, 3, 4), (16, 4, 4)])
def test_any_number_of_images_makes_a_sheet_about_square(drawn, gan, n, rows, columns):
    (path,) = drawn(num_images=n, seed=4)
    sheet = pixels(path)
    assert path.name == "seed_4.png" and sheet.shape == (32 * rows, 32 * columns, 3)
    for i, image in enumerate(gan.generate(n, seed=4)):
        np.testing.assert_array_equal(cell(sheet, i, columns), image)
    for i in range(n, rows * columns):
        assert (cell(sheet, i, columns) == 255).all()


def test_a_grid_has_the_requested_shape(drawn, gan):
    (path,) = drawn(grid="2x5", num_images=64)
    assert pixels(path).shape == (64, 160, 3)
    np.testing.assert_array_equal(cell(pixels(path), 9, 5), gan.generate(10)[9])


def test_singly_writes_a_file_for_each_image(drawn, gan):
    paths = drawn(num_images=67, singly=True, seed=1)  # more than are decoded at a time
    assert [p.name for p in paths] == [f"seed_1_{i:04d}.png" for i in range(67)]
    for path, image in zip(paths, gan.generate(67, seed=1)):
        np.testing.assert_array_equal(pixels(path), image)


def test_singly_with_a_gif_writes_both(drawn):
    paths = drawn(num_images=3, singly=True, gif=True)
    assert [p.suffix for p in paths] == [".png"] * 3 + [".gif"]
    assert open_image(paths[-1]).n_frames == 3


def test_interpolation_goes_from_image_to_image(drawn, gan):
    path, gif = drawn(num_images=3, interpolate=4, gif=True, seed=2)
    assert (path.name, gif.name) == ("seed_2_walk.png", "seed_2_walk.gif")
    sheet, plain = pixels(path), gan.generate(3, seed=2).astype(int)
    assert sheet.shape == (3 * 32, 4 * 32, 3)  # a row for each leg, and the last image
    for i in range(3):  # the interpolated z are rounded, which may change a value that is near a half
        assert np.abs(cell(sheet, 4 * i, 4) - plain[i]).max() <= 1
    with Image.open(gif) as animation:
        shown = 0
        for i in range(animation.n_frames):  # equal neighbours are merged into one frame of their total duration
            animation.seek(i)
            shown += animation.info["duration"]
    assert shown == 9 * 80


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(drawn, tmp_path):
    first = [path.read_bytes() for path in drawn(num_images=4, seed=6, gif=True)]
    shutil.rmtree(tmp_path / "out")
    assert [path.read_bytes() for path in drawn(num_images=4, seed=6, gif=True)] == first
    assert drawn(num_images=4, seed=7)[0].read_bytes() != first[0]


def test_the_averaged_generator_is_used_unless_raw_is_given(drawn, gan):
    averaged, raw = pixels(drawn(num_images=1)[0]), pixels(drawn(num_images=1, raw=True)[0])
    z = gan.sample_latents(1, 0)
    for network, drawn_pixels in ((gan.ema_generator, averaged), (gan.generator, raw)):
        expected = (np.asarray(network(z, training=False))[0] + 1) * 127.5
        assert np.abs(drawn_pixels - expected).max() <= 0.51
    assert (averaged != raw).any()


def test_without_a_folder_images_are_written_to_the_run(run_copy):
    paths = draw(SampleOptions(run=str(run_copy), checkpoint="8", num_images=2))
    assert paths == [run_copy / "generated/seed_0.png"]
    np.testing.assert_array_equal(pixels(paths[0])[:, :32], dcgan_tf.load(run_copy, "8").generate(1)[0])


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"num_images": 0}, "--num_images=0: it must be at least 1 and at most 1,000,000."),
        ({"num_images": 1_000_001}, "--num_images=1000001: "),
        ({"grid": "0x3"}, "--grid=0x3: rows x columns"),
        ({"grid": "3"}, "--grid=3: rows x columns"),
        ({"interpolate": 1001}, "--interpolate=1001: it must be at least 0 and at most 1,000."),
        ({"interpolate": 3, "num_images": 1}, "--interpolate: at least 2"),
        ({"seed": -1}, "--seed=-1: it must be at least 0."),
    ],
)
def test_wrong_options_are_refused(wrong, words):
    with pytest.raises(UserError) as raised:
        SampleOptions(**wrong)
    assert str(raised.value).startswith(words)


def test_a_missing_run_or_checkpoint_and_a_file_as_folder_are_refused(trained, tmp_path):
    with pytest.raises(UserError, match="nowhere: not a run"):
        draw(SampleOptions(run=str(tmp_path / "nowhere")))
    with pytest.raises(UserError, match="--checkpoint=5: .* has last and the steps 4, 6, 8, 12."):
        draw(SampleOptions(run=str(trained), checkpoint="5"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        draw(SampleOptions(run=str(trained), num_images=1, output=str(tmp_path / "file")))


@pytest.mark.parametrize("request_", [{"num_images": 10_001}, {"num_images": 101, "interpolate": 100}])
def test_a_grid_that_is_too_large_is_refused(request_):
    with pytest.raises(UserError, match="a grid has room for 10,000 images"):
        SampleOptions(**request_)
    SampleOptions(**request_, singly=True)
