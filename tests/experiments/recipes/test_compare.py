"""Recipes at equal time: what is trained and measured, and the tables of recorded results."""

import dataclasses
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dcgan_tf.datasets.packing import open_packed
from dcgan_tf.errors import UserError
from experiments.recipes import arms, compare, curves, judge
from tests.e2e.commands import environment
from tests.images import open_image


@pytest.fixture
def tiny_arm(tiny_config, monkeypatch):
    """An arm and a set that are small; the images are counted in place of a measurement."""

    def make_config(arm, dataset, seed, **settings):
        return dataclasses.replace(tiny_config, seed=seed, **arm.settings | settings)

    monkeypatch.setattr(compare, "make_config", make_config)
    monkeypatch.setitem(compare.ARMS, "tiny", arms.Arm("a tiny one", "article", {"ema": 0.9}))


class Counter:
    """In place of a `Judge`: the number of images and their mean."""

    def __init__(self):
        self.calls, self.real_beside = 0, {"count": 0}

    def __call__(self, images):
        self.calls += 1
        assert images.dtype == np.uint8
        return {"count": len(images), "mean": float(images.mean())}


def test_a_run_is_measured_at_every_fifth_of_its_steps(tiny_arm, tmp_path):
    measure = Counter()
    result = compare.run_one("tiny", "lfw", 3, 1.0, 60 / 23, tmp_path / "run", measure)
    assert result["steps"] == 20  # of 23 that fit, so that the marks are at whole steps
    assert [mark["step"] for mark in result["measured"]] == [4, 8, 12, 16, 20]
    assert [mark["seconds"] for mark in result["measured"]] == pytest.approx(
        [step * 60 / 23 for step in (4, 8, 12, 16, 20)]
    )
    assert all(mark["averaged"]["count"] == 1000 for mark in result["measured"])
    assert ["raw" in mark for mark in result["measured"]] == [False] * 4 + [True]
    means = [mark["averaged"]["mean"] for mark in result["measured"]]
    assert len(set(means)) == 5  # each is of its own checkpoint
    assert measure.calls == 6
    assert open_image(tmp_path / "run/images.png").mode == "RGB"


def test_a_second_process_leaves_a_claimed_run_alone(tmp_path):
    with compare.claim(tmp_path / "runs/a.lock") as first:
        with compare.claim(tmp_path / "runs/a.lock") as second:
            assert (first, second) == (True, False)
    with compare.claim(tmp_path / "runs/a.lock") as again:
        assert again


def test_times_that_are_added_keep_the_ratio_of_one_session(tmp_path, monkeypatch):
    asked = []

    def measure(names):
        asked.append(names)
        return {"article": 2.0, "fast": 1.0, "stable": 0.5} if len(asked) == 1 else {"article": 4.0, "stable_16": 0.2}

    monkeypatch.setattr(compare, "measure_step_times", measure)
    file = tmp_path / "times.json"
    assert compare.read_step_times(["article", "fast", "stable"], file)["fast"] == 1.0
    # An hour later everything takes twice as long: the new one counts half.
    assert compare.read_step_times(["fast", "stable_16"], file)["stable_16"] == pytest.approx(0.1)
    assert asked == [["article", "fast", "stable"], ["article", "stable_16"]]
    assert json.loads(file.read_text())["article"] == 2.0


def test_two_processes_measure_the_times_one_after_the_other(tmp_path, monkeypatch):
    measuring, most = [], []

    def measure(names):
        measuring.append(names)
        most.append(len(measuring))
        time.sleep(0.2)
        measuring.pop()
        return dict.fromkeys(names, 1.0)

    monkeypatch.setattr(compare, "measure_step_times", measure)
    with ThreadPoolExecutor(2) as pool:
        times = list(pool.map(lambda _: compare.read_step_times(["article"], tmp_path / "times.json"), range(2)))
    assert most == [1] and times == [{"article": 1.0}] * 2


def test_power_at_the_highest_frequencies_is_that_of_a_checkerboard():
    board = np.indices((64, 64)).sum(axis=0) % 2
    images = np.repeat((127.5 + 12.75 * (2 * board - 1))[None, :, :, None], 3, axis=3)
    # +-0.1 in units of 127.5: all of its power, (0.1 * 64^2)^2, is at the one highest of the frequencies counted.
    frequencies = np.abs(np.fft.fftfreq(64))
    counted = 64 * 64 - (frequencies <= 0.42).sum() ** 2
    assert judge.high_frequency_power(images) == pytest.approx((0.1 * 64**2) ** 2 / counted, rel=1e-4)
    smooth = np.broadcast_to(127.5 + 50 * np.cos(np.arange(64) * 2 * np.pi / 64), (1, 64, 64))[..., None]
    assert judge.high_frequency_power(smooth) < 1e-6


def test_a_set_that_is_too_small_for_the_judge_is_refused(tiny_config):
    with pytest.raises(UserError, match="48 images are too few"):
        judge.Judge(open_packed(tiny_config).training, None)


def run(name, *flags, cwd):
    command = [sys.executable, "-m", f"experiments.recipes.{name}", *flags]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=180)


def scores(frechet):
    return {name: frechet for name in curves.COLUMNS}


def record(folder, arm, seed, values, minutes=5, dataset="lfw"):
    kind = "raw" if arm == "torch_example" else "averaged"
    marks = [{"step": 10 * k, "seconds": 60.0 * k, kind: scores(v)} for k, v in enumerate(values, start=1)]
    run = {"arm": arm, "title": arms.ARMS[arm].title, "dataset": dataset, "seed": seed, "minutes": minutes}
    run |= {"steps": 10 * len(values), "real_beside": scores(0.5), "measured": marks}
    (folder / f"{curves.name_of(run)}.json").write_text(json.dumps(run))


def test_the_table_has_mean_and_deviation_over_seeds_and_real_images_beside(tmp_path):
    for seed, last in ((1, 2.0), (2, 4.0), (3, 6.0)):
        record(tmp_path, "stable", seed, [9.0, last])
    record(tmp_path, "torch_example", 1, [20.0, 10.0])
    record(tmp_path, "article", 1, [7.0], minutes=60)
    results = curves.read_results(tmp_path)
    assert [(minutes, [run["arm"] for run in runs]) for minutes, runs in results.items()] == [
        (5, ["stable"] * 3 + ["torch_example"]),
        (60, ["article"]),
    ]
    lines = curves.table(results[5]).splitlines()
    assert lines[2].startswith("| lfw | stable | 1, 2, 3 | 20 | 4.00 ± 2.00 |")
    assert lines[3].startswith("| lfw | PyTorch's examples/dcgan, bfloat16 | 1 | 20 | 10.00 |")
    assert lines[4].startswith("| lfw | other real images | | | 0.50 |")
    curves.draw_curves(results[5], "trained_frechet", tmp_path / "curves.png")
    assert open_image(tmp_path / "curves.png").width > 300
    curves.draw_images(results[5], tmp_path, tmp_path / "images.jpg")  # no run has left images: panels stay empty
    assert (tmp_path / "images.jpg").is_file()


def test_unknown_arms_and_stages_are_a_sentence(tmp_path):
    for flags, message in (
        (["--stage=all"], "--stage=all: it can be widths, five_minutes, hour."),
        (["--arms=mine"], "--arms=mine: mine is unknown; there are article,"),
        (["--seeds=1,x"], "--seeds=1,x: whole numbers"),
    ):
        end = run("compare", *flags, cwd=tmp_path)
        assert end.returncode == 2 and message in end.stderr
    end = run("curves", cwd=tmp_path)
    assert end.returncode == 2 and "holds no results" in end.stderr
