"""Scaling, ordering and arranging the maps of a layer as one picture.

Maps are finite floats [h, w, n]: the outputs of the n filters of a layer at h x w positions, for one image.
"""

from __future__ import annotations

import math
from typing import get_args

import numpy as np

from dcgan_tf.layer_figures.options import Order, Scaling
from dcgan_tf.pictures.grids import make_grid

SCALINGS, ORDERS = get_args(Scaling), get_args(Order)

# A range this small relative to the layer's largest magnitude is rounding of float32.
ROUNDING = 1e-6

GAP = 2  # pixels between maps
# Bluish and magenta are neither greys nor on the scale blue-white-orange, so that they are not taken for values.
GROUND = (186, 196, 208)
MARK = (255, 60, 170)
# Blue and orange differ in every kind of colour blindness. The ends are dark so that both halves have many shades.
SIGNED_STOPS = (-1.0, -0.5, 0.0, 0.5, 1.0)
SIGNED_COLOURS = ((0, 50, 102), (60, 146, 204), (255, 255, 255), (238, 140, 50), (138, 44, 0))

ASPECT = 4 / 3  # width to height of a grid
WIDTH = 700  # pixels: about the default width of a grid
SMALLEST, LARGEST = 24, 256  # pixels: a map's side


def min_max_image(x: np.ndarray) -> np.ndarray:
    """Scale float [...] to uint8 [...] by one minimum and maximum, as tf_cnnvis does (`image_normalization`).

    The 1e-7 keeps a constant x black. Fractions are truncated, so that rounding makes the maximum 254 or 255.
    """
    low, high = x.min(), x.max()
    return ((x - low) * 255 / (high - low + 1e-7)).astype(np.uint8)


def signed_image(x: np.ndarray) -> np.ndarray:
    """Render a gradient or a filter around mid-grey: float [H, W, 3] or [H, W, 1] -> uint8 [H, W, 3].

    0 becomes 128, and the largest magnitude over all channels 0 or 255. Grey therefore means "no influence" in every
    such picture, which min-max scaling would not ensure.
    """
    shades = np.rint(127.5 + 127.5 * rescale(x, "signed")).astype(np.uint8)
    return np.broadcast_to(shades, (*x.shape[:2], 3)).copy()


def article_grid(maps: np.ndarray) -> np.ndarray:
    """Arrange maps as tf_cnnvis does: float [h, w, n] -> uint8 [s * (h + 1) - 1, s * (w + 1) - 1], s = ceil(sqrt(n)).

    Each map is scaled from black to white by itself. The order is row-major, the gaps are black and 1 px wide, and
    there are s rows even if fewer suffice.
    """
    return square_grid(np.stack([min_max_image(one) for one in np.moveaxis(maps, -1, 0)])[..., None])[..., 0]


def square_grid(cells: np.ndarray) -> np.ndarray:
    """Arrange cells, uint8 [n, h, w, C], as `article_grid` does."""
    side = math.ceil(math.sqrt(len(cells)))
    return _sheet(cells, side, side, gap=1, ground=(0,))


def rescale(maps: np.ndarray, scaling: str) -> np.ndarray:
    """Scale maps, float [h, w, n], to float64 [h, w, n] between fixed ends.

    Args:
      maps: float [h, w, n].
      scaling: "map": each map from 0 (its minimum) to 1 (its maximum), a constant map to 0; brightness is not
        comparable between maps. "layer": all maps from 0 (the layer's minimum) to 1 (its maximum), a constant layer to
        0; brightness is comparable. "signed": all maps divided by the layer's largest magnitude, in [-1, 1]; 0 stays 0.

    Raises:
      ValueError: unknown `scaling`.
    """
    maps = maps.astype(np.float64)
    if scaling == "signed":
        return maps / (np.abs(maps).max() or 1.0)
    if scaling not in SCALINGS:
        raise ValueError(f"scaling is {scaling!r}, not one of {SCALINGS}")
    axes = (0, 1) if scaling == "map" else (0, 1, 2)
    spans = np.ptp(maps, axis=axes, keepdims=True)
    constant = spans <= ROUNDING * np.abs(maps).max()
    return np.where(constant, 0.0, (maps - maps.min(axes, keepdims=True)) / np.where(constant, 1.0, spans))


def order_maps(maps: np.ndarray, order: str) -> np.ndarray:
    """Return the channel indices in the order of display, int [n].

    Args:
      maps: float [h, w, n].
      order: "channel", or "energy": by decreasing mean square, equal ones in channel order.

    Raises:
      ValueError: unknown `order`.
    """
    if order == "channel":
        return np.arange(maps.shape[-1])
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}, not one of {ORDERS}")
    return np.argsort(-np.square(maps, dtype=np.float64).mean((0, 1)), kind="stable")


def find_dead(maps: np.ndarray, threshold: float = 0.0) -> np.ndarray:
    """Return which maps have the same value at every position, bool [n].

    For such a map, maximum - minimum is at most `threshold` of the layer's largest magnitude, or at most rounding.
    After ReLU these are maps that are 0 everywhere or shifted to a constant. A map of a single position (of a dense
    layer) is dead if it is 0.
    """
    maps = maps.astype(np.float64)
    single = maps.shape[0] * maps.shape[1] == 1
    spans = np.abs(maps[0, 0]) if single else np.ptp(maps, axis=(0, 1))
    return spans <= max(threshold, ROUNDING) * np.abs(maps).max()


