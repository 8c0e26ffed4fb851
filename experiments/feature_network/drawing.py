"""Draw images without any photograph: dead leaves, portraits and roads, 64 pixels wide and high.

Dead leaves are shapes of many sizes that cover each other (Lee, Mumford & Huang 2001). They share edges, textures and
power spectra with photographs. Leaves and portraits are drawn at twice the size, which smooths their edges.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from dcgan_tf.datasets.images import crop_box
from dcgan_tf.datasets.synthetic_road.drive import FRAMES_PER_DRIVE
from dcgan_tf.datasets.synthetic_road.scene import draw_frame

SIZE = 64  # of the finished images
CANVAS = 2 * SIZE
TEXTURES = 48
TURN = 2 * np.pi
FRAMES_USED = 10  # of each drive; the frames between them look much alike


def draw_leaves(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw dead leaves: uint8 [count, SIZE, SIZE, 3]."""
    textures = make_textures(rng)
    return np.stack([finish(rng, cover_with_leaves(rng, textures, 150)) for _ in range(count)])


def draw_portraits(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw portraits: uint8 [count, SIZE, SIZE, 3]."""
    textures = make_textures(rng)
    return np.stack([finish(rng, paint_portrait(rng, textures)) for _ in range(count)])


def draw_roads(seed: int, drive: int) -> np.ndarray:
    """Draw frames of one drive of the data set `synthetic_road`: uint8 [FRAMES_USED, SIZE, SIZE, 3]."""
    frames = []
    for step in range(0, FRAMES_PER_DRIVE, FRAMES_PER_DRIVE // FRAMES_USED):
        frame = Image.fromarray(draw_frame(seed, drive * FRAMES_PER_DRIVE + step)[0])
        square = frame.crop(crop_box(frame.width, frame.height, "square"))
        frames.append(np.asarray(square.resize((SIZE, SIZE))))
    return np.stack(frames)


def make_textures(rng: np.random.Generator) -> np.ndarray:
    """Make periodic noise with power-law spectra, zero mean, unit deviation: float32 [TEXTURES, CANVAS, CANVAS].

    A third is stretched in one direction, and a third has a largest scale.
    """
    down, right = np.fft.fftfreq(CANVAS)[:, None], np.fft.fftfreq(CANVAS)[None]
    textures = []
    for number in range(TEXTURES):
        frequency = np.hypot(down, right)
        if number % 3 == 0:
            angle = rng.uniform(0, np.pi)
            along = np.cos(angle) * down + np.sin(angle) * right
            across = np.cos(angle) * right - np.sin(angle) * down
            frequency = np.hypot(rng.uniform(2, 8) * along, across) + 1e-3
        elif number % 3 == 1:
            frequency = frequency + rng.uniform(0.001, 0.1)
        frequency[0, 0] = 1
        spectrum = np.fft.fft2(rng.standard_normal((CANVAS, CANVAS))) * frequency ** -rng.uniform(0.5, 2.2)
        noise = np.fft.ifft2(spectrum).real
        textures.append((noise - noise.mean()) / noise.std())
    return np.array(textures, np.float32)


def draw_colour(rng: np.random.Generator, saturation: float | None = None) -> np.ndarray:
    """Draw a colour, float [3] in 0 to 1; saturated colours are rare unless `saturation` is given."""
    saturation = rng.beta(1.2, 3) if saturation is None else saturation
    lightness, hue = rng.uniform(0.03, 0.95), rng.uniform(0, TURN)
    chroma = 0.5 * saturation * (0.3 + lightness) * np.cos(hue - np.array([0, TURN / 3, -TURN / 3]))
    return np.clip(lightness + chroma, 0, 1)


def ellipse(x: float, y: float, width: float, height: float, tilt: float = 0.0, waves: float = 0.0) -> np.ndarray:
    """Return the outline of an ellipse, float [48, 2] of (x, y) in pixels.

    Args:
      x, y: the centre.
      width, height: the semi-axes.
      tilt: in radians.
      waves: the amplitude of three waves around the outline, relative to the radius.
    """
    angle = np.linspace(0, TURN, 48, endpoint=False)
    radius = 1 + waves * np.cos(3 * angle)
    return _place(width * radius * np.cos(angle), height * radius * np.sin(angle), x, y, tilt)


def draw_outline(rng: np.random.Generator, x: float, y: float, radius: float) -> np.ndarray:
    """Draw an ellipse, a polygon, a blob, a rectangle or a bar: the outline, float [points, 2] in pixels."""
    kind = rng.choice(["ellipse", "polygon", "blob", "rectangle", "bar"])
    angle = np.linspace(0, TURN, 40, endpoint=False)
    flatness = np.exp(rng.uniform(-1.2, 0))
    if kind == "polygon":
        angle = np.sort(rng.uniform(0, TURN, rng.integers(3, 8)))
    elif kind in ("rectangle", "bar"):
        angle = TURN * np.array([1, 3, 5, 7]) / 8
    if kind == "bar":
        radius, flatness = 1.6 * radius, rng.uniform(0.03, 0.2)
    reach = np.full(len(angle), radius)
    if kind == "blob":
        for wave in range(2, 6):
            reach += radius * rng.normal(0, 0.35 / wave) * np.cos(wave * angle + rng.uniform(0, TURN))
    return _place(reach * np.cos(angle), flatness * reach * np.sin(angle), x, y, rng.uniform(0, np.pi))


def _place(right: np.ndarray, down: np.ndarray, x: float, y: float, tilt: float) -> np.ndarray:
    cos, sin = np.cos(tilt), np.sin(tilt)
    return np.stack([x + cos * right - sin * down, y + sin * right + cos * down], axis=1)


class Brush:
    """Paints textured and shaded polygons on an image, float32 [CANVAS, CANVAS, 3] in 0 to 1, in place."""

    def __init__(self, rng: np.random.Generator, textures: np.ndarray, image: np.ndarray):
        self.rng, self.textures, self.image = rng, textures, image

    def __call__(
        self,
        outline: np.ndarray,
        colour: np.ndarray,
        texture: float | None = None,
        shade: float | None = None,
        softness: float | None = None,
    ) -> None:
        """Paint one polygon.

        Args:
          outline: [points, 2] of (x, y) in pixels.
          colour: [3]; values outside 0 to 1 are clipped.
          texture, shade: relative amplitude of the texture, and of a slope of the brightness; None: drawn at random.
          softness: deviation of the edge's blur, in pixels; None: drawn at random.
        """
        rng = self.rng
        left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 2, 0)
        right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 3, CANVAS)
        width, height = right - left, bottom - top
        if width < 2 or height < 2:
            return
        mask = Image.new("L", (width, height))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in outline], fill=255)
        softness = rng.choice([0, 0, 0, 1.5]) if softness is None else softness
        opacity = np.asarray(mask.filter(ImageFilter.GaussianBlur(float(softness))), np.float32)[..., None] / 255
        texture = rng.exponential(0.06) if texture is None else texture
        shade = rng.exponential(0.25) if shade is None else shade
        i, j = rng.integers(0, CANVAS - height + 1), rng.integers(0, CANVAS - width + 1)
        noise = self.textures[rng.integers(TEXTURES), i : i + height, j : j + width]
        y, x = np.mgrid[top:bottom, left:right] - outline.mean(axis=0)[::-1, None, None]
        radius = max(np.ptp(outline, axis=0).max() / 2, 1)
        angle = rng.uniform(0, TURN)
        light = 1 + 2 * texture * noise + shade * (x * np.cos(angle) + y * np.sin(angle)) / radius
        if rng.random() < 0.4:  # darker towards the edge
            light -= shade * (x**2 + y**2) / radius**2
        part = self.image[top:bottom, left:right]
        part += opacity * (np.clip(colour, 0, 1) * light[..., None] - part)


def cover_with_leaves(rng: np.random.Generator, textures: np.ndarray, most: int) -> np.ndarray:
    """Draw 7 to `most` shapes with power-law radii over each other: float32 [CANVAS, CANVAS, 3]."""
    image = np.empty((CANVAS, CANVAS, 3), np.float32)
    image[:] = draw_colour(rng)
    paint = Brush(rng, textures, image)
    palette = [draw_colour(rng) for _ in range(rng.integers(3, 9))]
    count = int(np.exp(rng.uniform(np.log(7), np.log(most))))
    smallest, largest, power = rng.uniform(3, 16), rng.uniform(40, 90), rng.uniform(-1.2, 0.5)
    # Their density falls with the power 1 - `power` of the radius; a power of 0 would divide by 0, and is never drawn.
    radii = (smallest**power + rng.random(count) * (largest**power - smallest**power)) ** (1 / power)
    if rng.random() < 0.5:
        radii = np.sort(radii)[::-1]  # small shapes in front
    for radius in radii:
        colour = palette[rng.integers(len(palette))] + rng.normal(0, 0.04, 3)
        x, y = rng.uniform(-8, CANVAS + 8, 2)
        paint(draw_outline(rng, x, y, radius), colour)
    return image


def paint_portrait(rng: np.random.Generator, textures: np.ndarray) -> np.ndarray:
    """Paint a head, hair and clothes before a blurred background: float32 [CANVAS, CANVAS, 3]."""
    background = _to_picture(cover_with_leaves(rng, textures, 20))
    image = np.asarray(background.filter(ImageFilter.GaussianBlur(rng.uniform(0, 8))), np.float32) / 255
    paint = Brush(rng, textures, image)
    skin = np.array([1, 0.78, 0.64]) * rng.uniform(0.4, 1.05) * rng.normal(1, 0.05, 3)
    hair = draw_colour(rng, 0.2) * np.array([0.6, 0.45, 0.35]) if rng.random() < 0.8 else draw_colour(rng)
    x, y = rng.normal(64, 4), rng.normal(66, 4)  # the centre of the head
    width, height = rng.uniform(27, 38), rng.uniform(38, 52)  # its semi-axes
    tilt, turned = rng.normal(0, 0.1), rng.normal(0, 0.25) * width

    paint(ellipse(rng.normal(x, 6), 150, rng.uniform(55, 80), rng.uniform(30, 48)), draw_colour(rng))  # clothes
    if rng.random() < 0.5:  # a shirt with a tie
        paint(np.array([[x - 14, 108], [x + 14, 108], [rng.normal(x, 4), 135]]), np.full(3, 0.9))
        paint(np.array([[x - 3, 113], [x + 3, 113], [x + 5, 130], [x - 5, 130]]), draw_colour(rng))
    paint(ellipse(x, y + 0.8 * height, 0.62 * width, 0.5 * height), 0.75 * skin, texture=0.02)  # neck
    top = y - rng.uniform(0.1, 0.35) * height
    back = ellipse(x, top, rng.uniform(1, 1.35) * width, rng.uniform(0.8, 1.05) * height, tilt, waves=0.08)
    paint(back, hair, texture=0.15, softness=1)
    paint(ellipse(x, y, width, height, tilt), skin, texture=0.02, shade=rng.uniform(0.1, 0.45), softness=1)
    if rng.random() < 0.6:  # hair over the forehead
        top = y - rng.uniform(0.75, 1) * height
        fringe = ellipse(x, top, rng.uniform(0.7, 1) * width, rng.uniform(0.12, 0.35) * height, rng.normal(tilt, 0.2))
        paint(fringe, hair, texture=0.15, softness=1.5)

    eyes_y, eyes_apart, eye = y - rng.uniform(0.08, 0.2) * height, rng.uniform(0.38, 0.48) * width, rng.uniform(5, 8)
    openness, glasses = rng.uniform(0.25, 0.5), rng.random() < 0.15
    for side in (-1, 1):
        eye_x, eye_y = x + turned + side * eyes_apart, eyes_y + side * eyes_apart * tilt
        _paint_eye(paint, eye_x, eye_y, eye, openness, tilt, skin, hair)
        if glasses:
            _paint_line(image, ellipse(eye_x, eye_y, 1.5 * eye, 1.2 * eye))

    nose_x, nose_y = x + 1.3 * turned, y + rng.uniform(0.15, 0.28) * height
    bridge = ellipse(nose_x + 3, (eyes_y + nose_y) / 2, 2.5, (nose_y - eyes_y) / 2)
    paint(bridge, 0.8 * skin, texture=0.01, softness=2)
    paint(ellipse(nose_x, nose_y, eye, 0.6 * eye), rng.uniform(0.9, 1.1) * skin, texture=0.01, softness=1.5)
    for side in (-1, 1):
        paint(ellipse(nose_x + 4 * side, nose_y + 3, 2, 1), 0.4 * skin, texture=0.01, softness=0.8)

    mouth_x, mouth_y = x + turned, y + rng.uniform(0.45, 0.58) * height
    mouth, lips = rng.uniform(0.3, 0.5) * width, rng.uniform(2, 7)
    paint(ellipse(mouth_x, mouth_y, mouth, lips, tilt), skin * [0.85, 0.55, 0.55], texture=0.02, softness=0.8)
    if rng.random() < 0.5:  # open, with or without teeth
        opening = ellipse(mouth_x, mouth_y, 0.8 * mouth, 0.45 * lips, tilt)
        paint(opening, np.full(3, rng.choice([0.2, 0.9])), texture=0.02, softness=0.5)
    if rng.random() < 0.15:
        beard = ellipse(mouth_x, mouth_y + 0.2 * height, 0.7 * width, 0.3 * height)
        paint(beard, hair, texture=0.2, softness=2)
    return image


def _paint_eye(paint: Brush, x, y, size, openness, tilt, skin, hair) -> None:
    rng = paint.rng
    paint(ellipse(x, y - 1, 1.5 * size, size), 0.75 * skin, texture=0.02, softness=2)  # socket
    white = ellipse(x, y, size, openness * size, tilt)
    paint(white, np.full(3, 0.85), texture=0.01, shade=0.1, softness=0.5)
    iris = ellipse(rng.normal(x, 1), y, 0.42 * size, min(openness, 0.42) * size)
    paint(iris, 0.4 * draw_colour(rng, 0.3), texture=0.01, softness=0.5)
    paint(ellipse(x, y - 0.5 * size, size, 1, tilt), 0.35 * skin, texture=0.02, softness=0.5)  # lid
    brow = ellipse(x, y - rng.uniform(1.1, 1.5) * size, 1.3 * size, rng.uniform(1, 2.4), rng.normal(tilt, 0.1))
    paint(brow, 0.7 * hair, texture=0.1, softness=0.7)


def _paint_line(image: np.ndarray, outline: np.ndarray) -> None:
    mask = Image.new("L", (CANVAS, CANVAS))
    ImageDraw.Draw(mask).line([(x, y) for x, y in [*outline, outline[0]]], fill=255, width=2)
    image *= 1 - 0.9 * np.asarray(mask, np.float32)[..., None] / 255


def finish(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Light half of the images from one side, apply a gamma, blur half of them slightly, and halve the size.

    Args:
      rng: the source of randomness.
      image: float32 [CANVAS, CANVAS, 3].

    Returns:
      uint8 [SIZE, SIZE, 3].
    """
    if rng.random() < 0.5:
        angle = rng.uniform(0, TURN)
        y, x = np.mgrid[:CANVAS, :CANVAS] / CANVAS - 0.5
        image = image * (1 + rng.uniform(0, 0.7) * (x * np.cos(angle) + y * np.sin(angle)))[..., None]
    picture = _to_picture(image.clip(0, 1) ** rng.uniform(0.7, 1.4))
    if rng.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5)))
    return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def _to_picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray((image.clip(0, 1) * 255).astype(np.uint8))
