"""Figures of layers: the contents of the written files, pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from dcgan_tf.layer_figures.figures import (
    outline,
    save_layer_figure,
    save_strip,
    save_table_of_images,
)
from dcgan_tf.layer_figures.maps import activation_grid, colorize

RED = (230, 20, 20)


def noise(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def some_maps(side, n, seed=0):
    return np.maximum(np.random.default_rng(seed).normal(size=(side, side, n)), 0).astype("float32")


def read(path):
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def places(picture, part):
    """Every (top, left) at which `picture` contains `part` exactly."""
    height, width = part.shape[:2]
    room = picture[: picture.shape[0] - height + 1, : picture.shape[1] - width + 1]
    found = []
    for top, left in np.argwhere((room == part[0, 0]).all(-1)):
        row = picture[top, left : left + width]
        if (row == part[0]).all() and (picture[top : top + height, left : left + width] == part).all():
            found.append((int(top), int(left)))
    return found


def enlarge(image, zoom):
    return np.kron(np.broadcast_to(image, (*image.shape[:2], 3)), np.ones((zoom, zoom, 1), np.uint8))


class TestLayerFigure:
    @pytest.mark.parametrize("order", ["channel", "energy"])
    @pytest.mark.parametrize("scaling", ["map", "layer", "signed"])
    def test_it_contains_grid_and_pictures_unchanged(self, tmp_path, scaling, order):
        maps, before, after = some_maps(8, 24), noise(64, 64, seed=1), noise(64, 64, 1, seed=2)
        path = tmp_path / "a" / "h1.png"
        save_layer_figure(
            path, maps, title="h1", stage="after ReLU", scaling=scaling, order=order, input_image=before,
            output_image=after, input_label="data/1.jpg", output_label="output",
        )  # fmt: skip
        figure, grid = read(path), activation_grid(maps, scaling, order)
        ((top, left),) = places(figure, grid)
        for picture in (before, after):
            ((_, side),) = places(figure, enlarge(picture, 2))
            assert side > left + grid.shape[1]
        assert (figure[:5] == 255).all() and (figure[:, :5] == 255).all()
        assert (figure[:top] < 128).any()  # words above
        assert (figure[top + grid.shape[0] :] < 128).any()  # and below
        assert [p.name for p in path.parent.iterdir()] == ["h1.png"]

    @pytest.mark.parametrize("n, side", [(64, 32), (128, 16), (256, 8), (512, 4)])
    def test_the_layers_fit_a_readme(self, tmp_path, n, side):
        save_layer_figure(
            tmp_path / "f.png", some_maps(side, n), title="generator/h0", stage="after batch norm and ReLU",
            scaling="map", order="channel", output_image=noise(64, 64), input_label="z: seed 1", output_label="image",
        )  # fmt: skip
        height, width, _ = read(tmp_path / "f.png").shape
        assert 700 <= width <= 1000
        assert height <= 1000

    @pytest.mark.parametrize("scaling, ends", [("map", (0, 1)), ("layer", (0, 1)), ("signed", (-1, 1))])
    def test_the_colour_bar_has_all_colours(self, tmp_path, scaling, ends):
        maps = np.zeros((2, 2, 1), "float32")  # all dead, so that only the bar has colours
        save_layer_figure(tmp_path / "f.png", maps, title="t", stage="s", scaling=scaling, order="channel")
        figure = read(tmp_path / "f.png")
        bar = colorize(np.linspace(*ends, 320), scaling)[None, 1:-1]  # the first and last are its frame
        assert len(places(figure, bar)) == 14

    def test_one_map_with_a_zoom_and_no_pictures(self, tmp_path):
        maps = some_maps(16, 1)
        save_layer_figure(tmp_path / "f.png", maps, title="t", stage="s", scaling="map", order="energy", zoom=5)
        assert len(places(read(tmp_path / "f.png"), activation_grid(maps, zoom=5))) == 1

    @pytest.mark.parametrize("size, zoom", [(28, 5), (64, 2), (200, 1)])
    def test_pictures_are_enlarged_by_whole_factors(self, tmp_path, size, zoom):
        picture = noise(size, size)
        save_layer_figure(
            tmp_path / "f.png", some_maps(4, 8), title="t", stage="s", scaling="map", order="channel",
            input_image=picture,
        )  # fmt: skip
        assert len(places(read(tmp_path / "f.png"), enlarge(picture, zoom))) == 1

    def test_labels_are_drawn(self, tmp_path):
        figures = []
        for title, label in [("h1", "seed 1"), ("h2", "seed 1"), ("h1", "seed 2")]:
            save_layer_figure(
                tmp_path / "f.png", some_maps(4, 8), title=title, stage="s", scaling="map", order="channel",
                input_label=label,
            )  # fmt: skip
            figures.append(read(tmp_path / "f.png"))
        assert (figures[0][:50] != figures[1][:50]).any()
        assert (figures[0][:50] == figures[2][:50]).all() and (figures[0] != figures[2]).any()


class TestStrip:
    def test_frames_in_reading_order_on_several_rows(self, tmp_path):
        frames = [noise(90, 300, seed=i) for i in range(5)]
        save_strip(tmp_path / "s.png", frames, [f"step {i}" for i in range(5)])
        figure = read(tmp_path / "s.png")
        found = [places(figure, frame) for frame in frames]
        assert [len(f) for f in found] == [1] * 5
        tops, lefts = zip(*(f[0] for f in found))
        assert tops[0] == tops[1] == tops[2] < tops[3] == tops[4]
        assert lefts[0] < lefts[1] < lefts[2] and lefts[3:] == lefts[:2]
        assert figure.shape[1] <= 1000 + 30

    def test_a_frame_wider_than_the_strip(self, tmp_path):
        frames = [noise(20, 1200, 1, seed=i) for i in range(2)]
        save_strip(tmp_path / "s.png", frames, ["a", "b"])
        figure = read(tmp_path / "s.png")
        assert all(len(places(figure, enlarge(frame, 1))) == 1 for frame in frames)


class TestTable:
    def test_rows_and_columns_line_up(self, tmp_path):
        rows = [[noise(16, 16, seed=1), noise(16, 16, 1, seed=2), noise(16, 16, seed=3)], [noise(16, 16, seed=4)]]
        save_table_of_images(
            tmp_path / "t.png", rows, ["map 3", "map 17\nsecond line"], ["1st", "a long label here", "3rd"], "t", zoom=4
        )
        figure = read(tmp_path / "t.png")
        (a,), (b,), (c,), (d,) = [places(figure, enlarge(image, 4)) for row in rows for image in row]
        assert a[0] == b[0] == c[0] < d[0]
        assert a[1] == d[1] and a[1] + 64 < b[1] and b[1] + 64 < c[1]

    def test_the_default_zoom(self, tmp_path):
        image = noise(64, 64)
        save_table_of_images(tmp_path / "t.png", [[image, image]], ["r"], ["a", "b"], "t")
        assert len(places(read(tmp_path / "t.png"), enlarge(image, 2))) == 2


class TestOutlined:
    def test_only_the_outline_of_the_box_is_drawn(self):
        image = noise(64, 64)
        before = image.copy()
        result = outline(image, (10, 20, 15, 30), RED)
        for y in range(64):
            for x in range(64):
                inside = 10 <= y < 15 and 20 <= x < 30
                on_line = inside and (y in (10, 14) or x in (20, 29))
                assert (result[y, x] == (RED if on_line else image[y, x])).all()
        np.testing.assert_array_equal(image, before)

    def test_large_images_get_two_pixels(self):
        changed = (outline(np.zeros((128, 128, 3), np.uint8), (10, 10, 20, 20), RED) == RED).all(-1)
        assert changed.sum() == 10 * 10 - 6 * 6

    def test_a_box_beyond_the_border_is_clipped(self):
        changed = (outline(np.zeros((8, 8, 1), np.uint8), (-3, -3, 4, 20), RED) == RED).all(-1)
        expected = np.zeros((8, 8), bool)
        expected[[0, 3]] = True
        expected[:4, [0, 7]] = True
        np.testing.assert_array_equal(changed, expected)

    def test_a_box_outside_changes_nothing(self):
        image = noise(8, 8)
        for box in [(-9, 0, -2, 8), (3, 9, 5, 12)]:
            np.testing.assert_array_equal(outline(image, box, RED), image)
