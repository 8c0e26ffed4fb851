"""Draw images from a trained run.

python -m dcgan_tf.sample                                  a grid of 64, from the newest run
python -m dcgan_tf.sample --num_images=10 --singly --seed=7
python -m dcgan_tf.sample --num_images=8 --interpolate=12 --gif
"""

from dcgan_tf import flags

flags.define("run", "", "folder of the run (default: the newest in runs/)")
flags.define("checkpoint", "last", "last, best, or the number of steps of a saved checkpoint")
flags.define("num_images", 64, "how many images, any number")
flags.define("grid", "", "rows x columns, in place of --num_images")
flags.define("seed", 0, "fixes the images; image i stays the same when more are drawn")
flags.define("singly", False, "a file for each image, in place of one grid")
flags.define("interpolate", 0, "steps from each of the images to the next, spherical for normal z; 0: none")
flags.define("gif", False, "an animation of the images, or of the way between them")
flags.define("raw", False, "the generator's own weights where the run keeps averaged ones")
flags.define("output", "", "folder for the pictures (default: generated/ in the run)")


def main() -> None:
    given = flags.FLAGS
    from dcgan_tf.runs import sampling

    request = sampling.Request(
        given.num_images, given.grid, given.seed, given.singly, given.interpolate, given.gif, given.raw
    )
    for path in sampling.draw(given.run or None, given.checkpoint, request, given.output or None):
        print(path)


if __name__ == "__main__":
    flags.run(main, __doc__)
