"""Convolutions against SciPy and by hand, the checkerboard against its closed forms, and the command."""

import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.signal import correlate

from dcgan_tf.config import preset
from experiments.convolution import checkerboard, equality, im2col
from experiments.convolution import rows as convolution
from experiments.framework.study import Options

QUICK = Options(seeds=1, quick=True)


def correlate_by_scipy(x, kernel, stride, padding, dilation):
    """Every stride-th value of the correlation of padded maps with a kernel that has zeros between its taps."""
    kh, kw, channels, maps = kernel.shape
    spread = np.zeros((dilation * (kh - 1) + 1, dilation * (kw - 1) + 1, channels, maps))
    spread[::dilation, ::dilation] = kernel
    padded = np.pad(x, ((0, 0), *padding, (0, 0)))
    return np.stack(
        [
            np.stack([correlate(image, spread[..., d], "valid")[..., 0] for d in range(maps)], -1)[::stride, ::stride]
            for image in padded
        ]
    )


# Convolutions.


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((2, 1), (0, 3))])
def test_im2col_and_a_product_equal_scipys_correlation(stride, dilation, padding):
    draw = np.random.default_rng(stride)
    x, kernel, bias = draw.normal(size=(2, 11, 9, 3)), draw.normal(size=(3, 2, 3, 4)), draw.normal(size=4)
    found = im2col.conv2d(x, kernel, bias, stride, padding, dilation)
    np.testing.assert_allclose(found, correlate_by_scipy(x, kernel, stride, padding, dilation) + bias, atol=1e-12)


def test_the_matrices_have_the_slides_shapes():
    seen = im2col.extract_patches(np.zeros((2, 8, 8, 3)), (5, 5), 2, ((1, 2), (1, 2)), 1)
    assert seen.shape == (2, 4, 4, 5, 5, 3)  # X: [N, k k c], N outputs


@pytest.mark.parametrize(
    "size, kernel, stride, dilation, expected",
    [
        (64, 5, 2, 1, (1, 2)),  # TensorFlow puts the odd zero last
        (7, 3, 2, 1, (1, 1)),
        (8, 4, 2, 1, (1, 1)),
        (9, 3, 1, 2, (2, 2)),
        (6, 1, 3, 1, (0, 0)),
    ],
)
def test_same_padding(size, kernel, stride, dilation, expected):
    assert im2col.same_padding((size, size), (kernel, kernel), stride, dilation) == (expected, expected)


# Transposed convolutions.


def test_the_matrix_of_five_taps_by_hand():
    m = im2col.convolution_matrix(np.arange(1.0, 6.0).reshape(1, 5, 1, 1), (1, 8), 2, ((0, 0), (1, 2)))
    assert m.tolist() == [
        [2, 3, 4, 5, 0, 0, 0, 0],
        [0, 1, 2, 3, 4, 5, 0, 0],
        [0, 0, 0, 1, 2, 3, 4, 5],
        [0, 0, 0, 0, 0, 1, 2, 3],
    ]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("way", [im2col.conv2d_transpose, im2col.conv2d_fractionally_strided])
def test_it_is_the_adjoint(way, k, stride):
    """<conv(x), y> = <x, transposed(y)> for all x and y is what transposed means."""
    draw, size = np.random.default_rng(k), (10, 7)
    padding = im2col.same_padding(size, (k, k), stride)
    x, kernel = draw.normal(size=(2, *size, 3)), draw.normal(size=(k, k, 3, 4))
    outputs = im2col.conv2d(x, kernel, stride=stride, padding=padding)
    y = draw.normal(size=outputs.shape)
    assert (outputs * y).sum() == pytest.approx((x * way(y, kernel, size, stride, padding)).sum(), abs=1e-10)


@pytest.mark.parametrize("name, verdict", [("im2col", "agrees"), ("transposed_convolution", "source in error")])
def test_rows_of_equality(name, verdict):
    row = convolution.ROWS[name](QUICK)
    assert row.verdict.startswith(verdict)
    largest = row.numbers["largest"]
    # More than 0, as the same number is not compared with itself, and no more than float32 rounding.
    assert 0 < max(largest.values() if isinstance(largest, dict) else largest) < 1e-5


def test_a_wrong_convolution_does_not_agree(monkeypatch):
    right = im2col.conv2d
    monkeypatch.setattr(im2col, "conv2d", lambda x, k, *rest, **named: right(x, k[::-1], *rest, **named))
    assert equality._difference(3, 1, "same", 1, 0) > 0.1


# The checkerboard.


