"""The type in which this machine multiplies matrices fastest."""

from __future__ import annotations

import time
from typing import Literal

from dcgan_tf.backend import tf

# Side of the matrices: one product takes milliseconds. On a GPU a smaller one would end before the next is launched.
SIDE, SIDE_ON_A_GPU = 1024, 8192
TRIES = 5
WORTH_IT = 0.7  # casting and rounding take some of what a product gains


def fastest_precision() -> Literal["float32", "bfloat16"]:
    """Return "bfloat16" where a matrix product takes at most 0.7 of its time in float32, else "float32".

    CPUs differ by more than a trial's noise: with AMX the product takes about a fourth, with avx512_bf16 from half
    (AMD Zen 4) to more than in float32 (Intel), without either several times as long.
    """
    products = {name: _product(name) for name in ("float32", "bfloat16")}
    seconds = {name: min(product() for _ in range(TRIES)) for name, product in products.items()}
    return "bfloat16" if seconds["bfloat16"] <= WORTH_IT * seconds["float32"] else "float32"


def _product(dtype: str):
    """A function that multiplies two matrices of `dtype` and returns the seconds that it took."""
    side = SIDE_ON_A_GPU if tf.config.list_physical_devices("GPU") else SIDE
    matrix = tf.ones((side, side), dtype)
    multiply = tf.function(lambda: tf.reduce_max(tf.matmul(matrix, matrix)))  # a scalar, to wait for on a GPU

    def timed() -> float:
        started = time.perf_counter()
        multiply().numpy()
        return time.perf_counter() - started

    timed()  # traced
    return timed
