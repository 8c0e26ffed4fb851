"""Figures of layers: a grid of maps with what is needed to read it, strips and tables of pictures.

Composed of blocks, uint8 [H, W, 3] on white, and not drawn by a plotting library: every pixel of a map stays as it is.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dcgan_tf.layer_figures import maps as drawn
from dcgan_tf.layer_figures.maps import min_max_image as min_max_image  # part of this module's face
from dcgan_tf.layer_figures.maps import signed_image as signed_image
from dcgan_tf.pictures.grids import save_png

INK, PALE = (24, 24, 24), (96, 96, 96)
TITLE, BODY, SMALL = 22, 15, 13  # font sizes, pixels
SPACE, MARGIN = 10, 14
SIDE = 160  # pixels: a picture beside the maps is made at most this wide
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
    """Write one layer's maps with title, numbers, colour bar and the pictures they belong to.

    Args:
      path: the PNG to write.
      maps: float [h, w, n].
      title: the layer's name; shape and count are added.
      stage: where in the layer, as "after ReLU".
      scaling, order, zoom: as in `activations.activation_grid`, whose pixels stand unchanged in the figure.
      input_image, output_image: uint8 [H, W, C]; shown to the right, enlarged by whole numbers.
      input_label, output_label: the words below them; shown without a picture too (a latent has none).
    """
    height, width, n = maps.shape
    numbers = drawn.statistics(maps)
    words = "mean {mean:.3g}   std {std:.3g}   min {min:.3g}   max {max:.3g}   exact zeros {zeros:.1%}"
    count = "1 map" if n == 1 else f"{n} maps"
    heading = [
        _text(f"{title}: {height}x{width}, {count}, {stage}", TITLE),
        _text(words.format(**numbers), BODY, PALE),
    ]
    body = [drawn.activation_grid(maps, scaling, order, zoom=zoom)]
    beside = (input_image, input_label, "input"), (output_image, output_label, "output")
    side = [_captioned(image, label or name) for image, label, name in beside if image is not None or label]
    if side:
        body.append(_joined(side, axis=0))
    key = [_dead_key(int(numbers["dead"]), n)]
    if n > 1:
        sorting = {"channel": "in channel order", "energy": "by falling mean square"}[order]
        columns = drawn.columns_for(n, height, width)
        key.insert(0, _text(f"maps {sorting}, row by row, {columns} to a row", SMALL))
    foot = [_colour_bar(scaling, numbers["min"], numbers["max"]), _joined(key, axis=0, space=4)]
    _save(path, [*heading, _joined(body, axis=1), _joined(foot, axis=1, space=3 * SPACE)])


def save_strip(path: Path, frames: list[np.ndarray], labels: list[str]) -> None:
    """Write one layer over time: pictures side by side, each below its label, wrapped at about STRIP pixels.

    Args:
      path: the PNG to write.
      frames: uint8 [H, W, C] each, at least one, as `activations.activation_grid` gives them.
      labels: one each, as "step 500".
    """
    columns = max(1, STRIP // (max(frame.shape[1] for frame in frames) + SPACE))
    cells = [_joined([_text(label, BODY), _rgb(frame)], axis=0, space=4) for frame, label in zip(frames, labels)]
    _save(path, [_table([cells[i : i + columns] for i in range(0, len(cells), columns)])])


def add_label(picture: np.ndarray, label: str) -> np.ndarray:
    """A picture, uint8 [H, W, C], below its label: uint8 [H', W', 3], for the frames of an animation."""
    # The label is as wide as the widest that counts steps: all frames come out the same size.
    return _joined([_text(label.ljust(40), BODY), _rgb(picture)], axis=0, space=4)


def save_table_of_images(
    path: Path,
    rows: Sequence[Sequence[np.ndarray]],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str,
    zoom: int | None = None,
) -> None:
    """Write rows of pictures with words before each row and above each column.

    Args:
      path: the PNG to write.
      rows: uint8 [H, W, C], all of one size; rows may be shorter than others.
      row_labels, column_labels: one for each row and for each column; may have line breaks.
      title: what the table shows.
      zoom: pixels per pixel, whole; None: so that the pictures are about as wide as a grid of maps together.
    """
    width = rows[0][0].shape[1]
    columns = max(len(row) for row in rows)
    zoom = zoom or max(1, min(round(drawn.WIDTH / (columns * width)), SIDE // width))
    cells = [[_text("", SMALL), *[_text(label, SMALL) for label in column_labels]]]
    for label, row in zip(row_labels, rows):
        cells.append([_text(label, SMALL), *[drawn.enlarge(_rgb(image), zoom) for image in row]])
    _save(path, [_text(title, TITLE), _table(cells)])


def outline(image: np.ndarray, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> np.ndarray:
    """A copy with the outline of a patch, drawn inside it: 1 px, 2 px in images from 128 px.

    Args:
      image: uint8 [H, W, C].
      box: top, left, bottom, right in pixels, the last two exclusive; what lies outside the image is cut off
        (receptive fields reach beyond the border).
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