@pytest.mark.parametrize(
    "form, pattern",
    [
        ("5x5 transposed", [[4, 6], [6, 9]]),  # per axis 2 and 3 taps in turn
        ("4x4 transposed", [[4, 4], [4, 4]]),
        ("resize, then 3x3", [[9, 9], [9, 9]]),
    ],
)
def test_overlap(form, pattern):
    inner = checkerboard.overlap(form)[4:-4, 4:-4]
    assert sorted(map(tuple, np.unique(inner.reshape(4, 2, 4, 2).transpose(0, 2, 1, 3).reshape(-1, 4), axis=0))) in (
        [tuple(np.ravel(pattern))],
        [tuple(np.ravel(np.flip(pattern)))],
    )


@pytest.mark.parametrize(
    "form, expected", [("5x5 transposed", 0.75**0.5), ("4x4 transposed", 0.75**0.5), ("resize, then 3x3", 0.0)]
)
def test_a_constant_varies_as_independent_taps_make_it(form, expected):
    assert checkerboard.phase_variation(form, seed=3) == pytest.approx(expected, abs=0.02)


def test_white_noise_has_no_peak_and_the_power_of_its_variance():
    noise = np.random.default_rng(0).normal(0, 0.3, (400, 32, 32, 3))
    spectrum = checkerboard.line_spectrum(noise)
    assert spectrum[0] == pytest.approx(0, abs=1e-20)
    np.testing.assert_allclose(spectrum[1:], 0.09 / 32, rtol=0.03)
    for period in (2, 4):
        assert checkerboard.peak_ratio(spectrum, period) == pytest.approx(1, abs=0.03)
    assert checkerboard.power_share(spectrum, 4) == pytest.approx(2 / 31, rel=0.03)
    assert checkerboard.power_share(spectrum, 2) == pytest.approx(1 / 31, rel=0.03)


@pytest.mark.parametrize("period", [2, 4])
def test_stripes_have_all_their_power_at_their_period(period):
    noise = np.random.default_rng(0).normal(0, 1e-3, (50, 32, 32, 1))
    stripes = np.cos(2 * np.pi * np.arange(32) / period)[:, None, None]
    spectrum = checkerboard.line_spectrum(stripes + noise)
    # Columns alone have the stripes: half of |FFT|^2 / S^2, which is 1 at period 2 and 1/4 at others.
    assert spectrum[32 // period] == pytest.approx(0.5 if period == 2 else 0.125, rel=0.01)
    assert checkerboard.power_share(spectrum, period) == pytest.approx(1, abs=1e-4)
    assert checkerboard.peak_ratio(spectrum, period) > 1000
    assert checkerboard.peak_ratio(spectrum, 6 - period) < 2  # the other period


def test_four_taps_are_in_every_layer_that_doubles():
    config = preset("article", image_size=32, g_width=2, d_width=2, batch_size=2)
    gan = checkerboard._make_dcgan("4x4 transposed", config)
    kernels = [v.shape for v in gan.generator.variables if v.name == "kernel"]
    assert [shape[:2] for shape in kernels[1:]] == [(4, 4)] * 3


def test_generated_images_change_by_training_and_follow_from_the_seed(monkeypatch):
    monkeypatch.setattr(checkerboard, "WIDTH", 2)
    monkeypatch.setattr(checkerboard, "SHOWN", 8)
    real = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    before, after = checkerboard.generate_images("5x5 transposed", real, steps=20, seed=1)
    assert before.shape == after.shape == (8, 32, 32, 3)
    assert np.abs(before).max() <= 1 and not np.allclose(before, after, atol=1e-3)
    np.testing.assert_array_equal(checkerboard.generate_images("5x5 transposed", real, steps=0, seed=1)[0], before)


@pytest.mark.parametrize(
    "five, resize, expected",
    [(7.0, 0.5, "agrees"), (0.4, 0.5, "differs")],
)
def test_the_verdict_follows_from_the_numbers(five, resize, expected):
    forms = checkerboard.FORMS
    peaks = {f"{form}, {when}": {2: [resize]} for form in forms for when in ("untrained", "trained")}
    for form in forms[:2]:
        peaks[f"{form}, untrained"] = {2: [five, 8.0]}
    uneven = dict(zip(forms, (2.25, 1.0, 1.0)))
    phases = dict(zip(forms, ([0.87], [0.87], [0.0])))
    assert checkerboard._verdict(uneven, phases, peaks).startswith(expected)


# The command.


def test_help_is_quick_and_names_the_rows():
    started = time.monotonic()
    found = subprocess.run([sys.executable, "-m", "experiments.convolution", "--help"], capture_output=True, text=True)
    assert found.returncode == 0 and "im2col, transposed_convolution, checkerboard" in found.stdout
    assert time.monotonic() - started < 2 and "tensorflow" not in found.stderr
