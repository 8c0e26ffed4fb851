"""The maps of a layer as one picture: how they are scaled, ordered and laid out. Arrays only.

Maps are float [h, w, n], finite: what n filters of a layer say at h x w positions about one image.
"""

from __future__ import annotations

import math
from typing import get_args

import numpy as np

from dcgan_tf.layer_figures.options import Order, Scaling
from dcgan_tf.pictures.grids import make_grid

SCALINGS, ORDERS = get_args(Scaling), get_args(Order)

# A span this small beside the layer's largest magnitude is float32 rounding and no signal.
ROUNDING = 1e-6

GAP = 2  # pixels between maps
# Bluish and magenta: neither a grey nor on the way blue-white-orange, so neither can be taken for a map's value.
GROUND = (186, 196, 208)
MARK = (255, 60, 170)
# Blue and orange differ for every kind of colour blindness; the ends are dark so that both halves have many shades.
SIGNED_STOPS = (-1.0, -0.5, 0.0, 0.5, 1.0)
SIGNED_COLOURS = ((0, 50, 102), (60, 146, 204), (255, 255, 255), (238, 140, 50), (138, 44, 0))

ASPECT = 4 / 3  # width to height of a grid
WIDTH = 700  # pixels: about as wide as a grid is made by itself
SMALLEST, LARGEST = 24, 256  # pixels: a map's side


def min_max_image(x: np.ndarray) -> np.ndarray:
    """tf_cnnvis' scaling (`image_normalization`): float [...] -> uint8 [...], one minimum and maximum for all.

    The 1e-7 keeps a constant x black. Fractions are cut off, so the maximum comes out as 254 or 255 as rounding has it.
    """
    low, high = x.min(), x.max()
    return ((x - low) * 255 / (high - low + 1e-7)).astype(np.uint8)


def signed_image(x: np.ndarray) -> np.ndarray:
    """A signed field (a gradient, a filter) around mid-grey: float [H, W, 3] or [H, W, 1] -> uint8 [H, W, 3].

    0 is 128, the largest magnitude over all channels is 0 or 255: grey means "no influence" in every such picture,
    which a min-max scaling does not keep.
    """
    shades = np.rint(127.5 + 127.5 * rescale(x, "signed")).astype(np.uint8)
    return np.broadcast_to(shades, (*x.shape[:2], 3)).copy()


def article_grid(maps: np.ndarray) -> np.ndarray:
    """tf_cnnvis' grid exactly: float [h, w, n] -> uint8 [s * (h + 1) - 1, s * (w + 1) - 1], s = ceil(sqrt(n)).

    Each map by itself from black to white, row-major, 1 px black gaps, s rows also where fewer would do.
    """
    return square_grid(np.stack([min_max_image(one) for one in np.moveaxis(maps, -1, 0)])[..., None])[..., 0]


def square_grid(cells: np.ndarray) -> np.ndarray:
    """Cells uint8 [n, h, w, C] as `article_grid` lays them out."""
    side = math.ceil(math.sqrt(len(cells)))
    return _sheet(cells, side, side, gap=1, ground=(0,))


