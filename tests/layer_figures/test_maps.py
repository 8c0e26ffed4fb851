"""The maps of a layer as pictures, against loops over maps and pixels."""

import math
import warnings

import numpy as np
import pytest

from dcgan_tf.layer_figures.maps import (
    GAP,
    GROUND,
    MARK,
    activation_grid,
    article_grid,
    choose_columns,
    choose_zoom,
    colorize,
    enlarge,
    filter_grid,
    find_dead,
    min_max_image,
    order_maps,
    rescale,
    signed_image,
    statistics,
)

BLUE, WHITE, ORANGE = (0, 50, 102), (255, 255, 255), (138, 44, 0)
LAYERS = [(64, 32, 263), (128, 16, 203), (256, 8, 143), (512, 4, 114)]  # maps, side, the article's picture


@pytest.fixture(autouse=True)
def no_warnings():
    """NumPy warns of a NaN cast to uint8 and of a division by 0; here this is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def some_maps(h=5, w=7, n=11, seed=0):
    """Maps of different strength and shift, float32."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(h, w, n)) * rng.gamma(2, 1, n) + rng.normal(size=n)).astype("float32")


def cell(sheet, i, columns, height, width, gap=GAP):
    top, left = i // columns * (height + gap), i % columns * (width + gap)
    return sheet[top : top + height, left : left + width]


