"""`data.txt` in both formats, complete and damaged; the real one where it is available."""

import os
import shutil
from pathlib import Path

import pytest

from dcgan_tf.datasets.sully_chen import find, parse, parse_time
from dcgan_tf.errors import UserError

SHARED = Path(__file__).parents[3] / "shared" / "data"


def shared(name):
    """The real data set. It is read in place: real images are never copied into the project."""
    folder = SHARED / name
    if not (folder / "data.txt").is_file():
        pytest.skip(f"the real frames of {folder} are not on this machine")
    return folder


def make(folder, text, *names):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def listed(folder):
    return [(image.name, image.angle, image.time) for image in find(folder).images]


# The lines


def test_the_format_of_2017(tmp_path):
    make(tmp_path, "0.jpg 0.000000\n1.jpg -12.5\n2.jpg 3.1e1\n")
    assert parse(tmp_path / "data.txt") == [("0.jpg", 0.0, None), ("1.jpg", -12.5, None), ("2.jpg", 31.0, None)]


def test_the_format_of_2018(tmp_path):
    make(tmp_path, "0.jpg 0.000000,2018-07-01 17:09:44:912\n63824.jpg -11.290000,2018-07-01 18:05:36:610\n")
    assert parse(tmp_path / "data.txt") == [
        ("0.jpg", 0.0, "2018-07-01T17:09:44.912"),
        ("63824.jpg", -11.29, "2018-07-01T18:05:36.610"),
    ]


@pytest.mark.parametrize(
    "text, seconds", [("0", "45.000"), ("7", "45.007"), ("11", "45.011"), ("011", "45.011"), ("110", "45.110")]
)
def test_milliseconds_are_a_number_not_a_fraction(text, seconds):
    assert parse_time(f"2018-07-01 17:09:45:{text}") == f"2018-07-01T17:09:{seconds}"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_ending_with_or_without_the_last_and_empty_lines(tmp_path, end):
    make(tmp_path, end.join(["0.jpg 1", "", "  ", "1.jpg 2,2018-07-01 17:09:45:11"]))
    expected = [("0.jpg", 1.0, None), ("1.jpg", 2.0, "2018-07-01T17:09:45.011")]
    assert parse(tmp_path / "data.txt") == expected
    make(tmp_path, end.join(["0.jpg 1", "1.jpg 2,2018-07-01 17:09:45:11", ""]))
    assert parse(tmp_path / "data.txt") == expected


def test_a_byte_order_mark_and_names_that_are_not_ascii(tmp_path):
    make(tmp_path, b"\xef\xbb\xbf" + "straße.jpg 1\n東京.jpg 2\n".encode())
    assert [row[0] for row in parse(tmp_path / "data.txt")] == ["straße.jpg", "東京.jpg"]


@pytest.mark.parametrize(
    "line, why",
    [
        ("1.jpg", "expected 'NAME.jpg ANGLE'"),
        ("1.jpg\t0.5", "expected 'NAME.jpg ANGLE'"),
        ("1.jpg ,2018-07-01 17:09:45:11", "expected 'NAME.jpg ANGLE'"),
        ("1.jpg left", "'left' is not an angle"),
        ("1.jpg nan", "'nan' is not an angle"),
        ("1.jpg 1e999", "'1e999' is not an angle"),
        ("1.jpg 0.5 0.6", "'0.5 0.6' is not an angle"),
        ("1.jpg 0.5,", "'' is not a time"),
        ("1.jpg 0.5,yesterday", "'yesterday' is not a time"),
        ("1.jpg 0.5,2018-07-01 17:09:45", "is not a time"),
        ("1.jpg 0.5,2018-02-30 17:09:45:11", "is not a time"),
        ("1.jpg 0.5,2018-07-01 17:09:45:1100", "is not a time"),
        ("0.jpg 0.5", "listed before"),
        ("./0.jpg 0.5", "listed before"),
        (". 0.5", "not the name of a file"),
        ("../1.jpg 0.5", "leads out of the folder"),
        ("a/../../1.jpg 0.5", "leads out of the folder"),
        ("/etc/passwd 0.5", "leads out of the folder"),
        ("..\\1.jpg 0.5", "leads out of the folder"),
        ("1\0.jpg 0.5", "leads out of the folder"),
        (b"1\xe9.jpg 0.5", "not UTF-8"),
    ],
)
def test_a_malformed_line_is_named_by_its_number(tmp_path, line, why):
    line = line if isinstance(line, bytes) else line.encode()
    make(tmp_path, b"0.jpg 1\n\n" + line + b"\n2.jpg 3\n", "0.jpg")
    with pytest.raises(UserError) as error:
        find(tmp_path)
    message = str(error.value)
    assert f"{tmp_path}/data.txt, line 3: " in message and why in message
    assert "\n" not in message and "\0" not in message


