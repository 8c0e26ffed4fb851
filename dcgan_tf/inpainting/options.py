"""The options of `inpaint`, in a module without TensorFlow, so that a wrong one is refused at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dcgan_tf.errors import UserError
from dcgan_tf.inpainting import masks
from dcgan_tf.settings import MOVED_SET, RunOptions, Settings, setting

LossName = Literal["slides", "paper", "non_saturating"]
OptimizerName = Literal["adam", "momentum"]
BlendName = Literal["poisson", "paste"]


SPELLINGS = {"center": "centre"}


def _describe_masks() -> list[str]:
    return [f"{name}[:SHARE]" if name in masks.SHARES else name for name in masks.MASKS]


@dataclass(frozen=True)
class SearchOptions(Settings):
    """How a hole is filled: the search for z and the blending."""

    loss: LossName = setting(
        "paper", "objective of the search: slides (unweighted), paper (pixels near the hole weigh more), non_saturating"
    )
    optimizer: OptimizerName = setting("adam", "optimiser of the search; momentum is Nesterov's")
    iterations: int = setting(500, "iterations of the search for z", at_least=1)
    restarts: int = setting(4, "searches per image; the one with the lowest loss is taken", at_least=1)
    blend: BlendName = setting("poisson", "how the hole is filled: poisson (seamless), paste (copied)")
    seed: int = setting(0, "random seed of the masks and of the starting points of the searches", at_least=0)


@dataclass(frozen=True)
class InpaintOptions(SearchOptions, RunOptions):
    """Which holes in which images a run fills, and how."""

    images: str = setting(
        "", "image files separated by commas, or a folder; empty: held-out images of the run's data set"
    )
    data_dir: str = setting("", MOVED_SET, path=True)
    num_images: int = setting(16, "held-out images, or all of them if there are fewer", at_least=1)
    mask: str = setting(
        "centre",
        f"the holes, several separated by commas: {', '.join(_describe_masks())}; or alpha, where the image is "
        "transparent",
    )
    mask_image: str = setting("", "image of the hole, white where the picture is to be filled; any size", path=True)
    benchmark: bool = setting(False, "all masks, compared with methods that need no generator")
    output: str = setting("", "folder for the results; empty: inpainting/step-N in the run", path=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.benchmark and (self.mask != type(self).mask or self.mask_image):
            raise UserError("--benchmark: it uses all masks; leave out --mask and --mask_image.")
        if self.mask_image and self.mask != type(self).mask:
            raise UserError(f"--mask={self.mask}: the hole is that of --mask_image; leave one of the two out.")
        for name in self.mask_names:
            if name not in ("alpha", "image"):
                masks.make(name, 64)
        if "alpha" in self.mask_names and not self.images:
            raise UserError("--mask=alpha: it needs pictures of your own; name them with --images.")

    @property
    def mask_names(self) -> list[str]:
        """The masks by name; "image": that of `mask_image`."""
        if self.benchmark:
            return list(masks.MASKS)
        return ["image"] if self.mask_image else [SPELLINGS.get(name, name) for name in self.mask.split(",")]
