"""Measurements while a run trains: when, of what, in which file; and the best checkpoint, however it is disturbed."""

import csv
import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

import dcgan_tf
from dcgan_tf.config import Config
from dcgan_tf.datasets.packing import open_packed
from dcgan_tf.errors import UserError
from dcgan_tf.metrics.comparison import QuickScores
from dcgan_tf.run_metrics import SCORE_NAMES
from dcgan_tf.training import checkpoints, quality
from dcgan_tf.training.loading import best
from dcgan_tf.training.metrics_log import COLUMNS
from dcgan_tf.training.quality import Quality
from dcgan_tf.training.run_directory import RunDirectory
from tests.e2e.commands import checkpoint_arrays, same_arrays

NOTHING = {name: np.zeros(0) for name in COLUMNS}


def rows(run) -> list[dict[str, str]]:
    """`metrics.csv` without the times."""
    with open(run / "metrics.csv", newline="") as file:
        return [{name: value for name, value in row.items() if name != "time"} for row in csv.DictReader(file)]


def checkpoint(run, step) -> dict[str, np.ndarray]:
    return checkpoint_arrays(checkpoints.path_of(run / "checkpoints", step))


def test_measured_after_every_fifth_step_and_the_last_and_nothing_learned_is_changed(
    tiny_config, trained, tmp_path, capsys
):
    config = dataclasses.replace(tiny_config, evaluate_every=5)
    run = dcgan_tf.train(config, tmp_path / "run").directory.path
    assert [int(r["step"]) + 1 for r in rows(run) if r["frechet"]] == [5, 10, 12]
    for ours, theirs in zip(rows(run), rows(trained), strict=True):
        assert all((ours[name] == "") == (ours["frechet"] == "") for name in SCORE_NAMES)
        assert ours == theirs | {name: ours[name] for name in SCORE_NAMES}
    assert same_arrays(checkpoint(run, 12), checkpoint(trained, 12))
    assert [line.split(" time: ")[0] for line in (run / "train.log").read_text().splitlines()] == [
        line.split(" time: ")[0] for line in (trained / "train.log").read_text().splitlines()
    ]
    # The last measurement is of the generator in the last checkpoint, and of other z than those of the sample grid.
    gan = dcgan_tf.load(run)
    again = QuickScores(open_packed(config).training, config.seed)(lambda n: gan.generate(n, config.seed + 2**31))
    assert {name: float(rows(run)[-1][name]) for name in SCORE_NAMES} == pytest.approx(again, rel=1e-8)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
    assert [line.split(":")[0] for line in said] == ["step 5", "step 10", "step 12"]
    assert said[0].startswith(f"step 5: Fréchet {float(rows(run)[4]['frechet']):.1f} (best), sliced Wasserstein ")


# Fréchet distances after the steps 1 .. 12: the best so far are 1, 2, 5 and 7.
SCRIPT = dict(enumerate([90.0, 80, 85, 84, 60, 70, 40 + 1e-12, 55, 41, 50, 45, 40], 1))


class Killed(BaseException):
    pass


@pytest.fixture
def scripted(tiny_config, monkeypatch):
    """The config of a run that is measured after every step, by the script."""
    now = []

    class Scores:
        count, ms_ssim = 48, 0.25

        def __init__(self, real, seed):
            pass

        def __call__(self, generate):
            return {
                "frechet": SCRIPT[now[-1]],
                "sliced_wasserstein": 9.0,
                "precision": 0.5,
                "recall": 0.5,
                "coverage": 0.5,
                "ms_ssim": 0.3,
            }

    measure = Quality.measure
    monkeypatch.setattr(quality, "QuickScores", Scores)
    monkeypatch.setattr(Quality, "measure", lambda self, gan, done: now.append(done) or measure(self, gan, done))
    return dataclasses.replace(tiny_config, evaluate_every=1, keep_checkpoints=2, keep_every_epochs=0)


@pytest.mark.slow
def test_the_best_is_kept_and_loaded_however_the_run_is_killed(scripted, tmp_path):
    config = scripted
    run = dcgan_tf.train(config, tmp_path / "undisturbed")
    undisturbed = run.directory.path
    # Saved were 1, 2, 5, 7 as the best so far, 4, 8 and 12 by number, 6 and 12 as the epochs' ends.
    assert checkpoints.saved_steps(undisturbed / "checkpoints") == [7, 8, 12]
    held = {n: v.numpy() for n, v in checkpoints.variables(dcgan_tf.load(undisturbed, "best")).items()}
    saved = checkpoint(undisturbed, 7)
    assert same_arrays(held, {name: saved[name] for name in held}) and not same_arrays(
        saved, checkpoint(undisturbed, 8)
    )
    assert "Best measured: step 7, Fréchet distance 40.0 (--checkpoint=best)" in run.summary()
    with pytest.raises(UserError, match="--checkpoint=first: .* has last, best and the steps 7, 8, 12"):
        dcgan_tf.load(undisturbed, "first")

    folder = tmp_path / "disturbed"

    def killed(function, step, after=False):
        """Train until `checkpoints.<function>` is called for `step`: die before or after it does its work."""
        original = getattr(checkpoints, function)

        def dying(*args):
            if step not in args[1:3]:
                return original(*args)
            if after:
                original(*args)
            raise Killed

        with pytest.MonkeyPatch.context() as patched, pytest.raises(Killed):
            patched.setattr(checkpoints, function, dying)
            dcgan_tf.train(config, folder)
        return checkpoints.saved_steps(folder / "checkpoints")

    # Between the record and the checkpoint of the best so far: until it is there, the one before is the best.
    assert killed("save", 5) == [2, 4]
    assert rows(folder)[-1]["frechet"] == "60"
    assert best(RunDirectory(folder)) == (2, 80.0)
    # Between its checkpoint and the removal of those that it replaces.
    assert killed("prune", 7) == [5, 6, 7]
    # After that; and then the newest is damaged: the run goes on from 7.
    assert killed("prune", 8, after=True) == [7, 8]
    newest = checkpoints.path_of(folder / "checkpoints", 8)
    newest.write_bytes(newest.read_bytes()[:-500])
    dcgan_tf.train(config, folder)
    assert checkpoints.saved_steps(folder / "checkpoints") == [7, 8, 12]
    assert rows(folder) == rows(undisturbed)
    for step in (7, 8, 12):
        assert same_arrays(checkpoint(folder, step), checkpoint(undisturbed, step))


def test_a_run_without_measurements_says_how_to_get_them(trained):
    with pytest.raises(UserError) as raised:
        dcgan_tf.load(trained, "best")
    message = (
        f"--checkpoint=best: no checkpoint of {trained} was measured; train it further with --evaluate_every=500, "
    )
    assert str(raised.value) == message + "or use --checkpoint=last."


def test_a_set_that_is_too_small_is_not_measured_which_is_said_once(capsys):
    measurements = Quality(np.zeros((19, 32, 32, 3), np.uint8), NOTHING)
    gan = SimpleNamespace(config=Config())
    assert measurements.measure(gan, 5) == measurements.measure(gan, 10) == {}
    assert capsys.readouterr().out == "The quality is not measured: 19 images are too few, 20 are needed.\n"
    assert measurements.best is None and np.isnan(measurements.real_ms_ssim)


def test_the_first_of_equals_is_the_best():
    past = {name: np.array([9.0, np.nan, 4.0, 4.0, 7.0]) for name in COLUMNS} | {"step": np.arange(5.0)}
    measurements = Quality(np.zeros((30, 32, 32, 3), np.uint8), past)
    assert measurements.frechet == {1: 9, 3: 4, 4: 4, 5: 7} and measurements.best == 3
