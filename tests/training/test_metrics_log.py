"""`train.log` and `metrics.csv`: their format, and how they are cut back."""

import re

import numpy as np
import pytest

from dcgan_tf.errors import UserError
from dcgan_tf.training.metrics_log import COLUMNS, Records, frechet_distances, read_metrics

METRICS = {
    "d_loss": 0.67223823, "g_loss": 0.71121359, "d_loss_real": 0.25, "d_loss_fake": 0.42223823,
    "d_x": 0.5, "d_g_z": 0.4, "d_grad_norm": 1e-07, "g_grad_norm": 123456.789,
}  # fmt: skip
BEFORE_SCORES = "step,epoch,time,d_loss,g_loss,d_loss_real,d_loss_fake,d_x,d_g_z,d_grad_norm,g_grad_norm"


def write(folder, first, last, per_epoch=5):
    with Records(folder / "train.log", folder / "metrics.csv", first) as records:
        for step in range(first, last):
            records.add(step, 30, per_epoch, 0.25, METRICS | {"d_loss": float(step)})


def steps_in(folder):
    log = [re.search(r"d_loss: (\d+)\.", line)[1] for line in (folder / "train.log").read_text().splitlines()]
    metrics = [line.split(",")[0] for line in (folder / "metrics.csv").read_text().splitlines()]
    assert metrics[0] == "step"
    assert log == metrics[1:]
    return [int(step) for step in log]


def test_a_line_of_the_log_is_the_articles(tmp_path):
    with Records(tmp_path / "train.log", tmp_path / "metrics.csv", 0) as records:
        records.add(2 * 997 + 139, 30, 997, 0.4634, METRICS)
    text = (tmp_path / "train.log").read_text()
    assert text == "Epoch: [ 2/30] [ 139/ 997] time: 0.4634, d_loss: 0.67223823, g_loss: 0.71121359\n"


def test_metrics_have_a_column_for_everything_that_is_measured(tmp_path):
    with Records(tmp_path / "train.log", tmp_path / "metrics.csv", 0) as records:
        records.add(7, 30, 5, 0.46341, METRICS)
    header, row = (tmp_path / "metrics.csv").read_text().splitlines()
    assert header == BEFORE_SCORES + ",frechet,sliced_wasserstein,precision,recall,coverage,ms_ssim"
    assert row == "7,1,0.4634,0.67223823,0.71121359,0.25,0.42223823,0.5,0.4,1e-07,123456.789,,,,,,"


def test_what_was_not_measured_is_nan(tmp_path):
    scores = {
        "frechet": 12.25,
        "sliced_wasserstein": 38.5,
        "precision": 0.0,
        "recall": 1.0,
        "coverage": 0.5,
        "ms_ssim": 0.75,
    }
    with Records(tmp_path / "train.log", tmp_path / "metrics.csv", 0) as records:
        for step in range(4):
            records.add(step, 30, 5, 0.25, METRICS | (scores if step == 2 else {}))
    read = read_metrics(tmp_path / "metrics.csv")
    for name, value in scores.items():
        np.testing.assert_array_equal(read[name], [np.nan, np.nan, value, np.nan])
    assert frechet_distances(read) == {3: 12.25}


def test_a_file_from_before_there_were_scores(tmp_path):
    path, row = tmp_path / "metrics.csv", "0,0,0.2500,3,0.71,0.25,0.42,0.5,0.4,1e-07,123456.789"
    path.write_text(f"{BEFORE_SCORES}\n{row}\n")
    read = read_metrics(path)
    assert read["d_loss"] == [3] and read["g_grad_norm"] == [123456.789] and np.isnan(read["frechet"]).all()
    assert frechet_distances(read) == {}
    with Records(tmp_path / "train.log", path, 1) as records:
        records.add(1, 30, 5, 0.25, METRICS | dict.fromkeys(COLUMNS[-6:], 0.5))
    assert path.read_text().splitlines()[1] == row + ",,,,,,"
    assert frechet_distances(read_metrics(path)) == {2: 0.5}


