"""Baselines that fill holes without a generator, to compare completions with."""

from __future__ import annotations

import importlib.util

import numpy as np

from dcgan_tf.inpainting.blending import blend


def mean_fill(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill holes with the mean colour of the known pixels: uint8 [N, H, W, C], bool [N, H, W] -> uint8 [N, H, W, C]."""
    counts = known.sum(axis=(1, 2))[:, None]
    means = (images * known[..., None].astype(np.float64)).sum(axis=(1, 2)) / counts
    return np.where(known[..., None], images, np.round(means).astype(np.uint8)[:, None, None])


def find_nearest(images: np.ndarray, known: np.ndarray, training: np.ndarray) -> np.ndarray:
    """The training image, uint8 [M, H, W, C], whose known pixels differ least (sum of squares), for each image."""
    found = []
    for image, k in zip(images, known):
        wanted = image[k].astype(np.float32).reshape(-1)
        distances = []
        for i in range(0, len(training), 512):
            seen = np.asarray(training[i : i + 512])[:, k].astype(np.float32).reshape(-1, len(wanted))
            distances.append(np.square(seen - wanted).sum(axis=1))
        found.append(training[np.concatenate(distances).argmin()])
    return np.stack(found)


def nearest_image(images: np.ndarray, known: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Fill holes from the nearest training image, pasted."""
    return blend(images, find_nearest(images, known, training), known, "paste")


def nearest_poisson(images: np.ndarray, known: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Fill holes from the nearest training image, blended at the edge (as Hays & Efros 2007 do)."""
    return blend(images, find_nearest(images, known, training), known, "poisson")


def membrane(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill holes by the solution of Laplace's equation: what blending makes of a proposal without any detail."""
    return blend(images, np.zeros_like(images), known, "poisson")


def biharmonic(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill holes smoothly from their edges alone, by scikit-image's biharmonic inpainting (Damelin & Hoang 2018)."""
    from skimage.restoration import inpaint_biharmonic

    filled = [inpaint_biharmonic(image, ~k, channel_axis=-1) for image, k in zip(images, known)]
    return np.where(known[..., None], images, np.round(np.clip(filled, 0, 1) * 255).astype(np.uint8))


WITHOUT_TRAINING = {"mean_fill": mean_fill, "membrane": membrane}
WITH_TRAINING = {"nearest_image": nearest_image, "nearest_poisson": nearest_poisson}


def list_available() -> list[str]:
    """List the baselines whose packages are installed; biharmonic needs the extra `inpaint`."""
    smooth = ["biharmonic"] * (importlib.util.find_spec("skimage") is not None)
    return [*WITHOUT_TRAINING, *WITH_TRAINING, *smooth]


def fill(name: str, images: np.ndarray, known: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Fill holes by a baseline of `list_available`.

    Args:
      name: the baseline.
      images: uint8 [N, H, W, C].
      known: bool [N, H, W], False in the holes.
      training: uint8 [M, H, W, C].

    Returns:
      Uint8 [N, H, W, C]; known pixels are unchanged.
    """
    if name in WITH_TRAINING:
        return WITH_TRAINING[name](images, known, training)
    return (WITHOUT_TRAINING | {"biharmonic": biharmonic})[name](images, known)
