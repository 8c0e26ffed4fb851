"""The options of `visualize_layers`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from dcgan_tf.errors import UserError
from dcgan_tf.settings import MOVED_SET, RunOptions, setting

Stage = Literal["before_bn", "after_bn", "activation"]
Scaling = Literal["map", "layer", "signed"]
Order = Literal["channel", "energy"]


@dataclass(frozen=True)
class LayerOptions(RunOptions):
    """Which layers are drawn, how, and for which inputs."""

    seed: int = setting(0, "random seed of z, the generator's input", at_least=0)
    z_file: str = setting("", "a .npy file with z, instead of --seed", path=True)
    image: str = setting(
        "", "the discriminator's input: a file, or an index in the run's data set; empty: 0", path=True
    )
    data_dir: str = setting("", MOVED_SET, path=True)
    layers: str = setting("", "names or patterns separated by commas: d/h1, g/*, h2; empty: all")
    maps: str = setting("", "indices of the maps to explain, separated by commas; empty: the strongest")
    stage: Stage = setting("before_bn", "before batch norm (as the article), after it, or after the activation")
    scaling: Scaling = setting(
        "map", "map (each by its own range), layer (all by one range) or signed (colours around zero)"
    )
    order: Order = setting("channel", "by channel, or by energy (the strongest first)")
    style: Literal["modern", "article"] = setting("modern", "article: the original tool's grids, pixel for pixel")
    output: str = setting("", "folder for the pictures; empty: layers/ in the run", path=True)
    tensorboard: bool = setting(False, "also write the figures as TensorBoard images")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.style == "article":
            default = {field.name: field.default for field in fields(self)}
            for name in ("layers", "maps", "stage", "scaling", "order"):
                if getattr(self, name) != default[name]:
                    raise UserError(f"--{name}: the article's tool has no such option; drop it or --style=article.")
        for number in self.map_texts:
            if not number.isdecimal():
                raise UserError(f"--maps={number}: map indices are needed, counted from 0 and separated by commas.")

    @property
    def layer_patterns(self) -> list[str]:
        """The names or patterns in `layers`."""
        return split_commas(self.layers)

    @property
    def map_texts(self) -> list[str]:
        """The indices in `maps`, as strings."""
        return split_commas(self.maps)


def split_commas(text: str) -> list[str]:
    """Split a text at commas and drop blank parts."""
    return [part.strip() for part in text.split(",") if part.strip()]
