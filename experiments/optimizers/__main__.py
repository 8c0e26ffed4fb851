"""Optimisers: on a valley, on MNIST, their formulas, their learning rates, and a DCGAN trained by each.

Rows D1 and D2 and, beyond the sources, OPT-FORMULAS, OPT-RATES and OPT-DCGAN. With --data_dir on MNIST's four files,
else on digits drawn from fonts, as every output then says.
"""

from dcgan_tf import cli
from experiments.framework import study
from experiments.optimizers.rows import ROWS

if __name__ == "__main__":
    study.define_flags(ROWS)
    cli.run(lambda: study.main(ROWS), __doc__)
