"""Sheets of completed images beside their originals, and the search as an animation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dcgan_tf.files import replacing
from dcgan_tf.pictures.animation import save_gif
from dcgan_tf.pictures.grids import make_grid, to_pillow

MISSING = 128  # the grey of holes
SIDE = 128  # pixels: smaller images are magnified to about this side in a sheet


def hide_holes(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Paint the holes of uint8 [N, H, W, C] grey, where bool `known` [N, H, W] is False."""
    return np.where(known[..., None], images, np.uint8(MISSING))


def magnify(images: np.ndarray) -> np.ndarray:
    """Repeat the pixels of uint8 [N, H, W, C] so that a side is about `SIDE`."""
    times = max(1, SIDE // images.shape[1])
    return images.repeat(times, axis=1).repeat(times, axis=2)


def save_sheet(path: Path, columns: dict[str, np.ndarray], gap: int = 4) -> None:
    """Write a sheet with a row for each image and a column for each of `columns`: title -> uint8 [N, H, W, C]."""
    stacked = np.stack(list(columns.values()), axis=1)
    cells = magnify(stacked.reshape(-1, *stacked.shape[2:]))
    pictures = to_pillow(make_grid(cells, len(columns), gap)).convert("RGB")
    font = ImageFont.load_default(14)
    strip = 22
    sheet = Image.new("RGB", (pictures.width, pictures.height + strip), "white")
    sheet.paste(pictures, (0, strip))
    draw, width = ImageDraw.Draw(sheet), cells.shape[2] + gap
    for place, title in enumerate(columns):
        draw.text((place * width + (width - gap) / 2, strip / 2), title, fill="black", font=font, anchor="mm")
    with replacing(path) as temporary:
        sheet.save(temporary, format="png")


def save_search(path: Path, images: np.ndarray, known: np.ndarray, proposals_over_time: np.ndarray) -> None:
    """Write the search as an animation: the images side by side, with the proposals pasted into the holes.

    Args:
      path: the GIF to write.
      images: uint8 [N, H, W, C].
      known: bool [N, H, W], False in the holes.
      proposals_over_time: uint8 [frames, N, H, W, C].
    """
    columns = min(8, len(images))
    filled = [magnify(np.where(known[..., None], images, proposals)) for proposals in proposals_over_time]
    frames = [make_grid(cells, columns, 4) for cells in filled]
    save_gif(path, frames, milliseconds=120, hold=2000)
