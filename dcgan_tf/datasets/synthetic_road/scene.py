"""Drawn dashcam frames: a camera that drives over a map in road coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dcgan_tf.datasets.synthetic_road import objects, place
from dcgan_tf.datasets.synthetic_road.ground import (
    BLUE,
    FACADE,
    GROUND,
    HEIGHT,
    KIND,
    LEAVES,
    LENGTH,
    LIGHT,
    PLAIN,
    RAIL,
    RED,
    ROUGHNESS,
    TILE,
    MapMaker,
    look_up,
    noise_tile,
)
from dcgan_tf.datasets.synthetic_road.light import COLUMNS, PANORAMA, ROWS, add_haze, develop, draw_sky, light_at
from dcgan_tf.datasets.synthetic_road.place import Hour, Road

FRAMES_PER_DRIVE = 40
FRAMES_PER_SECOND = 30
FOCAL = 400.0  # pixels
CAMERA_HEIGHT = 1.35  # metres above the road
FAR = 800.0
DEGREES_PER_CURVATURE = np.degrees(15.0 * 2.7)  # steering ratio times wheelbase: degrees per 1/m
LOOK_AHEAD = 20.0  # metres of road ahead whose mean curvature the driver steers by

# Nowhere wider apart than thin walls are thick, as far as these are more than a pixel high.
SLICE_DEPTH = np.concatenate(
    [np.arange(3.6, 30, 0.33), np.arange(30, 120, 0.6), np.geomspace(120, FAR, 45)], dtype=np.float32
)
SLICES = len(SLICE_DEPTH)
COLUMN_TANGENT = ((np.arange(COLUMNS) - (COLUMNS - 1) / 2) / FOCAL).astype(np.float32)


@dataclass(frozen=True)
class Drive:
    """All that the frames of one drive share."""

    hour: Hour
    road: Road
    ground: np.ndarray  # the map, see road_map
    heights: np.ndarray  # its first channel alone, [map rows, map columns, 1]
    sky: np.ndarray  # float32 [2 * ROWS, PANORAMA, 3], horizon at row ROWS
    things: objects.Things
    bends: np.ndarray  # [2, 3] amplitude (1/m), waves per LENGTH, phase
    hills: np.ndarray  # [2, 3] amplitude (m), waves per LENGTH, phase
    start: float
    speed: float  # metres per frame
    horizon: float  # row

    def curvature(self, along: np.ndarray) -> np.ndarray:
        """Curvature of the centre line, 1/m, positive to the right."""
        return waves(self.bends, along)

    def elevation(self, along: np.ndarray) -> np.ndarray:
        """Height of the road, metres."""
        return waves(self.hills, along)


@dataclass(frozen=True)
class View:
    """Where the road runs as seen by the camera in one frame; arrays over the distance along the road."""

    along: np.ndarray
    x: np.ndarray
    z: np.ndarray
    heading: np.ndarray
    rise: np.ndarray  # height of the road above the camera's own road point, metres
    horizon: float
    turned: float  # heading of the camera since the start of the place, radians


def waves(terms: np.ndarray, along: np.ndarray) -> np.ndarray:
    """A sum of sines that repeats every LENGTH metres."""
    return sum(size * np.sin(2 * np.pi * count * along / LENGTH + phase) for size, count, phase in terms)


@lru_cache(maxsize=2)
def open_drive(seed: int, drive: int) -> Drive:
    """Draw the place and the course of a drive."""
    rng = np.random.default_rng([seed, drive])
    hour = place.choose_hour(rng)
    scenery = str(rng.choice(place.SCENERIES))
    road = place.choose_road(rng, scenery)
    seaward = rng.random() < 0.5
    sides = tuple(place.choose_side(rng, scenery, seaward == left) for left in (True, False))
    maker = MapMaker(rng, hour, road, sides)
    ground = maker.make()
    sharpest = rng.choice([2.0, 12.0, 32.0, 60.0], p=[0.2, 0.35, 0.25, 0.2]) / DEGREES_PER_CURVATURE
    sharpest *= 0.5 if scenery == "freeway" else 1.0
    share = rng.uniform(0.6, 1.0)
    counts = rng.choice([1, 2, 3], 2, replace=False)
    steep = rng.choice([0.0, 0.02, 0.05]) * LENGTH / (2 * np.pi)
    start, speed = rng.uniform(0, LENGTH), rng.uniform(9, 28) / FRAMES_PER_SECOND
    things = objects.place_things(rng, hour, road, sides, ground, start, speed)
    for along, across, height in things.trees():
        maker.shade_below(along, across, height)
    return Drive(
        hour=hour,
        road=road,
        ground=ground,
        heights=ground[..., HEIGHT : HEIGHT + 1].copy(),
        sky=draw_sky(rng, hour, sea=any(side.sea for side in sides)),
        things=things,
        bends=np.array([[sharpest * (share, 1 - share)[n], counts[n], rng.uniform(0, 7)] for n in (0, 1)]),
        hills=np.array([[steep / count, count, rng.uniform(0, 7)] for count in (2, 3)]),
        start=start,
        speed=speed,
        horizon=rng.uniform(112, 132),
    )


def look(drive: Drive, step_in_drive: int) -> View:
    """The camera's view of the road at one frame of the drive."""
    at = drive.start + drive.speed * step_in_drive
    ahead = np.arange(0.0, 1.6 * FAR)
    # Held below a right angle, so that depth grows along the road; the view is narrower than that anyway.
    heading = np.clip(np.cumsum(drive.curvature(at + ahead)), -1.2, 1.2)
    heading -= heading[0]
    grade = drive.elevation(at + 2.0) - drive.elevation(at - 2.0)
    return View(
        along=at + ahead,
        x=np.cumsum(np.sin(heading)) - drive.road.lane,
        z=np.cumsum(np.cos(heading)),
        heading=heading,
        rise=drive.elevation(at + ahead) - drive.elevation(at),
        horizon=drive.horizon + FOCAL * grade / 4.0,
        turned=float(np.sum(drive.curvature(np.arange(0.0, at)))),
    )


