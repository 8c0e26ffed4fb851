"""See what every layer of a trained run does: figures and a report that opens in a browser.

python -m dcgan_tf.visualize_layers                       the newest run, into layers/ in it
python -m dcgan_tf.visualize_layers --layers='d/*' --image=my/road.jpg --stage=activation
python -m dcgan_tf.visualize_layers --style=article       the 20 grids of the article's tool
"""

from pathlib import Path

from dcgan_tf import flags

flags.define("run", "", "folder of the run (default: the newest in runs/)")
flags.define("checkpoint", "last", "last, best, or the number of steps of a saved checkpoint")
flags.define("seed", 0, "fixes z, what the generator starts from")
flags.define("z_file", "", "a .npy file with z, in place of --seed")
flags.define("image", "", "what the discriminator is shown: a file, or an index in the run's set (default: 0)")
flags.define("layers", "", "names or patterns, with commas between: d/h1, g/*, h2 (default: all)")
flags.define("maps", "", "numbers of the maps to explain, with commas between (default: the strongest)")
flags.define("stage", "before_bn", "before_bn (as the article), after_bn or activation")
flags.define("scaling", "map", "map (each by itself), layer (all alike) or signed (colours around zero)")
flags.define("order", "channel", "channel, or energy (the strongest first)")
flags.define("style", "modern", "modern, or article: the original tool's grids, pixel for pixel")
flags.define("output", "", "folder for the pictures (default: layers/ in the run)")
flags.define("tensorboard", False, "the figures as TensorBoard images too")


def main() -> None:
    given = flags.FLAGS
    from dcgan_tf.runs import directory, layer_inputs

    def listed(text):
        return tuple(part.strip() for part in text.split(",") if part.strip())

    request = layer_inputs.Request(
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
    run = directory.chosen(given.run)
    run.config()  # what is no run is said at once: the rest imports TensorFlow
    from dcgan_tf.runs import layers

    written = layers.visualize(run, given.checkpoint, request, Path(given.output) if given.output else None)
    for path in written:
        print(path)
    report = f"; open {written[-1]} in a browser" if written[-1].suffix == ".html" else ""
    print(f"{len(written)} figures are drawn{report}.")


if __name__ == "__main__":
    flags.run(main, __doc__)
