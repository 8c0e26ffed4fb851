"""Pictures one after the other: animated GIFs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dcgan_tf.files import replacing
from dcgan_tf.pictures.grids import to_pillow


def save_gif(path: Path, frames: Sequence[np.ndarray], milliseconds: int = 100, hold: int = 0) -> None:
    """Write an endless GIF.

    Args:
      path: the file to write.
      frames: uint8 [H, W, C] each, all of one shape, at least one.
      milliseconds: how long each is shown.
      hold: how much longer the last is shown, milliseconds.
    """
    # One palette for all frames, from a few of them: a palette each would make still parts flicker.
    some = [frames[i] for i in np.linspace(0, len(frames) - 1, min(8, len(frames))).astype(int)]
    palette = to_pillow(np.concatenate(some)).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT)
    images = [to_pillow(f).convert("RGB").quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for f in frames]
    durations = [milliseconds] * (len(images) - 1) + [milliseconds + hold]
    with replacing(path) as temporary:
        images[0].save(
            temporary, format="gif", save_all=True, append_images=images[1:], duration=durations, loop=0, disposal=1
        )
