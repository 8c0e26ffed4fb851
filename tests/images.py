"""Images read from files."""

import io
from pathlib import Path

from PIL import Image


def open_image(path) -> Image.Image:
    """Open an image from its bytes, so that no file stays open."""
    return Image.open(io.BytesIO(Path(path).read_bytes()))
