"""The two networks of the article, for 32, 64 and 128 px. Keras 3 operations only."""

from __future__ import annotations

import math
from typing import NamedTuple

from dcgan_tf.backend import keras, layers, ops

KERNEL = 5
RESIZE_KERNEL = 3  # of a resize-convolution
LEAKY_SLOPE = 0.2
BN_MOMENTUM = 0.9
BN_EPSILON = 1e-5


def kernel_initializer(name: str, fan_in: float, seed: int) -> keras.initializers.Initializer:
    """Initial weights of one kernel.

    Args:
      name: "article" is truncated Glorot normal, variance 2 / (fan_in + fan_out); "paper" is
        N(0, 0.02) (Radford et al. 2016); "he" is N(0, 2 / fan_in) (He et al. 2015).
      fan_in: inputs that reach one output. A transposed convolution of stride s gives each output only
        1/s^2 of its taps, which Keras's own He initialiser does not know: hence the argument.
      seed: fixes the values.
    """
    if name == "article":
        # Keras truncates at two standard deviations and rescales; so did the reference's TF 1 initialiser.
        return keras.initializers.GlorotNormal(seed=seed)
    if name == "paper":
        return keras.initializers.RandomNormal(0.0, 0.02, seed=seed)
    if name == "he":
        return keras.initializers.RandomNormal(0.0, math.sqrt(2.0 / fan_in), seed=seed)
    raise ValueError(f"unknown initializer {name!r}")


def _batch_norm_settings(seed: int) -> dict:
    # gamma ~ N(1, 0.02), as in the article's code.
    gamma = keras.initializers.RandomNormal(1.0, 0.02, seed=seed)
    return {"momentum": BN_MOMENTUM, "epsilon": BN_EPSILON, "gamma_initializer": gamma}


def _levels(image_size: int) -> int:
    """How often 4x4 is doubled to reach `image_size`."""
    levels = int(math.log2(image_size)) - 2
    if 4 * 2**levels != image_size or levels < 1:
        raise ValueError(f"image_size must be a power of two from 8, not {image_size}")
    return levels


def _maps(width: int, level: int) -> int:
    """Number of maps `level` doublings away from the image: width times 1, 2, 4, 8; at 128 px the factor stays 8."""
    return width * min(2**level, 8)


@keras.saving.register_keras_serializable("dcgan_tf")
class ResizeConvolution(layers.Conv2DTranspose):
    """Nearest upsampling by 2, then a convolution of stride 1 with zero padding: no checkerboard (Odena et al. 2016).

    It is computed as one transposed convolution. Upsampling is a transposed convolution with a 2x2 kernel of ones, and
    two in sequence equal one whose kernel is the convolution of both: k + 1 taps a side on the small map instead of k
    on the large one. The kernel is [k, k, maps out, maps in], flipped against Keras's Conv2D.
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs):
        super().__init__(filters, kernel_size, **kwargs | {"strides": 2, "padding": "same"})

    def add_weight(self, *args, name=None, **kwargs):
        # The kernel's taps are added up in float32, and only the sums are cast.
        return super().add_weight(*args, name=name, autocast=name != "kernel", **kwargs)

    def call(self, inputs):
        # Sums of padded kernels and not of slices: a slice's gradient is several times slower than a pad's.
        kernel = ops.convert_to_tensor(self.kernel)
        kernel = ops.pad(kernel, ((0, 1), (0, 0), (0, 0), (0, 0))) + ops.pad(kernel, ((1, 0), (0, 0), (0, 0), (0, 0)))
        kernel = ops.pad(kernel, ((0, 0), (0, 1), (0, 0), (0, 0))) + ops.pad(kernel, ((0, 0), (1, 0), (0, 0), (0, 0)))
        outputs = self.conv_transpose(inputs, ops.cast(kernel, self.compute_dtype))
        return ops.add(outputs, self.bias) if self.use_bias else outputs

    def conv_transpose(self, inputs, kernel):
        return ops.conv_transpose(inputs, kernel, strides=2, padding="same")


class LayerSet(NamedTuple):
    """The classes that the networks are made of: Keras's, or others that compute the same (`gan.kernels`)."""

    conv: type[layers.Conv2D]
    conv_transpose: type[layers.Conv2DTranspose]
    resize_conv: type[ResizeConvolution]
    batch_norm: type[layers.BatchNormalization]


KERAS = LayerSet(layers.Conv2D, layers.Conv2DTranspose, ResizeConvolution, layers.BatchNormalization)


class _Network(keras.Model):
    """A sequence of layers that keeps its constructor's arguments, so that Keras can save and load it as `.keras`.

    Attributes:
      sequence: the layers in the order in which they are applied.
    """

    def __init__(self, settings: dict, **kwargs):
        super().__init__(**kwargs)
        self._settings = settings
        self.sequence: list[keras.layers.Layer] = []

    def call(self, x, training=False):
        for layer in self.sequence:
            x = layer(x, training=training) if isinstance(layer, layers.BatchNormalization) else layer(x)
        return x

    def get_config(self) -> dict:
        return super().get_config() | self._settings


