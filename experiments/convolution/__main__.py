"""Convolutions, plain and transposed: what they compute, how fast, and where the checkerboard comes from.

Row B7 and, beyond the sources, CONV-TRANSPOSED and CONV-CHECKERBOARD.
"""

from dcgan_tf import cli
from experiments.convolution.rows import ROWS
from experiments.framework import study

if __name__ == "__main__":
    study.define_flags(ROWS)
    cli.run(lambda: study.main(ROWS), __doc__)
