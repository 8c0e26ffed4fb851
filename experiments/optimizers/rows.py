"""Optimisers: on a valley, on MNIST, their formulas, their learning rates, and a DCGAN trained by each.

Rows D1 and D2 and, beyond the sources, OPT-FORMULAS, OPT-RATES and OPT-DCGAN. With --data_dir on MNIST's four files,
else on digits drawn from fonts, as every output then says.
"""

from __future__ import annotations

from experiments.framework import study
from experiments.optimizers.dcgan import opt_dcgan
from experiments.optimizers.formulas import opt_formulas
from experiments.optimizers.mnist import d2
from experiments.optimizers.rates import opt_rates
from experiments.optimizers.surface import d1

ROWS: study.Rows = {
    "D1": d1,
    "D2": d2,
    "OPT-FORMULAS": opt_formulas,
    "OPT-RATES": opt_rates,
    "OPT-DCGAN": opt_dcgan,
}
