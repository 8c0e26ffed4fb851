"""What the tests of the commands share: a folder of images, and one run that nothing disturbed."""

import pytest

from tests.e2e import commands

IMAGES, BATCH, STEPS = 400, 8, 240  # 50 steps an epoch, so that the run ends in its fifth
EVERY = [
    "--checkpoint_every=20",
    "--sample_every=30",
    "--histogram_every=60",
    "--keep_every_epochs=2",
    "--evaluate_every=70",
]


class Workshop:
    """A folder with images, and the command line of a tiny run on them."""

    def __init__(self, path):
        self.path = path
        self.images = commands.make_images(path / "images", IMAGES)

    def args(self, *more: str) -> list[str]:
        data = ["--dataset=folder", f"--data_dir={self.images}", f"--cache_dir={self.path / 'packed'}"]
        return [*data, "--held_out=0", *commands.TINY, "--ema=0.9", f"--max_steps={STEPS}", *EVERY, *more]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    return Workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="session")
def undisturbed(workshop):
    """The finished run's folder, and what the command said."""
    folder = workshop.path / "undisturbed"
    end = commands.run("train", *workshop.args(f"--run_dir={folder}"), cwd=workshop.path)
    assert end.returncode == 0, end.stderr
    return folder, end
