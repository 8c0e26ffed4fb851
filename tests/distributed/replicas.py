"""A few steps by 1 or more replicas on one CPU, in a process of its own: devices are divided before TensorFlow starts.

    python -m tests.distributed.replicas REPLICAS OUT.npz TYPE {"setting": value, ...}

TYPE float64 computes everything in it: rounding, which Adam makes large within some steps, is then out of the way.
"""

import json
import sys
from types import SimpleNamespace

import numpy as np

from dcgan_tf.backend import keras, tf
from dcgan_tf.config import preset
from dcgan_tf.distributed import workers
from dcgan_tf.gan import dcgan, kernels, models
from dcgan_tf.training.checkpoints import variables

STEPS, BLOCK = 20, 4


def compute_in_float64():
    def in_float64(layer):
        return lambda *args, **settings: layer(*args, **settings | {"dtype": "float64"})

    made_here = ("Dense", "Reshape", "ReLU", "LeakyReLU", "Flatten", "Activation")
    models.layers = SimpleNamespace(**vars(keras.layers) | {n: in_float64(getattr(keras.layers, n)) for n in made_here})
    dcgan.POLICIES["float32"] = "float64"
    dcgan.to_float = lambda images: tf.cast(images, tf.float64) / 127.5 - 1.0
    in_float32 = dcgan.DCGAN._random
    dcgan.DCGAN._random = lambda *args: tf.cast(in_float32(*args), tf.float64)
    keras.optimizers.Adam = dcgan.Adam  # Keras's rounds 0.999 to float32


def main(replicas: int, out: str, dtype: str, settings: dict):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
    if dtype == "float64":
        compute_in_float64()
    strategy = "mirrored" if replicas > 1 else "one"
    config = preset("article", image_size=32, g_width=8, d_width=8, batch_size=8, strategy=strategy, **settings)
    chosen = workers.chosen(config)
    assert chosen.replicas == replicas
    if config.loss == "wgan_gp":  # of Keras's own batch norm the second gradient lacks a term: `gan.kernels`
        dcgan.kernels = SimpleNamespace(layer_set=lambda name, synchronized: kernels.layer_set(name, True))
    with chosen.strategy.scope():
        gan = dcgan.DCGAN(config)
    shape = (STEPS, config.d_steps, config.batch_size, 32, 32, 3)
    batches = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    rows = [
        gan.train_steps(tf.constant(batches[first : first + BLOCK]), tf.constant(first, tf.int64))
        for first in range(0, STEPS, BLOCK)
    ]
    arrays = {name: variable.numpy() for name, variable in variables(gan).items()}
    np.savez(out, metrics=np.concatenate(rows), **arrays)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
