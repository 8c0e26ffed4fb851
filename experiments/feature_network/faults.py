"""Give drawn images the faults of generated ones.

Each fault is a function of (rng, image, other). Both images are square, float32 [size, size, 3] in 0 to 1, and `other`
lends parts or details. The function returns the faulty image, whose values may lie outside 0 to 1. `damage` applies it
to a region only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter1d
from scipy.special import expit

Fault = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]
NUMBER_OF_FAULTS = (0.2, 0.4, 0.3, 0.1)  # probabilities of 0, 1, 2 and 3 faults
TINTED = 0.25  # probability of each change of colour, which is no fault
FEWEST, COMPONENTS = 15, 200  # of the linear generator
PIECES = 2500  # of each size, to quilt from


def blur(image: np.ndarray, deviation: float) -> np.ndarray:
    """Blur by a Gaussian of a deviation in pixels."""
    return gaussian_filter(image, (deviation, deviation, 0), mode="reflect")


def smooth_noise(rng: np.random.Generator, size: int, scale: float) -> np.ndarray:
    """Draw periodic noise of a scale in pixels, with unit deviation: float32 [size, size]."""
    noise = gaussian_filter(rng.standard_normal((size, size)), scale, mode="wrap")
    return (noise / noise.std()).astype(np.float32)


def displace(image: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sample the image at displaced places; the displacements are [H, W], in pixels."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    channels = [
        map_coordinates(channel, [y + down, x + right], order=1, mode="reflect")
        for channel in np.moveaxis(image, -1, 0)
    ]
    return np.stack(channels, axis=-1)


def draw_region(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw where a fault is seen: everywhere, or in parts with soft or hard edges; float32 [size, size, 1], 0 to 1."""
    if rng.random() < 0.35:
        return np.ones((size, size, 1), np.float32)
    noise = smooth_noise(rng, size, rng.uniform(5, 12))
    threshold = np.quantile(noise, rng.uniform(0.2, 0.7))
    return expit((noise - threshold) * rng.uniform(3, 30))[..., None].astype(np.float32)


def lose_detail(rng, image, other):
    """Blur."""
    return blur(image, rng.uniform(0.7, 3))


def warp(rng, image, other):
    """Bend shapes."""
    scale = rng.uniform(2, 8)
    amount = rng.uniform(0.25, 0.6) * scale
    return displace(image, *(amount * smooth_noise(rng, len(image), scale) for _ in range(2)))


def overlay_copies(rng, image, other):
    """Average 2 to 4 displaced and bent copies, so that edges appear more than once."""
    copies = [image]
    for _ in range(rng.integers(1, 4)):
        copies.append(warp(rng, np.roll(image, rng.integers(-4, 5, 2), (0, 1)), other))
    return np.mean(copies, axis=0)


