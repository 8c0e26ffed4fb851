"""Evaluations of runs and of folders: which images are compared, how many, and what is written."""

import csv
import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dcgan_tf
from dcgan_tf.datasets.packing import find_packed, open_packed
from dcgan_tf.errors import UserError
from dcgan_tf.evaluation.evaluate import evaluate
from dcgan_tf.evaluation.options import EvaluateOptions
from dcgan_tf.evaluation.sets import draw_rows, spool_rows, write_images
from dcgan_tf.metrics.features import FaultFeatures, extract
from dcgan_tf.metrics.frechet import frechet_distance
from dcgan_tf.metrics.inception import InceptionFeatures
from dcgan_tf.metrics.kernel import mmd2
from dcgan_tf.metrics.results import METRICS
from tests.e2e.commands import make_images
from tests.metrics.test_inception import small_graph


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # two folders are packed into data/packed


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """260 pictures: 234 to train on and 26 held out."""
    return make_images(tmp_path_factory.mktemp("photographs") / "all", 260)


@pytest.fixture(scope="module")
def run_with_held_out(photographs, tiny_config, tmp_path_factory):
    config = replace(tiny_config, data_dir=str(photographs), held_out=0.1, max_steps=4)
    return dcgan_tf.train(config, tmp_path_factory.mktemp("runs") / "held_out").directory.path


def saved(folder, images):
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:04d}.png")
    return str(folder)


def test_a_run_is_compared_with_its_set_and_with_the_held_out_images(run_with_held_out, tmp_path):
    evaluation, written = evaluate(EvaluateOptions(run=str(run_with_held_out), num_images=100, seed=3))
    assert [(c.what, c.count) for c in evaluation.columns] == [("generated", 100), ("generated", 26), ("held out", 26)]
    folder = run_with_held_out / "evaluation" / "step-4"
    assert written == [folder / "evaluation.json", folder / "evaluation.csv", folder / "evaluation.png"]

    content = json.loads(written[0].read_text())
    assert content["step"] == 4 and content["seed"] == 3 and content["run"] == str(run_with_held_out)
    without_inception = METRICS.keys() - {"fid", "kid"}
    assert all(set(column["metrics"]) == without_inception for column in content["columns"])
    assert content["columns"][2]["metrics"]["copying"]["value"] == 0.5  # unseen images against themselves
    with open(written[1], newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(without_inception)
    by_key = {(row["metric"], row["images"], int(row["n"])): float(row["value"]) for row in rows}
    for column in content["columns"]:
        for name, m in column["metrics"].items():
            assert by_key[name, column["what"], column["count"]] == pytest.approx(m["value"], rel=1e-6)
    with Image.open(written[2]) as page:
        assert page.width > 1000 and len(np.unique(np.asarray(page))) > 50  # not blank

    # The distance, computed here from the generator and the packed set.
    gan = dcgan_tf.load(run_with_held_out)
    network = FaultFeatures()
    fakes = extract(network, gan.generate(100, seed=3))
    np.testing.assert_array_equal(evaluation.fakes, gan.generate(100, seed=3))
    packed = find_packed(gan.config).images
    chosen = draw_rows(234, 100, 3)
    assert content["columns"][0]["metrics"]["frechet"]["value"] == pytest.approx(
        frechet_distance(extract(network, packed[:234][chosen]), fakes), rel=1e-6
    )


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers_and_another_one_others(run_with_held_out):
    def values(seed):
        columns = evaluate(EvaluateOptions(run=str(run_with_held_out), num_images=40, seed=seed, output="out"))[
            0
        ].columns
        return [{name: m.value for name, m in c.metrics.items()} for c in columns]

    first = values(0)
    assert values(0) == first and values(1) != first


def test_real_images_as_fakes_are_found_perfect_copies(photographs, tmp_path):
    """The real set is split. Its training part, passed as fakes, consists of copies."""
    config = dcgan_tf.preset("article", dataset="folder", data_dir=str(photographs), image_size=32)
    fakes = saved(tmp_path / "copies", open_packed(config).training)
    evaluation, _ = evaluate(
        EvaluateOptions(real=str(photographs), fake=fakes, num_images=234, image_size=32, output="out")
    )
    found = evaluation.columns[0]
    assert (found.what, found.count) == ("measured", 234)
    assert found.metrics["frechet"].value == pytest.approx(0, abs=1e-3)
    assert found.metrics["precision"].value == found.metrics["recall"].value == found.metrics["coverage"].value == 1.0
    assert found.metrics["copying"].value == 1.0
    assert not evaluation.fakes_nearest.distance.any()
    np.testing.assert_array_equal(evaluation.training[evaluation.fakes_nearest.index], evaluation.fakes)


def test_noise_is_worse_than_other_photographs(photographs, tmp_path):
    others = str(make_images(tmp_path / "others", 60, seed=9))
    noise = saved(tmp_path / "noise", np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), np.uint8))
    of = {
        name: evaluate(
            EvaluateOptions(real=str(photographs), fake=folder, num_images=60, image_size=32, output=f"out/{name}")
        )[0]
        for name, folder in (("others", others), ("noise", noise))
    }
    others, noise = (of[name].columns[0].metrics for name in ("others", "noise"))
    for name in ("sliced_wasserstein", "frechet", "kernel"):
        assert noise[name].value > 3 * others[name].value
    for name in ("precision", "recall", "density", "coverage"):
        assert noise[name].value < others[name].value


