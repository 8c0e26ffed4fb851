"""Killed at any moment and started again by the same command, a run ends as if nothing had happened.

One run folder goes through everything, one disturbance after the other; each test then looks at one side of what
came out, beside the run that nothing disturbed.
"""

import csv
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.e2e import commands
from tests.e2e.conftest import STEPS


@pytest.fixture(scope="module")
def disturbed(workshop, undisturbed):
    """The run's folder, and how each process ended that was not killed."""
    folder = workshop.path / "disturbed"
    metrics, checkpoints = folder / "metrics.csv", folder / "checkpoints"
    args = workshop.args(f"--run_dir={folder}")
    ends = {}

    def started():
        return commands.start("train", *args, cwd=workshop.path)

    def after_lines(process, count):
        commands.wait_until(process, lambda: commands.line_count(metrics) > count)  # one more is the header

    # As soon as there is anything of the run.
    process = started()
    commands.stop_while(process, folder.exists)
    commands.kill(process)

    # Before the first checkpoint: everything that was written belongs to steps that are done again.
    process = started()
    after_lines(process, 7)
    commands.kill(process)
    assert not list(checkpoints.glob("step-*"))

    # Some steps after a checkpoint.
    process = started()
    after_lines(process, 33)
    commands.kill(process)

    # In the midst of writing a checkpoint; while it stands still it holds the run folder against others.
    process = started()
    commands.stop_while(process, lambda: any(checkpoints.glob(".step-*.tmp")))
    ends["a second one"] = commands.run("train", *args, cwd=workshop.path)
    ends["its number"] = process.pid
    commands.kill(process)
    assert list(checkpoints.glob(".step-*.tmp")), "the process was to die before the file had its name"

    for name, number, count in (("Ctrl-C", signal.SIGINT, 95), ("SIGTERM", signal.SIGTERM, 137)):
        process = started()
        after_lines(process, count)
        os.kill(process.pid, number)
        ends[name] = commands.ended(process)

    process = started()
    after_lines(process, 171)
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.05)  # two of the same signal that are pending at once are one
    os.kill(process.pid, signal.SIGINT)
    ends["Ctrl-C twice"] = commands.ended(process)

    ends["last"] = commands.run("train", *args, cwd=workshop.path)
    assert ends["last"].returncode == 0, ends["last"].stderr
    return folder, ends


def test_the_same_weights_slots_and_averages_bit_for_bit(undisturbed, disturbed):
    name = f"checkpoints/step-{STEPS:08d}.npz"
    ours, theirs = (commands.checkpoint_arrays(folder / name) for folder in (disturbed[0], undisturbed[0]))
    assert any(key.startswith("g_ema/") for key in theirs) and any(key.startswith("d_optimizer/") for key in theirs)
    assert commands.same_arrays(ours, theirs)


def test_training_has_changed_every_kind_of_array(undisturbed):
    # Else the comparison above would say little.
    early, late = (
        commands.checkpoint_arrays(undisturbed[0] / f"checkpoints/step-{step:08d}.npz") for step in (100, STEPS)
    )
    for kind in ("g/", "d/", "g_ema/", "g_optimizer/", "d_optimizer/"):
        assert any(not np.array_equal(early[k], late[k]) for k in late if k.startswith(kind)), kind


