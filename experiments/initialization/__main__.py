"""Initial weights: how signals and gradients pass through deep networks, and through a DCGAN."""

from dcgan_tf import cli
from experiments.framework import study
from experiments.initialization.rows import ROWS

if __name__ == "__main__":
    study.define_flags(ROWS)
    cli.run(lambda: study.main(ROWS, "experiments/initialization/results"), __doc__)