class TestArticleGrid:
    @pytest.mark.parametrize("n, side, pixels", LAYERS)
    def test_the_sizes_of_the_articles_files(self, n, side, pixels):
        sheet = article_grid(some_maps(side, side, n))
        assert (sheet.shape, sheet.dtype) == ((pixels, pixels), np.uint8)

    @pytest.mark.parametrize("h, w, n", [(5, 7, 11), (4, 4, 1), (4, 4, 2), (3, 3, 9), (1, 1, 10), (8, 8, 256)])
    def test_it_agrees_with_the_loops_of_the_tool(self, h, w, n):
        maps = some_maps(h, w, n)
        side = math.ceil(math.sqrt(n))
        expected = np.zeros((h * side + side - 1, w * side + side - 1))
        for i in range(n):
            one = maps[:, :, i]
            one = (one - np.min(one)) * 255.0 / (np.max(one) - np.min(one) + 1e-07)
            top, left = (i // side) * (h + 1), (i % side) * (w + 1)
            for y in range(h):
                for x in range(w):
                    expected[top + y, left + x] = int(one[y, x])
        np.testing.assert_array_equal(article_grid(maps), expected)

    def test_constant_maps_are_black_and_narrow_ones_miss_white(self):
        maps = np.zeros((2, 2, 3), "float32")
        maps[..., 0] = 4.5
        maps[0, 0, 1] = 1e-7  # 255 * 1e-7 / (1e-7 + 1e-7) = 127.5
        maps[0, 0, 2] = 2.0
        np.testing.assert_array_equal(article_grid(maps)[0], [0, 0, 0, 127, 0])
        np.testing.assert_array_equal(article_grid(maps)[3], [255, 0, 0, 0, 0])


class TestScaled:
    def test_each_map_by_itself(self):
        maps = some_maps()
        values = rescale(maps, "map")
        for i in range(maps.shape[-1]):
            one = maps[..., i].astype(float)
            np.testing.assert_allclose(values[..., i], (one - one.min()) / (one.max() - one.min()), atol=1e-12)

    def test_all_by_the_layer(self):
        maps = some_maps()
        values = rescale(maps, "layer")
        assert (values.min(), values.max()) == (0, 1)
        np.testing.assert_allclose(values, np.interp(maps, [maps.min(), maps.max()], [0, 1]), atol=1e-12)

    def test_signed_keeps_zero_and_proportions(self):
        maps = some_maps()
        maps[2, 3, 4] = 0
        values = rescale(maps, "signed")
        assert values[2, 3, 4] == 0
        assert np.abs(values).max() == 1
        np.testing.assert_allclose(values * np.abs(maps).max(), maps, rtol=1e-6)

    @pytest.mark.parametrize("scaling, expected", [("map", 0), ("layer", 0), ("signed", -1)])
    def test_a_constant_layer(self, scaling, expected):
        np.testing.assert_array_equal(
            rescale(np.full((3, 3, 2), -2.5, "float32"), scaling), np.full((3, 3, 2), expected)
        )

    @pytest.mark.parametrize("scaling", ["map", "layer", "signed"])
    def test_a_layer_of_zeros_is_zeros(self, scaling):
        assert not rescale(np.zeros((3, 3, 2), "float32"), scaling).any()

    def test_rounding_errors_are_not_amplified(self):
        maps = some_maps(n=2)
        maps[..., 0] = 1
        maps[0, 0, 0] = np.nextafter(np.float32(1), np.float32(2))
        assert not rescale(maps, "map")[..., 0].any()
        assert rescale(maps, "map")[..., 1].max() == 1

    def test_half_precision_does_not_overflow(self):
        maps = np.array([-60000, 60000], "float16").reshape(2, 1, 1)
        np.testing.assert_array_equal(rescale(maps, "layer").ravel(), [0, 1])
        np.testing.assert_array_equal(order_maps(np.concatenate([maps, maps], -1), "energy"), [0, 1])

    def test_unknown_names_are_refused(self):
        with pytest.raises(ValueError, match="'maps'"):
            rescale(some_maps(), "maps")
        with pytest.raises(ValueError, match="'size'"):
            order_maps(some_maps(), "size")


class TestOrder:
    def test_channel(self):
        np.testing.assert_array_equal(order_maps(some_maps(n=6), "channel"), range(6))

    def test_energy_falls(self):
        maps = some_maps(n=30)
        energies = [sum(float(v) ** 2 for v in maps[..., i].ravel()) for i in order_maps(maps, "energy")]
        assert energies == sorted(energies, reverse=True)
        assert sorted(order_maps(maps, "energy")) == list(range(30))

    def test_equal_energies_stay_in_channel_order(self):
        maps = np.ones((2, 2, 200), "float32")  # many, because unstable sorts may keep a few in order
        maps[..., 1::2] = -2
        np.testing.assert_array_equal(order_maps(maps, "energy"), [*range(1, 200, 2), *range(0, 200, 2)])


class TestDead:
    def test_constant_maps_are_dead_wherever_they_lie(self):
        maps = some_maps(n=5)
        maps[..., 1] = 0
        maps[..., 3] = -7.25
        np.testing.assert_array_equal(find_dead(maps), [False, True, False, True, False])

    def test_rounding_counts_as_constant_and_a_weak_map_does_not(self):
        maps = np.zeros((2, 2, 3), "float32")
        maps[0, 0] = [100, 1e-5, 1e-2]
        np.testing.assert_array_equal(find_dead(maps), [False, True, False])

    def test_threshold_is_a_share_of_the_largest_magnitude(self):
        maps = np.zeros((2, 2, 3), "float32")
        maps[0, 0] = [-10, 0.9, 1.1]
        np.testing.assert_array_equal(find_dead(maps, 0.1), [False, True, False])

    def test_a_layer_of_zeros_is_dead(self):
        assert find_dead(np.zeros((4, 4, 3), "float32")).all()

    def test_of_a_single_position_only_zeros_are_dead(self):
        np.testing.assert_array_equal(find_dead(np.array([[[1.5, 0, -3]]], "float32")), [False, True, False])


def test_statistics():
    maps = np.maximum(some_maps(), 0)
    maps[..., 2] = 0
    values = [float(v) for v in maps.ravel()]
    mean = sum(values) / len(values)
    assert statistics(maps) == {
        "mean": pytest.approx(mean),
        "std": pytest.approx(math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))),
        "min": 0,
        "max": max(values),
        "zeros": pytest.approx(sum(v == 0 for v in values) / len(values)),
        "dead": sum(len(set(maps[..., i].ravel())) == 1 for i in range(11)),
        "n": 11,
    }


