"""MNIST from its four files, or digits drawn from fonts as a substitute."""

from __future__ import annotations

import functools
import gzip
import hashlib
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcgan_tf.errors import UserError

# File -> SHA-256 of its decompressed contents; compressed files of the same contents differ between mirrors.
SHA256 = {
    "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
KINDS = {3: "images", 1: "labels"}  # by the number of dimensions
NO_FILES = "leave out --data_dir to use digits drawn from fonts"
SIDE = 28
DRAWN = (10_000, 2_000)  # images to train and to test on, where none are given


@dataclass(frozen=True)
class Digits:
    """Images of digits and their labels.

    Attributes:
      name: for titles: "MNIST" or "digits drawn from fonts".
      images, labels: uint8 [N, 28, 28], white on black, and uint8 [N], 0 to 9.
      test_images, test_labels: the same, not used in training.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @property
    def genuine(self) -> bool:
        return self.name == "MNIST"


@functools.cache
def load_digits(data_dir: str) -> Digits:
    """Load MNIST from `data_dir`; if it is "", draw digits from fonts.

    Raises:
      UserError: a file is missing, damaged, or not the one that its name says.
    """
    if not data_dir:
        return Digits("digits drawn from fonts", *draw_digits(DRAWN[0], seed=0), *draw_digits(DRAWN[1], seed=1))
    if not Path(data_dir).is_dir():
        raise UserError(f"--data_dir={data_dir}: no such folder; give the one of MNIST's four files, or {NO_FILES}.")
    return Digits("MNIST", *(read_mnist(Path(data_dir) / name) for name in SHA256))


def read_mnist(path: Path) -> np.ndarray:
    """Read one of MNIST's files: uint8, as `read_idx`.

    Raises:
      UserError: as `read_idx`; or the contents are not those of MNIST's file of this name.
    """
    array = read_idx(path, 3 if "idx3" in path.name else 1)
    found = hashlib.sha256(_header(array.shape) + array.tobytes()).hexdigest()
    if found != SHA256[path.name]:
        other = next((name for name, digest in SHA256.items() if digest == found), "")
        what = f"its contents are those of {other}" if other else f"not MNIST's file (sha256 of its contents {found})"
        raise UserError(f"{path}: {what}; download MNIST's four files again, or {NO_FILES}.")
    return array


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read the array in a gzip-compressed idx file: uint8 of `dimensions` dimensions.

    Layout: two zero bytes, 8 for uint8, the number of dimensions, their sizes as big-endian 32-bit numbers, the values.

    Raises:
      UserError: the file is missing, not gzip, cut off, or of another type or number of dimensions.
    """
    try:
        with gzip.open(path) as f:
            data = f.read()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the folder of MNIST's four files, or {NO_FILES}.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cut off or not a gzip file ({error}); download it again, or {NO_FILES}.") from None
    wanted, start = KINDS[dimensions], 4 + 4 * dimensions
    if data[:4] != bytes([0, 0, 8, dimensions]) or len(data) < start:
        other = next((kind for n, kind in KINDS.items() if n != dimensions and data[:4] == bytes([0, 0, 8, n])), "")
        what = f"it holds {other}, not {wanted} (files swapped?)" if other else f"no idx file of {wanted}"
        raise UserError(f"{path}: {what}; download MNIST's four files again, or {NO_FILES}.")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", dimensions, offset=4))
    if len(data) - start != math.prod(shape):
        raise UserError(
            f"{path}: {len(data) - start:,} values where its header promises {math.prod(shape):,}; "
            f"download it again, or {NO_FILES}."
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _header(shape: tuple[int, ...]) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()


def draw_digits(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw digits in 15 fonts with random rotation, slant, size, place and noise, all from the seed.

    Returns:
      images uint8 [count, 28, 28] and labels uint8 [count], equally many of each digit.
    """
    from PIL import Image

    draw = np.random.default_rng([seed, count])
    labels = draw.permutation(np.arange(count) % 10).astype(np.uint8)
    glyphs = _glyphs()
    images = np.empty((count, SIDE, SIDE), np.float32)
    for n, digit in enumerate(labels):
        glyph = glyphs[draw.integers(len(glyphs))][digit]
        turn, slant = np.radians(draw.uniform(-12, 12)), draw.uniform(-0.2, 0.2)
        size, shift = draw.uniform(0.8, 1.15), draw.uniform(-2, 2, 2)
        # The place in the glyph's picture of each pixel: the inverse of size, slant and rotation, about the middle.
        inverse = np.array([[1, slant], [0, 1]]) @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]] / size
        offset = glyph.width / 2 - inverse @ (SIDE / 2 + shift)
        coefficients = (*inverse[0], offset[0], *inverse[1], offset[1])
        images[n] = glyph.transform((SIDE, SIDE), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    images += draw.normal(0, 8, images.shape)
    return np.rint(images).clip(0, 255).astype(np.uint8), labels


@functools.cache
def _glyphs(height: int = 20) -> list[list]:
    """The ten digits of every font: grey pictures with the digit, `height` pixels high, in the middle."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    folder = Path(matplotlib.get_data_path()) / "fonts/ttf"
    names = [path for path in sorted(folder.glob("DejaVu*.ttf")) if "Display" not in path.name]
    names += [folder / "cmr10.ttf", folder / "STIXGeneral.ttf"]
    # A digit's height is about 0.73 of the font's.
    fonts = [ImageFont.load_default(height / 0.73), *(ImageFont.truetype(str(name), height / 0.73) for name in names)]
    glyphs = []
    for font in fonts:
        pictures = []
        for digit in "0123456789":
            picture = Image.new("L", (2 * SIDE, 2 * SIDE))
            left, top, right, bottom = font.getbbox(digit)
            middle = (SIDE - (left + right) / 2, SIDE - (top + bottom) / 2)
            ImageDraw.Draw(picture).text(middle, digit, fill=255, font=font)
            pictures.append(picture)
        glyphs.append(pictures)
    return glyphs
