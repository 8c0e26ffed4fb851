"""Optimisers: on a valley, on MNIST, their formulas, their learning rates, and a DCGAN trained by each.

With --data_dir MNIST's four files are used, otherwise digits drawn from fonts, as every output then says.
"""

from dcgan_tf import cli
from experiments.framework import study
from experiments.optimizers.rows import ROWS

if __name__ == "__main__":
    study.define_flags(ROWS)
    cli.run(lambda: study.main(ROWS, "experiments/optimizers/results"), __doc__)
