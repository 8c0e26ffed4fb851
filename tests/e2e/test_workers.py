"""Two workers on this machine, as two machines would be: TF_CONFIG, a process each, and one of them is lost."""

import csv
import json
import signal
import socket

import numpy as np
import pytest

from tests.e2e import commands

IMAGES, EVERY = 64, 10
ARGS = [*commands.TINY, "--dataset=folder", "--data_dir=images", "--g_steps=2", "--ema=0.99", "--evaluate_every=0"]
ARGS += [f"--checkpoint_every={EVERY}", "--sample_every=1000", "--epochs=1000"]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A folder with images, packed, and 5 steps by one process."""
    folder = tmp_path_factory.mktemp("workers")
    commands.make_images(folder / "images", IMAGES)
    done = commands.run("train", *ARGS, "--max_steps=5", "--run_dir=one", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def addresses(count):
    """Of ports that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    return found


def start(folder, *more, each=((), ())):
    cluster = {"worker": addresses(2)}
    told = [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": n}}) for n in range(2)]
    return [
        commands.start("train", *ARGS, *more, *each[n], cwd=folder, env=commands.environment(TF_CONFIG=told[n]))
        for n in range(2)
    ]


def losses(path):
    with open(path, newline="") as file:
        return np.array([[float(row["d_loss"]), float(row["g_loss"])] for row in csv.DictReader(file)])


def test_two_workers_do_what_one_does_and_the_chief_alone_writes(workshop):
    ended = [commands.ended(p) for p in start(workshop, "--max_steps=5", "--run_dir=two")]
    assert [e.returncode for e in ended] == [0, 0], [e.stderr for e in ended]
    assert "worker 1: 5 of 5 steps are done. The chief (worker 0) has everything." in ended[1].stdout
    one, two = (losses(workshop / run / "metrics.csv") for run in ("one", "two"))
    # Rounding grows under Adam: the first steps; tests/distributed/test_replicas.py has 20 of them in float64.
    np.testing.assert_allclose(two[:2], one[:2], atol=1e-5)
    np.testing.assert_allclose(two, one, atol=0.02)
    lines = (workshop / "two" / "train.log").read_text().splitlines()
    assert len(lines) == 5 and len(list((workshop / "two" / "tensorboard").iterdir())) == 1


def test_a_killed_worker_is_missed_in_bounded_time_and_both_go_on_together(workshop):
    chief, other = start(workshop, "--max_steps=100000", "--run_dir=killed")
    checkpoints = workshop / "killed" / "checkpoints"
    commands.wait_until(chief, lambda: any(checkpoints.glob(f"step-{2 * EVERY:08d}.npz")))
    commands.kill(other)
    missed = commands.ended(chief)  # within `commands.PATIENCE`
    assert missed.returncode == 2
    assert missed.stderr.count("\n") == 1 and "worker 0 of 2: another worker is gone" in missed.stderr
    kept = max(int(path.stem[5:]) for path in checkpoints.glob("step-*.npz"))
    ended = [commands.ended(p) for p in start(workshop, f"--max_steps={kept + 3}", "--run_dir=killed")]
    assert [e.returncode for e in ended] == [0, 0], [e.stderr for e in ended]
    assert f"continues at step {kept:,}" in ended[0].stdout + ended[0].stderr
    assert len(losses(workshop / "killed" / "metrics.csv")) == kept + 3


def test_a_signal_to_one_stops_all_after_the_same_step(workshop):
    chief, other = start(workshop, "--max_steps=100000", "--run_dir=stopped")
    commands.wait_until(chief, lambda: commands.line_count(workshop / "stopped" / "train.log") > 3)
    other.send_signal(signal.SIGTERM)
    ended = [commands.ended(p) for p in (chief, other)]
    assert [e.returncode for e in ended] == [128 + signal.SIGTERM] * 2, [e.stderr for e in ended]
    steps = len(losses(workshop / "stopped" / "metrics.csv"))
    assert f"worker 1: {steps:,} of " in ended[1].stdout
    assert (workshop / "stopped" / "checkpoints" / f"step-{steps:08d}.npz").exists()


def test_workers_of_other_settings_are_told(workshop):
    processes = start(workshop, "--max_steps=5", "--run_dir=unlike", each=((), ("--learning_rate=0.1",)))
    ended = [commands.ended(p) for p in processes]
    assert [e.returncode for e in ended] == [2, 2]
    assert all("the settings of worker 1 are not the chief's" in e.stderr for e in ended)
    assert not (workshop / "unlike").exists()


@pytest.mark.parametrize("index, number, code", [(0, signal.SIGINT, 130), (1, signal.SIGTERM, -15)])
def test_who_waits_for_the_others_can_be_stopped(workshop, index, number, code):
    task = {"cluster": {"worker": addresses(2)}, "task": {"type": "worker", "index": index}}
    environment = commands.environment(TF_CONFIG=json.dumps(task))
    process = commands.start("train", *ARGS, f"--run_dir=alone-{index}", cwd=workshop, env=environment)
    assert f"worker {index} of 2: waits for the others" in process.stdout.readline()
    process.send_signal(number)
    assert commands.ended(process).returncode == code
    assert not (workshop / f"alone-{index}").exists()
