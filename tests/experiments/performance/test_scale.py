"""The costs of a large set are measured on a small one."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def scale(*args):
    command = [sys.executable, "-m", "experiments.performance.scale", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_it_prints_the_costs_of_an_image_and_of_a_batch():
    end = scale("--images=200", "--rounds=2")
    assert end.returncode == 0, end.stderr
    assert "each of 180 images more" in end.stdout
    ms = [float(found) for found in re.findall(r"64 images of \S+ files?: ([\d.]+) \[", end.stdout)]
    assert len(ms) == 2 and all(0 < value < 1000 for value in ms)


def test_too_few_images_are_a_sentence():
    end = scale("--images=5")
    assert end.returncode == 2 and "--images must be at least 10" in end.stderr
