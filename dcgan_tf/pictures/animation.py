"""Animated GIFs, written through imageio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

from dcgan_tf.files import replacing
from dcgan_tf.pictures.grids import to_pillow


def save_gif(path: Path, frames: Sequence[np.ndarray], milliseconds: int = 100, hold: int = 0) -> None:
    """Write a GIF that repeats for ever.

    Args:
      path: the file to write.
      frames: uint8 [H, W, C] each, all of one shape, at least one.
      milliseconds: how long each is shown.
      hold: how much longer the last is shown, milliseconds.
    """
    durations = [milliseconds] * (len(frames) - 1) + [milliseconds + hold]
    with replacing(path) as temporary:
        iio.imwrite(
            temporary,
            np.stack(quantize(frames)),
            extension=".gif",
            duration=durations if len(frames) > 1 else durations[0],
            loop=0,
            disposal=1,
        )


def quantize(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Frames in 256 colours, the same for all, since a palette for each frame would make still parts flicker.

    Args:
      frames: uint8 [H, W, C] each.

    Returns:
      uint8 [H, W, 3] each.
    """
    some = [frames[i] for i in np.linspace(0, len(frames) - 1, min(8, len(frames))).astype(int)]
    palette = to_pillow(np.concatenate(some)).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT)
    dither = Image.Dither.FLOYDSTEINBERG
    images = [to_pillow(frame).convert("RGB").quantize(palette=palette, dither=dither) for frame in frames]
    return [np.asarray(image.convert("RGB")) for image in images]
