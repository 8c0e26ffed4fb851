"""Holes in images filled by a trained DCGAN: the search for z, and its image blended into the hole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcgan_tf.errors import UserError
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.inpainting.blending import blend
from dcgan_tf.inpainting.options import SearchOptions
from dcgan_tf.inpainting.search import Found, search


@dataclass(frozen=True)
class Completion:
    """N completed images.

    Attributes:
      images: uint8 [N, H, W, C], known pixels as they were, the hole blended in.
      proposals: uint8 [N, H, W, C], G(z).
      found: z, its objective and the way there.
    """

    images: np.ndarray
    proposals: np.ndarray
    found: Found


def complete(
    gan: DCGAN,
    images: np.ndarray,
    known: np.ndarray,
    loss: str = "paper",
    iterations: int = 500,
    restarts: int = 4,
    optimizer: str = "adam",
    blending: str = "poisson",
    seed: int = 0,
    raw: bool = False,
) -> Completion:
    """Fill the holes.

    Args:
      gan: trained networks, of `dcgan_tf.load`.
      images: uint8 [N, H, W, C] of the networks' size and colours; what is in the hole is not looked at.
      known: bool [N, H, W] or [H, W] for all: True where the image is kept, False in the hole.
      loss: "slides", "paper" or "non_saturating", see `search.OBJECTIVES`.
      iterations, restarts: of the search; the start with the lowest loss is taken.
      optimizer: "adam" or "momentum".
      blending: "poisson" or "paste".
      seed: the starts follow from it; image i's are the same whatever else is completed with it.
      raw: with the generator itself where there is an averaged one.

    Raises:
      UserError: a choice that there is not, shapes that do not fit, or an image without hole or with nothing known.
    """
    SearchOptions(loss, optimizer, iterations, restarts, blending, seed)  # checks them
    c = gan.config
    if images.dtype != np.uint8 or images.shape[1:] != (c.image_size, c.image_size, c.channels) or not len(images):
        wanted = f"uint8 [N, {c.image_size}, {c.image_size}, {c.channels}], N at least 1"
        raise UserError(f"images: {wanted}, are needed, not {images.dtype} {list(images.shape)}.")
    if known.shape not in (images.shape[:3], images.shape[1:3]):
        raise UserError(f"the mask is {list(known.shape)}, not {list(images.shape[1:3])} as the images.")
    known = np.broadcast_to(known.astype(bool), images.shape[:3])
    for i, one in enumerate(known):
        if one.all() or not one.any():
            raise UserError(f"image {i}: {'it has no hole' if one.all() else 'it is nothing but hole'}.")
    found = search(gan, images, known, loss, iterations, restarts, optimizer, seed, raw)
    proposals = gan.decode(found.z, raw)
    return Completion(blend(images, proposals, known, blending), proposals, found)