def test_scores_of_the_features_of_an_earlier_version_are_left_out_when_a_run_continues(tmp_path):
    """They stay readable until then, so that --checkpoint=best of a finished run is what it was."""
    path, row = tmp_path / "metrics.csv", "0,0,0.2500,3,0.71,0.25,0.42,0.5,0.4,1e-07,123456.789"
    before = f"{BEFORE_SCORES},frechet,sliced_wasserstein,precision,recall,ms_ssim\n{row},12.5,38.5,0.5,0.25,0.75\n"
    path.write_text(before)
    assert frechet_distances(read_metrics(path)) == {1: 12.5}
    with Records(tmp_path / "train.log", path, 1) as records:
        records.add(1, 30, 5, 0.25, METRICS | dict.fromkeys(COLUMNS[-6:], 0.5))
    assert path.read_text().splitlines()[1] == row + ",,,,,,"
    assert frechet_distances(read_metrics(path)) == {2: 0.5}


def test_no_file_is_no_steps_and_a_half_line_is_none(tmp_path):
    path = tmp_path / "metrics.csv"
    assert all(len(values) == 0 for values in read_metrics(path).values())
    write(tmp_path, 0, 2)
    path.write_text(path.read_text() + "2,0,0.2500,1e-")
    assert list(read_metrics(path)["step"]) == [0, 1]


def test_nine_digits_give_every_float32_back(tmp_path):
    # IEEE 754: nine significant decimal digits tell all float32 numbers apart.
    values = np.random.default_rng(0).standard_normal(200).astype("float32")
    with Records(tmp_path / "train.log", tmp_path / "metrics.csv", 0) as records:
        for step, value in enumerate(values):
            records.add(step, 1, 200, 0.0, METRICS | {"g_grad_norm": float(value)})
    read = read_metrics(tmp_path / "metrics.csv")
    np.testing.assert_array_equal(read["g_grad_norm"].astype("float32"), values)
    np.testing.assert_array_equal(read["step"], np.arange(200))


@pytest.mark.parametrize("checkpoint", [0, 3, 8])
def test_what_came_after_the_checkpoint_is_cut(tmp_path, checkpoint):
    write(tmp_path, 0, 8)
    with Records(tmp_path / "train.log", tmp_path / "metrics.csv", checkpoint):
        pass
    assert steps_in(tmp_path) == list(range(checkpoint))
    write(tmp_path, checkpoint, 11)
    assert steps_in(tmp_path) == list(range(11))


@pytest.mark.parametrize("half", [b"7", b"7,1,0.2500,7,0.711213", b"\xff\xfe"])
def test_a_half_line_is_cut(tmp_path, half):
    # The process was killed in the midst of line 7, or the power failed and left rubbish there.
    write(tmp_path, 0, 7)
    for name in ("train.log", "metrics.csv"):
        with open(tmp_path / name, "ab") as file:
            file.write(half)
    write(tmp_path, 7, 9)
    assert steps_in(tmp_path) == list(range(9))


def test_a_half_header_is_made_whole(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,epo")
    write(tmp_path, 0, 1)
    assert steps_in(tmp_path) == [0]


def test_every_line_is_with_the_system_at_once(tmp_path):
    # Else a killed process would lose the last ones, and the user would watch a log that stands still.
    with Records(tmp_path / "train.log", tmp_path / "metrics.csv", 0) as records:
        records.add(0, 30, 5, 0.25, METRICS | {"d_loss": 0.0})
        assert steps_in(tmp_path) == [0]


def test_a_full_disk_is_a_sentence():
    # /dev/full refuses every byte with the error of a full disk.
    records = object.__new__(Records)
    records._log, records._metrics = (open("/dev/full", "w", buffering=1) for _ in range(2))  # noqa: SIM115
    with pytest.raises(UserError, match="no space left on the disk"):
        with records:
            records.add(0, 30, 5, 0.25, METRICS)
