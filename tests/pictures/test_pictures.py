"""Grids, animations, curves and paths through the latent space, against NumPy, Pillow and closed forms."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from dcgan_tf.gan.latents import linear, spherical, walk
from dcgan_tf.pictures.animation import quantize, save_gif
from dcgan_tf.pictures.curves import moving_average, save_loss_curves
from dcgan_tf.pictures.grids import make_grid, save_contact_sheet, save_png
from tests.images import open_image


def noise(n, height=5, width=7, channels=3):
    return np.random.default_rng(n).integers(0, 255, (n, height, width, channels), np.uint8)  # never 255, the padding


class TestGrid:
    @pytest.mark.parametrize("gap", [0, 3])
    @pytest.mark.parametrize("n, columns", [(1, 1), (1, 4), (5, 3), (6, 3), (7, 2), (4, 1), (10, 10)])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_every_image_is_in_its_cell_and_the_rest_is_white(self, n, columns, gap, channels):
        images = noise(n, channels=channels)
        sheet = make_grid(images, columns, gap)
        rows = int(np.ceil(n / columns))
        assert sheet.dtype == np.uint8
        assert sheet.shape == (rows * 5 + (rows - 1) * gap, columns * 7 + (columns - 1) * gap, channels)
        rest = sheet.copy()
        for i in range(n):
            top, left = (i // columns) * (5 + gap), (i % columns) * (7 + gap)
            np.testing.assert_array_equal(sheet[top : top + 5, left : left + 7], images[i])
            rest[top : top + 5, left : left + 7] = 255
        assert (rest == 255).all()

    def test_64_images_give_the_512_px_grid_of_the_article(self):
        images = noise(64, 64, 64)
        sheet = make_grid(images, 8)
        assert sheet.shape == (512, 512, 3)
        np.testing.assert_array_equal(sheet, images.reshape(8, 8, 64, 64, 3).swapaxes(1, 2).reshape(512, 512, 3))

    @pytest.mark.parametrize("channels, mode", [(1, "L"), (3, "RGB")])
    def test_a_png_keeps_every_pixel(self, tmp_path, channels, mode):
        image = noise(1, channels=channels)[0]
        save_png(tmp_path / "a/b.png", image)
        with Image.open(tmp_path / "a/b.png") as read:
            assert (read.format, read.mode) == ("PNG", mode)
            np.testing.assert_array_equal(np.asarray(read).reshape(image.shape), image)


class TestContactSheet:
    def test_the_upper_left_corners_are_in_rows_below_their_labels(self, tmp_path):
        colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
        paths = []
        for i, colour in enumerate(colours):
            paths.append(tmp_path / f"{i}.png")
            picture = np.zeros((300, 300, 3), np.uint8)  # black outside the corner that is shown
            picture[:40, :40] = colour
            save_png(paths[-1], picture)
        save_contact_sheet(tmp_path / "sheet.png", paths, ["epoch 0", "epoch 1", "epoch 2"], columns=2, side=40)
        sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
        areas = []
        for colour in colours:
            ys, xs = np.nonzero((sheet == colour).all(-1))
            assert len(ys) == 1600 and np.ptp(ys) == np.ptp(xs) == 39  # one whole square
            areas.append((ys.min(), xs.min()))
        (y0, x0), (y1, x1), (y2, x2) = areas
        assert y0 == y1 < y2 and x0 == x2 < x1
        # Each has its label above it: dark pixels between the top of its cell and the picture.
        for y, x in areas:
            assert (sheet[y - 24 : y, x : x + 40] < 100).any()

    def test_a_smaller_picture_is_shown_whole(self, tmp_path):
        image = noise(1)[0]
        save_png(tmp_path / "small.png", image)
        save_contact_sheet(tmp_path / "sheet.png", [tmp_path / "small.png"], ["x"], side=64)
        sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
        windows = np.lib.stride_tricks.sliding_window_view(sheet, image.shape)[:, :, 0]
        assert (windows == image).all((-1, -2, -3)).sum() == 1


class TestGif:
    @pytest.mark.parametrize("channels", [1, 3])
    def test_frames_durations_and_loop(self, tmp_path, channels):
        frames = noise(7, 20, 30, channels)
        save_gif(tmp_path / "a.gif", frames, milliseconds=80, hold=1000)
        with Image.open(tmp_path / "a.gif") as read:
            assert (read.n_frames, read.size, read.info["loop"]) == (7, (30, 20), 0)
            durations = []
            for i in range(7):
                read.seek(i)
                durations.append(read.info["duration"])
        assert durations == [80] * 6 + [1080]

    def test_plain_colours_survive_the_palette(self, tmp_path):
        colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (128, 128, 128)]
        frames = [np.full((16, 16, 3), colour, np.uint8) for colour in colours]
        save_gif(tmp_path / "a.gif", frames)
        with Image.open(tmp_path / "a.gif") as read:
            for i, colour in enumerate(colours):
                read.seek(i)
                assert np.abs(np.asarray(read.convert("RGB")).mean((0, 1)) - colour).max() < 4

    def test_a_single_frame(self, tmp_path):
        save_gif(tmp_path / "a.gif", noise(1, 20, 30))
        assert open_image(tmp_path / "a.gif").size == (30, 20)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_the_file_holds_the_quantized_frames_and_is_as_small_as_one_of_palette_images(self, tmp_path, channels):
        # Every frame comes back exactly, and RGB frames cost no more than the same frames as palette images: 5 %.
        still = noise(1, 60, 80, channels)[0]
        frames = []
        for i in range(6):
            frames.append(still.copy())
            frames[-1][10:30, 5 * i : 5 * i + 20] = noise(7, 20, 20, channels)[i]
        save_gif(tmp_path / "a.gif", frames, milliseconds=80, hold=1000)
        expected = quantize(frames)
        with Image.open(tmp_path / "a.gif") as read:
            for i in range(6):
                read.seek(i)
                np.testing.assert_array_equal(np.asarray(read.convert("RGB")), expected[i])
        palettes = [Image.fromarray(frame).quantize(256) for frame in expected]
        buffer = io.BytesIO()
        durations = [80] * 5 + [1080]
        palettes[0].save(
            buffer, "gif", save_all=True, append_images=palettes[1:], duration=durations, loop=0, disposal=1
        )
        assert (tmp_path / "a.gif").stat().st_size <= 1.05 * len(buffer.getvalue())

    def test_all_frames_share_256_colours(self):
        colours = np.concatenate([frame.reshape(-1, 3) for frame in quantize(noise(12, 40, 50))])
        assert len(np.unique(colours, axis=0)) <= 256


class TestCurves:
    @pytest.mark.parametrize("n, window", [(1, 1), (10, 1), (10, 4), (50, 7), (5, 50)])
    def test_moving_average_is_a_convolution_with_a_shorter_start(self, n, window):
        values = np.random.default_rng(n).standard_normal(n)
        sums = np.convolve(values, np.ones(window))[:n]
        expected = sums / np.minimum(np.arange(1, n + 1), window)
        np.testing.assert_allclose(moving_average(values, window), expected, rtol=1e-10, atol=1e-12)

    def test_curves_are_drawn_without_a_display(self, tmp_path):
        env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")}
        code = (
            "import sys, numpy as np; from pathlib import Path\n"
            "from dcgan_tf.pictures.curves import save_loss_curves\n"
            "save_loss_curves(Path('curves.png'), np.arange(300), {'D': np.sin(np.arange(300.0)),"
            " 'G': np.ones(300)}, 50, 'title')\n"
            "assert 'matplotlib.pyplot' not in sys.modules and 'tensorflow' not in sys.modules"
        )
        root = os.path.abspath(__file__).rsplit("/tests/", 1)[0]
        end = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=env | {"PYTHONPATH": root}, capture_output=True, text=True
        )
        assert (end.returncode, end.stderr) == (0, "")
        with Image.open(tmp_path / "curves.png") as picture:
            assert picture.size == (990, 495)  # 9 x 4.5 inches at 110 dots
        # Both curves are visible: many pixels have their colours.
        pixels = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB")).astype(int)
        for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):
            assert (np.abs(pixels - colour).max(-1) < 12).sum() > 300

    @pytest.mark.parametrize("values", [[1.0, 1.0], [0.5, 3e30], [-4.0, -4.0]])
    def test_two_steps_and_extreme_ranges(self, tmp_path, values):
        save_loss_curves(tmp_path / "c.png", np.arange(2), {"D": np.array(values), "G": np.array(values)}, 5, "t")
        assert open_image(tmp_path / "c.png").size == (990, 495)


class TestLatents:
    def test_spherical_against_the_rotation_in_the_plane_of_both(self):
        # Not by the sine formula: a's direction is rotated towards b's by share * angle (Gram-Schmidt).
        rng = np.random.default_rng(0)
        a, b = 2 * rng.standard_normal(50), rng.standard_normal(50)
        shares = np.linspace(0, 1, 9)
        u = a / np.linalg.norm(a)
        v = b - (b @ u) * u
        v /= np.linalg.norm(v)
        angle = np.arctan2(b @ v, b @ u)
        lengths = np.linalg.norm(a) * (1 - shares) + np.linalg.norm(b) * shares
        expected = lengths[:, None] * (np.cos(shares * angle)[:, None] * u + np.sin(shares * angle)[:, None] * v)
        path = spherical(a, b, shares)
        np.testing.assert_allclose(path, expected, atol=1e-12)
        norms = np.linalg.norm(path, axis=1)
        assert (norms <= np.linalg.norm(a) + 1e-9).all() and (norms >= np.linalg.norm(b) - 1e-9).all()

    @pytest.mark.parametrize("factor", [1.0, 3.0, -1.0])
    def test_the_same_and_the_opposite_direction_stay_finite(self, factor):
        a = np.random.default_rng(1).standard_normal(10)
        path = spherical(a, factor * a, np.linspace(0, 1, 5))
        np.testing.assert_allclose(path, a + np.linspace(0, 1, 5)[:, None] * (factor - 1) * a, atol=1e-9)

    def test_linear(self):
        a, b = np.array([0.0, 1.0]), np.array([4.0, -1.0])
        np.testing.assert_allclose(linear(a, b, np.array([0, 0.25, 1])), [[0, 1], [1, 0.5], [4, -1]])

    @pytest.mark.parametrize("latent", ["normal", "uniform"])
    @pytest.mark.parametrize("between", [1, 4])
    def test_a_walk_passes_through_every_latent(self, latent, between):
        z = np.random.default_rng(2).uniform(-1, 1, (4, 6)).astype("float32")
        way = walk(z, between, latent)
        assert way.dtype == np.float32 and way.shape == (3 * between + 1, 6)
        np.testing.assert_allclose(way[::between], z, atol=1e-6)
        if latent == "uniform":
            assert np.abs(way).max() <= 1.0
            steps = np.diff(way[: between + 1], axis=0)
            np.testing.assert_allclose(steps * between, np.tile(z[1] - z[0], (between, 1)), atol=1e-5)
