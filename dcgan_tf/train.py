"""Train a DCGAN; the same command again continues where the last one stopped.

python -m dcgan_tf.train --dataset=sully_chen
python -m dcgan_tf.train --preset=quick
python -m dcgan_tf.train --dataset=folder --data_dir=my/images --epochs=100
"""

import sys

from dcgan_tf import flags

flags.define_config()
flags.define("run_dir", "", "folder of the run (default: runs/<dataset>-<preset>)")
flags.define("fresh", False, "start over; an old run in the folder is moved aside, not deleted")


def main() -> None:
    config = flags.given_config()
    from dcgan_tf.runs import loop

    run = loop.train(config, flags.FLAGS.run_dir or None, flags.FLAGS.fresh)
    print(run.summary())
    if run.signal and run.step < run.last_step:
        print(f"Stopped and saved. To continue: {flags.this_command()}")
        sys.exit(128 + run.signal)


if __name__ == "__main__":
    flags.run(main, __doc__)
