"""Train a DCGAN; the same command again continues where the last one stopped.

python -m dcgan_tf.train --dataset=sully_chen
python -m dcgan_tf.train --preset=quick
python -m dcgan_tf.train --dataset=folder --data_dir=my/images --epochs=100
"""

import sys

from dcgan_tf import cli


def main() -> None:
    """Train the run that the flags describe and print what there is to look at."""
    config = cli.read_config()
    from dcgan_tf.training import loop

    run = loop.train(config, cli.FLAGS.run_dir or None, cli.FLAGS.fresh)
    print(run.summary())
    if run.signal and run.step < run.last_step:
        print(f"Stopped and saved. To continue: {cli.this_command()}")
        sys.exit(128 + run.signal)


def run() -> None:
    """The command."""
    cli.define_config()
    cli.define("run_dir", "", "folder of the run (default: runs/<dataset>-<preset>)")
    cli.define("fresh", False, "start over; an old run in the folder is moved aside, not deleted")
    cli.run(main, __doc__)


if __name__ == "__main__":
    run()
