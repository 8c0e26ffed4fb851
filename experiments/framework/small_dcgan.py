"""The small DCGAN of several studies (32 px, width 16) and the drawn roads that it is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dcgan_tf.gan.dcgan import DCGAN

IMAGE_SIZE, WIDTH, BATCH = 32, 16, 32
NAIVE = "N(0, 1)"
COUNTED = {"frechet": "Fréchet distance, random features", "sliced_wasserstein": "sliced Wasserstein distance"}


def draw_roads(count: int, drives: int) -> np.ndarray:
    """Draw `count` frames from `drives` drives of synthetic_road: uint8 [count, 32, 32, 3]."""
    from PIL import Image

    from dcgan_tf.console import progress
    from dcgan_tf.datasets.synthetic_road.scene import FRAMES_PER_DRIVE, draw_frame

    each, frames = -(-count // drives), []
    for n in progress(range(count), "drawing roads"):
        drive, place = divmod(n, each)
        frame = draw_frame(0, drive * FRAMES_PER_DRIVE + place * FRAMES_PER_DRIVE // each)[0]
        left = (frame.shape[1] - frame.shape[0]) // 2
        square = Image.fromarray(frame[:, left : left + frame.shape[0]])
        frames.append(np.asarray(square.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)))
    return np.stack(frames)


def make_dcgan(kind: str, seed: int) -> DCGAN:
    """The article's networks at 32 px and width 16, with initial weights of a kind: `Config.initializer` or `NAIVE`."""
    from dcgan_tf.config import preset
    from dcgan_tf.gan.dcgan import DCGAN

    sizes = {"image_size": IMAGE_SIZE, "g_width": WIDTH, "d_width": WIDTH, "batch_size": BATCH}
    name = "article" if kind == NAIVE else kind
    gan = DCGAN(preset("article", seed=seed, initializer=name, learning_rate=4e-4, **sizes))
    if kind == NAIVE:
        rng = np.random.default_rng(seed)
        for variable in network_variables(gan):
            if variable.name == "kernel":
                variable.assign(rng.standard_normal(variable.shape))
    return gan


def network_variables(gan: DCGAN) -> list:
    """Weights and statistics of both networks."""
    return gan.generator.variables + gan.discriminator.variables