def misplace_parts(rng, image, other):
    """Insert rectangles of another image, or of another place of this one."""
    source = other if rng.random() < 0.6 else np.roll(image, rng.integers(4, len(image) // 2, 2), (0, 1))
    inserted = np.zeros((*image.shape[:2], 1), np.float32)
    for _ in range(rng.integers(1, 8)):
        height, width = rng.integers(5, 28, 2)
        i, j = rng.integers(0, len(image) - height), rng.integers(0, len(image) - width)
        inserted[i : i + height, j : j + width] = 1
    if rng.random() < 0.5:
        inserted = blur(inserted, rng.uniform(0.5, 1.5))
    return image + inserted * (source - image)


def mix_images(rng, image, other):
    """Let another image show through."""
    return image + rng.uniform(0.25, 0.6) * (other - image)


def confuse_detail(rng, image, other):
    """Put details of another image on the layout of this one."""
    scale = rng.uniform(1, 4)
    return blur(image, scale) + rng.uniform(0.5, 1) * (other - blur(other, scale))


def smear(rng, image, other):
    """Average along rows or columns."""
    return uniform_filter1d(image, rng.integers(4, 12), axis=rng.integers(2))


def sharpen(rng, image, other):
    """Exaggerate edges, with halos around them."""
    return image + rng.uniform(0.5, 1.8) * (image - blur(image, rng.uniform(0.8, 2.5)))


def scatter_phases(rng, image, other):
    """Disturb the phases of the spectrum: textures stay, shapes dissolve."""
    angles = np.angle(np.fft.fft2(rng.standard_normal(image.shape[:2])))  # odd, as a real image needs
    angles[0, 0] = 0  # keeps the mean
    spectrum = np.fft.fft2(image, axes=(0, 1)) * np.exp(1j * rng.uniform(0.3, 1.2) * angles)[..., None]
    return np.fft.ifft2(spectrum, axes=(0, 1)).real.astype(np.float32)


def shuffle_blocks(rng, image, other):
    """Move each block of 4 or 8 pixels a little, with hard or gradual borders."""
    block = rng.choice([4, 8])
    blocks = len(image) // block
    shifts = np.kron(block * rng.uniform(0.3, 0.9) * rng.uniform(-1, 1, (2, blocks, blocks)), np.ones((block, block)))
    if rng.random() < 0.5:
        shifts = gaussian_filter(shifts, (0, 1, 1))
    return displace(image, *shifts)


def add_grain(rng, image, other):
    """Add grey or coloured noise, white or slightly smoothed."""
    grain = rng.standard_normal((*image.shape[:2], rng.choice([1, 3]))).astype(np.float32)
    grain = blur(grain, rng.choice([0, 0, 0.6, 1.2]))
    return image + rng.uniform(0.02, 0.12) * grain / grain.std()


def add_grid(rng, image, other):
    """Add a pattern that repeats every 2, 4 or 8 pixels, as from transposed convolutions."""
    period = rng.choice([2, 2, 4, 8])
    pattern = rng.standard_normal((period, period, rng.choice([1, 3]))).astype(np.float32)
    pattern -= pattern.mean(axis=(0, 1))
    return image + rng.uniform(0.015, 0.1) * _tile(pattern, len(image))


def upsample_unevenly(rng, image, other):
    """Halve or quarter the size, enlarge again, and multiply by a repeated pattern, as transposed convolutions do."""
    factor = rng.choice([2, 2, 4])
    small = len(image) // factor
    coarse = image.reshape(small, factor, small, factor, 3).mean(axis=(1, 3))
    pattern = rng.normal(1, rng.uniform(0.1, 0.4), (factor, factor, rng.choice([1, 3])))
    pattern /= pattern.mean(axis=(0, 1))
    return blur(coarse.repeat(factor, axis=0).repeat(factor, axis=1), 0.5 * factor) * _tile(pattern, len(image))


def _tile(pattern: np.ndarray, size: int) -> np.ndarray:
    return np.tile(pattern, (size // pattern.shape[0], size // pattern.shape[1], 1))


class Quilt:
    """Replaces every piece of an image by the most similar piece of other images.

    Args:
      rng: the source of randomness.
      images: uint8 [N, H, W, 3], where the pieces come from.
    """

    def __init__(self, rng: np.random.Generator, images: np.ndarray):
        self.pieces = {}
        for size in (8, 16):
            places = rng.integers(0, [len(images), *(np.array(images.shape[1:3]) - size)], (PIECES, 3))
            pieces = np.stack([images[n, i : i + size, j : j + size] for n, i, j in places])
            self.pieces[size] = pieces.reshape(PIECES, -1).astype(np.float32) / 255

    def __call__(self, rng, image, other):
        size = int(rng.choice([8, 16]))
        stride = int(rng.choice([size, size // 2]))
        pieces = self.pieces[size][rng.permutation(PIECES)[: int(np.exp(rng.uniform(5, np.log(PIECES))))]]
        pieces = pieces - pieces.mean(axis=1, keepdims=True)
        windows = sliding_window_view(image, (size, size), (0, 1))[::stride, ::stride].transpose(0, 1, 3, 4, 2)
        rows, columns = windows.shape[:2]
        windows = windows.reshape(rows * columns, -1)
        means = windows.mean(axis=1, keepdims=True)
        distances = np.square(pieces).sum(axis=1) - 2 * (windows - means) @ pieces.T
        chosen = (pieces[distances.argmin(axis=1)] + means).reshape(rows, columns, size, size, 3)
        profile = np.hanning(size + 2)[1:-1] if stride < size else np.ones(size)
        weight = np.outer(profile, profile)[..., None].astype(np.float32)
        total, weights = np.zeros_like(image), np.full((*image.shape[:2], 1), 1e-6, np.float32)
        for row in range(rows):
            for column in range(columns):
                place = np.s_[row * stride : row * stride + size, column * stride : column * stride + size]
                total[place] += weight * chosen[row, column]
                weights[place] += weight
        return image + rng.uniform(0.5, 1) * (total / weights - image)


class LinearGenerator:
    """Generates images from principal components.

    Args:
      images: uint8 [N, H, W, 3], to compute the components of.
    """

    def __init__(self, images: np.ndarray):
        flat = images.reshape(len(images), -1).astype(np.float32) / 255
        self.mean = flat.mean(axis=0)
        flat -= self.mean
        squares, vectors = np.linalg.eigh(flat @ flat.T)  # N x N: smaller than the covariance of the pixels
        count = min(COMPONENTS, len(images) - 1)  # N images span N - 1 dimensions about their mean
        squares, vectors = squares[: -count - 1 : -1], vectors[:, : -count - 1 : -1]
        self.deviations = np.sqrt(squares / len(images))
        self.components = (flat.T @ vectors / np.sqrt(squares)).astype(np.float32)

    def project(self, rng, image, other):
        """Keep 15 to 200 components of the image."""
        return self._mix(rng, image, novelty=0)

    def generate(self, rng, image, other):
        """Draw some or all of the components at random, with some details of a drawn image on top."""
        generated = self._mix(rng, image, novelty=rng.uniform(0.25, 1))
        return generated + rng.uniform(0, 0.6) * (other - blur(other, rng.uniform(1, 3)))

    def _mix(self, rng: np.random.Generator, image: np.ndarray, novelty: float) -> np.ndarray:
        most = len(self.deviations)
        count = int(np.exp(rng.uniform(np.log(min(FEWEST, most)), np.log(most))))
        components = self.components[:, :count]
        own = (image.ravel() - self.mean) @ components
        code = np.sqrt(1 - novelty**2) * own + novelty * self.deviations[:count] * rng.standard_normal(count)
        return (self.mean + components @ code.astype(np.float32)).reshape(image.shape)


def tint(rng, image, other):
    """Add a colour, in a region or everywhere."""
    return image + draw_region(rng, len(image)) * rng.normal(0, 0.12, 3).astype(np.float32)


def change_saturation(rng, image, other):
    """Take away colour, or exaggerate it."""
    grey = image.mean(axis=-1, keepdims=True)
    return grey + (rng.uniform(0, 0.5) if rng.random() < 0.4 else rng.uniform(1.6, 3)) * (image - grey)


def change_contrast(rng, image, other):
    """Take away contrast, or exaggerate it."""
    mean = image.mean(axis=(0, 1))
    return mean + (rng.uniform(0.4, 0.7) if rng.random() < 0.4 else rng.uniform(1.4, 2.5)) * (image - mean)


SIMPLE_FAULTS: tuple[Fault, ...] = (
    lose_detail,
    warp,
    overlay_copies,
    misplace_parts,
    mix_images,
    confuse_detail,
    smear,
    sharpen,
    scatter_phases,
    shuffle_blocks,
    add_grain,
    add_grid,
    upsample_unevenly,
)
TINTS: tuple[Fault, ...] = (tint, change_saturation, change_contrast)
FAULTS = len(SIMPLE_FAULTS) + 3  # with those that are made from the images


def damage(rng: np.random.Generator, images: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Make images with known faults.

    Changes of colour and contrast are made too, and are no faults: they keep the network from judging by colour.

    Args:
      rng: the source of randomness.
      images: uint8 [N, H, W, 3] without faults.
      count: how many to make.

    Returns:
      uint8 [count, H, W, 3], and float32 [count, FAULTS], 1 for each fault that an image has.
    """
    linear = LinearGenerator(images)
    faults = (*SIMPLE_FAULTS, Quilt(rng, images), linear.project, linear.generate)
    damaged, present = np.empty((count, *images.shape[1:]), np.uint8), np.zeros((count, FAULTS), np.float32)

    def draw() -> np.ndarray:
        return images[rng.integers(len(images))].astype(np.float32) / 255

    for n in range(count):
        image = draw()
        chosen = rng.permutation(FAULTS)[: rng.choice(len(NUMBER_OF_FAULTS), p=NUMBER_OF_FAULTS)]
        present[n, chosen] = 1
        for fault in chosen:
            faulty = faults[fault](rng, image, draw())
            image = np.clip(image + draw_region(rng, len(image)) * (faulty - image), 0, 1)
        for change in TINTS:
            if rng.random() < TINTED:
                image = np.clip(change(rng, image, image), 0, 1)
        if rng.random() < 0.5:
            image = image[:, ::-1]
        damaged[n] = np.round(255 * image)
    return damaged, present
