"""Images in several files as one array; a file is open only while an image in it is read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcgan_tf.errors import UserError

HEADER = 128  # bytes of NumPy's before the pixels of a file, for any count of images


class Shards:
    """uint8 [N, H, W, C], read like an array: rows by numbers are gathered, a slice is a view that reads nothing.

    Attributes:
      shape, dtype, ndim, nbytes: as of an array.
      filename: the files' folder.
    """

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(self, files: Sequence[Path], counts: Sequence[int], image: tuple[int, int, int]):
        """
        Args:
          files: NumPy's (`.npy`), in order.
          counts: images in each.
          image: (H, W, C).
        """
        self.filename = files[0].parent
        self._files, self._counts, self._image = files, counts, image
        self._firsts = np.concatenate([[0], np.cumsum(counts)])  # the number of each file's first image
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
        """A view of a slice; one image of a number; uint8 [..., H, W, C] of an array of numbers.

        Raises:
          IndexError: there is no such image.
          UserError: a file is gone or damaged.
        """
        if isinstance(key, slice):
            part = Shards(self._files, self._counts, self._image)
            part._rows = self._rows[key]
            return part
        numbers = np.asarray(key)
        if numbers.size and not np.issubdtype(numbers.dtype, np.integer):
            raise IndexError(f"images are asked for by whole numbers, not {numbers.dtype}")
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
            raise ValueError("images of several files are one array only as a copy")
        return np.asarray(self[np.arange(len(self))], dtype)

    def _read(self, file: int, rows: np.ndarray, places: np.ndarray, images: np.ndarray) -> None:
        """Images `rows`, all in one file, to their places among `images`."""
        path, size = self._files[file], images[0].nbytes
        whole = HEADER + self._counts[file] * size
        try:
            # Neither mapped nor kept open: there may be more files than a process may have open.
            with open(path, "rb", buffering=0) as opened:
                damaged = os.fstat(opened.fileno()).st_size != whole
                for row, place in zip(rows - self._firsts[file], places):
                    opened.seek(HEADER + row * size)
                    damaged |= opened.readinto(images[place]) != size
        except FileNotFoundError:
            damaged = True
        if damaged:
            raise UserError(
                f"{path}: gone or damaged; remove what is left of it, and the same command again makes it anew."
            )