def steering_angle(drive: Drive, step_in_drive: int) -> float:
    """Degrees, right positive, proportional to the mean curvature of the road just ahead."""
    at = drive.start + drive.speed * step_in_drive
    return float(DEGREES_PER_CURVATURE * drive.curvature(at + np.arange(LOOK_AHEAD)).mean())


def cast_rays(drive: Drive, view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find what each pixel sees of the ground.

    The ground is cut into upright slices at growing depths. In each image column a slice covers all rows
    below its own outline that no nearer slice covers.

    Returns, for the pixels that see ground: their flat index, depth, position along and across (metres).
    """
    depth = SLICE_DEPTH
    x, along, heading, rise = (
        np.interp(depth, view.z, values).astype(np.float32) for values in (view.x, view.along, view.heading, view.rise)
    )
    sideways = COLUMN_TANGENT * depth[:, None] - x[:, None]
    cosine, sine = np.cos(heading), np.sin(heading)
    slice_along = along[:, None] + sideways * sine[:, None]
    slice_across = sideways * cosine[:, None]
    height = look_up(drive.heights, slice_along, slice_across)[..., 0]
    row = np.float32(view.horizon) + FOCAL * (CAMERA_HEIGHT - rise[:, None] - height) / depth[:, None]
    outline = np.minimum.accumulate(row, axis=0)
    first_row = np.ceil(outline).clip(0, ROWS).astype(np.int32)
    covers = np.bincount((first_row * COLUMNS + np.arange(COLUMNS)).ravel(), minlength=(ROWS + 1) * COLUMNS)
    hit = SLICES - np.cumsum(covers.reshape(ROWS + 1, COLUMNS)[:ROWS], axis=0).ravel()
    pixel = np.flatnonzero(hit < SLICES).astype(np.int32)
    hit = hit[pixel]
    column = pixel % COLUMNS
    cell = hit * COLUMNS + column
    before = np.maximum(hit - 1, 0) * COLUMNS + column
    # On gentle ground the pixel lies between two slices; on a steep face it lies on the farther one.
    steepest = 0.1 + 0.6 * np.gradient(depth).clip(0, 1)
    gentle = (height.take(cell) - height.take(before) < steepest[hit]) & (hit > 0)
    top, bottom = outline.take(cell), outline.take(before)
    part = (bottom - (pixel // COLUMNS).astype(np.float32)) / np.maximum(bottom - top, 1e-3)
    part = np.where(gentle, part, np.float32(1)).clip(0, 1)
    pixel_depth = 1 / (1 / depth[np.maximum(hit - 1, 0)] * (1 - part) + part / depth[hit])
    pixel_along = slice_along.take(before) * (1 - part) + slice_along.take(cell) * part
    pixel_across = slice_across.take(before) * (1 - part) + slice_across.take(cell) * part
    return pixel, pixel_depth, pixel_along, pixel_across


def colour_ground(
    drive: Drive, view: View, pixel: np.ndarray, depth: np.ndarray, along: np.ndarray, across: np.ndarray
) -> np.ndarray:
    """The colour of the ground at each of the n given pixels, float32 [n, 3]."""
    grain, lumps = noise_tile(0.7), noise_tile(1.6)
    # The cells are half a metre long: on the road, a shift by noise hides the straight rims of shadows.
    on_road = (across > drive.road.left) & (across < drive.road.right)
    shifted = along + np.float32(0.3) * tile_at(grain, along * 16, across * 16) * on_road
    cell = look_up(drive.ground, shifted, across)
    row = (pixel // COLUMNS).astype(np.float32)
    rise = np.interp(depth, view.z, view.rise).astype(np.float32)
    above = CAMERA_HEIGHT - rise - (row - np.float32(view.horizon)) * depth / FOCAL - cell[:, GROUND]
    colour = cell[:, RED : BLUE + 1].copy()
    paint_lines(drive.road, colour, depth, along, across, above)
    flat = cell[:, KIND] == PLAIN
    # On upright faces the place changes with the column alone: there the height is to vary the texture.
    u = np.where(flat, along, along + np.float32(0.3) * above)
    v = np.where(flat, across, across + above)
    # Noise finer than a pixel is what the sensor averages away.
    fine = tile_at(grain, u * 24, v * 24) * np.minimum(1, 9 / depth)
    coarse = tile_at(lumps, u * 4 + 99, v * 4) * np.minimum(1, 60 / depth)
    texture = 1 + cell[:, ROUGHNESS] * (0.6 * fine + 0.5 * coarse)
    leaves = np.flatnonzero(cell[:, KIND] == LEAVES)
    texture[leaves] *= shade_leaves(u[leaves], v[leaves], above[leaves], depth[leaves])
    rail = (cell[:, KIND] == RAIL) & (above < 0.42)
    texture *= np.where(rail, np.float32(0.5), np.float32(1))
    paint_windows(drive.hour, colour, cell[:, KIND] == FACADE, along + across, above)
    x = COLUMN_TANGENT[pixel % COLUMNS] * depth
    colour *= np.clip(texture, 0.15, 2)[:, None]
    colour *= light_at(drive.hour, cell[:, LIGHT], x, depth)
    return add_haze(drive.hour, colour, depth)


def shade_leaves(u: np.ndarray, v: np.ndarray, height: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Clumps of leaves, bright on top and dark below, as factors on their colour."""
    lumps = noise_tile(1.6)
    clumps = tile_at(lumps, u * 5, v * 5) - tile_at(lumps, u * 5, v * 5 + 3)
    crowns = tile_at(lumps, u * 1.2 + 50, v * 1.2) - tile_at(lumps, u * 1.2 + 50, v * 1.2 + 4)
    shade = 0.85 - 0.45 * clumps * np.minimum(1, 40 / depth) - 0.3 * crowns
    return np.clip(shade * np.clip(0.5 + 0.2 * height, 0.5, 1.15), 0.25, 1.6)


def tile_at(tile: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Tile values at real-valued cell positions (nearest cell)."""
    return tile.ravel().take((row.astype(np.int32) % TILE) * TILE + column.astype(np.int32) % TILE)


def paint_lines(
    road: Road,
    colour: np.ndarray,
    depth: np.ndarray,
    along: np.ndarray,
    across: np.ndarray,
    above: np.ndarray,
) -> None:
    """Paint the road's lines onto the colours of the ground pixels, in place."""
    on_road = np.flatnonzero((across > road.left) & (across < road.right) & (above < 0.3))
    depth, along, across = depth[on_road], along[on_road], across[on_road]
    width_of_pixel = depth / FOCAL
    length_of_pixel = depth * width_of_pixel / CAMERA_HEIGHT
    wear = 0.8 + 0.15 * tile_at(noise_tile(0.7), along * 12, across * 12)
    for line in road.lines:
        near = np.abs(across - line.across)
        cover = np.clip((line.width / 2 - near) / width_of_pixel + 0.5, 0, np.minimum(1, line.width / width_of_pixel))
        if line.period:
            from_middle = np.abs(along % line.period - line.period / 2)
            cover *= np.clip((line.period / 6 - from_middle) / length_of_pixel + 0.5, 0, 1)
        some = np.flatnonzero(cover > 0)
        share = (cover[some] * wear[some]).clip(0, 1)[:, None]
        colour[on_road[some]] += share * (np.array(line.colour, np.float32) - colour[on_road[some]])


def paint_windows(hour: Hour, colour: np.ndarray, facade: np.ndarray, along: np.ndarray, above: np.ndarray) -> None:
    """Windows in a grid of 3 m by 3 m on the facade pixels, in place; some are lit in the dark."""
    wall = np.flatnonzero(facade)
    u, v = along[wall] / 3.0, above[wall] / 3.0
    inside = (np.abs(u % 1 - 0.5) < 0.25) & (np.abs(v % 1 - 0.55) < 0.22)
    glass = wall[inside]
    colour[glass] = np.array([52, 62, 76], np.float32)
    if hour.name in ("night", "dusk"):
        lit = tile_at(noise_tile(0.7), np.floor(u[inside]) * 7, np.floor(v[inside]) * 7) > 0.6
        colour[glass[lit]] = np.array([255, 206, 120], np.float32) / hour.ambient.mean() * 0.8


def draw_frame(seed: int, index: int) -> tuple[np.ndarray, float]:
    """Draw frame `index` of the set drawn from `seed`.

    Returns:
      The frame, uint8 [256, 455, 3] RGB, and its steering angle in degrees: positive to the right,
      proportional to the mean curvature of the drawn road over the next 20 m, within about +-60.
    """
    drive_number, step_in_drive = divmod(index, FRAMES_PER_DRIVE)
    drive = open_drive(seed, drive_number)
    rng = np.random.default_rng([seed, drive_number, step_in_drive])
    view = look(drive, step_in_drive)
    picture = crop_sky(drive.sky, view)
    pixel, depth, along, across = cast_rays(drive, view)
    picture.reshape(-1, 3)[pixel] = colour_ground(drive, view, pixel, depth, along, across)
    depths = np.full(ROWS * COLUMNS, np.inf, np.float32)
    depths[pixel] = depth
    draw_things(drive, view, step_in_drive, picture, depths.reshape(ROWS, COLUMNS))
    return develop(rng, picture, drive.hour), steering_angle(drive, step_in_drive)


def crop_sky(sky: np.ndarray, view: View) -> np.ndarray:
    """The part of the panorama before the camera, float32 [ROWS, COLUMNS, 3]."""
    top = int(np.clip(ROWS - round(view.horizon), 0, ROWS))
    left = round(view.turned * FOCAL)
    return sky[top : top + ROWS].take(np.arange(left, left + COLUMNS) % PANORAMA, axis=1)


def draw_things(drive: Drive, view: View, step_in_drive: int, picture: np.ndarray, depths: np.ndarray) -> None:
    """Draw trees, posts, signs and cars onto the picture, the farthest first, hidden by nearer ground."""
    along, across, base, sprite = drive.things.at(step_in_drive)
    ahead = view.along[0] + (along - view.along[0]) % LENGTH
    x, z, heading, rise = (np.interp(ahead, view.along, values) for values in (view.x, view.z, view.heading, view.rise))
    x, z = x + across * np.cos(heading), z - across * np.sin(heading)
    column = (COLUMNS - 1) / 2 + FOCAL * x / z
    row = view.horizon + FOCAL * (CAMERA_HEIGHT - base - rise) / z
    light = light_at(drive.hour, np.full(len(z), 0.8, np.float32), x, z).astype(np.float32)
    shown = (z > 4.5) & (z < 160) & (np.abs(x) < 0.57 * z + 3)
    for n in sorted(np.flatnonzero(shown), key=lambda n: -z[n]):
        image, foot, scale = drive.things.sprites[sprite[n]], (column[n], row[n]), FOCAL / z[n]
        objects.paste(image, picture, depths, foot, scale, z[n], light[n], drive.hour)
