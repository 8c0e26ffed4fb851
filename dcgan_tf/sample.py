"""Generate images with a trained run.

python -m dcgan_tf.sample                                  a grid of 64, from the newest run
python -m dcgan_tf.sample --num_images=10 --singly --seed=7
python -m dcgan_tf.sample --num_images=8 --interpolate=12 --gif
"""

from dcgan_tf import cli
from dcgan_tf.sampling.options import SampleOptions


def main() -> None:
    """Generate the images that the flags describe, and print the files."""
    options = cli.read_settings(SampleOptions)
    from dcgan_tf.sampling.draw import draw

    cli.print_paths(draw(options))


def run() -> None:
    """Define the flags and run the command."""
    cli.define_settings(SampleOptions)
    cli.run(main, __doc__)


if __name__ == "__main__":
    run()
