"""Measure how good generated images are, with no download: a table, JSON, CSV and a page of pictures.

python -m dcgan_tf.evaluate                                     the newest run against its data set
python -m dcgan_tf.evaluate --run=runs/roads --checkpoint=best --num_images=5000
python -m dcgan_tf.evaluate --real=my/photos --fake=my/pictures
"""

from dcgan_tf import cli

cli.define("run", "", "folder of the run (default: the newest in runs/)")
cli.define("checkpoint", "last", "last, best, or the number of steps of a saved checkpoint")
cli.define("real", "", "folder of real images, in place of the run's data set")
cli.define("fake", "", "folder of images to measure, in place of the run's generator")
cli.define("num_images", 2000, "images of each kind; as many as there are, if there are fewer")
cli.define("seed", 0, "fixes which images are drawn, and everything random of the metrics")
cli.define("inception", "", "weights of the Inception network, classify_image_graph_def.pb, for FID and KID")
cli.define("image_size", 0, "height and width that two folders are compared at, 0 for 64; a run has its own")
cli.define("output", "", "folder for the results (default: below evaluation/ in the run, or here)")


def main() -> None:
    given = cli.FLAGS
    from dcgan_tf.evaluation import evaluate, sets

    names = ("run", "checkpoint", "real", "fake", "num_images", "seed", "inception", "image_size")
    request = sets.Request(**{name: given[name].value for name in names})
    evaluation, written = evaluate.evaluate(request, given.output or None)
    print(evaluation.table())
    for path in written:
        print(path)


if __name__ == "__main__":
    cli.run(main, __doc__)
