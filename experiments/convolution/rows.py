"""Convolutions, plain and transposed: what they compute, how fast, and where the checkerboard comes from."""

from __future__ import annotations

from experiments.convolution.checkerboard import checkerboard
from experiments.convolution.equality import im2col, transposed_convolution
from experiments.framework import study

ROWS: study.Rows = study.name_rows(
    im2col,
    transposed_convolution,
    checkerboard,
)
