"""The options of `evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dcgan_tf.errors import UserError
from dcgan_tf.metrics.results import LEAST_IMAGES
from dcgan_tf.settings import MOVED_SET, RunOptions, setting


@dataclass(frozen=True)
class EvaluateOptions(RunOptions):
    """Which images are compared with which; with both `real` and `fake`, no run is read."""

    real: str = setting("", "folder of real images, in place of the run's data set", path=True)
    fake: str = setting("", "folder of images to measure, in place of the run's generator", path=True)
    data_dir: str = setting("", MOVED_SET, path=True)
    num_images: int = setting(2000, "images of each kind, or all of them if there are fewer", at_least=LEAST_IMAGES)
    seed: int = setting(0, "random seed of the choice of images and of the metrics", at_least=0)
    inception: str = setting(
        "", "weights of the Inception network, classify_image_graph_def.pb, for FID and KID", path=True
    )
    image_size: Literal[0, 32, 64, 128] = setting(
        0, "height and width in pixels at which two folders are compared; 0: 64; a run has its own size"
    )
    output: str = setting(
        "",
        "folder for the results; empty: below evaluation/ in the run, or in the current folder for two folders",
        path=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size and not (self.real and self.fake):
            raise UserError(f"--image_size={self.image_size}: it needs both --real and --fake; a run has its own size.")
        if self.run and self.real and self.fake:
            raise UserError(f"--run={self.run}: no run is read when both --real and --fake are given; leave one out.")
        for flag, folder in (("real", self.real), ("fake", self.fake)):
            if folder and not Path(folder).is_dir():
                raise UserError(f"--{flag}={folder}: not a folder.")
