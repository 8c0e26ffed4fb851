"""Objects beside and on the road: trees, posts, signs and cars, placed on the map and pasted into the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dcgan_tf.datasets.synthetic_road.ground import GROUND, LENGTH, look_up
from dcgan_tf.datasets.synthetic_road.light import haze_colour
from dcgan_tf.datasets.synthetic_road.place import PLANTS, SHARES, Hour, Road, Side
from dcgan_tf.datasets.synthetic_road.sprites import MAKERS, Sprite, draw_car, draw_sign_post


@dataclass(frozen=True)
class Objects:
    """The objects of a place; arrays have one value for each object."""

    sprites: list[Sprite]
    along: np.ndarray  # position along the road in the first frame, metres
    across: np.ndarray  # position across the road, metres
    base: np.ndarray  # height of the ground under it, metres above the road
    speed: np.ndarray  # metres per frame along the road
    sprite: np.ndarray  # index of its sprite

    def at(self, step_in_drive: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return along, across, base and sprite index of all objects in one frame."""
        return self.along + self.speed * step_in_drive, self.across, self.base, self.sprite

    def trees(self) -> Iterator[tuple[float, float, float]]:
        """Yield along, across and height of each object that casts the shadow of a crown."""
        for along, across, number in zip(self.along, self.across, self.sprite):
            if self.sprites[number].crown:
                yield along, across, self.sprites[number].height


def place_objects(
    rng: np.random.Generator,
    hour: Hour,
    road: Road,
    sides: tuple[Side, Side],
    ground: np.ndarray,
    start: float,
    speed: float,
) -> Objects:
    """Choose and place the objects of a place.

    Args:
      rng: makes the choices.
      hour: the time of day.
      road: the cross-section.
      sides: what is beside it, left and right.
      ground: the map, see `ground.MapMaker`.
      start: position of the camera in the first frame, metres along the road.
      speed: of the camera, metres per frame; traffic starts ahead of it.
    """
    sprites: list[Sprite] = []
    rows: list[tuple[float, float, float, int]] = []
    for side, sign in zip(sides, (-1, 1)):
        edge = road.right if sign > 0 else -road.left
        place_plants(rng, hour, side, sign, edge + road.pavement, sprites, rows)
    still = len(rows)
    place_traffic(rng, hour, road, start, speed, sprites, rows)
    along, across, pace, number = (np.array(column, float) for column in zip(*rows))
    base = look_up(ground[..., GROUND : GROUND + 1], along.astype(np.float32), across.astype(np.float32))[:, 0]
    base[still:] = 0
    return Objects(sprites, along, across, base, pace, number.astype(int))


def place_plants(
    rng: np.random.Generator, hour: Hour, side: Side, sign: int, edge: float, sprites: list, rows: list
) -> None:
    """Place trees, posts and signs along one side of the road: append to `sprites` and `rows`."""
    leaves = np.array(PLANTS[str(rng.choice(list(PLANTS), p=SHARES))]) * rng.uniform(0.8, 1.2)
    first = len(sprites)
    kinds = [kind for kind in side.trees for _ in range(2)]
    sprites += [MAKERS[kind](rng, leaves, hour) for kind in kinds]
    at = rng.uniform(0, side.trees_gap)
    while at < LENGTH:
        number = int(rng.integers(len(kinds)))
        is_post = kinds[number] in ("lamp", "pole")
        away = rng.choice([rng.uniform(1.0, 4), rng.uniform(3, 18), rng.uniform(10, 50)])
        rows.append((at, sign * (edge + (0.8 if is_post else away)), 0.0, first + number))
        at += side.trees_gap * rng.uniform(0.4, 1.6)
    if rng.random() < 0.8:
        sprites.append(draw_sign_post(rng))
        for at in np.arange(rng.uniform(0, 60), LENGTH, rng.uniform(50, 140)):
            rows.append((at, sign * (edge + rng.uniform(0.6, 1.6)), 0.0, len(sprites) - 1))


