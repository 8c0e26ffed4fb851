"""Names that are no text, and names that would be a formula, go through every command."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import pytest

import dcgan_tf
from dcgan_tf.console import printable
from dcgan_tf.evaluation.evaluate import evaluate
from dcgan_tf.evaluation.options import EvaluateOptions
from dcgan_tf.inpainting.fill import inpaint
from dcgan_tf.inpainting.options import InpaintOptions
from dcgan_tf.layer_figures.options import LayerOptions
from dcgan_tf.layer_figures.visualize import visualize
from dcgan_tf.sampling.draw import draw
from dcgan_tf.sampling.options import SampleOptions
from tests.e2e.commands import environment

LATIN_1 = os.fsdecode(b"caf\xe9")


def test_odd_bytes_are_escaped_and_text_is_left_alone():
    assert printable(LATIN_1) == r"caf\xe9"
    assert printable("日本 é $x$") == "日本 é $x$"


def test_a_command_names_a_folder_whose_name_is_no_text(tmp_path):
    """The name is escaped in the sentence, in place of a traceback."""
    end = subprocess.run(
        [sys.executable, "-m", "dcgan_tf.sample", f"--run={LATIN_1}"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert (end.returncode, end.stderr) == (
        2,
        "error: caf\\xe9: not a run (no readable config.json); name one with --run.\n",
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [LATIN_1, r"a$\foo$b", "日本"])
@pytest.mark.filterwarnings("ignore:Glyph")  # Matplotlib's font has no Japanese
def test_every_command_writes_its_results(tiny_config, tmp_path, name):
    images = tmp_path / name
    shutil.copytree(tiny_config.resolved_data_dir, images)
    os.rename(images / "000.jpg", images / f"{name}.jpg")
    settings = {"data_dir": str(images), "cache_dir": str(tmp_path / "packed"), "held_out": 0.5}
    config = dataclasses.replace(tiny_config, **settings, max_steps=2, evaluate_every=2)
    run = str(tmp_path / f"run {name}")
    dcgan_tf.train(config, run)
    _, files = evaluate(EvaluateOptions(run=run, fake=str(images), num_images=20))
    quick = {"iterations": 1, "restarts": 1}
    _, filled = inpaint(InpaintOptions(run=run, images=str(images / f"{name}.jpg"), **quick))
    layers = visualize(LayerOptions(run=run, image=str(images / f"{name}.jpg"), layers="h0", tensorboard=True))
    sampled = draw(SampleOptions(run=run, num_images=4))
    assert all(path.exists() for path in (*files, *filled, *layers, *sampled))
    assert name in json.loads(files[0].read_text())["real"]  # as a path that can be opened again