class TestColours:
    def test_signed_ends_and_middle(self):
        np.testing.assert_array_equal(colorize(np.array([-1.0, 0, 1]), "signed"), [BLUE, WHITE, ORANGE])

    def test_signed_is_blue_below_and_orange_above_and_darkens_outwards(self):
        line = colorize(np.linspace(-1, 1, 201), "signed").astype(int)
        assert (line[:99, 2] > line[:99, 0]).all()
        assert (line[102:, 2] < line[102:, 0]).all()
        lightness = line @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(lightness)[:100] > 0).all()
        assert (np.diff(lightness)[100:] < 0).all()

    @pytest.mark.parametrize("scaling", ["map", "layer"])
    def test_grey(self, scaling):
        np.testing.assert_array_equal(colorize(np.array([0, 0.2, 1.0]), scaling), [[0] * 3, [51] * 3, [255] * 3])

    @pytest.mark.parametrize("scaling", ["map", "signed"])
    def test_no_value_has_a_colour_near_the_mark_or_the_ground(self, scaling):
        shades = colorize(np.linspace(-1 if scaling == "signed" else 0, 1, 1001), scaling).astype(int)
        for other in (MARK, GROUND):
            assert np.abs(shades - other).max(-1).min() >= 10


class TestActivationGrid:
    @pytest.mark.parametrize("order", ["channel", "energy"])
    @pytest.mark.parametrize("scaling", ["map", "layer", "signed"])
    def test_every_position_is_a_square_of_its_colour(self, scaling, order):
        maps, zoom, columns = some_maps(), 3, 4
        sheet = activation_grid(maps, scaling, order, columns, zoom)
        assert sheet.dtype == np.uint8
        assert sheet.shape == (3 * (15 + GAP) - GAP, 4 * (21 + GAP) - GAP, 3)
        rest = sheet.copy()
        for place, channel in enumerate(order_maps(maps, order)):
            shown = cell(sheet, place, columns, 15, 21)
            expected = colorize(rescale(maps, scaling)[..., channel], scaling)
            for y in range(5):
                for x in range(7):
                    assert (shown[y * zoom : y * zoom + zoom, x * zoom : x * zoom + zoom] == expected[y, x]).all()
            cell(rest, place, columns, 15, 21)[:] = GROUND
        assert (rest == GROUND).all()

    def test_signed_extremes_and_zero_have_their_colours(self):
        maps = np.array([[-4, 0], [2, 4]], "float32")[..., None]
        sheet = activation_grid(maps, "signed", zoom=1)
        np.testing.assert_array_equal(sheet[0], [BLUE, WHITE])
        np.testing.assert_array_equal(sheet[1, 1], ORANGE)

    @pytest.mark.parametrize("scaling", ["map", "layer", "signed"])
    def test_dead_maps_and_no_others_are_crossed_out(self, scaling):
        maps = some_maps(8, 8, 6)
        maps[..., 4] = 0
        sheet = activation_grid(maps, scaling, columns=3, zoom=4)
        marked = [(cell(sheet, i, 3, 32, 32) == MARK).all(-1) for i in range(6)]
        assert [mark.any() for mark in marked] == [False] * 4 + [True, False]
        cross = marked[4]
        assert cross.diagonal().all() and cross[:, ::-1].diagonal().all()
        assert cross.mean() < 0.15
        at_rest = colorize(rescale(maps, scaling)[0, 0, 4], scaling)
        assert (cell(sheet, 4, 3, 32, 32)[~cross] == at_rest).all()

    def test_the_cross_follows_the_order(self):
        maps = some_maps(8, 8, 4)
        maps[..., 0] = 0
        sheet = activation_grid(maps, order="energy", columns=4, zoom=4)
        assert [(cell(sheet, i, 4, 32, 32) == MARK).all(-1).any() for i in range(4)] == [False] * 3 + [True]

    @pytest.mark.parametrize("n, side", [(n, side) for n, side, _ in LAYERS])
    def test_a_grid_is_about_four_to_three_and_fits_a_readme(self, n, side):
        height, width, _ = activation_grid(some_maps(side, side, n)).shape
        assert 640 <= width <= 1000
        assert 0.95 <= width / height <= 1.7
        columns = choose_columns(n, side, side)
        assert math.ceil(n / columns) * columns <= 1.04 * n
        assert side * choose_zoom(columns, side) >= 24

    @pytest.mark.parametrize("h, w, n", [(64, 64, 1), (1, 1, 1), (1, 1, 100), (4, 4, 7), (300, 500, 2), (32, 8, 13)])
    def test_odd_layers(self, h, w, n):
        columns = choose_columns(n, h, w)
        zoom = choose_zoom(columns, w)
        rows = math.ceil(n / columns)
        sheet = activation_grid(some_maps(h, w, n))
        assert sheet.shape == (rows * (h * zoom + GAP) - GAP, columns * (w * zoom + GAP) - GAP, 3)
        assert (rows - 1) * columns < n
        assert w * zoom >= 24

    def test_the_maps_are_not_modified(self):
        maps = some_maps()
        before = maps.copy()
        activation_grid(maps, "signed", "energy")
        np.testing.assert_array_equal(maps, before)