def _colour_bar(scaling: str, low: float, high: float) -> np.ndarray:
    """The colours from the least to the largest value, with what they mean below."""
    largest = max(abs(low), abs(high))
    ends, labels = {
        "map": ((0, 1), ["each map: its own minimum", "its own maximum"]),
        "layer": ((0, 1), [f"{low:.3g}", f"{high:.3g}"]),
        "signed": ((-1, 1), [f"{-largest:.3g}", "0", f"{largest:.3g}"]),
    }[scaling]
    texts = [_text(label, SMALL) for label in labels]
    width = max(320, sum(text.shape[1] for text in texts) + 3 * SPACE)
    bar = np.broadcast_to(drawn.colorize(np.linspace(*ends, width), scaling), (16, width, 3))
    bar = outline(bar, (0, 0, 16, width), PALE)  # white ends on white paper otherwise
    below = np.full((max(text.shape[0] for text in texts), width, 3), 255, np.uint8)
    for place, text in zip(np.linspace(0, 1, len(texts)), texts):
        start = round(place * (width - text.shape[1]))
        below[: text.shape[0], start : start + text.shape[1]] = text
    return _joined([bar, below], axis=0, space=4)


def _dead_key(dead: int, n: int) -> np.ndarray:
    sample = np.zeros((18, 18, 3), np.uint8)
    drawn.cross_out(sample)
    return _joined([sample, _text(f"dead (the same at every position): {dead} of {n}", SMALL)], axis=1, space=6)


def _captioned(image: np.ndarray | None, label: str) -> np.ndarray:
    """A picture, if there is one, and the words below it."""
    blocks = [_text(label, SMALL, width=SIDE)]
    if image is not None:
        blocks.insert(0, drawn.enlarge(_rgb(image), max(1, SIDE // image.shape[1])))
    return _joined(blocks, axis=0, space=4)


def _rgb(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 1] or [H, W, 3] as [H, W, 3]."""
    return np.broadcast_to(image, (*image.shape[:2], 3))


def _text(text: str, size: int, colour: tuple[int, int, int] = INK, width: int | None = None) -> np.ndarray:
    """Words as a block; broken into lines of about `width` pixels if that is given."""
    font = ImageFont.load_default(size)
    if width is not None:
        text = textwrap.fill(text, int(width / (0.52 * size)))  # 0.52: this font's mean letter is that wide
    lines = text.split("\n")
    line_height = round(1.3 * size)
    length = max(1, *(round(font.getlength(line)) + 1 for line in lines))
    block = Image.new("RGB", (length, line_height * len(lines)), "white")
    draw = ImageDraw.Draw(block)
    for i, line in enumerate(lines):
        draw.text((0, i * line_height), line, fill=colour, font=font)
    return np.asarray(block)


def _joined(blocks: Sequence[np.ndarray], axis: int, space: int = SPACE) -> np.ndarray:
    """Blocks one below the other (axis 0) or side by side (axis 1)."""
    return _table([[block] for block in blocks] if axis == 0 else [blocks], space)


def _table(rows: Sequence[Sequence[np.ndarray]], space: int = SPACE) -> np.ndarray:
    """Blocks in rows and columns, each as wide and high as its largest block, `space` white pixels between."""
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
    figure = _joined(blocks, axis=0)
    height, width = figure.shape[:2]
    sheet = np.full((height + 2 * MARGIN, width + 2 * MARGIN, 3), 255, np.uint8)
    sheet[MARGIN : MARGIN + height, MARGIN : MARGIN + width] = figure
    save_png(path, sheet)
