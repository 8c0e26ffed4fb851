"""One array of images stored in several files. A file is open only while images in it are read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from dcgan_tf.errors import UserError

HEADER = 128  # size in bytes of the header of a `.npy` file, for any number of images

# Images of a set, uint8 [N, H, W, C]: an array, or `Shards`, which is read like one.
Images: TypeAlias = Any


class Shards:
    """A read-only array of images, uint8 [N, H, W, C]. A slice is a view, which reads nothing.

    Attributes:
      shape, dtype, ndim, nbytes: as in NumPy.
      filename: the folder of the files.
    """

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(self, files: Sequence[Path], counts: Sequence[int], image: tuple[int, int, int]):
        """Describe the array; no file is opened.

        Args:
          files: `.npy` files, in order.
          counts: number of images in each file.
          image: shape of an image, (H, W, C).
        """
        self.filename = files[0].parent
        self._files, self._counts, self._image = files, counts, image
        self._firsts = np.concatenate([[0], np.cumsum(counts)])  # index of each file's first image
        self._rows = range(int(self._firsts[-1]))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self), *self._image)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def __getitem__(self, key) -> np.ndarray | Shards:
        """Read images.

        Args:
          key: a slice, an integer or an array of integers.

        Returns:
          A view for a slice; uint8 [*key.shape, H, W, C] otherwise.

        Raises:
          IndexError: an index is out of range or not an integer.
          UserError: a file is missing or damaged.
        """
        if isinstance(key, slice):
            part = Shards(self._files, self._counts, self._image)
            part._rows = self._rows[key]
            return part
        numbers = np.asarray(key)
        if numbers.size and not np.issubdtype(numbers.dtype, np.integer):
            raise IndexError(f"images are indexed by integers, not {numbers.dtype}")
        if numbers.size and not -len(self) <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"there are {len(self)} images")
        numbers = np.where(numbers < 0, numbers + len(self), numbers).astype(np.int64)
        rows = self._rows.start + numbers.reshape(-1) * self._rows.step
        images = np.empty((len(rows), *self._image), np.uint8)
        in_file = np.searchsorted(self._firsts, rows, side="right") - 1
        order = np.argsort(in_file, kind="stable")
        for places in np.split(order, np.flatnonzero(np.diff(in_file[order])) + 1):
            if len(places):
                self._read(in_file[places[0]], rows[places], places, images)
        return images.reshape(*numbers.shape, *self._image)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        if copy is False:
            raise ValueError("images stored in several files become one array only by copying")
        return np.asarray(self[np.arange(len(self))], dtype)

    def _read(self, file: int, rows: np.ndarray, places: np.ndarray, images: np.ndarray) -> None:
        """Read images `rows`, all of one file, into `images[places]`."""
        path, size = self._files[file], images[0].nbytes
        whole = HEADER + self._counts[file] * size
        try:
            # Neither mapped nor kept open: there may be more files than a process may open.
            with open(path, "rb", buffering=0) as opened:
                damaged = os.fstat(opened.fileno()).st_size != whole
                for row, place in zip(rows - self._firsts[file], places):
                    opened.seek(HEADER + row * size)
                    damaged |= opened.readinto(images[place]) != size
        except FileNotFoundError:
            damaged = True
        if damaged:
            raise UserError(f"{path}: missing or damaged; remove it, and the same command makes it again.")
