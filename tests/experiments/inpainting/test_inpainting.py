"""The study of the search for z: its count of work, its parts on a run that has learned next to nothing."""

import json
import subprocess
import sys

import pytest

import dcgan_tf
from dcgan_tf.config import preset
from experiments.framework.flop import search_flop
from tests.e2e.commands import make_images


def test_the_work_of_an_iteration_by_hand():
    """Two images of 64 px: three layers of 25 x 64 x 128 products at 16x16 each, and 3 maps to 64 at 32x32."""
    config = preset("article", batch_size=2)
    layers = [2 * 25 * 3 * 64 * 32 * 32] + [2 * 25 * 64 * 128 * 16 * 16] * 3
    generator, discriminator = 2 * 100 * 8192 + sum(layers), sum(layers) + 2 * 8192
    assert search_flop(config) == pytest.approx(2 * 2 * (generator + discriminator))
    resized = 2 * 100 * 8192 + 16 / 25 * sum(layers)
    assert search_flop(preset("article", batch_size=2, upsampling="resize")) == pytest.approx(
        2 * 2 * (resized + discriminator)
    )


def command(*flags):
    return subprocess.run([sys.executable, "-m", "experiments.inpainting", *flags], capture_output=True, text=True)


def test_parts_of_a_run(tmp_path):
    make_images(tmp_path / "images", 8)
    config = preset(
        "article", dataset="folder", data_dir=str(tmp_path / "images"), cache_dir=str(tmp_path / "packed"),
        held_out=0.25, image_size=32, g_width=2, d_width=2, latent_dim=5, batch_size=2, max_steps=2, evaluate_every=0,
    )  # fmt: skip
    trained = dcgan_tf.train(config, tmp_path / "run").directory.path
    output, figure = tmp_path / "study.json", tmp_path / "descent.png"
    settings = [f"--run={trained}", "--num_images=2", "--iterations=30", f"--output={output}", f"--figure={figure}"]
    done = command(*settings, "--only=restarts,descent")
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    losses = [row["loss"] for row in results["restarts"]["rows"]]
    assert len(losses) == 3
    assert losses[0] >= losses[1] >= losses[2]  # 16 starts have the 4 among them, and those the one
    assert results["descent"]["images"] == 2
    assert figure.stat().st_size > 1000
    assert "16 starts" in done.stdout


def test_an_unknown_part_is_refused():
    done = command("--only=restarts,speeed")
    assert done.returncode == 2
    assert "--only=speeed" in done.stderr
