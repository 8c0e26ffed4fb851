"""Convolutions, plain and transposed: what they compute, how fast, and where the checkerboard comes from.

Row B7 and, beyond the sources, CONV-TRANSPOSED and CONV-CHECKERBOARD.
"""

from __future__ import annotations

from experiments.convolution.checkerboard import conv_checkerboard
from experiments.convolution.equality import b7, conv_transposed
from experiments.framework import study

ROWS: study.Rows = {"B7": b7, "CONV-TRANSPOSED": conv_transposed, "CONV-CHECKERBOARD": conv_checkerboard}
