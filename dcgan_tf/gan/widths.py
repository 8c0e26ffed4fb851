"""The width of the networks for a given length of training: `--g_width=0`, `--d_width=0`.

Narrow networks make more steps in the same time, wide ones become better in the end. The numbers of steps from which a
width is the best at equal time were measured in `experiments/recipes`.
"""

from __future__ import annotations

import dataclasses

from dcgan_tf.config import Config

LEAST_STEPS = {16: 0, 32: 20_000, 64: 60_000}  # width -> steps from which it is better than the narrower ones


def is_settled(config: Config) -> bool:
    """Whether both widths are given."""
    return config.g_width > 0 and config.d_width > 0


def set_width(config: Config, width: int) -> Config:
    """The config with the widths that are not given set to `width`."""
    return dataclasses.replace(config, g_width=config.g_width or width, d_width=config.d_width or width)


def choose_width(steps: int) -> int:
    """The best width for `steps` steps."""
    return max(width for width, least in LEAST_STEPS.items() if steps >= least)
