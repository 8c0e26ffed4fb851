"""The evaluation of recorded curves; the training itself takes hours."""

import json
import subprocess
import sys

import pytest

from tests.e2e.commands import environment

CURVES = {
    "article": {100: 90.0, 200: 40.0, 300: 50.0},  # the last sets the aim
    "fast": {100: 80.0, 200: 50.0},
    "stable": {100: 60.0, 200: 55.0, 300: 51.0},
    "torch_example": {100: 49.0},
}
SECONDS = {"article": [2.0, 4.0, 3.0], "fast": [1.0], "stable": [0.5], "torch_example": [2.0]}


def run(*args, cwd):
    command = [sys.executable, "-m", "experiments.recipes.time_to_quality", "--out=out", "--figure=curves.png", *args]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=180)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    for variant, curve in CURVES.items():
        rows = [{"steps": steps, "sliced_wasserstein": value} for steps, value in curve.items()]
        (tmp_path / f"out/{variant}-0.json").write_text(json.dumps({"measured": rows}))
    (tmp_path / "out/step_times.json").write_text(json.dumps(SECONDS))
    return tmp_path


def test_each_variant_is_given_the_seconds_to_its_first_measurement_at_the_aim(folder):
    end = run(cwd=folder)
    assert end.returncode == 0, end.stderr
    lines = dict(line.split(None, 1) for line in end.stdout.splitlines())
    assert lines["aim:"] == "sliced Wasserstein distance 50.0"
    assert lines["article"] == "3.000 s/step; 200 steps, 600 s"
    assert lines["fast"] == "1.000 s/step; 200 steps, 200 s"
    assert lines["stable"] == "0.500 s/step; not in 300 steps, 150 s"
    assert lines["torch_example"] == "2.000 s/step; 100 steps, 200 s"
    assert (folder / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_without_the_article_there_is_no_aim(folder):
    (folder / "out/article-0.json").unlink()
    end = run("--only=fast", cwd=folder)
    assert end.returncode == 2 and "article-0.json is missing" in end.stderr


def test_an_unknown_variant_is_a_sentence(tmp_path):
    end = run("--only=mine", cwd=tmp_path)
    assert end.returncode == 2 and "--only=mine: it can be article, fast, stable, torch_example." in end.stderr
