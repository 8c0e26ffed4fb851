"""Measure the quality of generated images, without a download: a table, JSON, CSV and a page of pictures.

python -m dcgan_tf.evaluate                                     the newest run against its data set
python -m dcgan_tf.evaluate --run=runs/roads --checkpoint=best --num_images=5000
python -m dcgan_tf.evaluate --real=my/photos --fake=my/pictures
"""

from dcgan_tf import cli
from dcgan_tf.evaluation.options import EvaluateOptions


def main() -> None:
    """Evaluate the images that the flags describe, and print the table and the files."""
    options = cli.read_settings(EvaluateOptions)
    from dcgan_tf.evaluation.evaluate import evaluate

    evaluation, written = evaluate(options)
    print(evaluation.table())
    cli.print_paths(written)


def run() -> None:
    """Define the flags and run the command."""
    cli.define_settings(EvaluateOptions)
    cli.run(main, __doc__)


if __name__ == "__main__":
    run()
