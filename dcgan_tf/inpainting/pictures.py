"""Completed images beside what they were made from, and the search as an animation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dcgan_tf.files import replacing
from dcgan_tf.pictures.animation import save_gif
from dcgan_tf.pictures.grids import make_grid, to_pillow

MISSING = 128  # the grey that holes are shown in
SIDE = 128  # pixels of a sheet for an image: smaller ones are magnified


def masked(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W, C] with the holes grey; known is bool [N, H, W]."""
    return np.where(known[..., None], images, np.uint8(MISSING))


def magnified(images: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W, C], each pixel repeated so that a side is about `SIDE`."""
    times = max(1, SIDE // images.shape[1])
    return images.repeat(times, axis=1).repeat(times, axis=2)


def save_sheet(path: Path, columns: dict[str, np.ndarray], gap: int = 4) -> None:
    """A row for each image, a column for each of `columns`: title -> uint8 [N, H, W, C]."""
    stacked = np.stack(list(columns.values()), axis=1)
    cells = magnified(stacked.reshape(-1, *stacked.shape[2:]))
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


def save_search(path: Path, images: np.ndarray, known: np.ndarray, path_of_proposals: np.ndarray) -> None:
    """The holes as the search fills them, images side by side: proposals uint8 [frames, N, H, W, C], pasted."""
    columns = min(8, len(images))
    filled = [magnified(np.where(known[..., None], images, proposals)) for proposals in path_of_proposals]
    frames = [make_grid(cells, columns, 4) for cells in filled]
    save_gif(path, frames, milliseconds=120, hold=2000)
