"""The DCGAN of "Fulfillment lies in creating something", in TensorFlow and Keras 3.

    import dcgan_tf
    config = dcgan_tf.preset("article", dataset="folder", data_dir="my/images")
    run = dcgan_tf.train(config)
    gan = dcgan_tf.load(run.directory.path)
    images = gan.generate(16, seed=3)   # uint8 [16, 64, 64, 3]

TensorFlow is imported when something is trained or loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dcgan_tf.config import Config, preset
from dcgan_tf.errors import UserError

if TYPE_CHECKING:
    from dcgan_tf.gan.dcgan import DCGAN
    from dcgan_tf.training.loop import Run

__version__ = "0.1.0"
__all__ = ["Config", "UserError", "generate", "load", "preset", "train"]


def train(config: Config, run_dir: str | Path | None = None, fresh: bool = False) -> Run:
    """Train, or continue, a run; see `dcgan_tf.training.loop.train`."""
    from dcgan_tf.training import loop

    return loop.train(config, run_dir, fresh)


def load(run: str | Path | None = None, checkpoint: str | int = "last") -> DCGAN:
    """The DCGAN of a run at its checkpoint "last", "best" or a number of steps: `training.loading.load`."""
    from dcgan_tf.training import loading

    return loading.load(run, checkpoint)


def generate(run: str | Path | None = None, n: int = 64, seed: int = 0, checkpoint: str | int = "last"):
    """`n` images of a run, uint8 [n, H, W, C]; image i depends on (seed, i) alone. `checkpoint` is as in `load`."""
    return load(run, checkpoint).generate(n, seed)