def rescale(maps: np.ndarray, scaling: str) -> np.ndarray:
    """Maps as float64 [h, w, n] between fixed ends.

    "map": each from 0 (its own minimum) to 1 (its own maximum), a constant one 0: brightness says nothing across maps.
    "layer": all from 0 (the layer's minimum) to 1 (its maximum), a constant layer 0: brightness compares.
    "signed": all divided by the layer's largest magnitude, in [-1, 1]; 0 stays 0.
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
    """Channel numbers in the order of display, int [n]: as they are, or by falling mean square (ties as they are)."""
    if order == "channel":
        return np.arange(maps.shape[-1])
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}, not one of {ORDERS}")
    return np.argsort(-np.square(maps, dtype=np.float64).mean((0, 1)), kind="stable")


def dead(maps: np.ndarray, threshold: float = 0.0) -> np.ndarray:
    """Which maps say the same at every position, bool [n]: maximum - minimum is at most `threshold` of the layer's
    largest magnitude, or at most rounding. After ReLU these are the maps that are 0 everywhere, and maps shifted to a
    constant. A map of a single position (a dense layer) is dead when it is 0.
    """
    maps = maps.astype(np.float64)
    single = maps.shape[0] * maps.shape[1] == 1
    spans = np.abs(maps[0, 0]) if single else np.ptp(maps, axis=(0, 1))
    return spans <= max(threshold, ROUNDING) * np.abs(maps).max()


def statistics(maps: np.ndarray) -> dict[str, float]:
    """Numbers of the whole layer: mean, std, min, max, zeros (share of exact zeros), dead (how many maps), n."""
    values = maps.astype(np.float64)
    return {
        "mean": float(values.mean()),
        "std": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
        "zeros": float((maps == 0).mean()),
        "dead": int(dead(maps).sum()),
        "n": maps.shape[-1],
    }


def colorize(values: np.ndarray, scaling: str) -> np.ndarray:
    """Colours of the values of `rescale`: float [...] -> uint8 [..., 3], blue-white-orange if signed, else grey."""
    if scaling == "signed":
        channels = [np.interp(values, SIGNED_STOPS, stops) for stops in zip(*SIGNED_COLOURS)]
    else:
        channels = [255 * values] * 3
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def activation_grid(
    maps: np.ndarray, scaling: str = "map", order: str = "channel", columns: int | None = None, zoom: int | None = None
) -> np.ndarray:
    """All maps side by side, row-major, every position a square of one colour.

    Args:
      maps: float [h, w, n].
      scaling: see `scaled`; grey for "map" and "layer", blue-white-orange (white is 0) for "signed".
      order: see `order_maps`.
      columns: maps in a row; None: see `columns_for`.
      zoom: pixels per position; None: see `zoom_for`.

    Returns:
      uint8 [rows * (h * zoom + GAP) - GAP, columns * (w * zoom + GAP) - GAP, 3]; dead maps are crossed out.
    """
    shown = order_maps(maps, order)
    cells = colorize(np.moveaxis(rescale(maps, scaling), -1, 0), scaling)[shown]
    return _arranged(cells, columns, zoom, crossed=dead(maps)[shown])


def filter_grid(kernel: np.ndarray, columns: int | None = None, zoom: int | None = None) -> np.ndarray:
    """The filters between a layer and an image, each divided by its own largest magnitude.

    Args:
      kernel: float [h, w, 3, n], as colours around mid-grey, or [h, w, 1, n], in blue-white-orange.
      columns, zoom: as in `activation_grid`.

    Returns:
      uint8 [H, W, 3], laid out as in `activation_grid`.
    """
    filters = np.moveaxis(kernel, -1, 0)
    if kernel.shape[2] == 3:
        cells = np.stack([signed_image(one) for one in filters])
    else:
        cells = np.stack([colorize(rescale(one, "signed")[..., 0], "signed") for one in filters])
    return _arranged(cells, columns, zoom)


def columns_for(n: int, height: int, width: int) -> int:
    """Columns for n maps of height x width so that the grid is about 4:3 and few cells stay empty."""

    def badness(columns: int) -> float:
        rows = -(-n // columns)
        shape = abs(math.log(columns * width / (rows * height) / ASPECT))
        return shape + 6 * (rows * columns - n) / n  # 6: then 64 maps are 8x8, and 512 are 27x19 with 1 cell empty

    return min(range(1, n + 1), key=badness)


def zoom_for(columns: int, width: int) -> int:
    """Whole pixels per position so that the grid is about WIDTH wide and a map between SMALLEST and LARGEST pixels."""
    zoom = min(round(WIDTH / (columns * width)), LARGEST // width)
    return max(zoom, -(-SMALLEST // width))


def enlarge(images: np.ndarray, zoom: int) -> np.ndarray:
    """Every pixel of [..., H, W, C] as zoom x zoom pixels."""
    return images.repeat(zoom, axis=-3).repeat(zoom, axis=-2)


def cross_out(cell: np.ndarray) -> None:
    """Draw both diagonals into uint8 [H, W, 3], in place."""
    height, width = cell.shape[:2]
    y, x = np.mgrid[:height, :width]
    y, x = (y + 0.5) / height, (x + 0.5) / width
    thin = max(1.0, min(height, width) / 40) / min(height, width)
    cell[(np.abs(y - x) < thin) | (np.abs(y + x - 1) < thin)] = MARK


def _arranged(
    cells: np.ndarray, columns: int | None, zoom: int | None, crossed: np.ndarray | None = None
) -> np.ndarray:
    """Cells uint8 [n, h, w, 3] enlarged and in a grid; `crossed` bool [n]: those to cross out."""
    n, height, width, _ = cells.shape
    columns = columns or columns_for(n, height, width)
    cells = enlarge(cells, zoom or zoom_for(columns, width))
    for i in np.flatnonzero(crossed) if crossed is not None else ():
        cross_out(cells[i])
    return _sheet(cells, -(-n // columns), columns, GAP, GROUND)


def _sheet(cells: np.ndarray, rows: int, columns: int, gap: int, ground: tuple[int, ...]) -> np.ndarray:
    """Cells uint8 [n, h, w, C] in rows; gaps and cells to spare in the colour `ground`."""
    n, height, width, channels = cells.shape
    framed = np.full((rows * columns, height + gap, width + gap, channels), ground, np.uint8)
    framed[:n, :height, :width] = cells
    return make_grid(framed, columns)[:-gap, :-gap]
