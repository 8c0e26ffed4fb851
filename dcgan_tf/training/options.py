"""The options of `train` besides the settings of the run."""

from __future__ import annotations

from dataclasses import dataclass

from dcgan_tf.settings import Settings, setting


@dataclass(frozen=True)
class TrainOptions(Settings):
    """Where a run is kept, and whether an old one there is continued."""

    run_dir: str = setting("", "folder of the run; empty: runs/<dataset>-<preset>", path=True)
    fresh: bool = setting(False, "start over; an old run in the folder is moved aside, not deleted")
