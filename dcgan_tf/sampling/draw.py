"""Images drawn from a trained run, as files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from dcgan_tf.config import parse_grid
from dcgan_tf.console import progress
from dcgan_tf.errors import UserError
from dcgan_tf.gan.latents import walk
from dcgan_tf.pictures.animation import save_gif
from dcgan_tf.pictures.grids import grid, save_png
from dcgan_tf.training.run_directory import chosen

MOST_IMAGES = 1_000_000
MOST_IN_A_GRID = 10_000


@dataclass(frozen=True)
class Request:
    """Which images are wanted, and how; checked when made.

    Attributes:
      num_images: any number from 1; `grid`, "RxC", wins over it.
      seed: image i depends on (seed, i) alone.
      singly: a PNG for each image in place of one grid.
      interpolate: steps from each image to the next, 0 for none.
      gif: an animation as well.
      raw: not the averaged generator.
    """

    num_images: int = 64
    grid: str = ""
    seed: int = 0
    singly: bool = False
    interpolate: int = 0
    gif: bool = False
    raw: bool = False

    def __post_init__(self) -> None:
        if self.grid:
            rows, columns = parse_grid(self.grid, "--grid")
            object.__setattr__(self, "num_images", rows * columns)
        if not 1 <= self.num_images <= MOST_IMAGES:
            raise UserError(f"--num_images={self.num_images}: it must be from 1 to {MOST_IMAGES:,}.")
        if not 0 <= self.interpolate <= 1000:
            raise UserError(f"--interpolate={self.interpolate}: it must be from 0 to 1,000.")
        if not self.singly and self.num_images * max(self.interpolate, 1) > MOST_IN_A_GRID:
            raise UserError(
                f"a grid has room for {MOST_IN_A_GRID:,} images; ask for fewer, or for a file each: --singly."
            )
        if self.interpolate and self.num_images < 2:
            raise UserError("--interpolate: at least 2 images are needed to go from one to another.")
        if self.seed < 0:
            raise UserError(f"--seed={self.seed}: it must be at least 0.")

    @property
    def columns(self) -> int:
        """Columns of the grid: as asked for, one row for each interpolation, else about square."""
        if self.interpolate:
            return self.interpolate
        return parse_grid(self.grid)[1] if self.grid else math.ceil(math.sqrt(self.num_images))


def draw(run: str | None, checkpoint: str, request: Request, output: str | None) -> list[Path]:
    """Write the requested pictures.

    Args:
      run: the run's folder; None: the newest.
      checkpoint: see `loading.load`.
      output: where to; None: `generated/` in the run.

    Returns:
      the files written.

    Raises:
      UserError: no such run or checkpoint, or the folder may not be written.
    """
    directory = chosen(run)
    directory.config()  # what is no run is said at once: loading imports TensorFlow
    from dcgan_tf.training.loading import load

    gan = load(directory.path, checkpoint)
    folder = Path(output) if output else directory.path / "generated"
    z = gan.sample_latents(request.num_images, request.seed)
    name = f"seed_{request.seed}"
    if request.interpolate:
        z = walk(z, request.interpolate, gan.config.latent)
        name += "_walk"
    if request.singly:
        return _draw_singly(gan, z, folder, name, request)
    images = gan.decode(z, request.raw)
    written = [folder / f"{name}.png"]
    save_png(written[0], grid(images, request.columns))
    if request.gif:
        written.append(folder / f"{name}.gif")
        save_gif(written[1], images, milliseconds=80)
    return written


def _draw_singly(gan, z, folder: Path, name: str, request: Request) -> list[Path]:
    digits = max(4, len(str(len(z) - 1)))
    written, frames = [], []
    batch = 64  # decoded and written at a time: a million images need not fit into memory
    for start in progress(range(0, len(z), batch), f"drawing {len(z):,} images", unit="batches"):
        for i, image in enumerate(gan.decode(z[start : start + batch], request.raw), start):
            written.append(folder / f"{name}_{i:0{digits}d}.png")
            save_png(written[-1], image)
            if request.gif:
                frames.append(image)
    if request.gif:
        written.append(folder / f"{name}.gif")
        save_gif(written[-1], frames, milliseconds=80)
    return written
