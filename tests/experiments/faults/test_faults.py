"""The fault suite itself: it finds every difference; its short form on real runs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.faults import __main__ as faults
from experiments.framework.processes import Outcome, Workshop, is_one_sentence

ROOT = Path(__file__).parents[3]


def make_run(folder, value=1.0, loss="0.5", sample=b"png", data="ab"):
    run = folder / "run"
    for part in ("checkpoints", "samples"):
        (run / part).mkdir(parents=True)
    np.savez(run / "checkpoints" / "step-00000003.npz", w=np.array([value, -0.0]))
    (run / "metrics.csv").write_text(f"step,time,d_loss\n0,0.1,0.9\n1,0.1,0.8\n2,0.2,{loss}\n")
    (run / "samples" / "train_00_0002.png").write_bytes(sample)
    (run / "train.log").write_text("a line\n")
    (run / "data.json").write_text(json.dumps({"sha256": data, "data_dir": str(run), "cache_dir": str(run)}))
    return run


@pytest.fixture
def workshop(tmp_path):
    made = Workshop(tmp_path, images=2, steps=3)
    make_run(tmp_path / "reference")
    return made


def test_an_equal_run_has_no_differences_whatever_its_times(workshop, tmp_path):
    run = make_run(tmp_path / "other")
    (run / "metrics.csv").write_text((run / "metrics.csv").read_text().replace(",0.1,", ",7.3,"))
    assert workshop.find_differences("other", "reference") == []
    assert (workshop.steps_done("other"), workshop.checkpoint("other")) == (3, 3)


@pytest.mark.parametrize(
    "change, found",
    [
        ({"value": np.nextafter(1.0, 2.0)}, ["checkpoints/step-00000003.npz: w"]),
        ({"loss": "0.500000001"}, ["metrics.csv"]),
        ({"sample": b"pnG"}, ["samples/train_00_0002.png"]),
        ({"data": "cd"}, ["data.json"]),
    ],
)
def test_each_kind_of_difference_is_found(workshop, tmp_path, change, found):
    make_run(tmp_path / "other", **change)
    assert workshop.find_differences("other", "reference") == found


def test_missing_and_left_over_files_are_found(workshop, tmp_path):
    run = make_run(tmp_path / "other")
    (run / "samples" / ".train_00_0002.png.7.tmp").touch()
    assert workshop.find_differences("other", "reference") == [".train_00_0002.png.7.tmp left over"]
    assert workshop.phase("other") == "writing samples"
    (run / "checkpoints" / "step-00000003.npz").unlink()
    assert workshop.find_differences("other", "reference") == ["checkpoints/step-00000003.npz"]


@pytest.mark.parametrize(
    "temporary, phase",
    [
        ("packed/.x.npy.7.tmp", "packing"),
        ("run/checkpoints/.step-00000001.npz.7.tmp", "writing a checkpoint"),
        ("run/.config.json.7.tmp", "writing another file"),
        ("run/train.log", "in a step, or between writes"),
        ("packed/x.json", "before the first step"),
    ],
)
def test_the_phase_is_read_from_the_files_of_the_run(workshop, tmp_path, temporary, phase):
    path = tmp_path / "dead" / temporary
    path.parent.mkdir(parents=True)
    path.touch()
    assert workshop.phase("dead") == phase
    assert workshop.phase("nothing") == "starting"


def test_a_sentence_is_one_line_and_code_2():
    assert is_one_sentence(Outcome(2, "", "error: the disk is full.\n"))
    for end in (Outcome(1, "", "error: x\n"), Outcome(2, "", "Traceback\nerror: x\n"), Outcome(2, "", "")):
        assert not is_one_sentence(end)


def test_the_table_counts_what_was_tried_survived_and_lost():
    tries = [{"phase": p, "lost": n, "survived": s} for p, n, s in (("a", 3, True), ("b", 9, True), ("a", 4, False))]
    rows = faults.table({"kill": tries, "disk": [{"skipped": "no mount"}]})[1:]
    assert rows == [
        ["SIGKILL", 3, 2, 9, 4],
        ["- a", 2, 1, 4, 3.5],
        ["- b", 1, 1, 9, 9],
        ["disk full", 0, "no mount", "", ""],
    ]


def faults_command(tmp_path, *more):
    command = [sys.executable, "-m", "experiments.faults", *more, f"--out={tmp_path / 'faults.json'}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_short_form_survives(tmp_path):
    end = faults_command(tmp_path, "--quick", "--only=kill", "--kills=1")
    assert end.returncode == 0, end.stdout + end.stderr
    (tried,) = json.loads((tmp_path / "faults.json").read_text())["tries"]["kill"]
    assert tried["survived"] and tried["lost"] <= 10


@pytest.mark.long
def test_a_few_of_every_fault_are_survived(tmp_path):
    end = faults_command(tmp_path, "--quick")
    assert end.returncode == 0, end.stdout + end.stderr


def test_an_unknown_fault_is_a_sentence(tmp_path):
    end = faults_command(tmp_path, "--only=flood")
    assert end.returncode == 2 and "flood: no such fault; there are kill, term" in end.stderr
