"""The options of `sample`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dcgan_tf.config import parse_grid
from dcgan_tf.errors import UserError
from dcgan_tf.settings import RunOptions, setting

MOST_IMAGES = 1_000_000
MOST_IN_A_GRID = 10_000


@dataclass(frozen=True)
class SampleOptions(RunOptions):
    """Which images a run generates, and how they are written."""

    num_images: int = setting(64, "number of images", at_least=1, at_most=MOST_IMAGES)
    grid: str = setting("", "rows x columns, instead of --num_images")
    seed: int = setting(0, "random seed; image i stays the same when more are generated", at_least=0)
    singly: bool = setting(False, "write a file for each image instead of one grid")
    interpolate: int = setting(
        0, "steps from each image to the next, spherical for normal z; 0: no interpolation", at_least=0, at_most=1000
    )
    gif: bool = setting(False, "also write an animation of the images, or of the interpolation")
    raw: bool = setting(False, "use the generator's own weights even if the run keeps averaged ones")
    output: str = setting("", "folder for the pictures; empty: generated/ in the run", path=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.grid:
            rows, columns = parse_grid(self.grid, "--grid")
            if self.num_images not in (type(self).num_images, rows * columns):
                raise UserError(
                    f"--grid={self.grid}: that is {rows * columns} images, and --num_images={self.num_images}."
                )
            object.__setattr__(self, "num_images", rows * columns)
        if not self.singly and self.num_images * max(self.interpolate, 1) > MOST_IN_A_GRID:
            raise UserError(
                f"a grid has room for {MOST_IN_A_GRID:,} images; generate fewer, or write single files with --singly."
            )
        if self.interpolate and self.num_images < 2:
            raise UserError("--interpolate: at least 2 images are needed to go from one to another.")

    @property
    def columns(self) -> int:
        """Columns of the grid: those of `grid`, one row per interpolation, or about square."""
        if self.interpolate:
            return self.interpolate
        return parse_grid(self.grid)[1] if self.grid else math.ceil(math.sqrt(self.num_images))
