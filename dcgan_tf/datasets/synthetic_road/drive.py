"""A drive: its place, the course of the road, and the camera's view of the road in one frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dcgan_tf.datasets.synthetic_road.ground import HEIGHT, LENGTH, MapMaker
from dcgan_tf.datasets.synthetic_road.light import draw_sky
from dcgan_tf.datasets.synthetic_road.objects import Objects, place_objects
from dcgan_tf.datasets.synthetic_road.place import SCENERIES, Hour, Road, choose_hour, choose_road, choose_side

FRAMES_PER_DRIVE = 40
FRAMES_PER_SECOND = 30
FOCAL = 400.0  # pixels
CAMERA_HEIGHT = 1.35  # metres above the road
FAR = 800.0  # metres; nothing of the ground is drawn beyond
DEGREES_PER_CURVATURE = np.degrees(15.0 * 2.7)  # steering ratio times wheelbase (m): degrees per 1/m
LOOK_AHEAD = 20.0  # metres of road ahead whose mean curvature determines the steering angle


@dataclass(frozen=True)
class Drive:
    """What the frames of a drive have in common."""

    hour: Hour
    road: Road
    ground: np.ndarray  # float32 [map rows, map columns, 8], see `ground.MapMaker`
    heights: np.ndarray  # float32 [map rows, map columns, 1], its channel HEIGHT
    sky: np.ndarray  # float32 [2 * ROWS, PANORAMA, 3], horizon at row ROWS
    objects: Objects
    bends: np.ndarray  # [2, 3]: amplitude (1/m), waves per LENGTH, phase
    hills: np.ndarray  # [2, 3]: amplitude (m), waves per LENGTH, phase
    start: float  # position along the road of the first frame, metres
    speed: float  # metres per frame
    horizon: float  # row of the horizon on level road

    def curvature(self, along: np.ndarray) -> np.ndarray:
        """Compute the curvature of the centre line at positions along it (m): 1/m, positive to the right."""
        return sum_sines(self.bends, along)

    def elevation(self, along: np.ndarray | float) -> np.ndarray:
        """Compute the height of the road at positions along it: metres."""
        return sum_sines(self.hills, along)


@dataclass(frozen=True)
class View:
    """The course of the road relative to the camera in one frame; arrays [n] over the distance along the road."""

    along: np.ndarray  # position along the road, metres
    x: np.ndarray  # of the centre line, metres to the right of the camera
    z: np.ndarray  # of the centre line, metres before the camera
    heading: np.ndarray  # direction of the road relative to the camera's, radians
    rise: np.ndarray  # height of the road above its height at the camera, metres
    horizon: float  # row
    turned: float  # heading of the camera relative to that at position 0, radians


def sum_sines(terms: np.ndarray, along: np.ndarray | float) -> np.ndarray:
    """Compute a sum of sines with the period LENGTH; `terms` as in `Drive.bends`."""
    return sum(size * np.sin(2 * np.pi * count * along / LENGTH + phase) for size, count, phase in terms)


@lru_cache(maxsize=2)
def make_drive(seed: int, drive: int) -> Drive:
    """Draw the place and the course of drive number `drive`."""
    rng = np.random.default_rng([seed, drive])
    hour = choose_hour(rng)
    scenery = str(rng.choice(SCENERIES))
    road = choose_road(rng, scenery)
    seaward = rng.random() < 0.5
    sides = choose_side(rng, scenery, seaward), choose_side(rng, scenery, not seaward)
    maker = MapMaker(rng, hour, road, sides)
    ground = maker.make()
    sharpest = rng.choice([2.0, 12.0, 32.0, 60.0], p=[0.2, 0.35, 0.25, 0.2]) / DEGREES_PER_CURVATURE
    sharpest *= 0.5 if scenery == "freeway" else 1.0
    share = rng.uniform(0.6, 1.0)
    counts = rng.choice([1, 2, 3], 2, replace=False)
    steep = rng.choice([0.0, 0.02, 0.05]) * LENGTH / (2 * np.pi)
    start, speed = rng.uniform(0, LENGTH), rng.uniform(9, 28) / FRAMES_PER_SECOND
    objects = place_objects(rng, hour, road, sides, ground, start, speed)
    for along, across, height in objects.trees():
        maker.add_tree_shadow(along, across, height)
    return Drive(
        hour=hour,
        road=road,
        ground=ground,
        heights=ground[..., HEIGHT : HEIGHT + 1].copy(),
        sky=draw_sky(rng, hour, sea=any(side.sea for side in sides)),
        objects=objects,
        bends=np.array([[sharpest * (share, 1 - share)[n], counts[n], rng.uniform(0, 7)] for n in (0, 1)]),
        hills=np.array([[steep / count, count, rng.uniform(0, 7)] for count in (2, 3)]),
        start=start,
        speed=speed,
        horizon=rng.uniform(112, 132),
    )


def compute_view(drive: Drive, step_in_drive: int) -> View:
    """Compute the camera's view of the road in one frame of the drive."""
    at = drive.start + drive.speed * step_in_drive
    ahead = np.arange(0.0, 1.6 * FAR)
    # Clipped below a right angle, so that z increases along the road; the field of view is narrower anyway.
    heading = np.clip(np.cumsum(drive.curvature(at + ahead)), -1.2, 1.2)
    heading -= heading[0]
    grade = drive.elevation(at + 2.0) - drive.elevation(at - 2.0)
    return View(
        along=at + ahead,
        x=np.cumsum(np.sin(heading)) - drive.road.lane,
        z=np.cumsum(np.cos(heading)),
        heading=heading,
        rise=drive.elevation(at + ahead) - drive.elevation(at),
        horizon=float(drive.horizon + FOCAL * grade / 4.0),
        turned=float(np.sum(drive.curvature(np.arange(0.0, at)))),
    )


def compute_steering_angle(drive: Drive, step_in_drive: int) -> float:
    """Compute the steering angle in degrees, right positive, from the mean curvature of the next LOOK_AHEAD metres."""
    at = drive.start + drive.speed * step_in_drive
    return float(DEGREES_PER_CURVATURE * drive.curvature(at + np.arange(LOOK_AHEAD)).mean())
