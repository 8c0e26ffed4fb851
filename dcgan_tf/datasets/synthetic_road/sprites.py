"""Pictures of trees, posts, signs and cars, drawn once for each drive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dcgan_tf.datasets.synthetic_road.ground import TILE, noise_tile, smoothstep
from dcgan_tf.datasets.synthetic_road.place import Hour

Rng = np.random.Generator
PAINTS = (  # colours of cars
    (206, 208, 210),
    (228, 228, 226),
    (150, 154, 160),
    (84, 88, 94),
    (36, 38, 42),
    (142, 30, 30),
    (38, 62, 112),
    (170, 158, 132),
)


@dataclass(frozen=True)
class Sprite:
    """An upright picture of mode RGBa (premultiplied alpha); the middle of its lower edge is on the ground."""

    image: Image.Image
    height: float  # metres
    crown: bool = False  # whether it casts the shadow of a tree's crown
    lamps: tuple[tuple[float, float, float, tuple[int, int, int]], ...] = ()
    """For each lamp: column and row as shares of the picture, radius in metres, RGB colour."""


def make_sprite(image: Image.Image, height: float, **how) -> Sprite:
    """Make a sprite from an RGBA image; `height` in metres."""
    return Sprite(image.convert("RGBa"), height, **how)


def new_canvas(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Make a transparent RGBA image, and the object that draws on it."""
    image = Image.new("RGBA", (width, height))
    return image, ImageDraw.Draw(image)


def draw_foliage(rng: Rng, inside: np.ndarray, leaves: np.ndarray) -> np.ndarray:
    """Draw leaves where `inside` [rows, columns] is positive, with ragged edges: RGBA, uint8 [rows, columns, 4]."""
    rows, columns = inside.shape
    top, left = rng.integers(TILE - rows), rng.integers(TILE - columns)
    lumps = noise_tile(1.6)[top : top + rows, left : left + columns]
    grain = noise_tile(0.7)[top : top + rows, left : left + columns]
    alpha = smoothstep(inside + 0.16 * lumps + 0.10 * grain, 0.0, 0.12)
    height = np.linspace(1.25, 0.55, rows)[:, None]
    # Slopes towards the light, from above, are brighter: the difference of neighbouring values is the slope.
    slope = np.clip(np.roll(lumps, 3, 0) - lumps, -0.6, 0.6)
    shade = np.clip(height * (0.85 + 0.5 * slope + 0.22 * grain), 0.2, 1.7)
    return np.dstack([np.clip(shade[..., None] * leaves, 0, 255), 255 * alpha]).astype(np.uint8)


def draw_broadleaf(rng: Rng, leaves: np.ndarray, bush: bool) -> Sprite:
    """Draw a round tree with a trunk, or a bush without one."""
    image, pen = new_canvas(128, 128)
    y, x = np.mgrid[0:128, 0:128] / 128.0
    inside = np.full((128, 128), -1.0)
    for _ in range(3 if bush else 5):
        cx, cy, r = (
            rng.uniform(0.3, 0.7),
            rng.uniform(0.62, 0.8) if bush else rng.uniform(0.22, 0.5),
            rng.uniform(0.14, 0.28),
        )
        inside = np.maximum(inside, 1 - np.hypot(x - cx, (y - cy) * 1.2) / r)
    if not bush:
        for _ in range(int(rng.integers(1, 3))):
            pen.line(
                [(64 + rng.uniform(-5, 5), 128), (64 + rng.uniform(-22, 22), 45)],
                fill=(62, 48, 36, 255),
                width=int(rng.integers(3, 7)),
            )
    else:
        inside = np.maximum(inside, 0.4 - np.hypot((x - 0.5) / 1.3, y - 0.95) / 0.4)
    image.alpha_composite(Image.fromarray(draw_foliage(rng, inside, leaves * rng.uniform(0.8, 1.2)), "RGBA"))
    return make_sprite(image, rng.uniform(1.2, 2.8) if bush else rng.uniform(5, 11), crown=not bush)


