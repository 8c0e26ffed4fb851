"""Train a DCGAN; the same command again continues where the last one stopped.

python -m dcgan_tf.train --dataset=sully_chen
python -m dcgan_tf.train --preset=quick
python -m dcgan_tf.train --dataset=folder --data_dir=my/images --epochs=100
"""

import sys
import types

import dcgan_tf
from dcgan_tf import cli
from dcgan_tf.training.options import TrainOptions


class _CallableModule(types.ModuleType):
    """`import dcgan_tf.train` puts this module in the place of the function `dcgan_tf.train`: it can be called too."""

    __call__ = staticmethod(dcgan_tf.train)


if __name__ != "__main__":
    sys.modules[__name__].__class__ = _CallableModule


def main() -> None:
    """Train the run that the flags describe, and print a summary."""
    config, options = cli.read_config(), cli.read_settings(TrainOptions)
    from dcgan_tf.training import loop

    run = loop.train(config, options.run_dir or None, options.fresh)
    print(run.summary())
    if run.signal and run.step < run.last_step:
        print(f"Stopped and saved. To continue: {cli.this_command()}")
        sys.exit(128 + run.signal)


def run() -> None:
    """Define the flags and run the command."""
    cli.define_config()
    cli.define_settings(TrainOptions)
    cli.run(main, __doc__)


if __name__ == "__main__":
    run()
