"""From the URL of an archive to a packed, described data set; the server is local."""

import contextlib
import hashlib
import io
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from dcgan_tf.config import Config
from dcgan_tf.datasets import preparing
from dcgan_tf.datasets.options import PrepareOptions
from dcgan_tf.datasets.packing import open_packed
from dcgan_tf.errors import UserError


def colour(number):
    return number % 16 * 16, number // 16 * 16, 128


def make_set(folder, count, side=20):
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (side, side), colour(number)).save(folder / f"{number:03d}.png")


def packed_folder(tmp_path, count):
    make_set(tmp_path / "images", count)
    config = Config(
        dataset="folder", data_dir=str(tmp_path / "images"), cache_dir=str(tmp_path / "cache"), image_size=32
    )
    return open_packed(config)


@contextlib.contextmanager
def serving(folder):
    """Serve `folder`; yields the address and the list of requested paths."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def driving_archive(path, count):
    """A zip in the layout of Sully Chen's set of 2018; frame n has colour(n) and the angle -n."""
    lines = []
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            frame = io.BytesIO()
            Image.new("RGB", (455, 256), colour(number)).save(frame, "JPEG", quality=95)
            archive.writestr(f"driving_dataset/data/{number}.jpg", frame.getvalue())
            lines.append(f"{number}.jpg {-number:.6f},2018-07-01 17:09:{number:02d}:{number}\r\n")
        archive.writestr("driving_dataset/data.txt", "".join(lines))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def driving_config(tmp_path):
    return Config(data_dir=str(tmp_path / "data/sully_chen"), cache_dir=str(tmp_path / "cache"))


def test_an_archive_from_a_server_becomes_a_packed_set(tmp_path, capsys):
    (tmp_path / "web").mkdir()
    sha256 = driving_archive(tmp_path / "web/set.zip", 20)
    config = driving_config(tmp_path)
    with serving(tmp_path / "web") as (address, asked):
        folder = preparing.download(config, url=f"{address}/set.zip", sha256=sha256)
        assert folder == tmp_path / "data/sully_chen"
        requests = len(asked)
        assert preparing.download(config, url=f"{address}/set.zip") == folder
        assert len(asked) == requests == 1
    assert "nothing to download" in capsys.readouterr().out
    packed = open_packed(config)
    assert packed.images.shape == (20, 64, 64, 3) and not packed.manifest["left_out"]
    for number, image in enumerate(packed.manifest["images"]):
        assert image == {
            "name": f"{number}.jpg",
            "angle": float(-number),
            "time": f"2018-07-01T17:09:{number:02d}.{number:03d}",
        }
    expected = np.array([colour(number) for number in range(20)])[:, None, None]
    np.testing.assert_allclose(packed.images.astype(int) - expected, 0, atol=4)


def test_an_archive_of_another_hash_is_refused_and_not_unpacked(tmp_path):
    (tmp_path / "web").mkdir()
    driving_archive(tmp_path / "web/set.zip", 2)
    with serving(tmp_path / "web") as (address, _), pytest.raises(UserError, match="sha256"):
        preparing.download(driving_config(tmp_path), url=f"{address}/set.zip", sha256="0" * 64)
    assert not (tmp_path / "data/sully_chen").exists()


def test_faces_from_a_server(tmp_path):
    (tmp_path / "web").mkdir()
    with tarfile.open(tmp_path / "web/lfw-deepfunneled.tgz", "w:gz") as archive:
        for person in ("Ann_Lee", "Bo"):
            face = io.BytesIO()
            Image.new("RGB", (250, 250), "gray").save(face, "JPEG")
            member = tarfile.TarInfo(f"lfw/{person}/{person}_0001.jpg")
            member.size = face.tell()
            face.seek(0)
            archive.addfile(member, face)
    config = Config(dataset="lfw", data_dir=str(tmp_path / "data/lfw"), cache_dir=str(tmp_path / "cache"), held_out=0)
    with serving(tmp_path / "web") as (address, asked):
        preparing.download(config, url=f"{address}/lfw-deepfunneled.tgz")
        preparing.download(config, url=f"{address}/lfw-deepfunneled.tgz")
        assert len(asked) == 1
    names = [image["name"] for image in open_packed(config).manifest["images"]]
    assert names == ["Ann_Lee/Ann_Lee_0001.jpg", "Bo/Bo_0001.jpg"]


def test_the_known_archive_of_faces_is_checked(tmp_path, monkeypatch):
    (tmp_path / "web").mkdir()
    (tmp_path / "web/lfw.tgz").write_bytes(b"not LFW")
    with serving(tmp_path / "web") as (address, _):
        monkeypatch.setattr(preparing, "LFW", f"{address}/lfw.tgz")
        with pytest.raises(UserError, match=r"sha256 .* instead of b47c8422"):
            preparing.download(Config(dataset="lfw", data_dir=str(tmp_path / "data/lfw")))
    assert not (tmp_path / "data/lfw").exists()


@pytest.mark.parametrize("state", ["other files", "a file"])
def test_a_folder_in_use_is_refused_before_the_download(tmp_path, state):
    (tmp_path / "web").mkdir()
    driving_archive(tmp_path / "web/set.zip", 2)
    place = tmp_path / "data/sully_chen"
    place.parent.mkdir()
    if state == "a file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "notes.md").write_text("mine")
    with serving(tmp_path / "web") as (address, asked):
        with pytest.raises(UserError, match=r"is in use but holds no data.txt"):
            preparing.download(driving_config(tmp_path), url=f"{address}/set.zip")
        assert not asked


