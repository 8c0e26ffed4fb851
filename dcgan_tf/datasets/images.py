"""Load one image file as a uint8 array: decode, apply the EXIF orientation, crop, resize."""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

# Formats that Pillow decodes by itself (MPO comes with JPEG). EPS and the like are excluded: Pillow hands them to other
# programs.
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "TGA")
# Pillow's own threshold for a decompression bomb. Such an image takes about 360 MB in RGB, and a few times that while
# it is rotated or composited on white.
MAX_PIXELS = 89_478_485
# The transposition that undoes each EXIF orientation.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BadImage(Exception):
    """A file that cannot be used. The message gives the reason in a few words and does not name the file."""


def load(path: str, size: int, crop: str, channels: int) -> np.ndarray:
    """Load an image as the networks see it.

    Args:
      path: any file.
      size: height and width of the result, in pixels.
      crop: a number N (the central NxN pixels), "square" (the largest central square) or "none" (the whole image,
        its aspect ratio not kept).
      channels: 3 or 1.

    Returns:
      uint8 [size, size, channels], resized with Pillow's antialiasing bicubic filter. The article does not name its
      interpolation.

    Raises:
      BadImage: not an image, damaged, too large, or smaller than the crop.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImage("too many pixels (decompression bomb)")
            upright = turn_upright(image)
            # Not passed to resize as its box: the filter would use pixels outside the crop.
            used = to_rgb(upright.crop(crop_box(upright.width, upright.height, crop)))
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage("empty file" if _is_empty(path) else "not an image") from None
    except Image.DecompressionBombError:
        raise BadImage("too many pixels (decompression bomb)") from None
    except FileNotFoundError:
        raise BadImage("missing") from None
    except PermissionError:
        raise BadImage("may not be read") from None
    except MemoryError:
        raise BadImage("not enough memory to decode") from None
    except Exception:  # on damaged data Pillow raises errors of many classes: OSError, SyntaxError, struct.error, ...
        raise BadImage("damaged or truncated") from None
    resized = used.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(resized if channels == 3 else resized.convert("L")).reshape(size, size, channels)


def turn_upright(image: Image.Image) -> Image.Image:
    """Rotate or mirror `image` as its EXIF orientation says."""
    # Not ImageOps.exif_transpose: it rewrites the other metadata and fails where they are malformed.
    image.load()  # in a PNG the orientation may come after the pixels
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any Pillow mode to 8-bit RGB: transparency on white, 16 bits scaled down (Pillow would clip them)."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
        values = np.asarray(image, dtype=np.float64)
        # Older Pillow versions open 16-bit grey PNGs as "I". A float TIFF has the range [0, 1] or 0..255.
        peak = 65535.0 if image.mode != "F" else (1.0 if values.max(initial=0.0) <= 1.0 else 255.0)
        grey = np.nan_to_num(values / peak).clip(0.0, 1.0)
        return Image.fromarray(np.rint(grey * 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def crop_box(width: int, height: int, crop: str) -> tuple[int, int, int, int]:
    """Compute the part of an image that is used, (left, top, right, bottom) in pixels; `crop` as in `load`.

    Raises:
      BadImage: the image is smaller than the crop.
    """
    if crop == "none":
        return 0, 0, width, height
    side = min(width, height) if crop == "square" else int(crop)
    if side > min(width, height):
        raise BadImage(f"smaller than the crop of {side} px")
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def _is_empty(path: str) -> bool:
    with open(path, "rb") as f:
        return not f.read(1)
