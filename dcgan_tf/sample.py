"""Draw images from a trained run.

python -m dcgan_tf.sample                                  a grid of 64, from the newest run
python -m dcgan_tf.sample --num_images=10 --singly --seed=7
python -m dcgan_tf.sample --num_images=8 --interpolate=12 --gif
"""

from dcgan_tf import cli
from dcgan_tf.sampling.options import SampleOptions


def main() -> None:
    """Draw what the flags ask for and print the files."""
    options = cli.read_settings(SampleOptions)
    from dcgan_tf.sampling.draw import draw

    cli.print_paths(draw(options))


def run() -> None:
    """The command."""
    cli.define_settings(SampleOptions)
    cli.run(main, __doc__)


if __name__ == "__main__":
    run()
