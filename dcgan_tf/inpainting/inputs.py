"""The images and holes that `inpaint` fills, without TensorFlow."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from dcgan_tf.config import Config
from dcgan_tf.console import say
from dcgan_tf.datasets.images import FORMATS, BadImage
from dcgan_tf.datasets.packing import Packed
from dcgan_tf.datasets.regions import Region, open_region
from dcgan_tf.errors import UserError
from dcgan_tf.inpainting import masks
from dcgan_tf.inpainting.options import InpaintOptions
from dcgan_tf.settings import expand

OPAQUE = 128  # alpha from which a pixel counts as painted


def open_pictures(given: str, config: Config) -> list[Region]:
    """Open the user's pictures; those that cannot be read are reported and left out.

    Args:
      given: files separated by commas, or folders.
      config: of the run; its networks' image size, crop and channels.

    Raises:
      UserError: none of the pictures can be used.
    """
    paths = []
    for one in [given] if os.path.exists(expand(given)) else given.split(","):  # a name may have a comma in it
        one = expand(one)
        if os.path.isdir(one):
            paths += sorted(entry.path for entry in os.scandir(one) if entry.is_file())
        else:
            paths.append(one)
    regions = []
    for path in paths:
        try:
            name = os.path.basename(path)
            regions.append(open_region(path, name, config.image_size, config.resolved_crop, config.channels))
        except BadImage as reason:
            say(f"{path} is left out: {reason}.")
    if not regions:
        raise UserError(f"--images={given}: no picture there can be used.")
    return regions


def draw_held_out_images(packed: Packed, config: Config, options: InpaintOptions) -> list[Region]:
    """Draw held-out images of the run's set at random; of LFW, one image per person."""
    images, first = packed.held_out, len(packed.training)
    if not len(images):
        say("The run held no images out: images that it was trained on are completed.")
        images, first = packed.training, 0
    chosen, people = [], set()
    for i in np.random.default_rng(options.seed).permutation(len(images)):
        name = packed.manifest["images"][first + i]["name"]
        person = name.rpartition("/")[0] if config.dataset == "lfw" else name
        if person not in people:
            people.add(person)
            chosen.append((name, images[i]))
        if len(chosen) == options.num_images:
            break
    size = config.image_size
    nothing = np.zeros((size, size), bool)
    return [Region(name, np.array(image), nothing, (0, 0, size, size), size) for name, image in chosen]


def read_mask(path: str) -> np.ndarray:
    """Read a user's mask, bool [h, w], True in the hole.

    Strokes on a transparent ground are the hole, whatever their colour. In an image without transparency the hole is
    where any channel is brighter than half of the brightest: white or coloured strokes on black, labels 0 and 1.

    Raises:
      UserError: the file cannot be read as an image.
    """
    try:
        with Image.open(path, formats=FORMATS) as opened:
            image: Image.Image = opened
            if image.mode == "P" or "transparency" in image.info:
                image = image.convert("RGBA" if "transparency" in image.info else "RGB")
            values = np.asarray(image)
            if "A" in image.getbands() and (values[..., -1] < OPAQUE).any():
                return values[..., -1] >= OPAQUE
            values = values.reshape(*values.shape[:2], -1)[..., : len(image.getbands()) - ("A" in image.getbands())]
            brightest = values.max(axis=2).astype(float)
            return brightest > 0.5 * brightest.max()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise UserError(f"--mask_image={path}: not an image that can be read.") from None


def make_hole(name: str, region: Region, drawn: np.ndarray | None, seed: int) -> np.ndarray:
    """Make the hole in a region's picture, bool [h, w].

    Args:
      name: one of `masks.MASKS`, "alpha" (where the picture is transparent) or "image" (`drawn`).
      region: the picture, and the part of it that the networks see.
      drawn: the user's mask, bool of any size.
      seed: random seed of the mask.
    """
    if name == "alpha":
        return region.transparent
    if name == "image" and drawn is not None:
        height, width = region.picture.shape[:2]
        scaled = Image.fromarray(np.where(drawn, 255, 0).astype(np.uint8)).resize((width, height), Image.Resampling.BOX)
        return np.asarray(scaled) > 127
    return region.hole_in_picture(masks.make(name, region.size, seed))


def check_holes(regions: list[Region], holes: list[np.ndarray], known: np.ndarray, name: str) -> None:
    """Check that the holes can be filled, and report parts of them that will stay unchanged.

    Raises:
      UserError: an image has no hole, or no known pixel, in the part that the networks see.
    """
    for region, hole, one in zip(regions, holes, known):
        if one.all() or not one.any():
            what = "no hole" if one.all() else "nothing but hole"
            raise UserError(f"{region.name}: with the mask {name} there is {what} in the part that the networks see.")
        if not region.contains(hole):
            say(f"{region.name}: the hole is not filled outside the part that the networks see.")
