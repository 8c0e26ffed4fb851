"""A few steps by 1 or more replicas on one CPU, in a process of its own: devices are divided before TensorFlow starts.

    python -m tests.distributed.replicas REPLICAS OUT.npz TYPE {"setting": value, ...}

TYPE float64 computes everything in it: rounding, which Adam makes large within some steps, is then out of the way.
"""

import json
import sys

import numpy as np

from dcgan_tf.backend import tf
from dcgan_tf.batch import Batch
from dcgan_tf.config import preset
from dcgan_tf.distributed import workers
from dcgan_tf.distributed.replicas import compile_train_steps
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.training.checkpoints import variables

STEPS, BLOCK = 20, 4


def main(replicas: int, out: str, dtype: str, settings: dict):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
    strategy = "mirrored" if replicas > 1 else "one"
    config = preset("article", image_size=32, g_width=8, d_width=8, batch_size=8, strategy=strategy, **settings)
    chosen = workers.choose_workers(config)
    assert chosen.replicas == replicas
    with chosen.strategy.scope():
        gan = DCGAN(config, policy=dtype)
    train_steps = compile_train_steps(gan)
    shape = (STEPS, config.d_steps, config.batch_size, 32, 32, 3)
    batches = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    rows = [
        train_steps(Batch.unlabelled(batches[first : first + BLOCK]), tf.constant(first, tf.int64))
        for first in range(0, STEPS, BLOCK)
    ]
    arrays = {name: variable.numpy() for name, variable in variables(gan).items()}
    np.savez(out, metrics=np.concatenate(rows), **arrays)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
