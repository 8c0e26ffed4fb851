"""MNIST's files, errors in them, and the digits drawn from fonts."""

import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dcgan_tf.errors import UserError
from experiments.framework import mnist

GENUINE = Path(__file__).parents[3] / "data/mnist"
IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = mnist.SHA256


def idx(array):
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a small set in MNIST's four files, whose digests replace the known ones."""
    draw = np.random.default_rng(0)
    contents = {
        IMAGES: idx(draw.integers(0, 256, (5, 28, 28))),
        LABELS: idx(np.array([5, 0, 4, 1, 9])),
        TEST_IMAGES: idx(draw.integers(0, 256, (3, 28, 28))),
        TEST_LABELS: idx(np.array([7, 2, 1])),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(gzip.compress(data))
        monkeypatch.setitem(mnist.SHA256, name, hashlib.sha256(data).hexdigest())
    return tmp_path


def test_the_files_as_they_are_written(folder):
    found = mnist.load_digits(str(folder))
    assert found.genuine and found.images.shape == (5, 28, 28) and found.test_images.shape == (3, 28, 28)
    assert found.labels.tolist() == [5, 0, 4, 1, 9] and found.test_labels.tolist() == [7, 2, 1]
    assert found.images.dtype == np.uint8
    np.testing.assert_array_equal(found.images[0], np.random.default_rng(0).integers(0, 256, (5, 28, 28))[0])


def missing(folder):
    (folder / LABELS).unlink()


def truncated(folder):
    path = folder / IMAGES
    path.write_bytes(path.read_bytes()[:-200])


def no_gzip(folder):
    (folder / IMAGES).write_bytes(b"<html>404</html>")


def damaged(folder):
    path = folder / IMAGES
    data = bytearray(path.read_bytes())
    data[50:60] = bytes(10)
    path.write_bytes(bytes(data))


def empty(folder):
    (folder / IMAGES).write_bytes(b"")


def short(folder):
    (folder / TEST_LABELS).write_bytes(gzip.compress(gzip.decompress((folder / TEST_LABELS).read_bytes())[:-1]))


def cut_in_the_header(folder):
    (folder / IMAGES).write_bytes(gzip.compress(bytes([0, 0, 8, 3, 0])))


def other_type(folder):
    (folder / IMAGES).write_bytes(gzip.compress(bytes([0, 0, 13, 3]) + bytes(100)))


def swapped(folder):
    images = (folder / IMAGES).read_bytes()
    (folder / IMAGES).write_bytes((folder / LABELS).read_bytes())
    (folder / LABELS).write_bytes(images)


def images_of_the_test_set(folder):
    (folder / IMAGES).write_bytes((folder / TEST_IMAGES).read_bytes())


def another_set(folder):
    (folder / IMAGES).write_bytes(gzip.compress(idx(np.zeros((5, 28, 28)))))


@pytest.mark.parametrize(
    "spoil, said",
    [
        (missing, "train-labels-idx1-ubyte.gz: no such file"),
        (truncated, "cut off"),
        (no_gzip, "not a gzip file"),
        (damaged, "cut off or not a gzip file"),
        (empty, "no idx file of images"),
        (short, "2 values where its header promises 3"),
        (cut_in_the_header, "no idx file of images"),
        (other_type, "no idx file of images"),
        (swapped, "it holds labels, not images"),
        (images_of_the_test_set, f"its contents are those of {TEST_IMAGES}"),
        (another_set, "not MNIST's file"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_is_said(folder, spoil, said):
    spoil(folder)
    with pytest.raises(UserError) as error:
        mnist.load_digits(str(folder))
    text = str(error.value)
    assert said in text and str(folder) in text and "--data_dir" in text and "\n" not in text


def test_no_such_folder(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        mnist.load_digits(str(tmp_path / "none"))


def test_the_command_says_it_in_one_sentence(folder):
    truncated(folder)
    command = [
        sys.executable,
        "-m",
        "experiments.optimizers",
        "--only=optimizers_on_mnist",
        "--quick",
        f"--data_dir={folder}",
    ]
    done = subprocess.run([*command, f"--out={folder / 'out'}"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and "cut off" in done.stderr


@pytest.mark.skipif(not GENUINE.is_dir(), reason="no MNIST files here")
def test_the_genuine_set_is_known():
    found = mnist.load_digits(str(GENUINE))
    # LeCun et al. 1998: 60,000 and 10,000 images; the first digits, as everybody knows them.
    assert found.images.shape == (60_000, 28, 28) and found.test_images.shape == (10_000, 28, 28)
    assert found.labels[:5].tolist() == [5, 0, 4, 1, 9] and found.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert found.images.mean() / 255 == pytest.approx(0.1307, abs=1e-4)  # the mean that PyTorch's examples normalise by
    assert found.images.std() / 255 == pytest.approx(0.3081, abs=1e-4)


def test_drawn_digits():
    images, labels = mnist.draw_digits(200, seed=3)
    assert images.shape == (200, 28, 28) and images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [20] * 10
    again, _ = mnist.draw_digits(200, seed=3)
    np.testing.assert_array_equal(images, again)
    other, _ = mnist.draw_digits(200, seed=4)
    assert (images != other).any()
    # White on black, with the digit inside: the rim is dark, the middle is not.
    inner = images[:, 6:22, 6:22]
    assert images[:, [0, -1]].mean() < 10 and inner.max(axis=(1, 2)).min() > 150


def test_drawn_digits_are_distinguishable_and_vary():
    images, labels = mnist.draw_digits(2000, seed=0)
    flat = images.reshape(2000, -1) / 255.0
    known, asked = flat[:1500], flat[1500:]
    distances = np.square(asked).sum(1)[:, None] - 2 * asked @ known.T + np.square(known).sum(1)
    assert (labels[:1500][distances.argmin(axis=1)] == labels[1500:]).mean() > 0.85
    assert min(flat[labels == digit].std(axis=0).max() for digit in range(10)) > 0.2


def test_digits_drawn_from_fonts_are_named():
    found = mnist.load_digits("")
    assert found.name == "digits drawn from fonts" and not found.genuine
    assert len(found.images) == 10_000 and len(found.test_images) == 2_000
