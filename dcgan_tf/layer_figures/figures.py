"""Figures of layers: annotated grids of maps, strips, and tables of pictures.

They are composed of blocks, uint8 [H, W, 3] on white, without a plotting library, so that every pixel of a map is kept.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dcgan_tf.console import printable
from dcgan_tf.layer_figures import maps as layer_maps
from dcgan_tf.pictures.grids import save_png

INK, PALE = (24, 24, 24), (96, 96, 96)
TITLE, BODY, SMALL = 22, 15, 13  # font sizes, pixels
SPACE, MARGIN = 10, 14
SIDE = 160  # pixels: the largest width of a picture beside the maps
STRIP = 1000  # pixels: strips wrap beyond this width


def save_layer_figure(
    path: Path,
    maps: np.ndarray,
    *,
    title: str,
    stage: str,
    scaling: str,
    order: str,
    input_image: np.ndarray | None = None,
    output_image: np.ndarray | None = None,
    input_label: str = "",
    output_label: str = "",
    zoom: int | None = None,
) -> None:
    """Write one layer's maps with a title, statistics, a colour bar and the pictures that they belong to.

    Args:
      path: the PNG to write.
      maps: float [h, w, n].
      title: the layer's name; the shape and number of the maps are added.
      stage: the place in the layer, such as "after ReLU".
      scaling, order, zoom: as in `maps.activation_grid`, whose pixels are in the figure unchanged.
      input_image, output_image: uint8 [H, W, C]; shown to the right, enlarged by a whole factor.
      input_label, output_label: captions, shown even without a picture (a latent vector has none).
    """
    height, width, n = maps.shape
    numbers = layer_maps.statistics(maps)
    words = "mean {mean:.3g}   std {std:.3g}   min {min:.3g}   max {max:.3g}   exact zeros {zeros:.1%}"
    count = "1 map" if n == 1 else f"{n} maps"
    heading = [
        _render_text(f"{title}: {height}x{width}, {count}, {stage}", TITLE),
        _render_text(words.format(**numbers), BODY, PALE),
    ]
    body = [layer_maps.activation_grid(maps, scaling, order, zoom=zoom)]
    beside = (input_image, input_label, "input"), (output_image, output_label, "output")
    side = [_add_caption(image, label or name) for image, label, name in beside if image is not None or label]
    if side:
        body.append(_join(side, axis=0))
    key = [_draw_dead_key(int(numbers["dead"]), n)]
    if n > 1:
        sorting = {"channel": "in channel order", "energy": "by falling mean square"}[order]
        columns = layer_maps.choose_columns(n, height, width)
        key.insert(0, _render_text(f"maps {sorting}, row by row, {columns} to a row", SMALL))
    foot = [_draw_colour_bar(scaling, numbers["min"], numbers["max"]), _join(key, axis=0, space=4)]
    _save(path, [*heading, _join(body, axis=1), _join(foot, axis=1, space=3 * SPACE)])


def save_strip(path: Path, frames: list[np.ndarray], labels: list[str]) -> None:
    """Write one layer over time: pictures side by side, each below its label, wrapped at about STRIP pixels.

    Args:
      path: the PNG to write.
      frames: uint8 [H, W, C] each, at least one, as from `maps.activation_grid`.
      labels: one per frame, such as "step 500".
    """
    columns = max(1, STRIP // (max(frame.shape[1] for frame in frames) + SPACE))
    cells = [_join([_render_text(label, BODY), _rgb(frame)], axis=0, space=4) for frame, label in zip(frames, labels)]
    _save(path, [_arrange([cells[i : i + columns] for i in range(0, len(cells), columns)])])


def add_label(picture: np.ndarray, label: str) -> np.ndarray:
    """Put a label above a picture, uint8 [H, W, C] -> uint8 [H', W', 3], as a frame of an animation."""
    # Labels are padded to the widest one that counts steps, so that all frames have the same size.
    return _join([_render_text(label.ljust(40), BODY), _rgb(picture)], axis=0, space=4)


def save_table_of_images(
    path: Path,
    rows: Sequence[Sequence[np.ndarray]],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str,
    zoom: int | None = None,
) -> None:
    """Write rows of pictures with a label for each row and each column.

    Args:
      path: the PNG to write.
      rows: uint8 [H, W, C], all of one size; rows may differ in length.
      row_labels, column_labels: one for each row and each column; they may have line breaks.
      title: what the table shows.
      zoom: whole factor of enlargement; None: such that a row is about as wide as a grid of maps.
    """
    width = rows[0][0].shape[1]
    columns = max(len(row) for row in rows)
    zoom = zoom or max(1, min(round(layer_maps.WIDTH / (columns * width)), SIDE // width))
    cells = [[_render_text("", SMALL), *[_render_text(label, SMALL) for label in column_labels]]]
    for label, row in zip(row_labels, rows):
        cells.append([_render_text(label, SMALL), *[layer_maps.enlarge(_rgb(image), zoom) for image in row]])
    _save(path, [_render_text(title, TITLE), _arrange(cells)])


def outline(image: np.ndarray, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> np.ndarray:
    """Return a copy with the outline of a patch, 1 px wide (2 px in images of at least 128 px), drawn inside it.

    Args:
      image: uint8 [H, W, C].
      box: top, left, bottom, right in pixels, the last two exclusive; it is clipped to the image, because receptive
        fields reach beyond the border.
      colour: RGB, 0 to 255.

    Returns:
      uint8 [H, W, 3].
    """
    copy = _rgb(image).copy()
    top, left, bottom, right = (max(0, side) for side in box)
    patch = copy[top:bottom, left:right]  # a view
    inside = patch.copy()
    line = 1 + (min(image.shape[:2]) >= 128)
    patch[:] = colour
    patch[line:-line, line:-line] = inside[line:-line, line:-line]
    return copy


def _draw_colour_bar(scaling: str, low: float, high: float) -> np.ndarray:
    """Draw the colours from the smallest to the largest value, with labels below."""
    largest = max(abs(low), abs(high))
    ends, labels = {
        "map": ((0, 1), ["each map: its own minimum", "its own maximum"]),
        "layer": ((0, 1), [f"{low:.3g}", f"{high:.3g}"]),
        "signed": ((-1, 1), [f"{-largest:.3g}", "0", f"{largest:.3g}"]),
    }[scaling]
    texts = [_render_text(label, SMALL) for label in labels]
    width = max(320, sum(text.shape[1] for text in texts) + 3 * SPACE)
    bar = np.broadcast_to(layer_maps.colorize(np.linspace(*ends, width), scaling), (16, width, 3))
    bar = outline(bar, (0, 0, 16, width), PALE)  # white ends would vanish on white
    below = np.full((max(text.shape[0] for text in texts), width, 3), 255, np.uint8)
    for place, text in zip(np.linspace(0, 1, len(texts)), texts):
        start = round(place * (width - text.shape[1]))
        below[: text.shape[0], start : start + text.shape[1]] = text
    return _join([bar, below], axis=0, space=4)


def _draw_dead_key(dead: int, n: int) -> np.ndarray:
    sample = np.zeros((18, 18, 3), np.uint8)
    layer_maps.cross_out(sample)
    return _join([sample, _render_text(f"dead (the same at every position): {dead} of {n}", SMALL)], axis=1, space=6)


def _add_caption(image: np.ndarray | None, label: str) -> np.ndarray:
    """Put a caption below a picture; None: the caption alone."""
    blocks = [_render_text(label, SMALL, width=SIDE)]
    if image is not None:
        blocks.insert(0, layer_maps.enlarge(_rgb(image), max(1, SIDE // image.shape[1])))
    return _join(blocks, axis=0, space=4)


def _rgb(image: np.ndarray) -> np.ndarray:
    """Broadcast uint8 [H, W, 1] or [H, W, 3] to [H, W, 3]."""
    return np.broadcast_to(image, (*image.shape[:2], 3))


def _render_text(text: str, size: int, colour: tuple[int, int, int] = INK, width: int | None = None) -> np.ndarray:
    """Render text as a block, wrapped at about `width` pixels if that is given."""
    font, text = ImageFont.load_default(size), printable(text)
    if width is not None:
        text = textwrap.fill(text, int(width / (0.52 * size)))  # 0.52: mean width of a letter of this font, by its size
    lines = text.split("\n")
    line_height = round(1.3 * size)
    length = max(1, *(round(font.getlength(line)) + 1 for line in lines))
    block = Image.new("RGB", (length, line_height * len(lines)), "white")
    draw = ImageDraw.Draw(block)
    for i, line in enumerate(lines):
        draw.text((0, i * line_height), line, fill=colour, font=font)
    return np.asarray(block)


def _join(blocks: Sequence[np.ndarray], axis: int, space: int = SPACE) -> np.ndarray:
    """Place blocks one below the other (axis 0) or side by side (axis 1)."""
    return _arrange([[block] for block in blocks] if axis == 0 else [blocks], space)


def _arrange(rows: Sequence[Sequence[np.ndarray]], space: int = SPACE) -> np.ndarray:
    """Place blocks in rows and columns, each as high or wide as its largest block, `space` white pixels apart."""
    columns = range(max(len(row) for row in rows))
    widths = [max(row[j].shape[1] for row in rows if j < len(row)) for j in columns]
    height = sum(max(block.shape[0] for block in row) + space for row in rows) - space
    sheet = np.full((height, sum(widths) + space * (len(widths) - 1), 3), 255, np.uint8)
    y = 0
    for row in rows:
        x = 0
        for block, width in zip(row, widths):
            sheet[y : y + block.shape[0], x : x + block.shape[1]] = block
            x += width + space
        y += max(block.shape[0] for block in row) + space
    return sheet


def _save(path: Path, blocks: Sequence[np.ndarray]) -> None:
    figure = _join(blocks, axis=0)
    height, width = figure.shape[:2]
    sheet = np.full((height + 2 * MARGIN, width + 2 * MARGIN, 3), 255, np.uint8)
    sheet[MARGIN : MARGIN + height, MARGIN : MARGIN + width] = figure
    save_png(path, sheet)
