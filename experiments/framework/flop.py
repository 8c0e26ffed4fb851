"""Floating-point operations of a train step, by formula. A multiplication and an addition count as two.

A convolution, its gradient with respect to the input and its gradient with respect to the kernel take the same number:
2 N h w k^2 C D for the smaller map h x w, a kernel k x k, C maps on the larger side and D on the smaller one. This is
the nominal number; the exact one leaves out the taps that meet padding. Batch norm, activations and Adam, about 1 %
together, are not counted.
"""

from __future__ import annotations

from dcgan_tf.config import Config
from dcgan_tf.gan.models import KERNEL


def step_flop(config: Config, exact: bool = False, reuse: bool = True) -> float:
    """FLOP of one step of the article's networks (5x5 kernels) at any size and width.

    Args:
      exact: leave out the taps outside the image.
      reuse: the first update of G reuses the forward pass whose images D was trained on, as `train_step` does.
    """
    g, d = generator_layers(config, exact), discriminator_layers(config, exact)
    g_forward, d_forward = sum(g), sum(d)
    g_backward = 2 * sum(g) - g[0]  # no gradient with respect to z
    d_backward_kernels = sum(d) + sum(d[1:])  # no gradient with respect to the images
    d_update = g_forward + 2 * (d_forward + d_backward_kernels)
    g_update = 2 * d_forward + g_backward  # D forward, and back to the images
    g_forwards = config.g_steps - 1 if reuse else config.g_steps
    return config.d_steps * d_update + config.g_steps * g_update + g_forwards * g_forward


def search_flop(config: Config) -> float:
    """FLOP of one iteration of the search for z at `config.batch_size`: forward through G and D, and back to z."""
    dense, *convolutions = generator_layers(config, False)
    # The 3x3 taps of a resize-convolution see 2x2 values of the smaller map: 16 products for each of these, not 25.
    share = 1.0 if config.upsampling == "transposed" else 16 / KERNEL**2
    return 2 * (dense + share * sum(convolutions) + sum(discriminator_layers(config, False)))


def generator_layers(config: Config, exact: bool) -> list[float]:
    """Forward FLOP of G's layers: the dense one, then the transposed convolutions from small to large."""
    sizes = _convolutions(config, config.g_width)[::-1]
    dense = 2 * config.batch_size * config.latent_dim * 16 * sizes[0][2]
    return [dense, *(_flop(config.batch_size, *size, KERNEL, exact) for size in sizes)]


def discriminator_layers(config: Config, exact: bool) -> list[float]:
    """Forward FLOP of D's layers: the convolutions from large to small, then the dense one."""
    sizes = _convolutions(config, config.d_width)
    convolutions = [_flop(config.batch_size, *size, config.d_kernel, exact) for size in sizes]
    return [*convolutions, 2 * config.batch_size * 16 * sizes[-1][2]]


def _convolutions(config: Config, width: int) -> list[tuple[int, int, int]]:
    """(side of the larger map, its channels, channels of the smaller map), from the image on."""
    sizes, side, maps = [], config.image_size, config.channels
    while side > 4:
        deeper = width if side == config.image_size else min(2 * maps, 8 * width)
        sizes.append((side, maps, deeper))
        side, maps = side // 2, deeper
    return sizes


def _flop(batch: int, side: int, maps: int, deeper: int, kernel: int, exact: bool) -> float:
    before = (kernel - 2) // 2
    inside = sum(0 <= 2 * p - before + tap < side for p in range(side // 2) for tap in range(kernel))
    taps = inside**2 if exact else (side // 2 * kernel) ** 2
    return 2.0 * batch * taps * maps * deeper
