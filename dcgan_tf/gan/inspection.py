"""Inspection of the networks: activations, causes of a map's activation, and the effect of switching it off.

Layers are named as the pictures name them: "g/h1" is the value before batch norm, "g/h1_bn" after it, "g/h1_relu"
after the activation; "g/h0" is the dense layer in its 4x4 shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dcgan_tf.backend import keras, tf

RULES = ("guided", "deconvolution", "gradient")
ACTIVATIONS = (keras.layers.ReLU, keras.layers.LeakyReLU)


def name_of(network: keras.Model, layer: keras.layers.Layer) -> str:
    """The name of a layer's output: "g/h0" for `h0_reshape` of the generator or its average."""
    return f"{network.name[0]}/{layer.name.removesuffix('_reshape')}"


def activations(network: keras.Model, x, training: bool = False, last: str = "") -> dict[str, np.ndarray]:
    """The output of every layer that has maps, in order.

    Args:
      network: generator or discriminator.
      x: its input, float [N, latent_dim], or [N, H, W, C] in [-1, 1].
      training: batch norm over these N instead of with the moving statistics (which then move).
      last: the output to stop at; "": all.

    Returns:
      name -> float32 [N, h, w, maps].
    """
    maps = {}
    for layer in network.sequence:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        x = layer(x, training=training) if norm else layer(x)
        if len(x.shape) == 4:
            maps[name_of(network, layer)] = tf.cast(x, tf.float32).numpy()
            if name_of(network, layer) == last:
                break
    return maps


def _apply_rule(layer: keras.layers.Layer, rule: str):
    """Wrap `layer`, an activation, so that its gradient follows `rule` of `input_gradients`."""

    @tf.custom_gradient
    def applied(x):
        def back(g):
            # Springenberg et al. 2015: only positive gradients pass.
            # "guided" also multiplies by the activation's slope.
            g = tf.maximum(g, 0)
            slope = tf.cast(getattr(layer, "negative_slope", 0.0), x.dtype)
            return tf.where(x > 0, g, slope * g) if rule == "guided" else g

        return layer(x), back

    return applied


def input_gradients(
    network: keras.Model, x, name: str, channels: Iterable[int], rule: str = "guided", strongest: bool = True
) -> np.ndarray:
    """Compute the gradient of each map with respect to the input, with batch norm in inference mode.

    Args:
      network: the discriminator (or the generator: then the input is z).
      x: one input, [1, ...].
      name: a layer, as `activations` names it.
      channels: the maps.
      rule: "gradient": the plain one. "guided": at every ReLU or LeakyReLU only positive gradients pass, times the
        activation's own slope (0 or 0.2 where the input was negative). "deconvolution": only positive gradients
        pass, whatever the input was (Zeiler & Fergus 2014).
      strongest: differentiate the map's largest value; False: its sum, as the article's tool does.

    Returns:
      float32 [len(channels), ...], the shape of x.
    """
    channels = np.asarray(list(channels))
    parts = [
        _input_gradients(network, tf.convert_to_tensor(x), name, channels[i : i + 64], rule, strongest)
        for i in range(0, len(channels), 64)
    ]
    return np.concatenate([part.numpy() for part in parts])


def _input_gradients(network, x, name, channels, rule, strongest):
    # One copy of the input for each map, so that one backward pass serves all maps.
    copies = tf.repeat(tf.cast(x, tf.float32), len(channels), axis=0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(copies)
        y = copies
        for layer in network.sequence:
            ruled = rule != "gradient" and isinstance(layer, ACTIVATIONS)
            y = _apply_rule(layer, rule)(y) if ruled else layer(y)
            if name_of(network, layer) == name and len(y.shape) == 4:
                break
        maps = tf.gather(tf.cast(y, tf.float32), channels, axis=3, batch_dims=0)
        maps = tf.linalg.diag_part(tf.transpose(maps, (1, 2, 0, 3)))  # map i of copy i: [h, w, len(channels)]
        fired = tf.reduce_max(maps, axis=(0, 1)) if strongest else tf.reduce_sum(maps, axis=(0, 1))
    return tape.gradient(fired, copies)


@dataclass(frozen=True)
class Excitation:
    """One of the images that excite a map most.

    Attributes:
      index: which image.
      value: the map's largest value on it.
      box: (top, left, bottom, right) of what that position sees of the image, pixels, the last two excluded.
    """

    index: int
    value: float
    box: tuple[int, int, int, int]


def strongest_images(
    network: keras.Model, batches: Iterable[np.ndarray], name: str, channels: list[int], k: int
) -> dict[int, list[Excitation]]:
    """The k images of a set that excite each of some maps of the discriminator most, the strongest first.

    Args:
      network: the discriminator.
      batches: float [N, H, W, C] in [-1, 1], together the set.
      name: a layer, as `activations` names it.
      channels: the maps.

    Returns:
      map -> k excitations (fewer where the set is smaller).
    """
    values, places, side = [], [], 0
    for batch in batches:
        side = batch.shape[1]
        maps = activations(network, batch, last=name)[name][..., channels]
        flat = maps.reshape(len(maps), -1, len(channels))
        values.append(flat.max(axis=1))
        places.append(np.stack(np.unravel_index(flat.argmax(axis=1), maps.shape[1:3]), axis=-1))
    all_values, all_places = np.concatenate(values), np.concatenate(places)
    depth = int(name.partition("/h")[2].partition("_")[0]) + 1
    found = {}
    for c, channel in enumerate(channels):
        order = np.argsort(-all_values[:, c], kind="stable")[:k]
        found[channel] = [
            Excitation(int(i), float(all_values[i, c]), receptive_field(row, column, depth, side))
            for i in order
            for row, column in [all_places[i, c]]
        ]
    return found


def receptive_field(row: int, column: int, depth: int, side: int) -> tuple[int, int, int, int]:
    """What one position after `depth` of the discriminator's convolutions sees, clipped to the image.

    A 5x5 stride-2 "same" convolution of an even size pads 1 before and 2 after: position p sees 2p - 1 .. 2p + 3.

    Returns:
      (top, left, bottom, right), pixels, the last two excluded.
    """
    edges = []
    for first in (int(row), int(column)):
        last = first
        for _ in range(depth):
            first, last = 2 * first - 1, 2 * last + 3
        edges.append((max(first, 0), min(last + 1, side)))
    (top, bottom), (left, right) = edges
    return top, left, bottom, right


def without_map(network: keras.Model, z, name: str, channel: int) -> np.ndarray:
    """The generator's images with one map of one layer switched off.

    Args:
      network: the generator.
      z: float [N, latent_dim].
      name: a layer, as `activations` names it; the map is set to zero there.
      channel: the map.

    Returns:
      float32 [N, H, W, C] in [-1, 1].
    """
    x = z
    for layer in network.sequence:
        x = layer(x)
        if name_of(network, layer) == name and len(x.shape) == 4:
            x = x * tf.cast(tf.range(x.shape[-1]) != channel, x.dtype)
    return x.numpy()
