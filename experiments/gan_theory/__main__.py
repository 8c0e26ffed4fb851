"""GAN theory by numbers: rows A13 to A16, B3 to B6.

Here A14 (play in F(u, v) = uv), B4 and B5 (the value at the best D; divergences).
"""

from dcgan_tf import cli
from experiments.framework import study
from experiments.gan_theory.rows import ROWS

if __name__ == "__main__":
    study.define_flags(ROWS)
    cli.run(lambda: study.main(ROWS), __doc__)
