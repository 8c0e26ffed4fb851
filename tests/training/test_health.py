"""Streams of metrics as healthy and sick runs give them: each trouble is told once, and none where there is none."""

import dataclasses
import math

import numpy as np
import pytest

from dcgan_tf.config import Config
from dcgan_tf.training.health import Health
from dcgan_tf.training.metrics_log import COLUMNS

REAL = 0.25  # MS-SSIM of real images
# Steps, Fréchet distance, precision, recall, MS-SSIM of a run on a driving simulator that went well.
GOOD = [
    (100, 260, 0.0, 0.0, 0.97), (300, 171, 0.0, 0.0, 0.94), (500, 120, 0.01, 0.02, 0.64),
    (1000, 40, 0.10, 0.20, 0.44), (1500, 21, 0.20, 0.42, 0.38),
]  # fmt: skip


def scores(frechet, precision, recall, ms_ssim) -> dict[str, float]:
    return {"frechet": frechet, "precision": precision, "recall": recall, "ms_ssim": ms_ssim}


def nothing_told() -> dict[str, np.ndarray]:
    return {name: np.zeros(0) for name in COLUMNS}


def told(measured=(), d_losses=None, last=2000, **settings) -> list[str]:
    """What is said of `last` steps with these measurements, and D's loss at each step, 1 if none is given."""
    health, said = Health(Config(**settings), nothing_told()), []
    at = {step: scores(*values) for step, *values in measured}
    for done in range(1, last + 1):
        d_loss = 1.0 if d_losses is None else d_losses(done)
        said += health.look(done, {"d_loss": d_loss} | at.get(done, {}), REAL)
    return said


def later(*measured) -> list[tuple]:
    """A good run, and then these measurements (Fréchet, precision, recall, MS-SSIM) every 500 steps."""
    return GOOD + [(2000 + 500 * i, *values) for i, values in enumerate(measured)]


def test_a_good_run_is_left_in_peace():
    assert told(GOOD) == []


@pytest.mark.parametrize("loss", ["non_saturating", "saturating", "hinge", "lsgan"])
def test_a_winning_discriminator_is_told_once(loss):
    # From step 1 on the loss is 0: step 200 passes, and 200 more must do so. It recovers, and falls again.
    (said,) = told(d_losses=lambda done: 1.0 if 800 < done < 1200 else 0.001, loss=loss)
    assert said.startswith("step 400: the discriminator has been winning for 200 steps (its mean loss is 0.00")
    assert "more --g_steps, a smaller --d_width" in said and "another --seed" in said
    assert ("--loss=hinge" in said) == (loss != "hinge")


def test_the_mean_of_the_last_steps_counts():
    # 1 step in 10 at 2, the others at 0, is a mean of 0.2: no win, though most steps are below any threshold.
    assert told(d_losses=lambda done: 2.0 * (done % 10 == 0)) == []
    # From 1.0 at step 500 a mean that keeps 0.98 a step is 0.98^n: below 0.1 from n = 114 on.
    (said,) = told(d_losses=lambda done: 1.0 if done <= 500 else 0.0)
    assert said.startswith(f"step {500 + math.ceil(math.log(0.1) / math.log(0.98)) + 199}: ")


def test_a_start_that_passes_is_not_told():
    assert told(d_losses=lambda done: 0.01 if done < 350 else 0.8) == []


def test_the_loss_of_least_squares_is_smaller_and_that_of_wgan_has_no_zero():
    # D of lsgan that can tell nothing has the loss 1/4, which it may be a third of; the critic's may have any sign.
    assert told(d_losses=lambda done: 0.08, loss="lsgan") == []
    assert told(d_losses=lambda done: -3.0, loss="wgan_gp") == []


def test_images_that_become_alike_are_told_once():
    (said,) = told(later(*4 * [(25, 0.2, 0.3, 0.51)]), last=5000)
    assert said.startswith("step 2,500: the images show little variety (MS-SSIM 0.51, 0.25 for real ones; recall 0.30)")
    for tip in ("--checkpoint=best", "--g_steps=1", "--learning_rate", "--batch_size", "or --ema=0.999"):
        assert tip in said


def test_real_looking_images_of_few_kinds_are_told():
    (said,) = told(later((25, 0.06, 0.0, 0.3), (25, 0.9, 0.0, 0.3)), last=5000)
    assert said.startswith("step 2,500: the images show little variety") and "recall 0.00" in said


@pytest.mark.parametrize(
    "measured",
    [
        later((25, 0.2, 0.3, 0.51), (25, 0.2, 0.3, 0.49), (25, 0.2, 0.3, 0.51)),  # not twice on end
        later((25, 0.04, 0.0, 0.3), (25, 0.04, 0.0, 0.3)),  # nothing looks real yet
        [(step, 100, 0.0, 0.0, 0.9) for step in (200, 400, 600, 800, 999)],  # early, when nothing is drawn yet
    ],
)
def test_what_is_no_collapse(measured):
    assert told(measured, last=5000) == []


def test_what_the_run_follows_already_is_no_advice():
    (said,) = told(later(*2 * [(25, 0.2, 0.3, 0.6)]), last=5000, g_steps=1, ema=0.999)
    assert "--g_steps=1" not in said and "--ema" not in said and "start over with a smaller --learning_rate or" in said


def test_growing_distances_are_told_once_with_the_best_step():
    fine = (0.2, 0.4, 0.38)
    (said,) = told(later((31, *fine), (32, *fine), (32, *fine), (40, *fine), (20, *fine), (90, *fine)), last=5000)
    assert said.startswith("step 3,500: the last 3 Fréchet distances are")  # 31 is not above 31.5
    assert "above 1.5 times the best, 21.0" in said and said.endswith("--checkpoint=best is step 1,500.")


def test_a_distance_that_swings_is_not_told():
    fine = (0.2, 0.4, 0.38)
    assert told(later((33, *fine), (33, *fine), (31, *fine), (33, *fine), (33, *fine), (30, *fine)), last=5000) == []


def test_what_was_told_is_not_told_again_when_the_run_is_continued():
    sick = later(*8 * [(90, 0.2, 0.0, 0.9)])
    at = {step: scores(*values) for step, *values in sick}
    for stop in (399, 400, 2499, 2500, 2999, 3000, 3001):
        health, said = Health(Config(), nothing_told()), []
        past = {name: np.full(stop, np.nan) for name in COLUMNS} | {"step": np.arange(stop), "d_loss": np.zeros(stop)}
        for done in range(1, 5001):
            if done == stop + 1:
                health = Health(dataclasses.replace(Config(), max_steps=9), past)
            if done <= stop:
                for name, value in at.get(done, {}).items():
                    past[name][done - 1] = value
            said += health.look(done, {"d_loss": 0.0} | at.get(done, {}), REAL)
        assert [sentence.split(":")[0] for sentence in said] == ["step 400", "step 2,500", "step 3,000"], stop
