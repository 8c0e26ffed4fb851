"""Show what every layer of a trained run computes, as figures and as a report for the browser.

python -m dcgan_tf.visualize_layers                       the newest run, into layers/ in it
python -m dcgan_tf.visualize_layers --layers='d/*' --image=my/road.jpg --stage=activation
python -m dcgan_tf.visualize_layers --style=article       the 20 grids of the article's tool
"""

from dcgan_tf import cli
from dcgan_tf.layer_figures.options import LayerOptions
from dcgan_tf.training import run_directory


def main() -> None:
    """Draw the figures that the flags describe, and print the files."""
    options = cli.read_settings(LayerOptions)
    run_directory.choose_run(options.run).config()  # a wrong folder is refused before TensorFlow is imported
    from dcgan_tf.layer_figures.visualize import visualize

    written = visualize(options)
    cli.print_paths(written)
    report = f"; open {written[-1]} in a browser" if written[-1].suffix == ".html" else ""
    print(f"{len(written)} figures written{report}.")


def run() -> None:
    """Define the flags and run the command."""
    cli.define_settings(LayerOptions)
    cli.run(main, __doc__)


if __name__ == "__main__":
    run()
