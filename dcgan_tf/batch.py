"""A batch of images with labels, in one form from the packed file to the loss."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Batch(NamedTuple):
    """Images and their labels.

    Attributes:
      images: [..., N, H, W, C]; uint8 until the train step makes them float32 in [-1, 1].
      labels: float32 [..., N], the steering angle in degrees; NaN where an image has none.
    """

    images: Any
    labels: Any

    @classmethod
    def unlabelled(cls, images) -> Batch:
        """A batch whose labels are all NaN."""
        return cls(images, np.full(tuple(images.shape[:-3]), np.nan, np.float32))
