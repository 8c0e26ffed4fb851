"""One run that has everything happen to it that `experiments.faults` counts: it ends as the undisturbed one.

`tests/e2e/test_exact_resume.py` has the kills in a step and in a checkpoint; here are those in packing and in writing
samples, a clock that runs backwards all the time, a second trainer, a disk that is full, a folder that is read-only.
"""

import os
import signal
import subprocess
import sys
import time

import pytest

from experiments.faults import __main__ as faults
from experiments.faults.disk import ROOM, mount
from experiments.framework.processes import ROOT, Workshop, is_one_sentence, kill, read_start_step, wait_for, wait_until

STEPS = 24  # a checkpoint every 10, samples every 8


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    made = Workshop(tmp_path_factory.mktemp("faults"), 200, STEPS, "--evaluate_every=0")
    (made.folder / "clock").mkdir()
    (made.folder / "clock" / "sitecustomize.py").write_text(faults.BACKWARDS)
    assert made.train("undisturbed").code == 0
    return made


@pytest.fixture(scope="module")
def ends(workshop):
    """How the processes of the disturbed run ended, by what happened to them."""
    backwards = {"PYTHONPATH": f"{workshop.folder / 'clock'}:{ROOT}"}
    run, folder, found = "disturbed", workshop.folder / "disturbed", {}

    def caught(pattern, steps=0):
        process = workshop.start(run, env=backwards)
        pattern = pattern.format(pid=process.pid)
        assert wait_until(process, lambda: workshop.steps_done(run) >= steps and any(folder.glob(pattern)))
        return process

    process = caught("packed/.*.npy.{pid}.tmp")
    kill(process)
    found["in packing"] = workshop.phase(run, process)
    assert not list((folder / "packed").glob("*.json")), "there is no pack yet"

    process = caught("run/checkpoints/step-00000010.npz", steps=11)  # it stands still, and holds its folder
    found["a second one"] = workshop.train(run)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    found["SIGTERM"], found["saved"] = wait_for(process), workshop.checkpoint(run)
    found["lost by SIGTERM"] = workshop.lost_steps(run)

    process = caught("run/samples/.*.{pid}.tmp", steps=workshop.checkpoint(run) + 1)
    found["went on"] = kill(process)
    found["in samples"] = workshop.phase(run, process)
    # The older a checkpoint the later its time: the newest is the one of the most steps all the same.
    for age, path in enumerate(sorted((folder / "run" / "checkpoints").glob("step-*.npz"))):
        os.utime(path, (time.time() + 10**6 - 1000 * age,) * 2)
    found["newest"] = workshop.checkpoint(run)
    found["last"] = workshop.train(run, env=backwards)
    assert found["last"].code == 0, found["last"].err
    return found


def test_it_ends_as_the_undisturbed_run(workshop, ends):
    assert workshop.find_differences("disturbed", "undisturbed") == []


def test_the_kills_hit_what_they_were_meant_to(ends):
    assert (ends["in packing"], ends["in samples"]) == ("packing", "writing samples")


def test_sigterm_loses_no_step(ends):
    end = ends["SIGTERM"]
    assert end.code == 128 + signal.SIGTERM and "Stopped and saved. To continue: " in end.out
    assert ends["saved"] >= 11 and ends["lost by SIGTERM"] == 0
    assert read_start_step(ends["went on"]) == ends["saved"]


def test_the_newest_checkpoint_is_that_of_the_most_steps_whatever_the_clock_says(ends):
    assert read_start_step(ends["last"]) == ends["newest"]


def test_a_second_trainer_says_why_it_does_not_train(ends):
    assert is_one_sentence(ends["a second one"]) and "in use by another process" in ends["a second one"].err


def test_a_disk_that_is_full_or_read_only_is_a_sentence_and_costs_nothing(workshop):
    run = "small-disk"
    with mount(workshop.folder / run, "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs") as there:
        if not there:
            pytest.skip("file systems may not be mounted here")
        end = workshop.train(run)
        assert is_one_sentence(end) and f"{run}/packed" in end.err and "may not be written" in end.err
        # 64 kB: less than the pack of 200 images takes.
        subprocess.run(["mount", "-o", "remount,rw", str(workshop.folder / run)], check=True)
        end = workshop.train(run)
        assert is_one_sentence(end) and f"{run}/packed/" in end.err and "no space left" in end.err
        subprocess.run(["mount", "-o", f"remount,{ROOM}", str(workshop.folder / run)], check=True)
        assert workshop.train(run).code == 0
        assert workshop.find_differences(run, "undisturbed") == []


@pytest.mark.long
def test_all_of_it_is_survived(tmp_path):
    command = [sys.executable, "-m", "experiments.faults", f"--out={tmp_path / 'faults.json'}"]
    end = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert end.returncode == 0, end.stdout + end.stderr
