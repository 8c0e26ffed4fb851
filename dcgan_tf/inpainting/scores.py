"""Scores of completed images against the true ones, in the hole and over the whole image."""

from __future__ import annotations

import numpy as np

from dcgan_tf.backend import tf

NAMES = ("psnr_hole", "psnr_image", "ssim_hole", "ssim_image", "l1_hole", "l1_image")


def compute_scores(true: np.ndarray, completed: np.ndarray, known: np.ndarray) -> dict[str, np.ndarray]:
    """Compute each of `NAMES` as float64 [N].

    PSNR is in dB with peak 255, inf if nothing differs. L1 is the mean absolute difference of values in 0..255. SSIM
    (Wang et al. 2004, window 11, sigma 1.5) is the mean over the positions where the whole window is inside the image;
    in the hole, over those of them whose centre is missing (nan if there are none).

    Args:
      true, completed: uint8 [N, H, W, C].
      known: bool [N, H, W].
    """
    difference = completed.astype(np.float64) - true
    similarity = tf.image.ssim(
        tf.cast(true, tf.float32), tf.cast(completed, tf.float32), max_val=255.0, return_index_map=True
    ).numpy()
    margin = (true.shape[1] - similarity.shape[1]) // 2
    inner_hole = ~known[:, margin : margin + similarity.shape[1], margin : margin + similarity.shape[2]]
    found = {}
    for where, part, inner in (("hole", ~known, inner_hole), ("image", np.ones_like(known), np.ones_like(inner_hole))):
        squares = _mean(np.square(difference).mean(axis=3), part)
        with np.errstate(divide="ignore"):
            found[f"psnr_{where}"] = 10.0 * np.log10(255.0**2 / squares)
        found[f"ssim_{where}"] = _mean(similarity, inner)
        found[f"l1_{where}"] = _mean(np.abs(difference).mean(axis=3), part)
    return {name: found[name] for name in NAMES}


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Mean of each image over the positions of its `where`; nan if there are none."""
    counts = where.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return np.where(where, values, 0.0).sum(axis=(1, 2), dtype=np.float64) / counts
