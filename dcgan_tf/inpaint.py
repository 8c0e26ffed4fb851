"""Fill holes in images with a trained run (Yeh et al. 2017).

python -m dcgan_tf.inpaint                                             held-out images of the newest run's set
python -m dcgan_tf.inpaint --run=runs/lfw-stable --mask=random:0.8,strokes --num_images=8
python -m dcgan_tf.inpaint --images=me.jpg --mask_image=scratches.png  a picture of any size
python -m dcgan_tf.inpaint --benchmark                                 all masks, with baselines, in one table
"""

from dcgan_tf import cli
from dcgan_tf.inpainting.options import InpaintOptions
from dcgan_tf.training import run_directory


def main() -> None:
    """Fill the holes that the flags describe, and print the scores and the files."""
    options = cli.read_settings(InpaintOptions)
    run_directory.choose_run(options.run).config()  # a wrong folder is refused before TensorFlow is imported
    from dcgan_tf.inpainting.fill import inpaint

    table, written = inpaint(options)
    print(table)
    cli.print_paths(written)


def run() -> None:
    """Define the flags and run the command."""
    cli.define_settings(InpaintOptions)
    cli.run(main, __doc__)


if __name__ == "__main__":
    run()
