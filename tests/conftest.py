"""The tiers of the tests, and a tiny run, trained once; tests that change something work on a copy."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import dcgan_tf
from tests.e2e.commands import make_images

STEPS = 12  # 6 an epoch
TESTS = Path(__file__).parent
# Tiers by folder or file: `make test` runs what has none of these markers.
TIERS = {"e2e/test_faults.py": "faults", "experiments/faults": "faults", "e2e": "e2e", "experiments": "studies"}
FAST_STUDIES = ("experiments/framework", "experiments/reproduction")


def pytest_collection_modifyitems(items):
    """Mark each test with the tier of its folder."""
    for item in items:
        path = item.path.relative_to(TESTS).as_posix()
        if not path.startswith(FAST_STUDIES):
            for place, tier in TIERS.items():
                if path.startswith(place):
                    item.add_marker(tier)
                    break
        if "browser" in item.fixturenames:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    make_images(folder / "images", 48)
    return dcgan_tf.preset(
        "article", dataset="folder", data_dir=str(folder / "images"), cache_dir=str(folder / "packed"), image_size=32,
        held_out=0, g_width=4, d_width=4, latent_dim=8, batch_size=8, sample_grid="2x3", ema=0.5, learning_rate=0.01,
        max_steps=STEPS, checkpoint_every=4, keep_checkpoints=9, evaluate_every=0,
    )  # fmt: skip


@pytest.fixture(scope="session")
def trained(tiny_config, tmp_path_factory) -> Path:
    """The folder of a run of 12 steps, with the checkpoints 4, 6, 8 and 12. Not to be written to."""
    return dcgan_tf.train(tiny_config, tmp_path_factory.mktemp("runs") / "trained").directory.path


@pytest.fixture(scope="session")
def trained_on(trained, tiny_config) -> Path:
    """The same, taken further to 18 steps without anything between. Not to be written to."""
    folder = trained.with_name("trained_on")
    return dcgan_tf.train(replace(tiny_config, max_steps=18), folder).directory.path


@pytest.fixture
def run_copy(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))