def statistics(maps: np.ndarray) -> dict[str, float]:
    """Return statistics of a layer: mean, std, min, max, zeros (share of exact zeros), dead (number of maps), n."""
    values = maps.astype(np.float64)
    return {
        "mean": float(values.mean()),
        "std": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
        "zeros": float((maps == 0).mean()),
        "dead": int(find_dead(maps).sum()),
        "n": maps.shape[-1],
    }


def colorize(values: np.ndarray, scaling: str) -> np.ndarray:
    """Colour the values of `rescale`: float [...] -> uint8 [..., 3], blue-white-orange if signed, else grey."""
    if scaling == "signed":
        channels = [np.interp(values, SIGNED_STOPS, stops) for stops in zip(*SIGNED_COLOURS)]
    else:
        channels = [255 * values] * 3
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def activation_grid(
    maps: np.ndarray, scaling: str = "map", order: str = "channel", columns: int | None = None, zoom: int | None = None
) -> np.ndarray:
    """Arrange all maps in a grid, row-major, with a square of one colour for every position.

    Args:
      maps: float [h, w, n].
      scaling: see `rescale`; grey for "map" and "layer", blue-white-orange (white is 0) for "signed".
      order: see `order_maps`.
      columns: maps per row; None: see `choose_columns`.
      zoom: pixels per position; None: see `choose_zoom`.

    Returns:
      uint8 [rows * (h * zoom + GAP) - GAP, columns * (w * zoom + GAP) - GAP, 3]; dead maps are crossed out.
    """
    shown = order_maps(maps, order)
    cells = colorize(np.moveaxis(rescale(maps, scaling), -1, 0), scaling)[shown]
    return _arrange(cells, columns, zoom, crossed=find_dead(maps)[shown])


def filter_grid(kernel: np.ndarray, columns: int | None = None, zoom: int | None = None) -> np.ndarray:
    """Arrange the filters between a layer and an image in a grid, each divided by its own largest magnitude.

    Args:
      kernel: float [h, w, 3, n], drawn in colours around mid-grey, or [h, w, 1, n], drawn in blue-white-orange.
      columns, zoom: as in `activation_grid`.

    Returns:
      uint8 [H, W, 3], laid out as in `activation_grid`.
    """
    filters = np.moveaxis(kernel, -1, 0)
    if kernel.shape[2] == 3:
        cells = np.stack([signed_image(one) for one in filters])
    else:
        cells = np.stack([colorize(rescale(one, "signed")[..., 0], "signed") for one in filters])
    return _arrange(cells, columns, zoom)


def choose_columns(n: int, height: int, width: int) -> int:
    """Choose the number of columns for n maps so that the grid is about 4:3 and few cells stay empty."""

    def badness(columns: int) -> float:
        rows = -(-n // columns)
        shape = abs(math.log(columns * width / (rows * height) / ASPECT))
        return shape + 6 * (rows * columns - n) / n  # with 6, 64 maps are 8x8, and 512 are 27x19 with 1 empty cell

    return min(range(1, n + 1), key=badness)


def choose_zoom(columns: int, width: int) -> int:
    """Choose the pixels per position so that a grid is about WIDTH wide and a map SMALLEST to LARGEST pixels wide."""
    zoom = min(round(WIDTH / (columns * width)), LARGEST // width)
    return max(zoom, -(-SMALLEST // width))


def enlarge(images: np.ndarray, zoom: int) -> np.ndarray:
    """Repeat every pixel of [..., H, W, C] as zoom x zoom pixels."""
    return images.repeat(zoom, axis=-3).repeat(zoom, axis=-2)


def cross_out(cell: np.ndarray) -> None:
    """Draw both diagonals into uint8 [H, W, 3], in place."""
    height, width = cell.shape[:2]
    y, x = np.mgrid[:height, :width]
    y, x = (y + 0.5) / height, (x + 0.5) / width
    thin = max(1.0, min(height, width) / 40) / min(height, width)
    cell[(np.abs(y - x) < thin) | (np.abs(y + x - 1) < thin)] = MARK


def _arrange(cells: np.ndarray, columns: int | None, zoom: int | None, crossed: np.ndarray | None = None) -> np.ndarray:
    """Enlarge cells, uint8 [n, h, w, 3], and arrange them in a grid; `crossed`, bool [n], marks those to cross out."""
    n, height, width, _ = cells.shape
    columns = columns or choose_columns(n, height, width)
    cells = enlarge(cells, zoom or choose_zoom(columns, width))
    for i in np.flatnonzero(crossed) if crossed is not None else ():
        cross_out(cells[i])
    return _sheet(cells, -(-n // columns), columns, GAP, GROUND)


def _sheet(cells: np.ndarray, rows: int, columns: int, gap: int, ground: tuple[int, ...]) -> np.ndarray:
    """Arrange cells, uint8 [n, h, w, C], in rows; gaps and unused cells have the colour `ground`."""
    n, height, width, channels = cells.shape
    framed = np.full((rows * columns, height + gap, width + gap, channels), ground, np.uint8)
    framed[:n, :height, :width] = cells
    return make_grid(framed, columns)[:-gap, :-gap]
