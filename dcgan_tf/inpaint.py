"""Fill holes in images with a trained run (Yeh et al. 2017).

python -m dcgan_tf.inpaint                                             held-out images of the newest run's set
python -m dcgan_tf.inpaint --run=runs/lfw-stable --mask=random:0.8,strokes --num_images=8
python -m dcgan_tf.inpaint --images=me.jpg --mask_image=scratches.png  a picture of any size
python -m dcgan_tf.inpaint --benchmark                                 all masks, with baselines, in one table
"""

from dcgan_tf import cli

cli.define("run", "", "folder of the run (default: the newest in runs/)")
cli.define("checkpoint", "last", "last, best, or the number of steps of a saved checkpoint")
cli.define("images", "", "image files with commas between, or a folder; empty: held-out images of the run's set")
cli.define("num_images", 16, "held-out images; as many as there are, if there are fewer")
cli.define(
    "mask",
    "centre",
    "what is missing, several with commas between: centre, left, right, top, bottom, random[:SHARE], "
    "pattern[:SHARE], grid, low_resolution, strokes; or alpha, where the picture is transparent",
)
cli.define("mask_image", "", "picture of the hole, white where the image is to be filled; any size")
cli.define("loss", "paper", "slides (unweighted), paper (pixels near the hole weigh more) or non_saturating")
cli.define("optimizer", "adam", "adam or momentum (Nesterov's)")
cli.define("iterations", 500, "of the search for z")
cli.define("restarts", 4, "searches for each image; the best is taken")
cli.define("blend", "poisson", "how the hole is filled: poisson (seamless) or paste")
cli.define("seed", 0, "fixes the masks that are drawn and where searches start")
cli.define("benchmark", False, "all masks, and what fills a hole without a generator beside it")
cli.define("output", "", "folder for the results (default: inpainting/step-N in the run)")


def main() -> None:
    given = cli.FLAGS
    from dcgan_tf.inpainting.inputs import Request

    names = "run checkpoint images num_images mask mask_image loss optimizer iterations restarts blend seed benchmark"
    request = Request(**{name: given[name].value for name in names.split()})
    from dcgan_tf.inpainting import fill

    table, written = fill.inpaint(request, given.output or None)
    print(table)
    for path in written:
        print(path)


if __name__ == "__main__":
    cli.run(main, __doc__)
