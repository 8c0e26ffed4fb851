"""The settings of a run as one frozen dataclass, and the presets."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dcgan_tf.errors import UserError
from dcgan_tf.presets import PRESETS
from dcgan_tf.settings import Settings, check, setting, suggest

Dataset = Literal["sully_chen", "synthetic_road", "lfw", "folder"]
LossName = Literal["non_saturating", "saturating", "lsgan", "hinge", "wgan_gp"]
Precision = Literal["float32", "bfloat16", "auto"]
PresetName = Literal["article", "fast", "paper", "lfw", "quick", "stable", "modern"]
Switch = Literal["off", "on"]


@dataclass(frozen=True)
class Config(Settings):
    """The settings of a run. `config.json` in the run folder holds all of them."""

    preset: PresetName = setting("article", "base preset; explicit flags override it", learned=False)
    dataset: Dataset = setting("sully_chen", "what to learn")
    data_dir: str = setting("", "folder of the data set; empty: data/<dataset>", learned=False, path=True)
    cache_dir: str = setting("data/packed", "folder for decoded images, made once and kept", learned=False, path=True)
    num_images: int = setting(
        0, "frames of synthetic_road; 0: those drawn already, else 4,000", at_least=0, learned=False
    )
    crop: str = setting(
        "auto",
        "the part of an image that is used: N (the central NxN pixels), square (the largest central one), none "
        "(all of it, squashed), auto (108 for driving sets, as the article; 144 for lfw; square for a folder)",
        learned=False,  # the images that result are compared themselves
    )
    held_out: float = setting(
        0.1,
        "share of the images held out for evaluation and never trained on; the article used all images: 0",
        at_least=0,
        at_most=0.5,
    )
    image_size: Literal[32, 64, 128] = setting(64, "height and width of the images, pixels")
    channels: Literal[1, 3] = setting(3, "3 for colour, 1 for grey")

    latent_dim: int = setting(100, "length of the latent vector z", at_least=1, at_most=4096)
    latent: Literal["normal", "uniform"] = setting("normal", "distribution of z: normal N(0, 1) or uniform U[-1, 1]")
    g_width: int = setting(
        64,
        "maps in the generator's last hidden layer; 0: 32, 64 or 128, by the number of steps",
        at_least=0,
        at_most=1024,
    )
    d_width: int = setting(
        64, "maps in the discriminator's first layer; 0: 16, 32 or 64, likewise", at_least=0, at_most=1024
    )
    d_kernel: int = setting(
        5,
        "side of the kernels of the discriminator's convolutions, pixels; smaller ones are faster",
        at_least=2,
        at_most=6,
    )
    upsampling: Literal["transposed", "resize"] = setting(
        "transposed",
        "how the generator doubles maps: 5x5 transposed convolutions, or 3x3 resize-convolutions (no checkerboard)",
    )
    initializer: Literal["article", "paper", "he"] = setting("article", "weights at the start: Glorot, N(0, 0.02), He")

    batch_size: int = setting(64, "images per update, over all devices", at_least=2, at_most=65536)
    epochs: int = setting(30, "passes over the data set", at_least=1, learned=False)
    max_steps: int = setting(
        0, "stop after this many steps in total; 0: no limit besides epochs", at_least=0, learned=False
    )
    minutes: float = setting(
        0.0,
        "train for this many minutes of steps, instead of epochs; how many steps these are is measured when the run "
        "begins; pictures and measurements of quality take their time besides; 0: epochs",
        at_least=0,
        learned=False,
    )
    d_steps: int = setting(1, "discriminator updates per step, each with its own batch and z", at_least=1, at_most=100)
    g_steps: int = setting(2, "generator updates per step (the article: 2)", at_least=1, at_most=100)
    loss: LossName = setting("non_saturating", "GAN loss")
    augment: Literal["none", "translation"] = setting(
        "none",
        "how the images that D sees, real and generated, are augmented: none; translation, shifted at random by up to "
        "an eighth of the side (DiffAugment)",
    )
    flip: Switch = setting("off", "mirror half of the real images, chosen anew at each step; for faces, not for roads")
    learning_rate: float = setting(2e-4, "Adam's learning rate, both networks", above=0, at_most=1, changeable=True)
    decay: float = setting(
        0.0,
        "share of the training, at its end, over which the learning rate falls linearly to zero; 0: it is constant",
        at_least=0,
        at_most=1,
        changeable=True,
    )
    beta1: float = setting(0.5, "Adam's first-moment decay", at_least=0, below=1, changeable=True)
    beta2: float = setting(0.999, "Adam's second-moment decay", at_least=0, below=1, changeable=True)
    ema: float = setting(
        0.0,
        "decay per step of the averaged generator, which rises to this value; 0: no average is kept",
        at_least=0,
        below=1,
    )
    ema_ramp: float = setting(
        9.0,
        "how that decay rises: after t steps it is at most 1 - r / (t + r + 1), an average over t / r steps",
        above=0,
        at_most=1000,
    )
    precision: Precision = setting(
        "float32",
        "type that layers compute in; weights, batch norm statistics, logits and losses stay float32; auto: bfloat16 "
        "if a matrix product is faster in it, which is tried once when the run begins",
    )
    kernels: Literal["auto", "plain"] = setting(
        "auto",
        "how layers compute: auto, in the form that is fastest here; plain, as Keras does (equal up to rounding)",
    )
    xla: Switch = setting("off", "compile the step with XLA, which draws other z; not measured on a GPU")
    strategy: Literal["auto", "one", "mirrored", "multi_worker"] = setting(
        "auto",
        "which devices train: one, mirrored (all GPUs of this machine), multi_worker (the machines of TF_CONFIG or "
        "Slurm), auto (all that are there); they split each batch, with the same result up to rounding",
        learned=False,
    )
    steps_per_call: int = setting(
        1,
        "steps per call of TensorFlow, with the same result; more save time where a step takes milliseconds",
        at_least=1,
        at_most=1000,
        learned=False,
    )
    seed: int = setting(0, "random seed", at_least=0, at_most=2**31 - 1)

    sample_every: int = setting(500, "steps between sample grids; every epoch ends with one", at_least=1, learned=False)
    sample_grid: str = setting("8x8", "rows x columns of a sample grid", learned=False)
    evaluate_every: int = setting(500, "steps between measurements of quality; 0: never", at_least=0, learned=False)
    checkpoint_every: int = setting(
        500, "steps between checkpoints; every epoch ends with one", at_least=1, learned=False
    )
    keep_checkpoints: int = setting(
        3, "how many of the newest checkpoints are kept, besides the best", at_least=1, learned=False
    )
    keep_every_epochs: int = setting(
        5, "the checkpoint at the end of every M-th epoch is kept too; 0: none", at_least=0, learned=False
    )
    histogram_every: int = setting(500, "steps between weight histograms in TensorBoard", at_least=1, learned=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_crop(self.crop)
        parse_grid(self.sample_grid)

    @property
    def resolved_data_dir(self) -> str:
        """The folder of the data set: `data_dir`, or its default."""
        return self.data_dir or f"data/{self.dataset}"

    @property
    def data_name(self) -> str:
        """The name of the data set in pictures: that of its folder."""
        return os.path.basename(os.path.normpath(self.resolved_data_dir))

    @property
    def default_run_dir(self) -> str:
        """The folder of the run unless another is given."""
        return f"runs/{self.dataset}-{self.preset}"

    @property
    def resolved_crop(self) -> str:
        """`crop`, with "auto" replaced by the default of the data set: "108" (the article's), "144" or "square"."""
        if self.crop != "auto":
            return self.crop
        # 144 of LFW's 250 pixels reach from hair to chin; 150 would show more of the black corners from the alignment.
        return {"folder": "square", "lfw": "144"}.get(self.dataset, "108")

    @property
    def grid_shape(self) -> tuple[int, int]:
        """(rows, columns) of a sample grid."""
        return parse_grid(self.sample_grid)

    def learned(self) -> dict[str, Any]:
        """The settings that the weights after step t depend on, by name."""
        names = [f.name for f in dataclasses.fields(self) if f.metadata["learned"]]
        if self.decay:  # the rate at step t depends on where the last step is
            names.append("max_steps")
        return {name: getattr(self, name) for name in names}

    def changed(self, before: Config) -> dict[str, tuple[Any, Any]]:
        """The settings that differ from those of an earlier config and may, by name: (before, now)."""
        names = [f.name for f in dataclasses.fields(self) if f.metadata["changeable"]]
        if self.decay or before.decay:
            names.append("max_steps")
        return {n: (getattr(before, n), getattr(self, n)) for n in names if getattr(before, n) != getattr(self, n)}

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def parse_grid(text: str, flag: str = "--sample_grid") -> tuple[int, int]:
    """Parse the size of a grid such as "8x8" into (rows, columns), each from 1 to 64.

    Raises:
      UserError: another text; the message names `flag`.
    """
    rows, _, columns = text.partition("x")
    if rows.isdecimal() and columns.isdecimal() and 0 < int(rows) <= 64 and 0 < int(columns) <= 64:
        return int(rows), int(columns)
    raise UserError(f"{flag}={text}: rows x columns are needed, such as 8x8 or 2x5, each from 1 to 64.")


def _check_crop(value: str) -> None:
    if value in ("auto", "square", "none") or (value.isdecimal() and 0 < int(value) <= 100_000):
        return
    raise UserError(f"--crop={value}: it can be a positive number of pixels, square, none or auto.")


assert set(PRESETS) == set(get_args(PresetName))


def preset(name: str, **overrides: Any) -> Config:
    """Return the named preset with some settings replaced.

    Args:
      name: one of `PRESETS`.
      **overrides: fields of `Config`.

    Raises:
      UserError: the preset or a field is unknown, or a value is out of range.
    """
    known = {f.name: f for f in dataclasses.fields(Config)}
    check(known["preset"], name, get_args(PresetName))
    for given in overrides:
        if given not in known:
            raise UserError(f"{given}: no such setting.{suggest(given, known)}")
    return Config(**(PRESETS[name][1] | {"preset": name} | overrides))


def from_json(text: str, where: str) -> Config:
    """Read the config that `Config.to_json` wrote; `where` names the file in errors.

    Raises:
      UserError: the text is not JSON, or its settings are not those of this version.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise UserError(f"{where}: not a readable config ({error}); the run cannot be used.") from None
    if not isinstance(values, dict):
        raise UserError(f"{where}: not a config; the run cannot be used.")
    # Runs from before these settings existed learned from all images, with Keras's own layers.
    values = {"held_out": 0.0, "kernels": "plain"} | values
    try:
        return preset("article", **values)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
