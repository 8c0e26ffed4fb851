"""Convolutions, plain and transposed: what they compute, how fast, and where the checkerboard comes from."""

from dcgan_tf import cli
from experiments.convolution.rows import ROWS
from experiments.framework import study

if __name__ == "__main__":
    study.define_flags(ROWS)
    cli.run(lambda: study.main(ROWS, "experiments/convolution/results"), __doc__)
