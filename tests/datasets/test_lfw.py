"""The layout of LFW, other files beside it, and the real data set where it is available."""

import os
from pathlib import Path

import pytest

from dcgan_tf.config import Config
from dcgan_tf.datasets import registry
from dcgan_tf.datasets.lfw import find
from dcgan_tf.errors import UserError

SHARED = Path(__file__).parents[3] / "shared" / "data"


def shared():
    """The real data set. It is read in place: real images are never copied into the project."""
    folder = SHARED / "lfw"
    if not folder.is_dir():
        pytest.skip(f"the real photographs of {folder} are not on this machine")
    return folder


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


ALI, BO, JOSE = "Ali_G/Ali_G_0001.jpg", "Bo/Bo_0002.jpg", "José_María/José_María_0010.jpg"


@pytest.mark.parametrize("deeper", ["", "lfw-deepfunneled", "a/b"])
def test_photographs_by_person_wherever_the_archive_was_unpacked(tmp_path, deeper):
    make(tmp_path / deeper, JOSE, BO, ALI, "Bo/Bo_0001.jpg")
    listing = find(tmp_path)
    names = ["Ali_G/Ali_G_0001.jpg", "Bo/Bo_0001.jpg", "Bo/Bo_0002.jpg", JOSE]
    assert [image.name for image in listing.images] == names
    assert [image.person for image in listing.images] == ["Ali_G", "Bo", "Bo", "José_María"]
    assert [Path(image.path) for image in listing.images] == [tmp_path / deeper / name for name in names]
    assert listing.split_by == "person" and not listing.left_out


def test_other_pictures_are_left_out_and_counted(tmp_path):
    others = ["Bo/Ali_G_0001.jpg", "Bo/Bo_1.jpg", "Bo/Bo_00001.jpg", "Bo/mine.JPG", "Bo_0001.jpg", "Bo/._Bo_0002.jpg"]
    make(tmp_path, BO, *others, "people.txt", "lfw.tgz", "Bo/Bo_0003.png")
    listing = find(tmp_path)
    assert [image.name for image in listing.images] == [BO]
    assert listing.left_out == dict.fromkeys(others, "not a Person/Person_NNNN.jpg")


def test_a_broken_link_is_not_a_photograph(tmp_path):
    make(tmp_path, BO)
    os.symlink("nowhere", tmp_path / "Bo/Bo_0003.jpg")
    assert list(find(tmp_path).left_out) == ["Bo/Bo_0003.jpg"]


@pytest.mark.parametrize(
    "names, said",
    [
        ([], "is not a folder"),
        (["readme.txt"], "no Person/Person_NNNN.jpg in"),
        (["Bo/1.jpg"], "no Person/Person_NNNN.jpg in"),
        ([f"lfw/{BO}", f"lfw-deepfunneled/{BO}"], "two sets below .*/lfw and .*/lfw-deepfunneled; choose one with"),
    ],
    ids=["no folder", "nobody", "other names", "two sets"],
)
def test_other_folders_are_user_errors(tmp_path, names, said):
    make(tmp_path / "lfw", *names)
    with pytest.raises(UserError, match=f"^lfw: .*{said}.*--data_dir"):
        registry.find(Config(dataset="lfw", data_dir=str(tmp_path / "lfw")))


def test_the_real_data_set():
    listing = find(shared())
    assert len(listing.images) == 6048 and not listing.left_out
    assert len({image.person for image in listing.images}) == 2469
    assert all(os.path.basename(image.path).startswith(f"{image.person}_") for image in listing.images)
