"""The pictures of a run: sample grids of a fixed z during training, and summaries of them at the end."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image

from dcgan_tf.config import Config
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.pictures.animation import save_gif
from dcgan_tf.pictures.curves import save_loss_curves
from dcgan_tf.pictures.grids import make_grid, save_contact_sheet, save_png
from dcgan_tf.training.metrics_log import read_metrics
from dcgan_tf.training.run_directory import RunDirectory

_NAME = re.compile(r"train_(\d{2,})_(\d{4,})\.png")
GIF_FRAMES = 60
SHEET_EPOCHS = 12


def sample_grid(gan: DCGAN) -> np.ndarray:
    """The grid of the run's fixed z, uint8 [rows * H, columns * W, C]."""
    rows, columns = gan.config.grid_shape
    return make_grid(gan.generate(rows * columns, seed=gan.config.seed), columns)


def save_sample(run: RunDirectory, epoch: int, index: int, image: np.ndarray) -> Path:
    """Write a sample grid under the article's name, `train_EE_SSSS.png`: the epoch and the step in it, from 0."""
    path = run.samples / f"train_{epoch:02d}_{index:04d}.png"
    save_png(path, image)
    return path


def saved_samples(run: RunDirectory) -> list[tuple[int, int, Path]]:
    """(epoch, index, file) of the sample grids, in order."""
    found = ((_NAME.fullmatch(path.name), path) for path in run.samples.iterdir())
    return sorted((int(name[1]), int(name[2]), path) for name, path in found if name)


def finish(run: RunDirectory, config: Config, steps_per_epoch: int) -> list[Path]:
    """Make `progress.gif`, the contact sheet `epochs.png` and `losses.png` from what the run has written."""
    made = []
    samples = saved_samples(run)
    if samples:
        frames = [np.atleast_3d(np.asarray(Image.open(path))) for _, _, path in _thin(samples, GIF_FRAMES)]
        frames = [frame for frame in frames if frame.shape == frames[-1].shape]  # the grid may have been changed
        save_gif(run.path / "progress.gif", frames, milliseconds=200, hold=2000)
        last_of_epoch = {epoch: path for epoch, _, path in samples}
        chosen = _thin(list(last_of_epoch.items()), SHEET_EPOCHS)
        save_contact_sheet(run.path / "epochs.png", [p for _, p in chosen], [f"epoch {e}" for e, _ in chosen])
        made += [samples[-1][2], run.path / "epochs.png", run.path / "progress.gif"]
    metrics = read_metrics(run.metrics_file)
    if len(metrics["step"]) > 1:
        title = f"{config.data_name}, preset {config.preset}"
        losses = {"discriminator": metrics["d_loss"], "generator": metrics["g_loss"]}
        save_loss_curves(run.path / "losses.png", metrics["step"], losses, steps_per_epoch, title)
        made.append(run.path / "losses.png")
    return made


def _thin(items: list, most: int) -> list:
    """At most `most` of the items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]
