"""The costs of a run besides its steps: Python around them, and the start. Used by `performance.input`."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from unittest import mock

import numpy as np

from dcgan_tf.config import Config, preset
from dcgan_tf.errors import UserError
from experiments.framework.timing import PEAK_MEMORY, summarize

NO_END = 10**9  # steps
# A step of little work, with nothing measured or saved: the rest of such a run is overhead.
TINY = {"image_size": 32, "g_width": 1, "d_width": 1, "batch_size": 2, "latent_dim": 2, "g_steps": 1, "held_out": 0.0}
TINY |= {"evaluate_every": 0, "sample_every": NO_END, "checkpoint_every": NO_END, "histogram_every": NO_END}


def measure_overhead(folder: Path, tiny_steps: int, rounds: int) -> list[dict]:
    """Time the loop of a whole run and, in turns, the same steps called alone; the difference is the overhead."""
    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.datasets.packing import Packed
    from dcgan_tf.distributed.replicas import compile_train_steps
    from dcgan_tf.gan.dcgan import DCGAN
    from dcgan_tf.training import loop

    shape = (2 * tiny_steps + 2, 32, 32, 3)  # the whole run is one epoch, as the end of an epoch costs a checkpoint
    images, rows, plain_calls = np.random.default_rng(0).integers(0, 256, shape, np.uint8), [], loop.calls
    packed = Packed(images, {"dataset": "folder", "training": len(images), "left_out": {}, "sha256": "", "images": []})

    for k in (1, 10):
        config = preset("article", **TINY, steps_per_call=k, max_steps=tiny_steps)
        bare, batch = compile_train_steps(DCGAN(config)), Batch.unlabelled(images[: 2 * k].reshape(k, 1, 2, 32, 32, 3))
        turn = max(k, tiny_steps // (3 * rounds) // k * k)  # steps
        in_loop, called_bare = [], []

        def bare_turn(bare=bare, batch=batch, turn=turn, k=k) -> float:
            started = time.perf_counter()
            for step in range(0, turn, k):
                metrics = bare(batch, tf.constant(step, tf.int64))
            np.asarray(metrics)
            return 1000 * (time.perf_counter() - started) / turn

        def watched(*given, bare_turn=bare_turn, turn=turn, in_loop=in_loop, called_bare=called_bare):
            first, began = 0, 0.0  # the first step of the loop's turn and its time
            for step, done in plain_calls(*given):
                if step - first >= turn:
                    if first:  # the first turn includes tracing
                        in_loop.append(1000 * (time.perf_counter() - began) / (step - first))
                    bare_ms = bare_turn()
                    called_bare += [bare_ms] * bool(first)
                    first, began = step, time.perf_counter()
                yield step, done

        with (
            mock.patch.object(loop, "open_packed", lambda _: packed),
            mock.patch.object(loop, "calls", watched),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            loop.train(config, folder / f"tiny-run-{k}")
        added = [ours - step for ours, step in zip(in_loop, called_bare)]
        rows += [
            summarize(f"tiny step in a run, {k} a call", "ms/step", in_loop),
            summarize(f"tiny step called bare, {k} a call", "ms/step", called_bare),
            summarize(f"overhead of Python, {k} a call", "ms/step", added, "under 0.3"),
        ]
    return rows


def measure_start(config: Config, folder: Path, times: int) -> list[dict]:
    """Time the command to the first line of metrics.csv, on a packed set, and the import of TensorFlow."""
    given = asdict(replace(config, max_steps=1, evaluate_every=0))
    flags_given = [f"--{name}={value}" for name, value in given.items()]
    command = [sys.executable, "-ISc", PEAK_MEMORY, sys.executable, "-m", "dcgan_tf.train", *flags_given]
    first, end, memory, imported = [], [], [], []
    for number in range(times):
        metrics, seen = folder / f"start-{number}" / "metrics.csv", None
        began = time.perf_counter()
        process = subprocess.Popen([*command, f"--run_dir={metrics.parent}"], stdout=subprocess.PIPE, text=True)
        while process.poll() is None:
            if seen is None and metrics.exists() and metrics.read_bytes().count(b"\n") > 1:
                seen = time.perf_counter() - began
            time.sleep(0.005)
        end.append(time.perf_counter() - began)
        if process.returncode or seen is None:
            raise UserError(f"the training command failed ({process.returncode}); see above.")
        first.append(seen)
        memory.append(int(process.communicate()[0]) * (1 if sys.platform == "darwin" else 1024) / 1e9)
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, capture_output=True)
        imported.append(time.perf_counter() - began)
    return [
        summarize("start: command to the end of its first step", "s", first, "under 7"),
        summarize("start: command to its end, pictures and all", "s", end),
        summarize('start: python -c "import tensorflow"', "s", imported),
        summarize("start: peak memory of the command", "GB", memory),
    ]
