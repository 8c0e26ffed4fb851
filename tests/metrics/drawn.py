"""Small pictures drawn for the tests: a sky above a ground, objects in front of them, and grain. All differ."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SKIES = [(90, 130, 200), (200, 140, 90)]


def pictures(count: int, seed: int, size: int = 32) -> np.ndarray:
    """uint8 [count, size, size, 3] of one distribution, whatever the seed."""
    draw = np.random.default_rng(seed)
    images = np.empty((count, size, size, 3), np.uint8)
    for image in images:
        canvas = Image.new("RGB", (size, size), SKIES[draw.integers(2)])
        pen = ImageDraw.Draw(canvas)
        horizon = int(size * draw.uniform(0.35, 0.65))
        pen.rectangle((0, horizon, size, size), fill=tuple(draw.integers(40, 120, 3)))
        for _ in range(draw.integers(2, 6)):
            x, y = draw.uniform(0, size, 2)
            w, h = draw.uniform(size / 12, size / 3, 2)
            shape = pen.ellipse if draw.integers(2) else pen.rectangle
            shape((x - w, y - h, x + w, y + h), fill=tuple(draw.integers(0, 256, 3)))
        image[:] = (np.asarray(canvas) + draw.normal(0, 6, (size, size, 1))).clip(0, 255)
    return images


def blurred(images: np.ndarray, radius: float) -> np.ndarray:
    blur = ImageFilter.GaussianBlur(radius)
    return np.stack([np.asarray(Image.fromarray(image).filter(blur)) for image in images])


def noisy(images: np.ndarray, deviation: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, deviation, images.shape)
    return (images + noise).round().clip(0, 255).astype(np.uint8)
