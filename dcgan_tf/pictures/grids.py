"""Grids of images, contact sheets and PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dcgan_tf.files import replacing


def make_grid(images: np.ndarray, columns: int, gap: int = 0) -> np.ndarray:
    """Arrange images in rows, with white where the last row has none.

    Args:
      images: uint8 [n, H, W, C], n at least 1.
      columns: images in a row.
      gap: white pixels between images.

    Returns:
      uint8 [rows * (H + gap) - gap, columns * (W + gap) - gap, C]. 64 images of 64x64 in 8 columns without gaps
      give 512x512.
    """
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    sheet = np.full((rows, height + gap, columns, width + gap, channels), 255, np.uint8)
    for i, image in enumerate(images):
        sheet[i // columns, :height, i % columns, :width] = image
    sheet = sheet.reshape(rows * (height + gap), columns * (width + gap), channels)
    return sheet[: sheet.shape[0] - gap or None, : sheet.shape[1] - gap or None]


def to_pillow(image: np.ndarray) -> Image.Image:
    """Convert uint8 [H, W, 3] or [H, W, 1] to a Pillow image of mode RGB or L."""
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def save_png(path: Path, image: np.ndarray) -> None:
    """Write uint8 [H, W, C] as a PNG.

    Raises:
      UserError: the disk is full or the file may not be written.
    """
    with replacing(path) as temporary:
        to_pillow(image).save(temporary, format="png")


def save_contact_sheet(path: Path, pictures: list[Path], labels: list[str], columns: int = 4, side: int = 256) -> None:
    """Write the upper left corners of several pictures as one sheet, each with its label above it.

    Args:
      path: the PNG to write.
      pictures: image files; one smaller than `side` is shown whole.
      labels: one for each picture.
      columns: pictures in a row.
      side: width and height of the corner, in pixels.

    Raises:
      UserError: the disk is full or the file may not be written.
    """
    margin, strip = 8, 26
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    cell = side + margin
    sheet = Image.new("RGB", (columns * cell + margin, rows * (cell + strip) + margin), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(18)
    for i, (picture, label) in enumerate(zip(pictures, labels)):
        x, y = margin + i % columns * cell, margin + i // columns * (cell + strip)
        draw.text((x, y), label, fill="black", font=font)
        with Image.open(picture) as image:
            part = image.convert("RGB").crop((0, 0, min(side, image.width), min(side, image.height)))
            sheet.paste(part, (x, y + strip))
    with replacing(path) as temporary:
        sheet.save(temporary, format="png")
