"""Draw one frame: sky, ground, and the objects on it, as the camera sees them."""

from __future__ import annotations

import numpy as np

from dcgan_tf.datasets.synthetic_road.drive import (
    CAMERA_HEIGHT,
    FAR,
    FOCAL,
    FRAMES_PER_DRIVE,
    Drive,
    View,
    compute_steering_angle,
    compute_view,
    make_drive,
)
from dcgan_tf.datasets.synthetic_road.ground import LENGTH, look_up
from dcgan_tf.datasets.synthetic_road.light import COLUMNS, PANORAMA, ROWS, apply_camera, compute_light
from dcgan_tf.datasets.synthetic_road.objects import paste_sprite
from dcgan_tf.datasets.synthetic_road.surface import COLUMN_TANGENT, colour_ground

# Depths of the slices that the ground is cut into, metres. As long as thin walls are more than a pixel high, the slices
# are no farther apart than such walls are thick.
SLICE_DEPTH = np.concatenate(
    [np.arange(3.6, 30, 0.33), np.arange(30, 120, 0.6), np.geomspace(120, FAR, 45)], dtype=np.float32
)
SLICES = len(SLICE_DEPTH)


def draw_frame(seed: int, index: int) -> tuple[np.ndarray, float]:
    """Draw frame `index` of the data set of `seed`.

    Returns:
      The frame, uint8 [256, 455, 3] RGB, and its steering angle in degrees. The angle is positive to the right,
      proportional to the mean curvature of the drawn road over the next 20 m, and within about +-60.
    """
    drive_number, step_in_drive = divmod(index, FRAMES_PER_DRIVE)
    drive = make_drive(seed, drive_number)
    rng = np.random.default_rng([seed, drive_number, step_in_drive])
    view = compute_view(drive, step_in_drive)
    picture = crop_sky(drive.sky, view)
    pixel, depth, along, across = cast_rays(drive, view)
    picture.reshape(-1, 3)[pixel] = colour_ground(drive, view, pixel, depth, along, across)
    depths = np.full(ROWS * COLUMNS, np.inf, np.float32)
    depths[pixel] = depth
    draw_objects(drive, view, step_in_drive, picture, depths.reshape(ROWS, COLUMNS))
    return apply_camera(rng, picture, drive.hour), compute_steering_angle(drive, step_in_drive)


def crop_sky(sky: np.ndarray, view: View) -> np.ndarray:
    """Crop the panorama to what is before the camera: float32 [ROWS, COLUMNS, 3]."""
    top = int(np.clip(ROWS - round(view.horizon), 0, ROWS))
    left = round(view.turned * FOCAL)
    return sky[top : top + ROWS].take(np.arange(left, left + COLUMNS) % PANORAMA, axis=1)


def cast_rays(drive: Drive, view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find the point of the ground that each pixel shows.

    The ground is cut into vertical slices at increasing depths. In each image column, a slice covers all rows below
    its outline that no nearer slice covers.

    Returns:
      For the n pixels that show ground: flat index int32 [n]; depth, position along and position across the road,
      each float [n], in metres.
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
    # On gentle ground the point is between two slices; on a steep face it is on the farther one.
    steepest = 0.1 + 0.6 * np.gradient(depth).clip(0, 1)
    gentle = (height.take(cell) - height.take(before) < steepest[hit]) & (hit > 0)
    top, bottom = outline.take(cell), outline.take(before)
    part = (bottom - (pixel // COLUMNS).astype(np.float32)) / np.maximum(bottom - top, 1e-3)
    part = np.where(gentle, part, np.float32(1)).clip(0, 1)
    pixel_depth = 1 / (1 / depth[np.maximum(hit - 1, 0)] * (1 - part) + part / depth[hit])
    pixel_along = slice_along.take(before) * (1 - part) + slice_along.take(cell) * part
    pixel_across = slice_across.take(before) * (1 - part) + slice_across.take(cell) * part
    return pixel, pixel_depth, pixel_along, pixel_across


def draw_objects(drive: Drive, view: View, step_in_drive: int, picture: np.ndarray, depths: np.ndarray) -> None:
    """Draw trees, posts, signs and cars onto the picture in place, the farthest first; nearer ground hides them."""
    along, across, base, sprite = drive.objects.at(step_in_drive)
    ahead = view.along[0] + (along - view.along[0]) % LENGTH
    x, z, heading, rise = (np.interp(ahead, view.along, values) for values in (view.x, view.z, view.heading, view.rise))
    x, z = x + across * np.cos(heading), z - across * np.sin(heading)
    column = (COLUMNS - 1) / 2 + FOCAL * x / z
    row = view.horizon + FOCAL * (CAMERA_HEIGHT - base - rise) / z
    light = compute_light(drive.hour, np.full(len(z), 0.8, np.float32), x, z).astype(np.float32)
    shown = (z > 4.5) & (z < 160) & (np.abs(x) < 0.57 * z + 3)
    for n in sorted(np.flatnonzero(shown), key=lambda n: -z[n]):
        image, foot, scale = drive.objects.sprites[sprite[n]], (column[n], row[n]), FOCAL / z[n]
        paste_sprite(image, picture, depths, foot, scale, z[n], light[n], drive.hour)