def draw_conifer(rng: Rng, leaves: np.ndarray, _hour: Hour) -> Sprite:
    """Draw a spruce: tiers of branches that widen downwards."""
    y, x = np.mgrid[0:192, 0:96] / 192.0
    tiers = 0.06 + 0.16 * y + 0.035 * ((y * 11) % 1)
    inside = np.where(y < 0.95, 1 - np.abs(x - 0.25) / tiers, -1.0)
    image, pen = new_canvas(96, 192)
    pen.line([(48, 192), (48, 120)], fill=(58, 44, 34, 255), width=4)
    image.alpha_composite(Image.fromarray(draw_foliage(rng, inside, leaves * [0.75, 0.85, 0.9]), "RGBA"))
    return make_sprite(image, rng.uniform(9, 18), crown=True)


def draw_cypress(rng: Rng, leaves: np.ndarray, _hour: Hour) -> Sprite:
    """Draw a slender cypress."""
    y, x = np.mgrid[0:160, 0:64] / 160.0
    inside = 1 - np.hypot((x - 0.2) / 0.11, (y - 0.55) / 0.48)
    return make_sprite(Image.fromarray(draw_foliage(rng, inside, leaves * 0.8), "RGBA"), rng.uniform(5, 9))


def draw_palm(rng: Rng, _leaves: np.ndarray, _hour: Hour) -> Sprite:
    """Draw a palm: a thin, slightly bent trunk and a crown of fronds."""
    image, pen = new_canvas(288, 576)
    lean = rng.uniform(-24, 24)
    trunk = [(144 + lean * (t**2), 576 - 470 * t) for t in np.linspace(0, 1, 12)]
    pen.line(trunk, fill=(112, 92, 70, 255), width=13)
    cx, cy = trunk[-1]
    for angle in np.linspace(0, 2 * np.pi, 26) + rng.uniform(-0.1, 0.1, 26):
        reach = rng.uniform(70, 120)
        t = np.linspace(0, 1, 8)
        xs, ys = cx + reach * np.cos(angle) * t, cy + reach * (0.75 * np.sin(angle) * t + 0.45 * t**2)
        shade = rng.uniform(0.6, 1.2) * (0.7 if np.sin(angle) > 0.3 else 1.0)
        pen.line(list(zip(xs, ys)), fill=(int(66 * shade), int(88 * shade), int(40 * shade), 255), width=11)
    return make_sprite(image.resize((96, 192), Image.Resampling.BOX), rng.uniform(6, 15), crown=True)


def draw_pole(rng: Rng, _leaves: np.ndarray, _hour: Hour) -> Sprite:
    """Draw a wooden pole with cross-arms."""
    image, pen = new_canvas(96, 384)
    brown = (84, 68, 54, 255)
    pen.rectangle([44, 4, 52, 384], fill=brown)
    for y in (20, 58)[: int(rng.integers(1, 3))]:
        pen.rectangle([14, y, 82, y + 6], fill=brown)
    return make_sprite(image.resize((48, 192), Image.Resampling.BOX), rng.uniform(8, 11))


def draw_lamp_post(rng: Rng, _leaves: np.ndarray, hour: Hour) -> Sprite:
    """Draw a street lamp whose arm reaches over the road; it shines in the dark."""
    image, pen = new_canvas(192, 384)
    grey = (120, 122, 124, 255)
    pen.rectangle([93, 20, 99, 384], fill=grey)
    pen.line([(40, 12), (96, 26)], fill=grey, width=6)
    pen.ellipse([24, 6, 56, 20], fill=(225, 215, 190, 255))
    shine = ((0.2, 0.035, 1.3, (255, 190, 110)),) if hour.name in ("night", "dusk") else ()
    return make_sprite(image.resize((96, 192), Image.Resampling.BOX), rng.uniform(7, 10), lamps=shine)


