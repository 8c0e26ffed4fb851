"""The colours of the ground: texture, leaves, painted lines, windows, light and haze."""

from __future__ import annotations

import numpy as np

from dcgan_tf.datasets.synthetic_road.drive import CAMERA_HEIGHT, FOCAL, Drive, View
from dcgan_tf.datasets.synthetic_road.ground import (
    BLUE,
    FACADE,
    GROUND,
    KIND,
    LEAVES,
    LIGHT,
    PLAIN,
    RAIL,
    RED,
    ROUGHNESS,
    TILE,
    look_up,
    noise_tile,
)
from dcgan_tf.datasets.synthetic_road.light import COLUMNS, add_haze, compute_light
from dcgan_tf.datasets.synthetic_road.place import Hour, Road

# Of each image column: x / z of the points it shows, float32 [COLUMNS].
COLUMN_TANGENT = ((np.arange(COLUMNS) - (COLUMNS - 1) / 2) / FOCAL).astype(np.float32)


def colour_ground(
    drive: Drive, view: View, pixel: np.ndarray, depth: np.ndarray, along: np.ndarray, across: np.ndarray
) -> np.ndarray:
    """Compute the colour of the ground at n pixels.

    Args:
      drive: the drive.
      view: the camera's view.
      pixel: flat index of each pixel, int [n].
      depth: depth of its point of the ground, metres, float [n].
      along: position of that point along the road, metres, float [n].
      across: position across the road, metres, float [n].

    Returns:
      float32 [n, 3], RGB in 0..255 or above.
    """
    grain, lumps = noise_tile(0.7), noise_tile(1.6)
    # Map cells are half a metre long; on the road, shifting by noise hides the straight edges of shadows.
    on_road = (across > drive.road.left) & (across < drive.road.right)
    shifted = along + np.float32(0.3) * sample_tile(grain, along * 16, across * 16) * on_road
    cell = look_up(drive.ground, shifted, across)
    row = (pixel // COLUMNS).astype(np.float32)
    rise = np.interp(depth, view.z, view.rise).astype(np.float32)
    above = CAMERA_HEIGHT - rise - (row - np.float32(view.horizon)) * depth / FOCAL - cell[:, GROUND]
    colour = cell[:, RED : BLUE + 1].copy()
    paint_lines(drive.road, colour, depth, along, across, above)
    flat = cell[:, KIND] == PLAIN
    # On vertical faces the position is the same in a whole image column, so the texture varies with the height.
    u = np.where(flat, along, along + np.float32(0.3) * above)
    v = np.where(flat, across, across + above)
    # Noise finer than a pixel is averaged out by the sensor.
    fine = sample_tile(grain, u * 24, v * 24) * np.minimum(1, 9 / depth)
    coarse = sample_tile(lumps, u * 4 + 99, v * 4) * np.minimum(1, 60 / depth)
    texture = 1 + cell[:, ROUGHNESS] * (0.6 * fine + 0.5 * coarse)
    leaves = np.flatnonzero(cell[:, KIND] == LEAVES)
    texture[leaves] *= shade_leaves(u[leaves], v[leaves], above[leaves], depth[leaves])
    rail = (cell[:, KIND] == RAIL) & (above < 0.42)
    texture *= np.where(rail, np.float32(0.5), np.float32(1))
    paint_windows(drive.hour, colour, cell[:, KIND] == FACADE, along + across, above)
    x = COLUMN_TANGENT[pixel % COLUMNS] * depth
    colour *= np.clip(texture, 0.15, 2)[:, None]
    colour *= compute_light(drive.hour, cell[:, LIGHT], x, depth)
    return add_haze(drive.hour, colour, depth)


def shade_leaves(u: np.ndarray, v: np.ndarray, height: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Compute factors for the colour of leaves, [n]: clumps, bright at the top and dark below."""
    lumps = noise_tile(1.6)
    clumps = sample_tile(lumps, u * 5, v * 5) - sample_tile(lumps, u * 5, v * 5 + 3)
    crowns = sample_tile(lumps, u * 1.2 + 50, v * 1.2) - sample_tile(lumps, u * 1.2 + 50, v * 1.2 + 4)
    shade = 0.85 - 0.45 * clumps * np.minimum(1, 40 / depth) - 0.3 * crowns
    return np.clip(shade * np.clip(0.5 + 0.2 * height, 0.5, 1.15), 0.25, 1.6)


def sample_tile(tile: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Sample a tile at real-valued positions, in cells, by truncation; the tile repeats."""
    return tile.ravel().take((row.astype(np.int32) % TILE) * TILE + column.astype(np.int32) % TILE)


def paint_lines(
    road: Road,
    colour: np.ndarray,
    depth: np.ndarray,
    along: np.ndarray,
    across: np.ndarray,
    above: np.ndarray,
) -> None:
    """Paint the road's lines onto the colours of the ground pixels, in place; arrays as in `colour_ground`."""
    on_road = np.flatnonzero((across > road.left) & (across < road.right) & (above < 0.3))
    depth, along, across = depth[on_road], along[on_road], across[on_road]
    width_of_pixel = depth / FOCAL
    length_of_pixel = depth * width_of_pixel / CAMERA_HEIGHT
    wear = 0.8 + 0.15 * sample_tile(noise_tile(0.7), along * 12, across * 12)
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
    """Paint windows in a grid of 3 m by 3 m onto the facade pixels, in place; in the dark some are lit."""
    wall = np.flatnonzero(facade)
    u, v = along[wall] / 3.0, above[wall] / 3.0
    inside = (np.abs(u % 1 - 0.5) < 0.25) & (np.abs(v % 1 - 0.55) < 0.22)
    glass = wall[inside]
    colour[glass] = np.array([52, 62, 76], np.float32)
    if hour.name in ("night", "dusk"):
        lit = sample_tile(noise_tile(0.7), np.floor(u[inside]) * 7, np.floor(v[inside]) * 7) > 0.6
        colour[glass[lit]] = np.array([255, 206, 120], np.float32) / hour.ambient.mean() * 0.8