def test_inception_features_give_fid_and_kid(trained, tmp_path, capsys):
    """With a small graph that has the names of the original one, through the same code from the flag to the table."""
    weights = tmp_path / "classify_image_graph_def.pb"
    weights.write_bytes(small_graph().SerializeToString())
    evaluation, _ = evaluate(EvaluateOptions(run=str(trained), num_images=48, inception=str(weights), output="out"))
    content = json.loads(Path("out/evaluation.json").read_text())
    assert content["inception_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    network = InceptionFeatures(weights)
    config = dcgan_tf.load(trained).config
    seen = [network(np.asarray(images)) for images in (find_packed(config).training, evaluation.fakes)]
    found = evaluation.columns[0].metrics
    assert found["fid"].value == pytest.approx(frechet_distance(*seen), rel=1e-4)
    assert found["kid"].value == pytest.approx(1e3 * mmd2(*seen), rel=1e-3)
    assert "FID, Inception-2015" in evaluation.table()


def test_without_held_out_images_there_is_no_column_of_them_and_this_is_reported(trained, capsys):
    evaluation, _ = evaluate(EvaluateOptions(run=str(trained), num_images=40, output="out"))
    assert [c.what for c in evaluation.columns] == ["generated"] and "copying" not in evaluation.columns[0].metrics
    assert "0 real images were held out" in capsys.readouterr().out
    assert evaluation.table().splitlines()[2].startswith("sliced Wasserstein")


def test_fewer_images_than_requested_are_reported(trained, capsys):
    evaluation, _ = evaluate(EvaluateOptions(run=str(trained), num_images=1000, output="out"))
    assert evaluation.columns[0].count == 48
    assert "48 images of each are compared, not 1,000" in capsys.readouterr().out


def test_a_changed_data_set_is_reported(run_copy, capsys):
    data = json.loads((run_copy / "data.json").read_text())
    (run_copy / "data.json").write_text(json.dumps(data | {"sha256": "0" * 64}))
    evaluate(EvaluateOptions(run=str(run_copy), num_images=20, output="out"))
    assert "no longer holds the images" in capsys.readouterr().out


def test_a_checkpoint_is_chosen_by_its_steps(trained):
    evaluation, written = evaluate(EvaluateOptions(run=str(trained), checkpoint="8", num_images=20))
    assert evaluation.about["step"] == 8 and written[0].parent.name == "step-8"
    shutil.rmtree(trained / "evaluation")
    with pytest.raises(UserError, match="--checkpoint=5"):
        evaluate(EvaluateOptions(run=str(trained), checkpoint="5"))


def test_many_images_stay_in_a_file(tmp_path):
    parts = [np.full((3, 4, 4, 1), i, np.uint8) for i in range(5)]
    images = write_images(tmp_path / "spool", iter(parts), (4, 4, 1))
    assert isinstance(images, np.memmap) and images.shape == (15, 4, 4, 1)
    np.testing.assert_array_equal(images, np.concatenate(parts))
    assert os.path.getsize(tmp_path / "spool") == 15 * 16


def test_the_first_rows_of_a_spooled_sample_are_a_random_sample(tmp_path):
    """They are in the order drawn, not in that of the set, where the first 50 of 450 are the start of a drive."""
    images = np.arange(2000, dtype=np.uint16).view(np.uint8).reshape(2000, 1, 2, 1)
    rows = draw_rows(2000, 450, seed=5)
    found = np.array(spool_rows(tmp_path / "spool", images, rows)).reshape(-1, 2).view(np.uint16).ravel()
    np.testing.assert_array_equal(found, rows)
    np.testing.assert_array_equal(draw_rows(2000, 50, seed=5), rows[:50])


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"num_images": 19}, "--num_images=19: it must be at least 20"),
        ({"seed": -1}, "--seed=-1"),
        ({"real": "nowhere"}, "--real=nowhere: not a folder"),
        ({"fake": "nowhere"}, "--fake=nowhere: not a folder"),
        ({"image_size": 32}, "--image_size=32: it needs both --real and --fake"),
    ],
)
def test_wrong_options_are_refused(wrong, sentence):
    with pytest.raises(UserError, match=sentence):
        EvaluateOptions(**wrong)


def test_sets_that_cannot_be_measured_are_refused(trained, photographs, tmp_path):
    few = str(make_images(tmp_path / "few", 19))
    with pytest.raises(UserError, match="and 19 others: at least 20"):
        evaluate(EvaluateOptions(real=str(photographs), fake=few, image_size=32, output="out"))
    with pytest.raises(UserError, match="no run in runs"):
        evaluate(EvaluateOptions())
    with pytest.raises(UserError, match="--image_size=50"):
        evaluate(EvaluateOptions(real=str(photographs), fake=few, image_size=50, output="out"))
    with pytest.raises(UserError, match="weights.pb"):
        evaluate(EvaluateOptions(run=str(trained), inception=str(tmp_path / "weights.pb"), output="out"))
    assert not os.path.exists("out")
