"""The images and holes that `inpaint` fills. Nothing here needs TensorFlow."""

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


def own_pictures(given: str, config: Config) -> list[Region]:
    """The user's pictures; those that cannot be read are reported and left out."""
    paths = []
    for one in given.split(","):
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


def held_out_images(packed: Packed, config: Config, options: InpaintOptions) -> list[Region]:
    """Held-out images of the run's set, drawn at random; of LFW one of each person."""
    images, first = packed.held_out, len(packed.training)
    if not len(images):
        say("The run held nothing out: images that it was trained on are completed.")
        images, first = packed.training, 0
    chosen_ones, people = [], set()
    for i in np.random.default_rng(options.seed).permutation(len(images)):
        name = packed.manifest["images"][first + i]["name"]
        person = name.rpartition("/")[0] if config.dataset == "lfw" else name
        if person not in people:
            people.add(person)
            chosen_ones.append((name, images[i]))
        if len(chosen_ones) == options.num_images:
            break
    size = config.image_size
    nothing = np.zeros((size, size), bool)
    return [Region(name, np.array(image), nothing, (0, 0, size, size), size) for name, image in chosen_ones]


def read_mask(path: str) -> np.ndarray:
    """A user's mask, bool [h, w], True where it is brighter than half: the hole."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return np.asarray(image.convert("L")) > 127
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise UserError(f"--mask_image={path}: not an image that can be read.") from None


def hole_in(name: str, region: Region, drawn: np.ndarray | None, seed: int) -> np.ndarray:
    """The hole in a region's picture, bool [h, w]; `drawn` is the mask "image" of any size."""
    if name == "alpha":
        return region.transparent
    if name == "image" and drawn is not None:
        height, width = region.picture.shape[:2]
        scaled = Image.fromarray(np.where(drawn, 255, 0).astype(np.uint8)).resize((width, height), Image.Resampling.BOX)
        return np.asarray(scaled) > 127
    return region.hole_in_picture(masks.make(name, region.size, seed))


def check_holes(regions: list[Region], holes: list[np.ndarray], known: np.ndarray, name: str) -> None:
    """Refuse what cannot be filled, and say where something will stay as it is."""
    for region, hole, one in zip(regions, holes, known):
        if one.all() or not one.any():
            what = "has no hole in the part that the networks see" if one.all() else "is nothing but hole"
            raise UserError(f"{region.name}: with the mask {name} it {what}.")
        if not region.contains(hole):
            say(f"{region.name}: of the hole, what lies outside the part that the networks see stays as it is.")
