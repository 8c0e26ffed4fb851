"""The part of a picture that the networks see, and what they made of it put back into the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from dcgan_tf.datasets.images import FORMATS, BadImage, crop_box, to_rgb, turned_upright


@dataclass(frozen=True)
class Region:
    """A picture and its part.

    Attributes:
      name: of its file.
      picture: uint8 [h, w, C], upright, all of it.
      transparent: bool [h, w].
      box: (left, top, right, bottom) of the part, pixels, the last two excluded.
      size: height and width at which the networks see it.
    """

    name: str
    picture: np.ndarray
    transparent: np.ndarray
    box: tuple[int, int, int, int]
    size: int

    def seen(self) -> np.ndarray:
        """The part as `datasets.images.load` gives it, grey to within 1 of 255: uint8 [size, size, C]."""
        left, top, right, bottom = self.box
        return resized(self.picture[top:bottom, left:right], self.size, self.size)

    def known(self, hole: np.ndarray) -> np.ndarray:
        """What is known as the networks see it, bool [size, size]: what no part of `hole`, bool [h, w], touches."""
        left, top, right, bottom = self.box
        touched = Image.fromarray(np.where(hole[top:bottom, left:right], 255, 0).astype(np.uint8))
        shares = np.asarray(touched.convert("F").resize((self.size, self.size), Image.Resampling.BOX))
        return shares < 1.0

    def holds(self, hole: np.ndarray) -> bool:
        """Whether all of `hole`, bool [h, w], lies in the part."""
        left, top, right, bottom = self.box
        return hole.sum() == hole[top:bottom, left:right].sum()

    def hole_of(self, known: np.ndarray) -> np.ndarray:
        """The hole in the picture, bool [h, w], where `known`, bool [size, size], leaves one in the part."""
        left, top, right, bottom = self.box
        hole = np.zeros(self.picture.shape[:2], bool)
        missing = Image.fromarray(np.where(known, 0, 255).astype(np.uint8))
        hole[top:bottom, left:right] = np.asarray(
            missing.resize((right - left, bottom - top), Image.Resampling.NEAREST)
        )
        return hole

    def filled(self, completed: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """The picture with the pixels of `hole` that lie in the part taken from `completed`, uint8 [size, size, C]."""
        left, top, right, bottom = self.box
        picture = self.picture.copy()
        part = picture[top:bottom, left:right]
        inside = hole[top:bottom, left:right]
        part[inside] = resized(completed, bottom - top, right - left)[inside]
        return picture


def open_region(path: str, name: str, size: int, crop: str, channels: int) -> Region:
    """The picture in a file, and the part of it that `crop` names (see `datasets.images.load`).

    A picture smaller than the crop is used as far as its largest central square goes.

    Raises:
      BadImage: not an image, or damaged.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            upright = turned_upright(image)
            alpha = (
                upright.convert("RGBA").getchannel("A")
                if "A" in upright.getbands() or upright.info.get("transparency")
                else None
            )
            rgb = to_rgb(upright)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise BadImage("not an image, or damaged") from None
    picture = np.asarray(rgb if channels == 3 else rgb.convert("L")).reshape(rgb.height, rgb.width, channels)
    transparent = np.zeros(picture.shape[:2], bool) if alpha is None else np.asarray(alpha) < 128
    try:
        box = crop_box(rgb.width, rgb.height, crop)
    except BadImage:
        box = crop_box(rgb.width, rgb.height, "square")
    return Region(name, picture, transparent, box, size)


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 [h, w, C] -> uint8 [height, width, C], by Pillow's bicubic filter."""
    if image.shape[:2] == (height, width):
        return image
    pillow = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    return np.asarray(pillow.resize((width, height), Image.Resampling.BICUBIC)).reshape(height, width, image.shape[2])
