"""Initial weights: how signals and gradients go through deep networks, and through a DCGAN.

Rows B8 to B10, C1, C2, D3, D4, E1 to E4 and, beyond the sources, INIT-CONV and INIT-DCGAN. Here those of the notes: C1,
D4, E1 to E3, whose networks are matrices and an activation.
"""

from dcgan_tf import cli
from experiments.framework import study
from experiments.initialization.rows import ROWS

if __name__ == "__main__":
    study.define_flags(ROWS)
    cli.run(lambda: study.main(ROWS), __doc__)