def draw_sign_post(rng: Rng) -> Sprite:
    """Draw a road sign on a post: warning diamond, speed limit, stop sign or green board."""
    image, pen = new_canvas(256, 512)
    pen.rectangle([122, 120, 134, 512], fill=(128, 128, 126, 255))
    kind = rng.choice(4, p=[0.4, 0.3, 0.05, 0.25])
    if kind == 0:
        pen.polygon(
            [(128, 6), (246, 124), (128, 242), (10, 124)],
            fill=(236, 178, 24, 255),
            outline=(40, 34, 12, 255),
            width=6,
        )
        pen.line([(128, 180), (128, 110), (160, 70)], fill=(30, 26, 16, 255), width=16)
    elif kind == 1:
        pen.rectangle([52, 6, 204, 206], fill=(236, 236, 232, 255), outline=(40, 40, 40, 255), width=6)
        pen.text((128, 140), str(5 * rng.integers(5, 14)), (30, 30, 32, 255), ImageFont.load_default(96), "mm")
    elif kind == 2:
        pen.regular_polygon((128, 120, 112), 8, rotation=22, fill=(188, 26, 30, 255), outline=(235, 235, 235, 255))
        pen.text((128, 122), "STOP", (240, 240, 240, 255), ImageFont.load_default(74), "mm")
    else:
        pen.rectangle([4, 20, 252, 190], fill=(18, 104, 66, 255), outline=(235, 238, 235, 255), width=8)
        for y in (62, 116):
            pen.rectangle([36, y, int(rng.integers(150, 220)), y + 26], fill=(232, 236, 232, 255))
    return make_sprite(image.resize((96, 192), Image.Resampling.BOX), rng.uniform(2.6, 4.2))


def draw_car(rng: Rng, hour: Hour, rear: bool) -> Sprite:
    """Draw a car, van or lorry from behind or from the front, with its lamps."""
    tall = float(rng.choice([0.0, 0.0, 0.0, 0.25, 0.9]))
    braking = rear and rng.random() < 0.4
    image, pen = new_canvas(400, 320)
    pen.ellipse([4, 282, 396, 319], fill=(8, 8, 10, 170))  # shadow on the road
    for left in (52, 296):
        pen.rectangle([left, 250, left + 52, 318], fill=(18, 18, 20, 255))
    paint = np.array(PAINTS[rng.integers(len(PAINTS))])
    draw_body(pen, tuple(paint.tolist()), tuple((paint * 0.6).astype(int).tolist()), tall)
    pen.rectangle([160, 226 if rear else 254, 240, 252 if rear else 280], fill=(214, 214, 206, 255))
    lamp = ((255, 46, 32) if braking else (150, 24, 22)) if rear else (246, 244, 228)
    for left in (32, 312):
        pen.rectangle([left, 196, left + 56, 226], fill=(*lamp, 255))
    height = rng.uniform(1.45, 1.6) * (1.15 + 0.3 * tall)
    lamps = choose_lamps(hour, rear, braking)
    return make_sprite(image.resize((100, 80), Image.Resampling.BOX), height, lamps=lamps)


def draw_body(pen: ImageDraw.ImageDraw, paint: tuple, dark: tuple, tall: float) -> None:
    """Draw roof, window, boot or bonnet, and bumper; `tall` is 0 for a saloon car and near 1 for a lorry."""
    roof = int(96 - 95 * tall)
    sill = int(roof + (0.88 - 0.4 * tall) * (190 - roof))
    inset = 70 if tall < 0.5 else 36
    pen.polygon([(inset + 26, roof), (374 - inset, roof), (372, 196), (28, 196)], fill=paint)
    slant = 36 if tall < 0.5 else 6
    glass = [
        (inset + 38, roof + 14),
        (362 - inset, roof + 14),
        (362 - inset + slant, sill),
        (inset + 38 - slant, sill),
    ]
    pen.polygon(glass, fill=(42, 50, 60, 255))
    pen.line(glass[:2], fill=(120, 134, 148, 255), width=16)  # reflection of the sky
    pen.rounded_rectangle([24, 176, 376, 290], 22, fill=paint)
    pen.rectangle([30, 252, 370, 292], fill=dark)


def choose_lamps(hour: Hour, rear: bool, braking: bool) -> tuple:
    """List the lamps that shine: all in the dark, only those of a braking car by day."""
    dark_hour = hour.name in ("night", "dusk")
    if not (dark_hour or braking):
        return ()
    size = (0.4 if rear else 0.75) * (1.0 if dark_hour else 0.5)
    colour = (255, 60, 40) if rear else (255, 244, 214)
    return tuple((x, 0.66, size, colour) for x in (0.15, 0.85))


MAKERS = {  # of the objects beside a road: (rng, colour of the leaves, hour) -> Sprite
    "oak": lambda rng, leaves, _hour: draw_broadleaf(rng, leaves, bush=False),
    "bush": lambda rng, leaves, _hour: draw_broadleaf(rng, leaves, bush=True),
    "pine": draw_conifer,
    "cypress": draw_cypress,
    "palm": draw_palm,
    "pole": draw_pole,
    "lamp": draw_lamp_post,
}
