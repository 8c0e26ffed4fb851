"""The recipes that are compared at equal time, and the sets that they learn."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Arm:
    """A recipe: a preset with other settings, or a peer that takes batch, widths and rate from that preset.

    Attributes:
      title: its name in tables and figures.
      preset, settings: of the package.
      peer: the class of `framework.peers` that trains in place of the package; "": the package.
    """

    title: str
    preset: str
    settings: dict = field(default_factory=dict)
    peer: str = ""


def _stable(width: int) -> Arm:
    return Arm(f"stable, width {width}", "stable", {"g_width": width, "d_width": width})


def _modern(g_width: int, d_width: int) -> Arm:
    return Arm(f"modern, widths {g_width} and {d_width}", "modern", {"g_width": g_width, "d_width": d_width})


ARMS = {
    "article": Arm("article", "article"),
    "fast": Arm("fast", "fast"),
    "stable": Arm("stable", "stable"),
    "stable_8": _stable(8),
    "stable_16": _stable(16),
    "stable_32": _stable(32),
    "modern_32": _modern(32, 16),
    "modern_64": _modern(64, 32),
    "modern_128": _modern(128, 64),
    "torch_example": Arm(
        "PyTorch's examples/dcgan, bfloat16", "article", {"g_steps": 1, "precision": "bfloat16"}, "TorchExample"
    ),
}
# name -> loader, crop; the folder of each has a flag `--<name>_dir`
SETS = {
    "lfw": ("lfw", "auto"),
    "driving_sim": ("sully_chen", "auto"),
    "udacity_sim": ("sully_chen", "square"),
    "synthetic_road": ("synthetic_road", "square"),
}


def name_run(minutes: float, dataset: str, arm: str, seed: int) -> str:
    """The name of a run's folder and of its result."""
    return f"{minutes:g}min-{dataset}-{arm}-{seed}"


def scores_at(run: dict, mark: int = -1) -> dict[str, float]:
    """The measurements of the averaged generator, or of the only one, at a mark of a run's result; -1: at the end."""
    scores = run["measured"][mark]
    return scores["averaged"] if "averaged" in scores else scores["raw"]
