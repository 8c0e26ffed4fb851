"""The input benchmark run as a command on a dozen drawn frames and tiny networks: facts that hold on any machine."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.e2e.commands import environment

FRAMES = 12
PARTS = ["decode", "load", "pack", "feed", "wait"]  # overhead and start take their time
TINY = ["--image_size=32", "--g_width=2", "--d_width=2", "--latent_dim=4", "--batch_size=4", "--precision=float32"]


def benchmark(*args, cwd):
    command = [sys.executable, "-m", "experiments.performance.input", *args]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=180)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """(the command's output, its JSON, the folder it ran in)."""
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "set").mkdir()
    for i, corners in enumerate(np.random.default_rng(0).integers(0, 256, (FRAMES, 2, 2, 3), np.uint8)):
        Image.fromarray(corners).resize((160, 120), Image.Resampling.BILINEAR).save(folder / "set" / f"{i}.jpg")
    (folder / "set" / "data.txt").write_text("".join(f"{i}.jpg 0.0\n" for i in range(FRAMES)))
    sizes = ["--rounds=2", "--images=100", "--frames=50", "--steps=3", f"--only={','.join(PARTS)}"]
    places = ["--data_dir=set", "--cache_dir=cache", "--output=out/input.json"]
    done = benchmark(*TINY, *sizes, *places, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((folder / "out" / "input.json").read_text()), folder


def test_every_part_has_positive_figures_in_order(measured):
    _, found, _ = measured
    assert list(found["parts"]) == PARTS
    for rows in found["parts"].values():
        assert rows
        for row in rows:
            assert 0 < row["least"] <= row["median"] <= row["most"] < np.inf, row
            assert len(row["values"]) >= 1 and row["label"] and row["unit"]


def test_every_variant_takes_its_turn_in_every_round(measured):
    _, found, _ = measured
    for part in ("decode", "load", "pack", "feed"):
        assert {len(row["values"]) for row in found["parts"][part]} == {2}
    assert len(found["parts"]["decode"]) == len(found["parts"]["load"]) == 2  # one thread, all cores
    steps, waits = found["parts"]["wait"][:2]
    assert len(steps["values"]) == len(waits["values"]) == 3
    assert all(wait < step for wait, step in zip(waits["values"], steps["values"]))


def test_figures_agree_with_each_other(measured):
    _, found, _ = measured
    pace, _, first_use = found["parts"]["pack"]
    assert pace["label"] == f"pack {FRAMES} images"  # no more than the set has
    np.testing.assert_allclose(np.multiply(first_use["values"], pace["values"]), 50)
    batches, images = found["parts"]["feed"][:2]
    np.testing.assert_allclose(images["values"], np.multiply(batches["values"], 4))
    assert [row["label"].split()[2] for row in found["parts"]["feed"]] == [
        "11",
        "11",
        "50",
        "50",
    ]  # a tenth is held out
    _, wait, _, share, late = found["parts"]["wait"]
    assert min(wait["values"]) <= wait["median"] <= max(wait["values"]) and share["median"] <= late["median"]


def test_table_shows_every_row_and_nothing_else_is_written(measured):
    said, found, folder = measured
    for row in (row for rows in found["parts"].values() for row in rows):
        assert row["label"] in said
    assert sorted(path.name for path in folder.iterdir()) == ["cache", "out", "set"]
    assert len(list((folder / "set").iterdir())) == FRAMES + 1


@pytest.mark.parametrize(
    "given, named",
    [("--only=decode,nonsense", "nonsense"), ("--only=", "nothing"), ("--rounds=0", "--rounds"), ("--images=1", "2")],
)
def test_invalid_flags_are_refused_in_one_sentence(given, named, tmp_path):
    done = benchmark(given, cwd=tmp_path)
    assert done.returncode == 2 and named in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
