"""Rank correlations of recorded checkpoints against values worked out by hand."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from experiments.feature_network import ranks
from tests.e2e.commands import environment
from tests.images import open_image

NETWORKS = (*ranks.FEATURES, "trained")


def scores(**values):
    return {f"{network}_{metric}": values.get(network, 0.0) for network in NETWORKS for metric in ranks.METRICS}


def record(folder, name, dataset, marks):
    measured = [{"step": k, "averaged": mark} for k, mark in enumerate(marks)]
    measured[-1]["raw"] = marks[-1]
    (folder / f"5min-{name}.json").write_text(json.dumps({"dataset": dataset, "measured": measured}))


def test_the_correlation_is_of_ranks():
    """Ranks 1 2 3 4 against 1 2 4 3: 1 - 6 (0 + 0 + 1 + 1) / (4 (16 - 1)) = 0.8, whatever the distances are."""
    checkpoints = [scores(fault=f, trained=t) for f, t in ((1, 0.1), (2, 7), (3, 900), (4, 8))]
    assert ranks.correlate(checkpoints, "fault", "frechet") == pytest.approx(0.8)
    assert math.isnan(ranks.correlate(checkpoints, "random", "frechet"))  # all equal


def test_every_generator_counts_and_small_sets_are_left_out(tmp_path):
    draw = np.random.default_rng(0)
    marks = [scores(fault=v, random=1 / v, trained=3 * v) for v in draw.uniform(1, 9, 12)]
    record(tmp_path, "a", "lfw", marks[:6])
    record(tmp_path, "b", "lfw", marks[6:])
    record(tmp_path, "c", "udacity_sim", marks[:3])
    sets = ranks.read_checkpoints(tmp_path)
    assert {name: len(checkpoints) for name, checkpoints in sets.items()} == {"lfw": 14}
    lines = ranks.table(sets).splitlines()
    assert lines[0] == "| metric | features | lfw (14) | mean |"
    assert lines[2] == "| Fréchet distance | fault network | 1.00 | 1.00 |"
    assert lines[3] == "| Fréchet distance | random network | -1.00 | -1.00 |"
    ranks.draw(sets, tmp_path / "ranks.png")
    assert open_image(tmp_path / "ranks.png").width > 200


def test_no_results_is_a_sentence(tmp_path):
    command = [sys.executable, "-m", "experiments.feature_network.ranks", f"--results={tmp_path}"]
    end = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert end.returncode == 2 and "no set has 10 checkpoints" in end.stderr
