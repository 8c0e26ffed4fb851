"""The inputs of the layer figures: z, the image and the layers."""

from __future__ import annotations

import difflib
import fnmatch
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcgan_tf.config import Config
from dcgan_tf.console import say
from dcgan_tf.datasets.images import BadImage, load
from dcgan_tf.errors import UserError

STAGES = {
    "before_bn": "before batch norm",
    "after_bn": "after batch norm",
    "activation": "after the activation",
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of both networks.

    Attributes:
      z: float32 [1, latent_dim], for the generator.
      z_label: its origin.
      image: uint8 [1, H, W, C], for the discriminator.
      image_label: its origin.
      images: the packed set, uint8 [N, H, W, C], or None if it is missing.
    """

    z: np.ndarray
    z_label: str
    image: np.ndarray
    image_label: str
    images: np.ndarray | None


def choose_inputs(gan, images: np.ndarray | None, seed: int = 0, z_file: str = "", image: str = "") -> Inputs:
    """Load or generate the inputs that the flags describe.

    Args:
      gan: the trained DCGAN.
      images: the set that the run learned from, or None if it is missing.
      seed: random seed of z; used if no file is given.
      z_file: a .npy file of latent_dim numbers; "": z from the seed.
      image: a path, or an index in the run's data set; "": the first image of the set or, if the set is missing, the
        generated image, which is reported.

    Raises:
      UserError: a file or an index cannot be used.
    """
    config = gan.config
    z, z_label = read_z(z_file, config.latent_dim) if z_file else (gan.sample_latents(1, seed), f"z of seed {seed}")
    missing = "the images that the run learned from were moved or changed"
    if image and not image.isdecimal():
        shown, label = read_image(image, config), Path(image).name
    elif images is not None:
        index = int(image or 0)
        if index >= len(images):
            raise UserError(f"--image={image}: the set has {len(images):,} images, counted from 0.")
        shown, label = np.array(images[index : index + 1]), f"image {index} of {config.data_name}"
    elif image:
        raise UserError(f"--image={image}: {missing}; name a file, or their folder with --data_dir.")
    else:
        say(f"The discriminator is shown the generated image: {missing}.")
        shown, label = gan.decode(z), "the generated image"
    return Inputs(z, z_label, shown, label, images)


def read_z(path: str, latent_dim: int) -> tuple[np.ndarray, str]:
    """Read z from a .npy file of latent_dim numbers.

    Returns:
      Float32 [1, latent_dim], and its label.

    Raises:
      UserError: the file is missing, is no such array, or holds other than latent_dim finite numbers.
    """
    try:
        with open(path, "rb") as file:
            z = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"--z_file={path}: no such file.") from None
    except Exception as error:  # damaged bytes raise errors of many classes
        raise UserError(f"--z_file={path}: not a NumPy array file (.npy): {error}") from None
    if z.dtype.kind in "fiu" and z.size == latent_dim:
        with np.errstate(over="ignore"):  # numbers beyond the range of float32 become infinite
            z = z.reshape(1, latent_dim).astype("float32")
        if np.isfinite(z).all():
            return z, f"z of {Path(path).name}"
    raise UserError(f"--z_file={path}: {latent_dim} finite numbers are needed, as this run's z has.")


def read_image(path: str, config: Config) -> np.ndarray:
    """Read an image file as the run's networks see it, uint8 [1, H, W, C].

    The crop is that of the training, or the largest square of an image that is too small for it.

    Raises:
      UserError: the file cannot be read.
    """
    size, channels = config.image_size, config.channels
    try:
        try:
            image = load(path, size, config.resolved_crop, channels)
        except BadImage as reason:
            if "smaller than the crop" not in str(reason):
                raise
            say(f"{path} is {reason}: its largest square is used.")
            image = load(path, size, "square", channels)
    except (BadImage, IsADirectoryError) as reason:
        raise UserError(f"--image={path}: cannot be read ({reason}).") from None
    say(f"{path}: shown to the discriminator as {size}x{size} pixels.")
    return image[None]


def choose_layers(names: list[str], patterns: list[str]) -> list[str]:
    """Return the layers that match any of the patterns.

    Args:
      names: all outputs, as `DCGAN.activations` names them: "g/h1", "g/h1_bn", ...
      patterns: such as "d/h1", "g/*" or "h2"; []: all layers.

    Returns:
      Layers ("g/h1", without stages), in the order of `names`.

    Raises:
      UserError: a pattern matches no layer; the message has the most similar names.
    """
    layers = [name for name in names if "_" not in name]
    chosen = set()
    for pattern in patterns:
        found = [name for name in layers if fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(name[2:], pattern)]
        if not found:
            near = difflib.get_close_matches(pattern, layers, n=3, cutoff=0.3) or layers[:3]
            raise UserError(
                f"--layers={pattern}: no such layer; similar are {', '.join(near)}, and all are {', '.join(layers)}."
            )
        chosen.update(found)
    return [name for name in layers if name in chosen or not patterns]


def select_stage(maps: dict[str, np.ndarray], layer: str, stage: str) -> tuple[np.ndarray, str]:
    """Return a layer's maps [N, h, w, n] at a stage, and the stage in words.

    Without batch norm, the stages "before_bn" and "after_bn" are the same.
    """
    outputs = [name for name in maps if name == layer or name.startswith(layer + "_")]
    normalised = f"{layer}_bn" in outputs
    if stage == "activation":
        return maps[outputs[-1]], f"after {outputs[-1].rpartition('_')[2]}"
    if stage == "after_bn" and normalised:
        return maps[f"{layer}_bn"], STAGES[stage]
    return maps[layer], STAGES["before_bn"] if normalised else "before the activation (no batch norm here)"
