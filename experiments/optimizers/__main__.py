"""Optimisers: on a valley, on MNIST, their formulas, their learning rates, and a DCGAN trained by each.

MNIST's four files are read from --data_dir; without it digits drawn from fonts are used, and every output says so.
"""

from dcgan_tf import cli
from experiments.framework import study
from experiments.optimizers.rows import ROWS

if __name__ == "__main__":
    study.define_flags(ROWS)
    cli.run(lambda: study.main(ROWS, "experiments/optimizers/results"), __doc__)