class TestFilterGrid:
    def test_colour_filters_around_mid_grey(self):
        kernel = np.random.default_rng(1).normal(size=(5, 5, 3, 6)).astype("float32")
        kernel[..., 2] *= 1e-3  # a weak filter shows its shape too
        sheet = filter_grid(kernel, columns=3, zoom=2)
        assert sheet.shape == (2 * (10 + GAP) - GAP, 3 * (10 + GAP) - GAP, 3)
        for i in range(6):
            one = kernel[..., i].astype(float)
            expected = np.rint(127.5 + 127.5 * one / np.abs(one).max())
            np.testing.assert_array_equal(cell(sheet, i, 3, 10, 10)[::2, ::2], expected)

    def test_grey_filters_in_blue_and_orange(self):
        kernel = np.zeros((5, 5, 1, 2), "float32")
        kernel[0, 0, 0, 0], kernel[4, 4, 0, 0], kernel[2, 2, 0, 1] = -3, 1.5, 0.01
        sheet = filter_grid(kernel, columns=2, zoom=1)
        np.testing.assert_array_equal(sheet[0, 0], BLUE)
        np.testing.assert_array_equal(sheet[4, 4], (238, 140, 50))
        np.testing.assert_array_equal(sheet[2, 5 + GAP + 2], ORANGE)
        np.testing.assert_array_equal(sheet[1, 1], WHITE)

    def test_a_filter_of_zeros(self):
        assert (filter_grid(np.zeros((5, 5, 3, 1), "float32")) == 128).all()
        assert (filter_grid(np.zeros((5, 5, 1, 1), "float32")) == 255).all()


class TestImages:
    def test_signed_image_is_symmetric_around_mid_grey(self):
        x = np.array([[[-2, 0, 1], [0.5, 2, -1]]], "float32")
        np.testing.assert_array_equal(signed_image(x), [[[0, 128, 191], [159, 255, 64]]])

    def test_grey_fields_and_zeros(self):
        grey = signed_image(np.array([[[-1.0], [0.0], [1.0]]]))
        np.testing.assert_array_equal(grey, [[[0] * 3, [128] * 3, [255] * 3]])
        assert (signed_image(np.zeros((2, 2, 3))) == 128).all()

    def test_min_max_image_goes_over_all_channels(self):
        x = np.array([[[-1, 0, 1], [3, 1, 1]]], "float32")
        np.testing.assert_array_equal(min_max_image(x), [[[0, 63, 127], [255, 127, 127]]])

    def test_the_two_scalings_of_one_pixel(self):
        x = np.array([[[-1.0, 0.0, 1.0]]])
        np.testing.assert_array_equal(signed_image(x), [[[0, 128, 255]]])
        np.testing.assert_array_equal(min_max_image(x), [[[0, 127, 254]]])  # 255 * 2 / (2 + 1e-7) is below 255

    def test_enlarge_repeats_pixels(self):
        image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
        np.testing.assert_array_equal(enlarge(image, 3), np.kron(image, np.ones((3, 3, 1), np.uint8)))
