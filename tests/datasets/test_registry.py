"""Data sets by name."""

from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from dcgan_tf.config import Config, Dataset
from dcgan_tf.datasets import registry
from dcgan_tf.errors import UserError


def make(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (8, 8)).save(folder / name)
    (folder / "data.txt").write_text("".join(f"{name} {number}\n" for number, name in enumerate(names)))


@pytest.mark.parametrize("dataset, angles", [("sully_chen", [0.0, 1.0]), ("folder", [None, None, None])])
def test_sully_chen_has_angles_and_a_folder_all_its_files(tmp_path, dataset, angles):
    make(tmp_path, "b.png", "a.png")
    listing = registry.find(Config(dataset=dataset, data_dir=str(tmp_path)))
    assert [image.angle for image in listing.images] == angles
    names = ["b.png", "a.png"] if dataset == "sully_chen" else ["a.png", "b.png", "data.txt"]
    assert [image.name for image in listing.images] == names


def test_every_data_set_has_its_own_default_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for dataset in get_args(Dataset):
        (tmp_path / "data" / dataset / dataset).mkdir(parents=True)
        name = f"{dataset}/{dataset}_0001.jpg"
        make(tmp_path / "data" / dataset, name)
        images = registry.find(Config(dataset=dataset)).images
        assert name in [image.name for image in images]


def test_synthetic_road_is_drawn_once(tmp_path):
    config = Config(dataset="synthetic_road", data_dir=str(tmp_path / "roads"), num_images=2)
    images = registry.find(config).images
    assert len(images) == 2 and all(image.angle is not None and image.time for image in images)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "roads").iterdir()}
    assert registry.find(config).images == images
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "roads").iterdir()} == before


def test_another_number_of_frames_than_drawn_is_a_user_error(tmp_path):
    make(tmp_path, "0.png", "1.png")
    config = dict(dataset="synthetic_road", data_dir=str(tmp_path))
    assert len(registry.find(Config(**config)).images) == 2  # 0: any number
    assert len(registry.find(Config(**config, num_images=2)).images) == 2
    with pytest.raises(UserError, match="holds 2 frames, not --num_images=3"):
        registry.find(Config(**config, num_images=3))


def test_a_folder_of_other_files_where_the_roads_should_be_is_a_user_error(tmp_path):
    Path(tmp_path, "notes.md").write_text("mine")
    with pytest.raises(UserError) as error:
        registry.find(Config(dataset="synthetic_road", data_dir=str(tmp_path), num_images=2))
    assert str(tmp_path) in str(error.value) and "sully_chen" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.md"]
