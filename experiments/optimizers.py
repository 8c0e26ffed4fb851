"""Optimisers: on a valley, on MNIST, their formulas, their learning rates, and a DCGAN trained by each.

Rows D1 and D2 and, beyond the sources, OPT-FORMULAS, OPT-RATES and OPT-DCGAN. With --data_dir on MNIST's four files,
else on digits drawn from fonts, as every output then says.
"""

from __future__ import annotations

from dcgan_tf import flags
from experiments import study
from experiments.optimizers_dcgan import opt_dcgan
from experiments.optimizers_formulas import opt_formulas
from experiments.optimizers_mnist import d2
from experiments.optimizers_rates import opt_rates
from experiments.optimizers_surface import d1

ROWS: study.Rows = {
    "D1": d1,
    "D2": d2,
    "OPT-FORMULAS": opt_formulas,
    "OPT-RATES": opt_rates,
    "OPT-DCGAN": opt_dcgan,
}

if __name__ == "__main__":
    study.define_flags(ROWS)
    flags.run(lambda: study.main(ROWS), __doc__)
