"""Animated GIFs, written with imageio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

from dcgan_tf.files import replacing
from dcgan_tf.pictures.grids import to_pillow


def save_gif(path: Path, frames: Sequence[np.ndarray], milliseconds: int = 100, hold: int = 0) -> None:
    """Write frames as a GIF that loops forever.

    Args:
      path: the file to write.
      frames: uint8 [H, W, C] each, C 3 or 1, all of one shape; at least one.
      milliseconds: how long each frame is shown.
      hold: how much longer the last frame is shown, in milliseconds.

    Raises:
      UserError: the disk is full or the file may not be written.
    """
    durations = [milliseconds] * (len(frames) - 1) + [milliseconds + hold]
    with replacing(path) as temporary:
        # imageio gets RGB frames of at most 256 colours, so the palettes that its Pillow plugin makes are exact.
        iio.imwrite(
            temporary,
            np.stack(quantize(frames)),
            plugin="pillow",
            extension=".gif",
            duration=durations if len(frames) > 1 else durations[0],  # milliseconds; a list needs several frames
            loop=0,  # repeat forever
            disposal=1,  # keep the previous frame: only the rectangle that changes is stored
        )


def quantize(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Reduce frames to 256 colours that all of them share.

    With a palette for each frame, the parts that do not move would flicker.

    Args:
      frames: uint8 [H, W, C] each, C 3 or 1.

    Returns:
      uint8 [H, W, 3] each: a median-cut palette of eight frames at most, Floyd-Steinberg dithering.
    """
    some = [frames[i] for i in np.linspace(0, len(frames) - 1, min(8, len(frames))).astype(int)]
    palette = to_pillow(np.concatenate(some)).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT)
    dither = Image.Dither.FLOYDSTEINBERG
    images = [to_pillow(frame).convert("RGB").quantize(palette=palette, dither=dither) for frame in frames]
    return [np.asarray(image.convert("RGB")) for image in images]
