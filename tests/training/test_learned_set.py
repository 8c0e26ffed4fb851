"""The images that a run learned from are found again after everything has moved."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest

from dcgan_tf.datasets.packing import open_packed
from dcgan_tf.errors import UserError
from dcgan_tf.evaluation.evaluate import evaluate
from dcgan_tf.evaluation.options import EvaluateOptions
from dcgan_tf.inpainting.fill import inpaint
from dcgan_tf.inpainting.options import InpaintOptions
from dcgan_tf.training import learned_set
from dcgan_tf.training.run_directory import RunDirectory


@pytest.fixture
def project(tiny_config, trained, tmp_path, monkeypatch):
    """A folder with images, pack and run, as if the run had been trained there under relative paths."""
    home = tmp_path / "home"
    shutil.copytree(tiny_config.resolved_data_dir, home / "images")
    shutil.copytree(trained, home / "run")
    monkeypatch.chdir(home)
    config = dataclasses.replace(tiny_config, data_dir="images", cache_dir="packed", held_out=0.5)
    (home / "run/config.json").write_text(config.to_json())
    data = learned_set.describe(config, open_packed(config)) | learned_set.locate(config)
    (home / "run/data.json").write_text(json.dumps(data))
    return home


def run_commands(run, output):
    """What `evaluate` and `inpaint` say of the set of the run."""
    evaluation, _ = evaluate(EvaluateOptions(run=str(run), num_images=20, output=str(output / "e")))
    quick = {"iterations": 1, "restarts": 1, "num_images": 1}
    table, _ = inpaint(InpaintOptions(run=str(run), output=str(output / "i"), **quick))
    return evaluation.about["real"], table


@pytest.mark.slow
def test_from_another_folder(project, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    real, table = run_commands(project / "run", tmp_path)
    assert "images" in real and "centre" in table
    assert not (elsewhere / "packed").exists()  # it was not packed again


def test_of_a_run_that_was_moved_alone(project, tmp_path):
    shutil.move(project / "run", tmp_path / "moved")
    assert learned_set.find(RunDirectory(tmp_path / "moved")) is not None


def test_in_a_project_that_was_moved_as_a_whole(project, tmp_path, monkeypatch):
    """Its pack is found by the hash of the pixels, as the names of packs depend on the absolute path."""
    os.rename(project, tmp_path / "new")
    monkeypatch.chdir(tmp_path / "new")
    before = os.listdir("packed")
    run = RunDirectory(tmp_path / "new/run")
    assert learned_set.find(run) is not None
    assert len(learned_set.open_again(run, run.config()).images) == 48
    assert os.listdir("packed") == before


def test_images_that_were_moved_are_named(project, tmp_path):
    shutil.move(project / "images", tmp_path / "photos")
    shutil.rmtree(project / "packed")
    run = RunDirectory(project / "run")
    with pytest.raises(UserError, match="--data_dir"):
        learned_set.open_again(run, run.config())
    packed = learned_set.open_again(run, run.config(), str(tmp_path / "photos"))
    assert packed.manifest["sha256"] == json.loads(run.data_file.read_text())["sha256"]
    evaluation, _ = evaluate(EvaluateOptions(run="run", num_images=20, data_dir=str(tmp_path / "photos"), output="e"))
    assert str(tmp_path / "photos") in evaluation.about["real"]


def test_other_images_under_the_name_are_reported(project, tmp_path, capsys):
    run = RunDirectory(project / "run")
    os.remove(max(path for path in (project / "images").rglob("*") if path.suffix in (".jpg", ".png")))
    shutil.rmtree(project / "packed")
    assert learned_set.find(run) is None
    packed = learned_set.open_again(run, run.config())
    assert "images no longer holds the images that" in capsys.readouterr().out
    np.testing.assert_array_equal(packed.images, open_packed(run.config()).images)


def test_a_run_of_an_earlier_version_has_no_absolute_paths(project):
    data = json.loads((project / "run/data.json").read_text())
    assert data["data_dir"] == str(project / "images") and data["cache_dir"] == str(project / "packed")
    del data["data_dir"], data["cache_dir"]
    (project / "run/data.json").write_text(json.dumps(data))
    assert learned_set.find(RunDirectory(project / "run")) is not None
    (project / "run/data.json").write_text("{")
    assert learned_set.find(RunDirectory(project / "run")) is None
    assert len(learned_set.open_again(RunDirectory(project / "run"), RunDirectory(project / "run").config()).images)
