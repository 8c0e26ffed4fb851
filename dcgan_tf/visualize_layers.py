"""See what every layer of a trained run does: figures and a report that opens in a browser.

python -m dcgan_tf.visualize_layers                       the newest run, into layers/ in it
python -m dcgan_tf.visualize_layers --layers='d/*' --image=my/road.jpg --stage=activation
python -m dcgan_tf.visualize_layers --style=article       the 20 grids of the article's tool
"""

from pathlib import Path

from dcgan_tf import cli

cli.define("run", "", "folder of the run (default: the newest in runs/)")
cli.define("checkpoint", "last", "last, best, or the number of steps of a saved checkpoint")
cli.define("seed", 0, "fixes z, what the generator starts from")
cli.define("z_file", "", "a .npy file with z, in place of --seed")
cli.define("image", "", "what the discriminator is shown: a file, or an index in the run's set (default: 0)")
cli.define("layers", "", "names or patterns, with commas between: d/h1, g/*, h2 (default: all)")
cli.define("maps", "", "numbers of the maps to explain, with commas between (default: the strongest)")
cli.define("stage", "before_bn", "before_bn (as the article), after_bn or activation")
cli.define("scaling", "map", "map (each by itself), layer (all alike) or signed (colours around zero)")
cli.define("order", "channel", "channel, or energy (the strongest first)")
cli.define("style", "modern", "modern, or article: the original tool's grids, pixel for pixel")
cli.define("output", "", "folder for the pictures (default: layers/ in the run)")
cli.define("tensorboard", False, "the figures as TensorBoard images too")


def main() -> None:
    given = cli.FLAGS
    from dcgan_tf.layer_figures import inputs
    from dcgan_tf.training import run_directory

    def listed(text):
        return tuple(part.strip() for part in text.split(",") if part.strip())

    request = inputs.Request(
        given.seed,
        given.z_file,
        given.image,
        listed(given.layers),
        listed(given.maps),
        given.stage,
        given.scaling,
        given.order,
        given.style,
        given.tensorboard,
    )
    run = run_directory.chosen(given.run)
    run.config()  # what is no run is said at once: the rest imports TensorFlow
    from dcgan_tf.layer_figures import visualize

    written = visualize.visualize(run, given.checkpoint, request, Path(given.output) if given.output else None)
    for path in written:
        print(path)
    report = f"; open {written[-1]} in a browser" if written[-1].suffix == ".html" else ""
    print(f"{len(written)} figures are drawn{report}.")


if __name__ == "__main__":
    cli.run(main, __doc__)
