"""Crop a picture to the region that the networks see, and paste their output back into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from dcgan_tf.datasets.images import FORMATS, BadImage, crop_box, to_rgb, turn_upright


@dataclass(frozen=True)
class Region:
    """A picture and the region of it that the networks see.

    Attributes:
      name: name of the file.
      picture: uint8 [h, w, C], the whole picture, upright.
      transparent: bool [h, w], where the picture is transparent.
      box: (left, top, right, bottom) of the region in pixels, right and bottom excluded.
      size: height and width of the networks' input.
    """

    name: str
    picture: np.ndarray
    transparent: np.ndarray
    box: tuple[int, int, int, int]
    size: int

    def network_input(self) -> np.ndarray:
        """Resize the region: uint8 [size, size, C].

        The pixels are those of `datasets.images.load`; grey ones differ by up to 1 of 255.
        """
        left, top, right, bottom = self.box
        return resize(self.picture[top:bottom, left:right], self.size, self.size)

    def known_pixels(self, hole: np.ndarray) -> np.ndarray:
        """Find the pixels of the networks' input that no part of a hole touches.

        Args:
          hole: bool [h, w].

        Returns:
          bool [size, size].
        """
        left, top, right, bottom = self.box
        touched = Image.fromarray(np.where(hole[top:bottom, left:right], 255, 0).astype(np.uint8))
        shares = np.asarray(touched.convert("F").resize((self.size, self.size), Image.Resampling.BOX))
        return shares < 1.0

    def contains(self, hole: np.ndarray) -> bool:
        """Whether all of `hole`, bool [h, w], lies in the region."""
        left, top, right, bottom = self.box
        return hole.sum() == hole[top:bottom, left:right].sum()

    def hole_in_picture(self, known: np.ndarray) -> np.ndarray:
        """Find the pixels of the picture, bool [h, w], that a mask of the networks' input leaves out.

        Args:
          known: bool [size, size].
        """
        left, top, right, bottom = self.box
        hole = np.zeros(self.picture.shape[:2], bool)
        missing = Image.fromarray(np.where(known, 0, 255).astype(np.uint8))
        hole[top:bottom, left:right] = np.asarray(
            missing.resize((right - left, bottom - top), Image.Resampling.NEAREST)
        )
        return hole

    def fill(self, completed: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """Fill the hole, as far as it lies in the region.

        Args:
          completed: uint8 [size, size, C], where the pixels come from.
          hole: bool [h, w].

        Returns:
          uint8 [h, w, C], the whole picture.
        """
        left, top, right, bottom = self.box
        picture = self.picture.copy()
        part = picture[top:bottom, left:right]
        inside = hole[top:bottom, left:right]
        part[inside] = resize(completed, bottom - top, right - left)[inside]
        return picture


def open_region(path: str, name: str, size: int, crop: str, channels: int) -> Region:
    """Open a picture and the region that `crop` selects.

    Of a picture smaller than the crop, the region is the largest central square.

    Args:
      path: any file.
      name: what the region is called.
      size: height and width of the networks' input, in pixels.
      crop: as for `datasets.images.load`.
      channels: 3 or 1.

    Raises:
      BadImage: not an image, or damaged.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            upright = turn_upright(image)
            alpha = (
                upright.convert("RGBA").getchannel("A")
                if "A" in upright.getbands() or upright.info.get("transparency")
                else None
            )
            rgb = to_rgb(upright)
    except FileNotFoundError:
        raise BadImage("no such file") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise BadImage("not an image, or damaged") from None
    picture = np.asarray(rgb if channels == 3 else rgb.convert("L")).reshape(rgb.height, rgb.width, channels)
    transparent = np.zeros(picture.shape[:2], bool) if alpha is None else np.asarray(alpha) < 128
    try:
        box = crop_box(rgb.width, rgb.height, crop)
    except BadImage:
        box = crop_box(rgb.width, rgb.height, "square")
    return Region(name, picture, transparent, box, size)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize uint8 [h, w, C] to uint8 [height, width, C] with Pillow's antialiasing bicubic filter."""
    if image.shape[:2] == (height, width):
        return image
    pillow = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    return np.asarray(pillow.resize((width, height), Image.Resampling.BICUBIC)).reshape(height, width, image.shape[2])
