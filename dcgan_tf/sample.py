"""Draw images from a trained run.

python -m dcgan_tf.sample                                  a grid of 64, from the newest run
python -m dcgan_tf.sample --num_images=10 --singly --seed=7
python -m dcgan_tf.sample --num_images=8 --interpolate=12 --gif
"""

from dcgan_tf import cli

cli.define("run", "", "folder of the run (default: the newest in runs/)")
cli.define("checkpoint", "last", "last, best, or the number of steps of a saved checkpoint")
cli.define("num_images", 64, "how many images, any number")
cli.define("grid", "", "rows x columns, in place of --num_images")
cli.define("seed", 0, "fixes the images; image i stays the same when more are drawn")
cli.define("singly", False, "a file for each image, in place of one grid")
cli.define("interpolate", 0, "steps from each of the images to the next, spherical for normal z; 0: none")
cli.define("gif", False, "an animation of the images, or of the way between them")
cli.define("raw", False, "the generator's own weights where the run keeps averaged ones")
cli.define("output", "", "folder for the pictures (default: generated/ in the run)")


def main() -> None:
    given = cli.FLAGS
    from dcgan_tf.sampling import draw

    request = draw.Request(
        given.num_images, given.grid, given.seed, given.singly, given.interpolate, given.gif, given.raw
    )
    for path in draw.draw(given.run or None, given.checkpoint, request, given.output or None):
        print(path)


if __name__ == "__main__":
    cli.run(main, __doc__)