def test_text_in_utf_16_is_refused(tmp_path):
    make(tmp_path, "0.jpg 1\n".encode("utf-16"))
    with pytest.raises(UserError, match="line 1: not UTF-8"):
        find(tmp_path)


@pytest.mark.parametrize("text", ["", "\n\n", "  \r\n"])
def test_an_empty_list_is_refused(tmp_path, text):
    make(tmp_path, text, "0.jpg")
    with pytest.raises(UserError, match="lists no images"):
        find(tmp_path)


# The folder of the frames


@pytest.mark.parametrize("below", ["", "data", "a/b/c"])
@pytest.mark.parametrize("index_below", ["", "driving_dataset", "x/y"])
def test_frames_beside_the_list_or_below_it(tmp_path, below, index_below):
    index = tmp_path / index_below
    make(index, "0.jpg 1\n1.jpg 2\n", os.path.join(below, "0.jpg"), os.path.join(below, "1.jpg"))
    images = find(tmp_path).images
    assert [Path(image.path) for image in images] == [index / below / "0.jpg", index / below / "1.jpg"]


def test_names_may_lead_into_folders(tmp_path):
    make(tmp_path, "night/0.jpg 1\nday/0.jpg 2\n", "set/night/0.jpg", "set/day/0.jpg")
    assert [Path(image.path) for image in find(tmp_path).images] == [
        tmp_path / "set/night/0.jpg",
        tmp_path / "set/day/0.jpg",
    ]


def test_the_folder_with_most_of_the_frames_is_used(tmp_path):
    make(tmp_path, "0.jpg 1\n1.jpg 2\n2.jpg 3\n", "0.jpg", "data/0.jpg", "data/1.jpg", "data/2.jpg", "other/1.jpg")
    assert {Path(image.path).parent for image in find(tmp_path).images} == {tmp_path / "data"}


def test_in_a_tie_the_folder_of_the_list_is_used_or_else_the_first_by_name(tmp_path):
    make(tmp_path / "one", "0.jpg 1\n", "0.jpg", "data/0.jpg")
    assert Path(find(tmp_path / "one").images[0].path) == tmp_path / "one/0.jpg"
    make(tmp_path / "two", "0.jpg 1\n", *(f"{name}/0.jpg" for name in "hfbdgaec"))
    assert Path(find(tmp_path / "two").images[0].path) == tmp_path / "two/a/0.jpg"


def test_frames_on_another_disk_behind_a_link(tmp_path):
    make(tmp_path / "set", "0.jpg 1\n")
    make(tmp_path / "disk", "", "0.jpg")
    (tmp_path / "disk/data.txt").unlink()
    (tmp_path / "set/data").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/back").symlink_to(tmp_path / "set")
    assert listed(tmp_path / "set") == [("0.jpg", 1.0, None)]


def test_the_nearest_list_is_used_and_two_equally_near_are_refused(tmp_path):
    make(tmp_path / "old/er", "9.jpg 1\n", "9.jpg")
    make(tmp_path / "a", "0.jpg 1\n", "0.jpg")
    assert listed(tmp_path) == [("0.jpg", 1.0, None)]
    make(tmp_path / "b", "0.jpg 1\n", "0.jpg")
    with pytest.raises(UserError) as error:
        find(tmp_path)
    assert str(tmp_path / "a/data.txt") in str(error.value) and str(tmp_path / "b/data.txt") in str(error.value)


