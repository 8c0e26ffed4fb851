"""Convolutions, plain and transposed: what they compute, how fast, and where the checkerboard comes from.

Row B7 and, beyond the sources, CONV-TRANSPOSED and CONV-CHECKERBOARD.
"""

from __future__ import annotations

from dcgan_tf import flags
from experiments import study
from experiments.convolution_checkerboard import conv_checkerboard
from experiments.convolution_equality import b7, conv_transposed

ROWS: study.Rows = {"B7": b7, "CONV-TRANSPOSED": conv_transposed, "CONV-CHECKERBOARD": conv_checkerboard}

if __name__ == "__main__":
    study.define_flags(ROWS)
    flags.run(lambda: study.main(ROWS), __doc__)