def test_metrics_have_a_line_a_step_and_differ_only_in_the_time(undisturbed, disturbed):
    def rows(folder):
        lines = (folder / "metrics.csv").read_text().splitlines()
        timed = lines[0].split(",").index("time")
        return [[v for i, v in enumerate(line.split(",")) if i != timed] for line in lines]

    ours, theirs = rows(disturbed[0]), rows(undisturbed[0])
    assert [row[:2] for row in ours[1:]] == [[str(step), str(step // 50)] for step in range(STEPS)]
    assert ours == theirs


def test_the_log_has_a_line_a_step_and_differs_only_in_the_time(undisturbed, disturbed):
    def lines(folder):
        return [re.sub(r"time: \d+\.\d+", "", line) for line in (folder / "train.log").read_text().splitlines()]

    assert len(lines(disturbed[0])) == STEPS
    assert lines(disturbed[0]) == lines(undisturbed[0])


def test_the_same_pictures_byte_for_byte(undisturbed, disturbed):
    # Every 30 steps, at the first, the last, and every epoch's end (50 steps), under the article's names.
    steps = {0, *range(29, STEPS, 30), *range(49, STEPS, 50), STEPS - 1}
    names = {f"train_{step // 50:02d}_{step % 50:04d}.png" for step in steps}
    ours, theirs = ({p.name: p.read_bytes() for p in (f / "samples").iterdir()} for f in (disturbed[0], undisturbed[0]))
    assert set(theirs) == names
    assert ours == theirs
    for name in ("progress.gif", "epochs.png"):
        assert (disturbed[0] / name).read_bytes() == (undisturbed[0] / name).read_bytes()


def test_nothing_is_left_behind(undisturbed, disturbed):
    def files(folder: Path) -> set[str]:
        names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
        return {name for name in names if "tfevents" not in name}

    assert files(disturbed[0]) == files(undisturbed[0])
    assert not [p for p in disturbed[0].rglob(".*") if p.name != ".lock"]
    assert not list((disturbed[0].parent / "packed").glob(".*"))


def test_kept_are_the_last_three_checkpoints_those_of_every_second_epoch_and_the_best(undisturbed, disturbed):
    with open(undisturbed[0] / "metrics.csv", newline="") as file:
        frechet = {int(row["step"]) + 1: float(row["frechet"]) for row in csv.DictReader(file) if row["frechet"]}
    assert list(frechet) == [70, 140, 210, 240]
    ever_best = {step for step in frechet if all(frechet[step] < frechet[s] for s in frechet if s < step)}
    saved = sorted({*range(20, 241, 20), *range(50, 241, 50), *ever_best})
    kept = {100, 200, *saved[-3:], max(ever_best)}
    for folder in (undisturbed[0], disturbed[0]):
        names = {p.name for p in (folder / "checkpoints").iterdir()}
        assert names == {f"step-{step:08d}.npz" for step in kept}
        best = (
            f"Best measured: step {max(ever_best)}, Fréchet distance {frechet[max(ever_best)]:.1f} (--checkpoint=best)"
        )
        assert best in (undisturbed if folder == undisturbed[0] else (0, disturbed[1]["last"]))[1].stdout.splitlines()


def accumulated(folder) -> EventAccumulator:
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance=dict.fromkeys(
        ("scalars", "images", "histograms", "tensors", "compressedHistograms"), 0))  # fmt: skip  # 0: all of them
    return events.Reload()


def test_tensorboard_has_every_event_once(undisturbed, disturbed):
    ours, theirs = accumulated(disturbed[0]), accumulated(undisturbed[0])
    # TensorFlow 2 writes everything as tensors.
    assert set(ours.Tags()["tensors"]) == set(theirs.Tags()["tensors"])
    for tag in theirs.Tags()["tensors"]:
        steps = [event.step for event in theirs.Tensors(tag)]
        assert steps == sorted(set(steps))
        assert [event.step for event in ours.Tensors(tag)] == steps, tag
        if tag != "speed/images_per_second":
            values = [[e.tensor_proto.SerializeToString() for e in run.Tensors(tag)] for run in (ours, theirs)]
            assert values[0] == values[1], tag
    assert [event.step for event in theirs.Tensors("loss/discriminator")] == list(range(0, STEPS, 10))
    histograms = [tag for tag in theirs.Tags()["tensors"] if tag.startswith("weights_")]
    assert {tag.split("/")[0] for tag in histograms} == {"weights_g", "weights_d", "weights_g_ema"}
    for tag in histograms:
        assert [event.step for event in theirs.Tensors(tag)] == [59, 119, 179, 239]


@pytest.mark.parametrize("name, number", [("Ctrl-C", signal.SIGINT), ("SIGTERM", signal.SIGTERM)])
def test_a_signal_saves_and_says_how_to_go_on(workshop, disturbed, name, number):
    folder, ends = disturbed
    end = ends[name]
    assert end.returncode == 128 + number
    assert end.stderr == ""
    # How Python itself is called depends on the shell's path: tests/test_console.py.
    command = " ".join(["-m dcgan_tf.train", *workshop.args(f"--run_dir={folder}")])
    said = end.stdout.splitlines()[-1]
    assert said.startswith("Stopped and saved. To continue: ") and said.endswith(f" {command}")
    done = int(re.search(r"^(\d+) of 240 steps are done", end.stdout, re.M)[1])
    assert 95 <= done < STEPS
    following = {"Ctrl-C": "SIGTERM", "SIGTERM": "Ctrl-C twice"}[name]
    assert f"{folder}: continues at step {done}." in ends[following].stdout


def test_a_second_ctrl_c_ends_at_once(disturbed):
    end = disturbed[1]["Ctrl-C twice"]
    assert end.returncode == 130
    assert end.stderr == "Stopped.\n"


def test_a_run_folder_in_use_is_refused(disturbed):
    folder, ends = disturbed
    second = ends["a second one"]
    assert second.returncode == 2
    assert second.stderr.splitlines() == [
        f"error: {folder}: in use by another process (number {ends['its number']}); "
        "wait for it, or choose another --run_dir."
    ]


def test_a_successful_training_says_nothing_on_stderr(undisturbed):
    # Neither TensorFlow's and Keras's chatter (oneDNN, CPU flags, CUDA, remapper) nor warnings of Python's.
    assert undisturbed[1].stderr == ""
    for chatter in ("oneDNN", "cuda", "WARNING", "I0000", "E0000", "remapper"):
        assert chatter not in undisturbed[1].stdout