def test_missing_frames_are_counted_and_the_others_keep_their_labels_and_order(tmp_path):
    make(tmp_path, "3.jpg 30\n1.jpg 10\n2.jpg 20\n0.jpg 0\n", "0.jpg", "3.jpg")
    (tmp_path / "1.jpg").mkdir()
    (tmp_path / "2.jpg").symlink_to("gone.jpg")
    listing = find(tmp_path)
    assert [(image.name, image.angle) for image in listing.images] == [("3.jpg", 30.0), ("0.jpg", 0.0)]
    assert listing.left_out == {"1.jpg": "missing", "2.jpg": "missing"}


def test_a_name_too_long_for_the_disk_is_missing(tmp_path):
    make(tmp_path, f"0.jpg 1\n{'x' * 300}.jpg 2\n", "0.jpg")
    assert list(find(tmp_path).left_out.values()) == ["missing"]


def test_a_list_without_any_of_its_frames_is_a_user_error(tmp_path):
    make(tmp_path, "0.jpg 1\n1.jpg 2\n")
    with pytest.raises(UserError, match=r"data.txt lists 2 files, and none of them is beside or below it"):
        find(tmp_path)


@pytest.mark.parametrize("state", ["missing", "a file", "empty", "a folder of that name"])
def test_a_folder_without_list_is_a_user_error_that_says_how_to_get_one(tmp_path, state):
    folder = tmp_path / "set"
    if state == "a file":
        folder.write_bytes(b"")
    elif state != "missing":
        (folder / ("data.txt" if state == "a folder of that name" else "")).mkdir(parents=True)
    with pytest.raises(UserError, match=r"no data.txt in .*prepare --dataset=sully_chen --download"):
        find(folder)


# The real data sets


def test_the_real_list_of_2018():
    folder = shared("sully_chen_sample")
    rows = parse(folder / "data.txt")
    assert [row[0] for row in rows] == [f"{n}.jpg" for n in range(63_825)]
    assert rows[2] == ("2.jpg", 0.0, "2018-07-01T17:09:45.011")
    assert rows[-1] == ("63824.jpg", -11.29, "2018-07-01T18:05:36.610")
    times = [row[2] for row in rows]
    assert times == sorted(times)  # one drive; it would not be sorted if :11 were 110 ms


def test_an_incomplete_download_of_the_real_set():
    folder = shared("sully_chen_sample")
    listing = find(folder)
    frames = sorted(int(path.stem) for path in folder.glob("*.jpg"))
    assert [image.name for image in listing.images] == [f"{n}.jpg" for n in frames]
    assert len(listing.left_out) == 63_825 - len(frames) and set(listing.left_out.values()) == {"missing"}


def test_the_set_of_the_driving_simulator_in_the_format_of_2017():
    folder = shared("driving_sim")
    listing = find(folder)
    lines = [line.split() for line in (folder / "data.txt").read_text().splitlines()]
    assert [(image.name, image.angle, image.time) for image in listing.images] == [
        (name, float(angle), None) for name, angle in lines
    ]
    assert len(listing.images) == 4400 and not listing.left_out


def test_a_list_of_the_real_size_below_the_data_folder(tmp_path):
    # Names and layout as in the archive: driving_dataset/data.txt, frames in driving_dataset/data.
    make(tmp_path / "driving_dataset", "".join(f"{n}.jpg 0.5\n" for n in range(63_825)), "data/5.jpg", "data/63824.jpg")
    listing = find(tmp_path)
    assert [image.name for image in listing.images] == ["5.jpg", "63824.jpg"]
    assert len(listing.left_out) == 63_823
    shutil.rmtree(tmp_path / "driving_dataset")
