"""The options of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dcgan_tf.errors import UserError
from dcgan_tf.metrics.results import LEAST_IMAGES
from dcgan_tf.settings import RunOptions, setting


@dataclass(frozen=True)
class EvaluateOptions(RunOptions):
    """What is measured against what; `run` and `checkpoint` do not matter where both `real` and `fake` are given."""

    real: str = setting("", "folder of real images, in place of the run's data set")
    fake: str = setting("", "folder of images to measure, in place of the run's generator")
    num_images: int = setting(
        2000, "images of each kind; as many as there are, if there are fewer", at_least=LEAST_IMAGES
    )
    seed: int = setting(0, "fixes which images are drawn, and everything random of the metrics", at_least=0)
    inception: str = setting("", "weights of the Inception network, classify_image_graph_def.pb, for FID and KID")
    image_size: int = setting(
        0, "height and width in pixels that two folders are compared at, 0 for 64; a run has its own", at_least=0
    )
    output: str = setting("", "folder for the results; empty: below evaluation/ in the run, or here")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size and not (self.real and self.fake):
            raise UserError(
                f"--image_size={self.image_size}: it is for two folders, --real and --fake; a run has its own."
            )
        for flag, folder in (("real", self.real), ("fake", self.fake)):
            if folder and not Path(folder).is_dir():
                raise UserError(f"--{flag}={folder}: not a folder.")
