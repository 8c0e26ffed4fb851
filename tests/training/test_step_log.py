"""Metrics of finished steps: written whole and in order, however many wait for each other."""

import math

import numpy as np
import pytest

from dcgan_tf.config import preset
from dcgan_tf.errors import UserError
from dcgan_tf.run_metrics import STEP_NAMES
from dcgan_tf.training import step_log
from dcgan_tf.training.metrics_log import Records, read_metrics
from dcgan_tf.training.run_directory import RunDirectory


class Silent:
    """Stands for what else is told of a step: takes notes, says nothing."""

    real_ms_ssim = math.nan
    config = preset("article", batch_size=8, d_steps=2)

    def __init__(self):
        self.scalars, self.scored, self.shown, self.measured = [], [], 0, []

    def add_step(self, step, metrics, images_per_second, gan):
        self.scalars.append((step, images_per_second))

    def add_scores(self, step, scores):
        self.scored.append((step, scores))

    def look(self, done, metrics, real_ms_ssim):
        return []

    def advance(self, note):
        self.shown += 1

    def measure(self, gan, done):
        self.measured.append(done)
        return {"frechet": 1.5}


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only as a test moves them, and a microsecond at each look."""
    now = [100.0]

    def look():
        now[0] += 1e-6
        return now[0]

    monkeypatch.setattr(step_log.time, "perf_counter", look)
    return now


@pytest.fixture
def log(tmp_path, clock):
    run, other = RunDirectory(tmp_path), Silent()
    with Records(run.log_file, run.metrics_file, 0) as records:
        log = step_log.StepLog(other, run, 100, records, other, other, other, other)
        log.other, log.file = other, run.metrics_file
        yield log


def rows(*steps):
    """float32 [steps, 8]: each metric of a step is the step's number."""
    return np.repeat(np.float32(steps)[:, None], len(STEP_NAMES), axis=1)


def test_steps_wait_until_they_are_fetched_and_share_the_time(log, clock):
    for step in (1, 2):
        log.add(step, rows(step))
    log.add(3, rows(3, 4))  # one call, two steps
    assert len(read_metrics(log.file)["step"]) == 0
    clock[0] += 2.0
    log.fetch()
    written = read_metrics(log.file)
    np.testing.assert_array_equal(written["step"], [1, 2, 3, 4])
    np.testing.assert_array_equal(written["d_x"], [1, 2, 3, 4])
    np.testing.assert_array_equal(written["time"], 0.5)
    np.testing.assert_allclose(log.other.scalars, [(step, 2 * 8 / 0.5) for step in (1, 2, 3, 4)], rtol=1e-4)
    assert log.other.shown == 4


def test_quick_steps_wait_slow_ones_do_not(log, clock):
    log.add(1, rows(1))
    clock[0] += 0.04
    log.fetch_if_due()
    log.add(2, rows(2))
    assert log.other.shown == 0
    clock[0] += 0.07
    log.fetch_if_due()
    assert log.other.shown == 2
    for step in (3, 4):
        log.add(step, rows(step))
        clock[0] += 1.0
        log.fetch_if_due()
        assert log.other.shown == step


def test_of_every_tenth_step_the_weights_are_looked_at_before_they_change(log):
    for step in range(21):
        log.add(step, rows(step))
        log.fetch_if_due()
        if step % 10 == 0:
            assert log.other.scalars[-1][0] == step


def test_measuring_is_not_the_steps_time(log, clock):
    def slow(gan, done):
        clock[0] += 50.0
        return {"frechet": 1.5}

    log.other.measure = slow
    log.add(0, rows(0, 1))
    clock[0] += 1.0
    log.fetch(evaluate=True)
    clock[0] += 70.0  # a checkpoint
    log.start_clock()
    log.add(2, rows(2))
    clock[0] += 3.0
    log.fetch()
    np.testing.assert_array_equal(read_metrics(log.file)["time"], [0.5, 0.5, 3.0])


def test_the_score_stands_with_the_last_step(log):
    log.add(0, rows(0, 1, 2))
    log.fetch(evaluate=True)
    assert log.other.measured == [3] and log.other.scored == [(2, {"frechet": 1.5})]
    np.testing.assert_array_equal(read_metrics(log.file)["frechet"], [np.nan, np.nan, 1.5])


def test_a_loss_that_is_not_finite_stops_at_its_step_and_what_was_before_is_written(log):
    wrong = rows(5, 6, 7)
    wrong[1, STEP_NAMES.index("g_loss")] = np.nan
    log.add(5, wrong)
    with pytest.raises(UserError, match="stopped at step 6: g_loss not finite; there was no checkpoint yet"):
        log.fetch()
    np.testing.assert_array_equal(read_metrics(log.file)["step"], [5])
