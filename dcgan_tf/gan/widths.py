"""The widths of the networks for a given length of training: `--g_width=0`, `--d_width=0`.

Narrow networks make more steps in the same time, wide ones are better in the end. In five minutes the first size
was better than 64 and 16 maps and than 32 and 8 (`experiments/recipes`, one seed). The numbers of steps from which the
other sizes are better are assumed, not measured.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from dcgan_tf.config import Config


class Size(NamedTuple):
    """The widths of both networks, and the number of steps from which they are better than the sizes before."""

    g_width: int
    d_width: int
    least_steps: int


SIZES = (Size(32, 16, 0), Size(64, 32, 40_000), Size(128, 64, 160_000))


def is_settled(config: Config) -> bool:
    """Whether both widths are given."""
    return config.g_width > 0 and config.d_width > 0


def set_widths(config: Config, size: Size) -> Config:
    """The config with the widths that are not given set to those of `size`."""
    g_width, d_width = config.g_width or size.g_width, config.d_width or size.d_width
    return dataclasses.replace(config, g_width=g_width, d_width=d_width)


def choose_size(steps: int) -> Size:
    """The best size for `steps` steps."""
    return [size for size in SIZES if steps >= size.least_steps][-1]
