"""The data sets by name. A new one is a module with a `find` and a line here and in `config.DATASETS`."""

from __future__ import annotations

from pathlib import Path

from dcgan_tf.config import Config
from dcgan_tf.datasets import folder, lfw, sully_chen
from dcgan_tf.datasets.listing import Listing
from dcgan_tf.errors import UserError

ROAD_FRAMES = 4000
ROAD_SEED = 0  # the drawn set is the same for every run, as a photographed one would be


def find(config: Config) -> Listing:
    """The images of the configured data set; draws `synthetic_road` where it is not there yet.

    Raises:
      UserError: the set is not there, or not as it must be.
    """
    data_dir = Path(config.resolved_data_dir)
    if config.num_images and config.dataset != "synthetic_road":
        raise UserError(f"--num_images={config.num_images}: it is for synthetic_road; {config.dataset} is what it is.")
    if config.dataset == "folder":
        return folder.find(data_dir, Path(config.cache_dir))
    if config.dataset == "lfw":
        return lfw.find(data_dir)
    if config.dataset == "synthetic_road":
        _draw_once(data_dir, config.num_images)
    return sully_chen.find(data_dir, config.dataset)


def _draw_once(data_dir: Path, num_images: int) -> None:
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
