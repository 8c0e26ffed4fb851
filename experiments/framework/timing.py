"""Timing of variants in turns, so that other work on the machine affects all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

# A program that runs a command and prints its peak memory in KiB.
PEAK_MEMORY = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
SIDE, SIDE_ON_A_GPU = 2048, 8192  # of the matrices whose product is a machine's peak


def time_interleaved(variants: dict[str, Callable[[int], object]], rounds: int, count: int) -> dict[str, list[float]]:
    """Time one unit of work of each variant, in seconds: one value a round.

    Args:
      variants: name -> function of the number of units to do; the first two units are not timed (tracing, warm-up).
      rounds: in each, every variant takes its turn.
      count: units of work in one turn.
    """
    from dcgan_tf.console import progress

    for run in variants.values():
        run(2)
    seconds = {name: [] for name in variants}
    for _ in progress(range(rounds), "measuring", unit="rounds"):
        for name, run in variants.items():
            started = time.perf_counter()
            run(count)
            seconds[name].append((time.perf_counter() - started) / count)
    return seconds


def ratios(seconds: dict[str, list[float]], reference: str) -> dict[str, tuple[float, float, float]]:
    """Median, least and largest ratio of each variant's seconds to the reference's of the same round."""
    by_round = {name: np.array(values) / np.array(seconds[reference]) for name, values in seconds.items()}
    return {name: (float(np.median(r)), float(r.min()), float(r.max())) for name, r in by_round.items()}


def summarize(label: str, unit: str, values: list[float], goal: str = "") -> dict:
    """Summary of a figure that was measured several times; `goal` is its target, if there is one."""
    middle, least, most = float(np.median(values)), min(values), max(values)
    return {
        "label": label,
        "unit": unit,
        "median": middle,
        "least": least,
        "most": most,
        "goal": goal,
        "values": values,
    }


def format_row(r: dict) -> str:
    middle, least, most = (
        f"{r[k]:,.{0 if r[k] >= 1000 else 3 if r[k] < 10 else 1}f}" for k in ("median", "least", "most")
    )
    return f"{r['label']:48s} {middle:>9s} {f'[{least}, {most}]':20s} {r['unit']:9s} {r['goal']}".rstrip()


def make_product(library: str, precision: str) -> Callable[[int], object]:
    """A function that makes a given number of products of two random matrices of side `matrix_side()`.

    Args:
      library: "tf" or "torch".
      precision: "float32" or "bfloat16".
    """
    from dcgan_tf.backend import tf

    matrix = tf.cast(tf.random.stateless_normal((matrix_side(), matrix_side()), (0, 0)), precision)
    if library == "torch":
        import torch

        held = torch.from_numpy(matrix.numpy().astype("float32")).to(getattr(torch, precision))
        return lambda count: [torch.mm(held, held) for _ in range(count)]
    multiply = tf.function(lambda: tf.matmul(matrix, matrix))
    # Fetching one value waits until a GPU has computed the product.
    return lambda count: [multiply() for _ in range(count)][-1][0, 0].numpy()


def matrix_side() -> int:
    return SIDE_ON_A_GPU if gpu_name() else SIDE


def gpu_name() -> str:
    """Name of TensorFlow's first GPU; empty if there is none."""
    from dcgan_tf.backend import tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else ""
