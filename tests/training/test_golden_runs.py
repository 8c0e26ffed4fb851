"""A run of each released version is loaded, sampled from and continued (`tests/golden/<version>`, made by it).

`run/` is a run of 3 of its 6 steps (1D:2G twice over: 2 updates of D, 2 of G; mirrored and shifted images, averaged
generator), `images/` its drawn roads, `expected/` what that version made of it: the last checkpoint and the metrics,
and images at step 3. Another machine rounds otherwise, and Adam's first steps make that larger: hence the tolerances.
"""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

import dcgan_tf
from dcgan_tf.training import checkpoints
from dcgan_tf.training.metrics_log import read_metrics
from dcgan_tf.training.run_directory import RunDirectory

GOLDEN = Path(__file__).parents[1] / "golden"
VERSIONS = sorted(path.name for path in GOLDEN.iterdir())


def test_there_is_a_golden_run():
    assert "0.1.0" in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_images_of_a_released_version_are_drawn_again(version):
    gan = dcgan_tf.load(GOLDEN / version / "run")
    with np.load(GOLDEN / version / "expected" / "samples.npz") as wanted:
        for name, raw in (("averaged", False), ("raw", True)):
            difference = gan.generate(4, seed=1, raw=raw).astype(int) - wanted[name]
            assert np.abs(difference).max() <= 1, name  # of 255


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_of_a_released_version_is_continued(version, tmp_path):
    run = Path(shutil.copytree(GOLDEN / version / "run", tmp_path / "run"))
    images = str(GOLDEN / version / "images")
    config = dataclasses.replace(RunDirectory(run).config(), data_dir=images, cache_dir=str(tmp_path / "packed"))
    ended = dcgan_tf.train(config, run)
    assert ended.step == 6
    ours, wanted = (read_metrics(folder / "metrics.csv") for folder in (run, GOLDEN / version / "expected"))
    for name in wanted.keys() - {"time"}:
        np.testing.assert_allclose(ours[name], wanted[name], rtol=2e-3, err_msg=name)
    variables = checkpoints.variables(ended.gan)
    with np.load(GOLDEN / version / "expected" / "step-00000006.npz") as file:
        kept = {name for name in file.files if not name.endswith("/learning_rate")}  # which the config says
        assert kept - {"step"} == variables.keys()
        for name, variable in variables.items():
            error = np.linalg.norm(variable.numpy() - file[name])
            assert error <= 2e-3 * np.linalg.norm(file[name]) + 1e-6, name
