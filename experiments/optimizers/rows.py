"""Optimisers: on a valley, on MNIST, their formulas, their learning rates, and a DCGAN trained by each.

MNIST's four files are read from --data_dir; without it digits drawn from fonts are used, and every output says so.
"""

from __future__ import annotations

from experiments.framework import study
from experiments.optimizers.dcgan import dcgan_optimizers
from experiments.optimizers.formulas import optimizer_formulas
from experiments.optimizers.mnist import optimizers_on_mnist
from experiments.optimizers.rates import learning_rates
from experiments.optimizers.steps import momentum_isotropic, rate_decay, vanishing_steps
from experiments.optimizers.surface import optimizer_paths

ROWS: study.Rows = study.name_rows(
    optimizer_paths,
    optimizers_on_mnist,
    optimizer_formulas,
    learning_rates,
    dcgan_optimizers,
    momentum_isotropic,
    vanishing_steps,
    rate_decay,
)
