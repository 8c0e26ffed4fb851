"""Masks of the known pixels of an image: bool [H, W], False in the hole that is to be filled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dcgan_tf.errors import UserError

SHARES = {"random": 0.8, "pattern": 0.25}  # default share of the pixels in the hole, of masks that have one


def make(name: str, size: int, seed: int = 0) -> np.ndarray:
    """Make a mask for an image of size x size pixels.

    Args:
      name: one of `MASKS`; to `random` and `pattern`, ":share" may be added, the share of the pixels in the hole from
        0.01 to 0.99, as in "random:0.5".
      size: height and width in pixels.
      seed: random seed of masks that are drawn at random.

    Returns:
      Bool [size, size], with some pixels known and some not.

    Raises:
      UserError: there is no such mask or share.
    """
    kind, colon, text = name.partition(":")
    if kind not in MASKS:
        raise UserError(f"--mask={name}: unknown; it can be {', '.join(MASKS)}.")
    if not colon:
        share = SHARES.get(kind)
    else:
        try:
            share = float(text)
        except ValueError:
            share = 0.0
        if kind not in SHARES or not 0.01 <= share <= 0.99:
            raise UserError(
                f"--mask={name}: a share from 0.01 to 0.99 may follow {' and '.join(SHARES)}, nothing else."
            )
    draw = np.random.default_rng([seed, list(MASKS).index(kind)])
    return MASKS[kind](size, draw) if share is None else MASKS[kind](size, draw, share)


def centre(size: int, draw) -> np.ndarray:
    """The central square of half the side is missing."""
    known = np.ones((size, size), bool)
    quarter = size // 4
    known[quarter : size - quarter, quarter : size - quarter] = False
    return known


def _half(axis: int, first: bool) -> Callable:
    def mask(size: int, draw) -> np.ndarray:
        missing = np.arange(size) < size // 2
        missing = missing if first else ~missing
        return np.broadcast_to(~np.expand_dims(missing, 1 - axis), (size, size)).copy()

    return mask


def random(size: int, draw, share: float) -> np.ndarray:
    """Single pixels are missing, exactly `share` of them."""
    known = np.ones(size * size, bool)
    known[draw.permutation(size * size)[: round(share * size * size)]] = False
    return known.reshape(size, size)


def pattern(size: int, draw, share: float) -> np.ndarray:
    """Blobs are missing: the highest `share` of Gaussian noise, blurred with a sigma of a sixteenth of the side."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(draw.standard_normal((size, size)), size / 16, mode="wrap").reshape(-1)
    known = np.ones(size * size, bool)
    known[np.argsort(noise)[round((1 - share) * size * size) :]] = False
    return known.reshape(size, size)


def grid(size: int, draw) -> np.ndarray:
    """Rows and columns are missing; squares of a sixteenth of the side remain, a quarter of the pixels."""
    step = max(2, size // 8)
    kept = np.arange(size) % step < step // 2
    return kept[:, None] & kept[None, :]


def low_resolution(size: int, draw) -> np.ndarray:
    """One pixel of each 4x4 is known: filling the others is super-resolution by a factor of 4."""
    kept = np.arange(size) % 4 == 1
    return kept[:, None] & kept[None, :]


def strokes(size: int, draw) -> np.ndarray:
    """Three to six strokes are missing, as if wiped by hand: random walks of straight pieces."""
    rows, columns = np.mgrid[:size, :size]
    known = np.ones((size, size), bool)
    for _ in range(draw.integers(3, 7)):
        place, angle = draw.uniform(0, size, 2), draw.uniform(0, 2 * np.pi)
        radius = size * draw.uniform(0.02, 0.05)
        for _ in range(draw.integers(8, 20)):
            known &= (rows - place[0]) ** 2 + (columns - place[1]) ** 2 > radius**2
            angle += draw.normal(0, 0.5)
            place = np.clip(place + radius * np.array([np.sin(angle), np.cos(angle)]), 0, size)
    known[0, 0] = True  # at least one pixel is always known
    return known


MASKS: dict[str, Callable] = {
    "centre": centre,
    "left": _half(1, True),
    "right": _half(1, False),
    "top": _half(0, True),
    "bottom": _half(0, False),
    "random": random,
    "pattern": pattern,
    "grid": grid,
    "low_resolution": low_resolution,
    "strokes": strokes,
}


def importance(known: np.ndarray, window: int = 7) -> np.ndarray:
    """Weigh each known pixel by the share of missing pixels around it (Yeh et al. 2017, equation 3).

    Args:
      known: bool [H, W].
      window: side of the neighbourhood in pixels, odd; beyond the border of the image nothing is counted.

    Returns:
      Float32 [H, W], from 0 (in the hole, and where nothing near is missing) to 1.
    """
    reach = window // 2

    def neighbours(values: np.ndarray) -> np.ndarray:
        sums = np.pad(values.astype(np.float64), ((reach + 1, reach), (reach + 1, reach))).cumsum(0).cumsum(1)
        return sums[window:, window:] - sums[:-window, window:] - sums[window:, :-window] + sums[:-window, :-window]

    share = neighbours(~known) / neighbours(np.ones_like(known))
    return np.where(known, share, 0.0).astype(np.float32)
