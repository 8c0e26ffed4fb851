"""Tricks from the literature that may help a DCGAN, each one a part that can be put in: what the recipe study compares.

    gan = make(config, augment="color,translation", spectral="without_bn", d_learning_rate=4e-4)

A part that wins moves into the package; those that do not stay here. Without parts `make` gives the package's DCGAN.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from dcgan_tf.backend import keras, layers, ops, tf
from dcgan_tf.config import Config
from dcgan_tf.gan.augment import Augmentation, to_integers, translate
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.gan.losses import LogitLoss
from dcgan_tf.gan.models import Discriminator

CROSS_ENTROPIES = ("non_saturating", "saturating")
SPECTRAL = ("with_bn", "without_bn")


@dataclass(frozen=True)
class Parts:
    """What is put in; the defaults leave everything out.

    Attributes:
      label_smoothing: s: the label of real images is 1 - s; cross-entropy losses only (Salimans et al. 2016: 0.1).
      augment: DiffAugment's policy, names from `AUGMENTATIONS` with commas between, applied in this order.
      spectral: spectral normalisation of D, with its batch norm kept or left out.
      d_learning_rate, g_learning_rate: each network's own; 0: the config's (Heusel et al. 2017: 4e-4 and 1e-4).
    """

    label_smoothing: float = 0.0
    augment: str = ""
    spectral: str = ""
    d_learning_rate: float = 0.0
    g_learning_rate: float = 0.0

    def __post_init__(self):
        odd_names = [name for name in self.augmentations() if name not in AUGMENTATIONS]
        problems = {
            f"label_smoothing={self.label_smoothing}: from 0 to below 0.5": not 0 <= self.label_smoothing < 0.5,
            f"augment={self.augment}: each of {', '.join(AUGMENTATIONS)}": bool(odd_names),
            f"spectral={self.spectral}: one of {', '.join(SPECTRAL)}": self.spectral not in ("", *SPECTRAL),
            "learning rates: not negative": min(self.d_learning_rate, self.g_learning_rate) < 0,
        }
        for problem, found in problems.items():
            if found:
                raise ValueError(f"{problem} is allowed")

    def augmentations(self) -> list[str]:
        return [name for name in self.augment.split(",") if name]


def make(config: Config, **parts) -> DCGAN:
    """The DCGAN of `config` with some of `Parts` put in; without any, the package's own.

    Raises:
      ValueError: no such part, or a value that it does not allow.
    """
    known = [field.name for field in dataclasses.fields(Parts)]
    if unknown := [name for name in parts if name not in known]:
        raise ValueError(f"{unknown[0]}: no such part; there are {', '.join(known)}")
    chosen = Parts(**parts)
    return DCGAN(config) if chosen == Parts() else Recipe(config, chosen)


class Recipe(DCGAN):
    """A DCGAN with parts put in. The train step is the package's."""

    def __init__(self, config: Config, parts: Parts):
        self.parts = parts  # first: the networks depend on them
        super().__init__(config)
        if parts.label_smoothing:
            if config.loss not in CROSS_ENTROPIES:
                raise ValueError(f"label_smoothing: the loss {config.loss} has no labels")
            self.loss = smooth(self.loss, parts.label_smoothing)
        if names := parts.augmentations():
            self.augmentation = Augmentation(DRAWS, lambda images, draws: diff_augment(images, draws, names))
        if parts.d_learning_rate:
            self.d_optimizer.learning_rate = parts.d_learning_rate
        if parts.g_learning_rate:
            self.g_optimizer.learning_rate = parts.g_learning_rate

    def _new_discriminator(self) -> Discriminator:
        plain = super()._new_discriminator()
        if self.parts.spectral:
            _replace_layers(plain, normalise_spectrally(plain, batch_norm=self.parts.spectral == "with_bn"))
        return plain


def _replace_layers(network: keras.Model, new: Iterable[layers.Layer]) -> None:
    new = list(new)
    network.sequence.clear()  # a list that Keras watches: with this it forgets the old layers
    network.sequence.extend(new)


# One-sided label smoothing.


def smooth(loss: LogitLoss, smoothing: float) -> LogitLoss:
    """The cross-entropy `loss` with label 1 - smoothing for real images (Salimans et al. 2016, section 3.4).

    One-sided: with a positive label for generated images the best D would no longer be a function that is small
    wherever there are no data.
    """
    return dataclasses.replace(
        loss, real=lambda logits: (1.0 - smoothing) * loss.real(logits) + smoothing * loss.fake(logits)
    )


