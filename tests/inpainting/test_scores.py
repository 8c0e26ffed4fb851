"""Scores against their definitions in NumPy and SciPy."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dcgan_tf.inpainting.scores import compute_scores


def some(n=3, size=32, channels=3):
    draw = np.random.default_rng(0)
    true = draw.integers(0, 256, (n, size, size, channels)).astype(np.uint8)
    known = draw.random((n, size, size)) < 0.6
    completed = np.where(known[..., None], true, draw.integers(0, 256, true.shape).astype(np.uint8))
    return true, completed, known


def test_psnr_and_l1_agree_with_their_formulas():
    true, completed, known = some()
    found = compute_scores(true, completed, known)
    for i in range(3):
        d = completed[i].astype(float) - true[i]
        hole = d[~known[i]]
        assert found["psnr_hole"][i] == pytest.approx(20 * np.log10(255 / np.sqrt(np.mean(hole**2))))
        assert found["psnr_image"][i] == pytest.approx(20 * np.log10(255 / np.sqrt(np.mean(d**2))))
        assert found["l1_hole"][i] == pytest.approx(np.abs(hole).mean())
        assert found["l1_image"][i] == pytest.approx(np.abs(d).mean())


def test_ssim_agrees_with_its_formula():
    """Wang et al. 2004 by scipy.ndimage: Gaussian windows of sigma 1.5 and side 11, K1 = 0.01, K2 = 0.03."""
    true, completed, known = some()
    found = compute_scores(true, completed, known)
    for i in range(3):
        maps = []
        for c in range(3):
            x, y = true[i, ..., c].astype(float), completed[i, ..., c].astype(float)

            def mean(values):
                return gaussian_filter(values, 1.5, truncate=3.4)

            mx, my = mean(x), mean(y)
            vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            maps.append((2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2)))
        inner = np.mean(maps, axis=0)[5:-5, 5:-5]
        hole = ~known[i, 5:-5, 5:-5]
        assert found["ssim_image"][i] == pytest.approx(inner.mean(), abs=2e-4)
        assert found["ssim_hole"][i] == pytest.approx(inner[hole].mean(), abs=2e-4)


def test_the_same_image_is_perfect_and_no_hole_inside_is_nan():
    true, _, known = some()
    known[:] = True
    known[:, 0, :] = False  # no window has its centre there
    found = compute_scores(true, true, known)
    assert np.isposinf(found["psnr_hole"]).all() and (found["l1_image"] == 0).all()
    assert np.isnan(found["ssim_hole"]).all()
    np.testing.assert_allclose(found["ssim_image"], 1.0)
