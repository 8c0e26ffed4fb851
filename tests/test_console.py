"""Progress and messages without a terminal."""

import os
import shlex
import subprocess
import sys

import pytest

from dcgan_tf import console


def test_the_python_command_runs_this_python(monkeypatch, tmp_path):
    """After `make demo` no environment is activated: `python` may be missing or another one."""
    ask = f"{console.python_command()} -c 'import sys; print(sys.executable)'"
    found = subprocess.run(ask, shell=True, capture_output=True, text=True, check=True).stdout.strip()
    assert os.path.samefile(found, sys.executable)
    monkeypatch.setattr(console.shutil, "which", lambda name: sys.executable)
    assert console.python_command() == "python"
    monkeypatch.setattr(console.shutil, "which", lambda name: None)
    assert os.path.samefile(shlex.split(console.python_command())[0], sys.executable)


@pytest.mark.parametrize(
    "seconds, words",
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (3600, "1 h 0 min"), (7641, "2 h 7 min")],
)
def test_durations_are_formatted(seconds, words):
    assert console.format_duration(seconds) == words


class Clock:
    """A monotonic clock that advances only when the test sets it."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(console.time, "monotonic", clock)
    return clock


def test_short_work_prints_nothing(clock, capsys):
    for _ in console.progress(range(5), "counting"):
        clock.now += 0.1
    assert capsys.readouterr().out == ""


def test_lines_give_the_progress_and_the_time_left(clock, capsys):
    with console.Progress("packing", 100, "images", initial=20) as bar:
        clock.now += 30
        bar.advance(10)  # includes work that is done once, so that the rate is not known yet
        clock.now += 4
        bar.advance(20)  # too soon for a second line
        clock.now += 8
        bar.advance(40, note="loss 1.0")  # 60 in 12 seconds, 10 left
    assert capsys.readouterr().out.splitlines() == [
        "packing: 30 of 100 images (30 %)",
        "packing: 90 of 100 images (90 %), 2 s left, loss 1.0",
    ]


def test_progress_yields_the_items_in_order_and_counts_an_unknown_number(clock, capsys):
    def items():
        for i in range(3):
            clock.now += 3
            yield i

    assert list(console.progress(items(), "reading", unit="lines")) == [0, 1, 2]
    assert capsys.readouterr().out == "reading: 1\n"
