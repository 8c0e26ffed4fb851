"""Folders of images: deep, mixed, with links, pipes and names that are not valid text."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dcgan_tf.datasets.folder import find
from dcgan_tf.errors import UserError


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(folder, cache="/nowhere"):
    listing = find(folder, Path(cache))
    return [image.name for image in listing.images], listing.left_out


def test_files_at_any_depth_are_sorted_by_folder_and_name(tmp_path):
    make(tmp_path, "b.jpg", "a/2.png", "a/1.png", "a/deep/er/0.gif", "c/0.bmp", "no ending", "a.webp")
    names, left_out = found(tmp_path)
    assert names == ["a.webp", "b.jpg", "no ending", "a/1.png", "a/2.png", "a/deep/er/0.gif", "c/0.bmp"]
    assert left_out == {}


def test_an_image_has_its_name_in_the_set_and_its_path(tmp_path):
    make(tmp_path, "a/1.png")
    (image,) = find(tmp_path, Path("/nowhere")).images
    assert Path(image.path) == tmp_path / "a/1.png"
    assert (image.name, image.angle, image.time) == ("a/1.png", None, None)


def test_hidden_files_and_folders_are_left_out_and_counted(tmp_path):
    make(tmp_path, "1.jpg", ".DS_Store", "a/._2.jpg", ".git/config", "a/.thumbnails/3.jpg")
    names, left_out = found(tmp_path)
    assert names == ["1.jpg"]
    assert left_out == {
        ".DS_Store": "hidden file",
        "a/._2.jpg": "hidden file",
        ".git": "hidden folder",
        "a/.thumbnails": "hidden folder",
    }


def test_our_own_results_are_no_images_of_the_set(tmp_path):
    make(
        tmp_path, "1.jpg", "runs/a/config.json", "runs/a/data.json", "runs/a/samples/s.png", "runs/a/losses.png",
        "runs/a/generated/seed_0.png", "evaluation/x/evaluation.json", "evaluation/x/evaluation.png",
        "out/inpainting.csv", "out/centre/0.png", "b/config.json", "b/2.jpg",
    )  # fmt: skip
    names, left_out = found(tmp_path)
    assert names == ["1.jpg", "b/2.jpg", "b/config.json"]
    assert left_out == {
        "evaluation/x": "folder of an evaluation",
        "out": "folder of filled images",
        "runs/a": "folder of a run",
    }


def test_a_folder_of_our_own_that_is_asked_for_is_the_set(tmp_path):
    """To learn from generated images may be what the user wants."""
    make(tmp_path, "generated/seed_0_0000.png", "config.json", "data.json")
    assert found(tmp_path / "generated")[0] == ["seed_0_0000.png"]
    assert found(tmp_path)[0] == ["config.json", "data.json", "generated/seed_0_0000.png"]


def test_a_folder_named_like_an_image_is_a_folder(tmp_path):
    make(tmp_path, "1.jpg/2.jpg")
    (tmp_path / "empty.jpg").mkdir()
    assert found(tmp_path) == (["1.jpg/2.jpg"], {})


def test_links_are_followed_and_loops_end(tmp_path):
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    make(data, "real/1.jpg")
    make(elsewhere, "2.jpg")
    (data / "linked.jpg").symlink_to(data / "real/1.jpg")
    (data / "z_other").symlink_to(elsewhere)
    (data / "real/up").symlink_to(data)
    (data / "real/here").symlink_to(".")
    (elsewhere / "back").symlink_to(data / "real")
    names, left_out = found(data)
    assert names == ["linked.jpg", "real/1.jpg", "z_other/2.jpg"]
    assert left_out == {}


def test_the_folder_itself_may_be_a_link(tmp_path):
    make(tmp_path / "real", "1.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert found(tmp_path / "link") == (["1.jpg"], {})


def test_pipes_broken_links_and_links_to_themselves_are_left_out(tmp_path):
    make(tmp_path, "1.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would block forever
    (tmp_path / "broken.jpg").symlink_to("gone.jpg")
    (tmp_path / "itself.jpg").symlink_to("itself.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    names, left_out = found(tmp_path)
    assert names == ["1.jpg"]
    assert left_out == dict.fromkeys(["pipe.jpg", "broken.jpg", "itself.jpg", "device.jpg"], "not a regular file")


def test_names_with_newlines_and_invalid_bytes(tmp_path):
    raw = [b"new\nline.jpg", b"latin-\xe9.jpg", b"\xff\xfe.png", "münchen 東京.jpg".encode()]
    for name in raw:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
            pass
    listing = find(tmp_path, Path("/nowhere"))
    assert sorted(os.fsencode(image.name) for image in listing.images) == sorted(raw)
    assert all(os.path.isfile(image.path) for image in listing.images)


@pytest.mark.parametrize("state", ["missing", "a file", "empty", "only hidden"])
def test_a_folder_without_images_is_a_user_error_that_names_it(tmp_path, state):
    folder = tmp_path / "images"
    if state == "a file":
        folder.write_bytes(b"")
    elif state != "missing":
        folder.mkdir()
    if state == "only hidden":
        make(folder, ".hidden.jpg")
    with pytest.raises(UserError) as error:
        find(folder, Path("/nowhere"))
    assert str(folder) in str(error.value) and "--data_dir" in str(error.value)


def test_the_cache_is_not_part_of_the_images(tmp_path):
    make(tmp_path, "1.jpg", "data/packed/folder-64px-0.npy", "data/2.jpg")
    names, left_out = found(tmp_path, tmp_path / "data" / ".." / "data" / "packed")
    assert (names, left_out) == (["1.jpg", "data/2.jpg"], {})


def test_the_cache_may_not_be_the_folder_of_the_images(tmp_path):
    make(tmp_path, "1.jpg")
    with pytest.raises(UserError, match=r"^--cache_dir="):
        find(tmp_path, tmp_path / ".")


AS_NOBODY = """
import os, sys
from pathlib import Path
from dcgan_tf.datasets.folder import find
if os.geteuid() == 0:
    os.seteuid(65534)
listing = find(Path(sys.argv[1]), Path("/nowhere"))
print([image.name for image in listing.images], listing.left_out)
"""


def test_a_folder_that_may_not_be_read_is_left_out_and_said():
    with tempfile.TemporaryDirectory() as place:  # only its owner may enter tmp_path
        folder = Path(place)
        make(folder, "1.jpg", "locked/2.jpg")
        folder.chmod(0o755)
        (folder / "locked").chmod(0)
        try:
            done = subprocess.run([sys.executable, "-c", AS_NOBODY, place], capture_output=True, text=True, check=True)
        finally:
            (folder / "locked").chmod(0o755)
    assert done.stdout == "['1.jpg'] {'locked': 'folder that may not be read'}\n"
