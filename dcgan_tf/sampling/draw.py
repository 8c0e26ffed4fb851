"""Generating images with a trained run, as files."""

from __future__ import annotations

from pathlib import Path

from dcgan_tf.console import progress
from dcgan_tf.gan.latents import walk
from dcgan_tf.pictures.animation import save_gif
from dcgan_tf.pictures.grids import make_grid, save_png
from dcgan_tf.sampling.options import SampleOptions
from dcgan_tf.training.run_directory import choose_run


def draw(options: SampleOptions) -> list[Path]:
    """Generate and write the images that the options describe.

    Returns:
      The files written.

    Raises:
      UserError: there is no such run or checkpoint, or the folder may not be written.
    """
    directory = choose_run(options.run)
    directory.config()  # a wrong folder is refused before TensorFlow is imported
    from dcgan_tf.training.loading import load

    gan = load(directory.path, options.checkpoint)
    folder = Path(options.output) if options.output else directory.path / "generated"
    z = gan.sample_latents(options.num_images, options.seed)
    name = f"seed_{options.seed}"
    if options.interpolate:
        z = walk(z, options.interpolate, gan.config.latent)
        name += "_walk"
    if options.singly:
        return _draw_singly(gan, z, folder, name, options)
    images = gan.decode(z, options.raw)
    written = [folder / f"{name}.png"]
    save_png(written[0], make_grid(images, options.columns))
    if options.gif:
        written.append(folder / f"{name}.gif")
        save_gif(written[1], list(images), milliseconds=80)
    return written


def _draw_singly(gan, z, folder: Path, name: str, options: SampleOptions) -> list[Path]:
    digits = max(4, len(str(len(z) - 1)))
    written, frames = [], []
    batch = 64  # decoded and written at a time, so that a million images need not fit into memory
    for start in progress(range(0, len(z), batch), f"drawing {len(z):,} images", unit="batches"):
        for i, image in enumerate(gan.decode(z[start : start + batch], options.raw), start):
            written.append(folder / f"{name}_{i:0{digits}d}.png")
            save_png(written[-1], image)
            if options.gif:
                frames.append(image)
    if options.gif:
        written.append(folder / f"{name}.gif")
        save_gif(written[-1], frames, milliseconds=80)
    return written
