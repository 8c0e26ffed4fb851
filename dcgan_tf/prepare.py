"""Prepare a data set: download or draw it, decode it once, and describe it.

python -m dcgan_tf.prepare --dataset=sully_chen --download
python -m dcgan_tf.prepare --dataset=lfw --download
python -m dcgan_tf.prepare --dataset=synthetic_road
python -m dcgan_tf.prepare --dataset=folder --data_dir=my/images --check
"""

from dcgan_tf import cli
from dcgan_tf.datasets.options import PrepareOptions

SETTINGS = (
    "dataset",
    "data_dir",
    "cache_dir",
    "num_images",
    "crop",
    "held_out",
    "image_size",
    "channels",
    "seed",
    "sample_grid",
)


def main() -> None:
    """Download or draw a data set, decode it and describe it."""
    config, options = cli.read_config(), cli.read_settings(PrepareOptions)
    from dcgan_tf.datasets.preparing import prepare

    print(prepare(config, options))


def run() -> None:
    """Define the flags and run the command."""
    cli.define_config(*SETTINGS)
    cli.define_settings(PrepareOptions)
    cli.run(main, __doc__)


if __name__ == "__main__":
    run()