def place_traffic(
    rng: np.random.Generator, hour: Hour, road: Road, start: float, speed: float, sprites: list, rows: list
) -> None:
    """Place cars ahead in the camera's lanes and oncoming ones in the others: append to `sprites` and `rows`."""
    busy = rng.choice([0.1, 0.35, 0.7])
    for lanes, ahead in ((road.lanes_ahead, True), (road.lanes_oncoming, False)):
        for lane in lanes:
            for at in np.arange(rng.uniform(12, 55), 220, rng.uniform(22, 60)):
                if rng.random() < busy:
                    own_lane = ahead and abs(lane - road.lane) < 1
                    pace = speed * (rng.uniform(0.97, 1.03) if own_lane else rng.uniform(0.85, 1.2))
                    sprites.append(draw_car(rng, hour, rear=ahead))
                    far = at if ahead else at + 40 * speed
                    rows.append(
                        (
                            start + far,
                            lane + rng.uniform(-0.3, 0.3),
                            pace if ahead else -pace,
                            len(sprites) - 1,
                        )
                    )


def paste_sprite(
    sprite: Sprite,
    picture: np.ndarray,
    depths: np.ndarray,
    foot: tuple[float, float],
    scale: float,
    depth: float,
    light: np.ndarray,
    hour: Hour,
) -> None:
    """Draw a sprite onto `picture`, in place, where nothing nearer hides it.

    Args:
      sprite: the sprite.
      picture: float32 [rows, columns, 3].
      depths: depth of the ground in each pixel, metres, [rows, columns].
      foot: column and row of the middle of the sprite's lower edge.
      scale: pixels per metre.
      depth: depth of the sprite, metres.
      light: RGB factors, [3].
      hour: the time of day, for the haze.
    """
    height = sprite.height * scale
    width = height * sprite.image.width / sprite.image.height
    left, top = foot[0] - width / 2, foot[1] - height
    x0, x1 = max(0, round(left)), min(picture.shape[1], round(left + width))
    y0, y1 = max(0, round(top)), min(picture.shape[0], round(foot[1]))
    if x1 <= x0 or y1 <= y0:
        return
    zoom = sprite.image.height / height
    box = np.array([x0 - left, y0 - top, x1 - left, y1 - top]) * zoom
    box = np.clip(box, 0, [sprite.image.width, sprite.image.height] * 2).tolist()
    small = sprite.image.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, box=box)
    pixels = np.frombuffer(small.tobytes(), np.uint8).reshape(y1 - y0, x1 - x0, 4).astype(np.float32)
    seen = depths[y0:y1, x0:x1] > depth - 0.5
    alpha = (pixels[..., 3] * seen / 255)[..., None]
    part = picture[y0:y1, x0:x1]
    part *= 1 - alpha
    clear = np.exp(-depth / hour.sight, dtype=np.float32)
    part += pixels[..., :3] * (seen[..., None] * light * clear) + alpha * haze_colour(hour) * (1 - clear)
    for x, y, size, shine in sprite.lamps:
        add_glow(picture, depths, (left + x * width, top + y * height), size * scale, depth, shine)


def add_glow(
    picture: np.ndarray,
    depths: np.ndarray,
    place: tuple[float, float],
    radius: float,
    depth: float,
    colour: tuple[int, int, int],
) -> None:
    """Add the glow of a lamp at `place` (column, row), unless the ground hides the lamp."""
    column, row = place
    rows, columns = depths.shape
    if not (0 <= column < columns and 0 <= row < rows) or depths[int(row), int(column)] < depth - 0.5:
        return
    radius = max(radius, 1.5)
    reach = 2.2 * radius
    x0, x1 = max(0, int(column - reach)), min(columns, int(column + reach) + 1)
    y0, y1 = max(0, int(row - reach)), min(rows, int(row + reach) + 1)
    away = np.hypot(np.arange(y0, y1)[:, None] - row, np.arange(x0, x1)[None] - column) / radius
    picture[y0:y1, x0:x1] += np.exp(-3 * away)[..., None] * np.array(colour, np.float32)
