"""The options of `prepare` besides the settings of the data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dcgan_tf.settings import Settings, setting

Year = Literal["2018", "2017"]


@dataclass(frozen=True)
class PrepareOptions(Settings):
    """Whether a data set is downloaded, from where, and what is shown of it."""

    download: bool = setting(False, "download the set first, if it is not there (sully_chen, lfw)")
    year: Year = setting("2018", "which of Sully Chen's sets to download: 2018 (3.1 GB) or 2017 (2.2 GB)")
    url: str = setting("", "a mirror's address of the archive, in place of the known one")
    sha256: str = setting("", "SHA-256 of the archive, checked if given")
    check: bool = setting(False, "print what the set holds, and write a picture of random samples")
    output: str = setting("", "the picture of --check; empty: <dataset>-samples.png beside the packed set", path=True)