# DiffAugment (Zhao et al. 2020): ranges and order as in the authors' code, images in [-1, 1], nothing clipped.

DRAWS = 7  # random numbers for one image: brightness, saturation, contrast, 2 of the translation, 2 of the cutout


def diff_augment(images, draws, augmentations: Iterable[str]):
    """Images changed at random, differentiable by the images.

    Args:
      images: float32 [N, H, W, C] in [-1, 1].
      draws: float32 [N, DRAWS] in [0, 1).
      augmentations: names from `AUGMENTATIONS`, applied in this order.

    Returns:
      float32 [N, H, W, C].
    """
    for name in augmentations:
        images = AUGMENTATIONS[name](images, draws)
    return images


def color(images, draws):
    """Brightness + U[-0.5, 0.5], then saturation x U[0, 2], then contrast x U[0.5, 1.5], each one number per image."""
    brightness, saturation, contrast = (draws[:, k, None, None, None] for k in range(3))
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    # The three in one: brightness moves both means alike, and saturation moves neither.
    brightness, saturation, contrast = brightness - 0.5, 2.0 * saturation, contrast + 0.5
    changed_grey = mean + brightness + contrast * (grey - mean)
    return changed_grey + contrast * saturation * (images - grey)


def translation(images, draws):
    """The package's: moved by up to an eighth of the side."""
    return translate(images, draws[:, 3:5])


def cutout(images, draws):
    """A square of half the side set to zero, its centre anywhere in the image, what lies outside clipped."""
    _, side, _, _ = images.shape
    first = to_integers(draws[:, 5:7], side + 1) - side // 4
    away = tf.range(side) - first[:, :, None]
    inside = (away >= 0) & (away < side // 2)
    cut = inside[:, 0, :, None] & inside[:, 1, None, :]
    return images * tf.cast(~cut, images.dtype)[..., None]


AUGMENTATIONS = {"color": color, "translation": translation, "cutout": cutout}


# Spectral normalisation of D: layers whose kernel is not used as it is.


class _Float32Kernel:
    """The layer's computations get the kernel itself, not a bfloat16 copy; they cast what they make of it."""

    def add_weight(self, *args, name=None, **kwargs):
        return super().add_weight(*args, name=name, autocast=name not in ("kernel", "u"), **kwargs)


class _Spectral(_Float32Kernel):
    """Divides the kernel, as a matrix [inputs, outputs], by its largest singular value (Miyato et al. 2018, alg. 1).

    `u` follows the singular vector on the side of the outputs, by one power iteration per training pass; the gradient
    takes u and v as constants (equation 9).
    """

    def build(self, input_shape):
        super().build(input_shape)
        start = keras.initializers.RandomNormal(seed=0)
        self.u = self.add_weight((self.kernel.shape[-1], 1), start, trainable=False, name="u")

    def normalised_kernel(self, training: bool):
        kernel = ops.convert_to_tensor(self.kernel)
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        fixed = ops.stop_gradient(matrix)
        v = _unit(ops.matmul(fixed, self.u))
        u = _unit(ops.matmul(ops.transpose(fixed), v))
        if training:
            self.u.assign(u)
        sigma = ops.sum(v * ops.matmul(matrix, u))
        return ops.cast(kernel / sigma, self.compute_dtype)


def _unit(vector):
    return vector / (ops.norm(vector) + 1e-12)


class SpectralConv2D(_Spectral, layers.Conv2D):
    """Keras's Conv2D, without its activation, with a spectrally normalised kernel."""

    def call(self, inputs, training=False):
        outputs = self.convolution_op(inputs, self.normalised_kernel(training))
        return ops.add(outputs, self.bias) if self.use_bias else outputs


class SpectralDense(_Spectral, layers.Dense):
    """Keras's Dense, without its activation, with a spectrally normalised kernel."""

    def call(self, inputs, training=False):
        return ops.add(ops.matmul(inputs, self.normalised_kernel(training)), self.bias)


def normalise_spectrally(network: Discriminator, batch_norm: bool) -> Iterable[layers.Layer]:
    """The layers of a new discriminator, made spectrally normalised; initial weights and names are the same.

    Miyato et al. have no batch norm in D (it undoes the scaling); without it every convolution needs a bias.
    """
    for layer in network.sequence:
        settings = layer.get_config()
        if isinstance(layer, layers.Conv2D):
            yield SpectralConv2D.from_config(settings | {"use_bias": layer.use_bias or not batch_norm})
        elif isinstance(layer, layers.Dense):
            yield SpectralDense.from_config(settings)
        elif batch_norm or not isinstance(layer, layers.BatchNormalization):
            yield layer
