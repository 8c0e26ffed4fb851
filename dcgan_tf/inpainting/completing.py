"""Fill holes in images with a trained DCGAN: search for z, then blend its image into the hole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcgan_tf.errors import UserError
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.inpainting.blending import blend
from dcgan_tf.inpainting.options import BlendName, LossName, OptimizerName, SearchOptions
from dcgan_tf.inpainting.search import SearchResult, search


@dataclass(frozen=True)
class Completion:
    """N completed images.

    Attributes:
      images: uint8 [N, H, W, C], the known pixels unchanged, the holes filled.
      proposals: uint8 [N, H, W, C], G(z).
      found: the result of the search.
    """

    images: np.ndarray
    proposals: np.ndarray
    found: SearchResult


def complete(
    gan: DCGAN,
    images: np.ndarray,
    known: np.ndarray,
    loss: LossName = "paper",
    iterations: int = 500,
    restarts: int = 4,
    optimizer: OptimizerName = "adam",
    blending: BlendName = "poisson",
    seed: int = 0,
    raw: bool = False,
) -> Completion:
    """Fill the holes in images.

    Args:
      gan: trained networks, from `dcgan_tf.load`.
      images: uint8 [N, H, W, C], of the networks' size and number of channels; pixels in the hole have no influence.
      known: bool [N, H, W], or [H, W] for all images: True where the image is kept, False in the hole.
      loss: "slides", "paper" or "non_saturating", see `search.OBJECTIVES`.
      iterations: iterations of the search.
      restarts: searches for each image; the one with the lowest loss is taken.
      optimizer: "adam" or "momentum".
      blending: "poisson" or "paste".
      seed: random seed of the starts. Those of image i do not depend on the other images.
      raw: use the trained generator even if there is an averaged one.

    Raises:
      UserError: an unknown choice, shapes that do not match, or an image that has no hole or no known pixel.
    """
    SearchOptions(loss, optimizer, iterations, restarts, blending, seed)  # checks them
    c = gan.config
    if images.dtype != np.uint8 or images.shape[1:] != (c.image_size, c.image_size, c.channels) or not len(images):
        expected = f"uint8 [N, {c.image_size}, {c.image_size}, {c.channels}], N at least 1"
        raise UserError(f"images: they must be {expected}, not {images.dtype} {list(images.shape)}.")
    if known.shape not in (images.shape[:3], images.shape[1:3]):
        raise UserError(f"the mask has shape {list(known.shape)}, not {list(images.shape[1:3])} like the images.")
    known = np.broadcast_to(known.astype(bool), images.shape[:3])
    for i, one in enumerate(known):
        if one.all() or not one.any():
            raise UserError(f"image {i}: {'it has no hole' if one.all() else 'all of it is hole'}.")
    found = search(gan, images, known, loss, iterations, restarts, optimizer, seed, raw)
    proposals = gan.decode(found.z, raw)
    return Completion(blend(images, proposals, known, blending), proposals, found)
