"""GAN theory by numbers: optimal discriminators, divergences, Algorithm 1 on known densities, collapse, gradients."""

from dcgan_tf import cli
from experiments.framework import study
from experiments.gan_theory.rows import ROWS

if __name__ == "__main__":
    study.define_flags(ROWS)
    cli.run(lambda: study.main(ROWS, "experiments/gan_theory/results"), __doc__)