@keras.saving.register_keras_serializable("dcgan_tf")
class Generator(_Network):
    """z -> image: Dense to 4x4, then 5x5 stride-2 transposed convolutions up to the image.

    At 64 px and width 64: 4x4x512, 8x8x256, 16x16x128, 32x32x64, 64x64x3; batch norm and ReLU after all but
    the last, which has tanh. Layers: h0 (dense), h1.. (transposed convolutions), hK_bn, hK_relu. Where batch
    norm follows there is no bias: it would be subtracted again. `upsampling`: "transposed", or "resize" for 3x3
    resize-convolutions in the transposed ones' places. `layer_set` is not kept when the network is saved.

    Call: float [N, latent_dim] -> float32 [N, image_size, image_size, channels] in [-1, 1].
    """

    def __init__(
        self,
        image_size=64,
        channels=3,
        width=64,
        latent_dim=100,
        initializer="article",
        seed=0,
        upsampling="transposed",
        layer_set=KERAS,
        name="g",
        **kwargs,
    ):
        settings = {"image_size": image_size, "channels": channels, "width": width, "latent_dim": latent_dim}
        settings |= {"initializer": initializer, "seed": seed, "upsampling": upsampling}
        super().__init__(settings, name=name, **kwargs)
        resize = upsampling == "resize"
        levels = _levels(image_size)
        policy = self.dtype_policy

        def init(k, fan_in):
            return kernel_initializer(initializer, fan_in, seed=2 * k + 1000 * seed)

        maps = _maps(width, levels - 1)
        dense = layers.Dense(
            4 * 4 * maps, use_bias=False, kernel_initializer=init(0, latent_dim), dtype=policy, name="h0"
        )
        sequence = [dense, layers.Reshape((4, 4, maps), name="h0_reshape", dtype=policy)]
        for k in range(levels):
            last = k == levels - 1
            # Of a stride-2 kernel one tap in four reaches an output; of a resize-convolution's all do.
            fan_in = maps * RESIZE_KERNEL**2 if resize else maps * KERNEL**2 / 4
            maps = channels if last else _maps(width, levels - 2 - k)
            sequence += [
                layer_set.batch_norm(**_batch_norm_settings(2 * k + 1 + 1000 * seed), dtype=policy, name=f"h{k}_bn"),
                layers.ReLU(name=f"h{k}_relu", dtype=policy),
                (layer_set.resize_conv if resize else layer_set.conv_transpose)(
                    maps,
                    RESIZE_KERNEL if resize else KERNEL,
                    strides=2,
                    padding="same",
                    use_bias=last,
                    kernel_initializer=init(k + 1, fan_in),
                    dtype=policy,
                    name=f"h{k + 1}",
                ),
            ]
        # In the type of the weights: float32 where the layers compute in bfloat16.
        tanh = layers.Activation("tanh", dtype=policy.variable_dtype, name=f"h{levels}_tanh")
        self.sequence = [*sequence, tanh]


@keras.saving.register_keras_serializable("dcgan_tf")
class Discriminator(_Network):
    """Image -> logit: 5x5 stride-2 convolutions (or of another side, `kernel`) down to 4x4, then Dense 1.

    At 64 px and width 64: 32x32x64, 16x16x128, 8x8x256, 4x4x512; LeakyReLU 0.2 after each, batch norm in all
    but the first. Layers: h0.. (convolutions), hK_bn, hK_lrelu, and the last hK (dense).

    Call: float [N, image_size, image_size, channels] in [-1, 1] -> float32 [N, 1], the logit of "real".
    """

    def __init__(
        self,
        image_size=64,
        channels=3,
        width=64,
        initializer="article",
        seed=0,
        kernel=KERNEL,
        layer_set=KERAS,
        name="d",
        **kwargs,
    ):
        settings = {"image_size": image_size, "channels": channels, "width": width, "kernel": kernel}
        super().__init__(settings | {"initializer": initializer, "seed": seed}, name=name, **kwargs)
        levels = _levels(image_size)
        policy = self.dtype_policy

        def init(k, fan_in):
            # 500: apart from the generator's seeds, so that layers of one shape do not start as twins.
            return kernel_initializer(initializer, fan_in, seed=2 * k + 500 + 1000 * seed)

        sequence, maps = [], channels
        for k in range(levels):
            fan_in, maps = maps * kernel**2, _maps(width, k)
            sequence.append(
                layer_set.conv(
                    maps,
                    kernel,
                    strides=2,
                    padding="same",
                    use_bias=k == 0,
                    kernel_initializer=init(k, fan_in),
                    dtype=policy,
                    name=f"h{k}",
                )
            )
            if k > 0:
                settings = _batch_norm_settings(2 * k + 501 + 1000 * seed)
                sequence.append(layer_set.batch_norm(**settings, dtype=policy, name=f"h{k}_bn"))
            sequence.append(layers.LeakyReLU(LEAKY_SLOPE, name=f"h{k}_lrelu", dtype=policy))
        # The logit too is in the type of the weights: float32 where the layers compute in bfloat16.
        dense = layers.Dense(
            1, kernel_initializer=init(levels, 4 * 4 * maps), dtype=policy.variable_dtype, name=f"h{levels}"
        )
        self.sequence = [*sequence, layers.Flatten(name=f"h{levels}_flatten", dtype=policy), dense]


def to_float(images, dtype: str = "float32"):
    """uint8 [0, 255] -> `dtype` [-1, 1]."""
    return ops.cast(images, dtype) / 127.5 - 1.0


def to_uint8(images):
    """Float [-1, 1] -> uint8 [0, 255], rounded; what lies outside is clipped."""
    return ops.cast(ops.clip(ops.round((ops.cast(images, "float32") + 1.0) * 127.5), 0, 255), "uint8")