def test_the_working_directory_may_hold_the_set(tmp_path, monkeypatch):
    (tmp_path / "web").mkdir()
    driving_archive(tmp_path / "web/set.zip", 2)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with serving(tmp_path / "web") as (address, _):
        preparing.download(Config(data_dir="."), url=f"{address}/set.zip")
    assert (tmp_path / "here/driving_dataset/data.txt").is_file()


def test_what_cannot_be_downloaded_is_a_user_error(tmp_path):
    config = Config(dataset="folder", data_dir=str(tmp_path / "set"))
    with pytest.raises(UserError, match="folder is not downloaded"):
        preparing.download(config, url="http://127.0.0.1:9/none.zip")
    with pytest.raises(UserError, match="--year=2019: unknown; it can be 2018 or 2017"):
        PrepareOptions(year="2019")


# Descriptions and samples


def test_a_description_gives_numbers_angles_times_and_what_is_left_out(tmp_path):
    images = tmp_path / "images"
    make_set(images, 101, side=110)
    lines = [f"{n:03d}.png {n - 50},2018-07-01 17:{n // 60:02d}:{n % 60:02d}:7\n" for n in range(101)]
    (images / "data.txt").write_text("".join(lines) + "".join(f"gone{n}.png 999\n" for n in range(7)) + "bad.png 999\n")
    (images / "bad.png").write_bytes(b"")
    config = Config(data_dir=str(images), cache_dir=str(tmp_path / "cache"))
    text = preparing.describe(open_packed(config))
    assert "sully_chen: 101 images, 9 of them held out (left out: 7 missing, 1 empty file)" in text
    assert f"from {images}\n" in text
    assert "as 64x64x3, crop 108" in text
    assert "(1.2 MB)" in text  # 101 * 64 * 64 * 3 = 1,241,088
    # Of the 102 frames, the last 10 are to be held out, and bad.png is one of them.
    assert "held out, split by time block: the last 9\n" in text
    # The quartiles of -50, -49, ..., 50
    assert "-50.0 to 50.0 degrees, half of them between -25.0 and 25.0, median 0.0" in text
    assert "from 2018-07-01T17:00:00.007 to 2018-07-01T17:01:40.007" in text
    assert "left out, missing: 7 ('gone0.png', 'gone1.png', 'gone2.png', 'gone3.png', 'gone4.png', ...)" in text
    assert "left out, empty file: 1 ('bad.png')" in text


def test_a_folder_is_described_without_angles_and_times(tmp_path):
    text = preparing.describe(packed_folder(tmp_path, 3))
    assert "folder: 3 images" in text
    assert "angle" not in text and "taken" not in text and "left out" not in text


def cells(path, rows, columns, size=32, gap=2):
    """Cut a grid into its images: [rows * columns, size, size, 3]."""
    with Image.open(path) as image:
        sheet = np.asarray(image)
    pitch = size + gap
    assert sheet.shape == (rows * pitch - gap, columns * pitch - gap, 3)
    return np.stack(
        [sheet[r * pitch : r * pitch + size, c * pitch : c * pitch + size] for r in range(rows) for c in range(columns)]
    )


def test_random_samples_are_real_images_without_repetition(tmp_path):
    packed = packed_folder(tmp_path, 40)
    every = {colour(number) for number in range(40)}
    chosen = []
    for seed in range(3):
        preparing.save_random_samples(packed, tmp_path / "samples.png", 4, 5, seed)
        shown = cells(tmp_path / "samples.png", 4, 5)
        assert (shown == shown[:, :1, :1]).all()  # each image is complete and shows nothing of its neighbours
        colours = {tuple(cell[0, 0].tolist()) for cell in shown}
        assert len(colours) == 20 and colours <= every
        chosen.append(frozenset(colours))
    assert len(set(chosen)) == 3  # each seed has another choice; there are 1.4e11


def test_a_small_set_is_shown_whole(tmp_path):
    preparing.save_random_samples(packed_folder(tmp_path, 3), tmp_path / "samples.png", 8, 8, 0)
    shown = cells(tmp_path / "samples.png", 1, 3)
    assert {tuple(cell[0, 0].tolist()) for cell in shown} == {colour(number) for number in range(3)}


def test_a_folder_where_the_picture_should_be_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="a folder stands where a file is needed"):
        preparing.save_random_samples(packed_folder(tmp_path, 3), tmp_path / "images", 8, 8, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "images"]


# The command


def test_a_prepared_set_is_summed_up_or_described_with_samples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_set(tmp_path / "images", 12)
    config = Config(dataset="folder", data_dir="images", cache_dir="cache", sample_grid="2x3", image_size=32)
    assert preparing.prepare(config, PrepareOptions()) == f"Ready: {open_packed(config).summary()}."
    assert not (tmp_path / "cache/folder-samples.png").exists()
    text = preparing.prepare(config, PrepareOptions(check=True))
    assert text == f"{preparing.describe(open_packed(config))}\n  random samples: cache/folder-samples.png"
    assert cells(tmp_path / "cache/folder-samples.png", 2, 3).shape == (6, 32, 32, 3)
    text = preparing.prepare(config, PrepareOptions(check=True, output="elsewhere/some.png"))
    assert text.endswith("random samples: elsewhere/some.png") and (tmp_path / "elsewhere/some.png").is_file()


def test_prepare_downloads_first(tmp_path):
    config = Config(dataset="folder", data_dir=str(tmp_path / "set"))
    with pytest.raises(UserError, match="^--download: folder is not downloaded"):
        preparing.prepare(config, PrepareOptions(download=True))
