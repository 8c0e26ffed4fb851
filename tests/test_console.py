"""What is shown while work goes on, without a terminal."""

import pytest

from dcgan_tf import console


@pytest.mark.parametrize(
    "seconds, words",
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (3600, "1 h 0 min"), (7641, "2 h 7 min")],
)
def test_clock_speaks_as_people_do(seconds, words):
    assert console.clock(seconds) == words


class Clock:
    """A monotonic clock that goes on only when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(console.time, "monotonic", clock)
    return clock


def test_a_quick_piece_of_work_says_nothing(clock, capsys):
    for _ in console.progress(range(5), "counting"):
        clock.now += 0.1
    assert capsys.readouterr().out == ""


def test_lines_tell_how_far_and_how_long(clock, capsys):
    with console.Progress("packing", 100, "images", initial=20) as shown:
        clock.now += 4
        shown.advance(20)  # 5 images a second, 60 left: the 20 of an earlier run took no time now
        clock.now += 4
        shown.advance(20)  # too soon for a second line
        clock.now += 8
        shown.advance(20, note="loss 1.0")
    assert capsys.readouterr().out.splitlines() == [
        "packing: 40 of 100 images (40 %), 12 s left",
        "packing: 80 of 100 images (80 %), 5 s left, loss 1.0",
    ]


def test_progress_gives_the_items_in_order_and_counts_an_unknown_number(clock, capsys):
    def items():
        for i in range(3):
            clock.now += 3
            yield i

    assert list(console.progress(items(), "reading", unit="lines")) == [0, 1, 2]
    assert capsys.readouterr().out == "reading: 1\n"
