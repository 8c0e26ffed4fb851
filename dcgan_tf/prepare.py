"""Get a data set ready: download or draw it, decode it once, and see what it holds.

python -m dcgan_tf.prepare --dataset=sully_chen --download
python -m dcgan_tf.prepare --dataset=lfw --download
python -m dcgan_tf.prepare --dataset=synthetic_road
python -m dcgan_tf.prepare --dataset=folder --data_dir=my/images --check
"""

from pathlib import Path

from dcgan_tf import cli

SETTINGS = (
    *("dataset", "data_dir", "cache_dir", "num_images", "crop", "held_out", "image_size", "channels"),
    *("seed", "sample_grid"),
)


def main() -> None:
    """Download or draw, decode and check what the flags ask for."""
    config, given = cli.read_config(), cli.FLAGS
    from dcgan_tf.datasets import packing, preparing

    if given.download:
        preparing.download(config, given.year, given.url, given.sha256)
    ready = packing.open_packed(config)
    if not given.check:
        print(f"Ready: {ready.summary()}.")
    else:
        picture = Path(given.output or f"{config.cache_dir}/{config.dataset}-samples.png")
        preparing.save_random_samples(ready, picture, *config.grid_shape, config.seed)
        print(preparing.describe(ready))
        print(f"  random samples: {picture}")


def run() -> None:
    """The command."""
    cli.define_config(*SETTINGS)
    cli.define("download", False, "download the set first, if it is not there (sully_chen, lfw)")
    cli.define("year", "2018", "which of Sully Chen's sets to download: 2018 (3.1 GB) or 2017 (2.2 GB)")
    cli.define("url", "", "a mirror's address of the archive, in place of the known one")
    cli.define("sha256", "", "SHA-256 of the archive, checked if given")
    cli.define("check", False, "print what the set holds, and write a picture of random samples")
    cli.define("output", "", "the picture of --check (default: <dataset>-samples.png beside the packed set)")
    cli.run(main, __doc__)


if __name__ == "__main__":
    run()
