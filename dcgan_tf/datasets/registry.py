"""The data sets by name.

A new data set is a module with a function `find` that returns a `Listing`, one line in `find` below and one in
`config.Dataset`.
"""

from __future__ import annotations

from pathlib import Path

from dcgan_tf.config import Config
from dcgan_tf.datasets import folder, lfw, sully_chen
from dcgan_tf.datasets.listing import Listing
from dcgan_tf.errors import UserError

ROAD_FRAMES = 4000  # of synthetic_road, unless --num_images says otherwise
ROAD_SEED = 0  # fixed: the drawn data set is the same for every run, as a photographed one would be


def find(config: Config) -> Listing:
    """List the images of the configured data set; `synthetic_road` is drawn first if it does not exist.

    Raises:
      UserError: the data set does not exist or is malformed, or `num_images` does not apply to it.
    """
    data_dir = Path(config.resolved_data_dir)
    if config.num_images and config.dataset != "synthetic_road":
        raise UserError(f"--num_images={config.num_images}: only synthetic_road takes it, not {config.dataset}.")
    if config.dataset == "folder":
        return folder.find(data_dir, Path(config.cache_dir))
    if config.dataset == "lfw":
        return lfw.find(data_dir)
    if config.dataset == "synthetic_road":
        _draw_once(data_dir, config.num_images)
    return sully_chen.find(data_dir, config.dataset)


def _draw_once(data_dir: Path, num_images: int) -> None:
    """Draw `synthetic_road` into `data_dir`, unless it is there with as many frames."""
    from dcgan_tf.datasets.synthetic_road.drawing import draw_set

    if not (data_dir / "data.txt").exists():
        draw_set(data_dir, num_images or ROAD_FRAMES, ROAD_SEED)
        return
    drawn = len(sully_chen.parse(data_dir / "data.txt"))
    if num_images and drawn != num_images:
        raise UserError(
            f"synthetic_road: {data_dir} holds {drawn:,} frames, not --num_images={num_images}; "
            "remove the folder, or draw into another one with --data_dir=PATH."
        )
