"""Sky, light and haze, and the effects of a dashcam's lens and sensor."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dcgan_tf.datasets.synthetic_road.ground import TILE, noise_tile, smoothstep
from dcgan_tf.datasets.synthetic_road.place import SOILS, Hour

ROWS, COLUMNS = 256, 455  # of a frame
PANORAMA = 1024  # columns of the sky all round


def draw_sky(rng: np.random.Generator, hour: Hour, sea: bool) -> np.ndarray:
    """Draw the sky with clouds and distant hills all round: float32 [2 * ROWS, PANORAMA, 3], horizon at row ROWS."""
    above = np.maximum(ROWS - np.arange(2 * ROWS, dtype=np.float32), 0)[:, None]
    around = np.arange(PANORAMA)[None]
    share = (1 - np.exp(-above / rng.uniform(45, 90)))[..., None]
    sky = hour.horizon * (1 - share) + hour.zenith * share
    sky = np.repeat(sky, PANORAMA, axis=1)
    if hour.name in ("golden", "dusk"):
        aside = np.abs((around - rng.integers(PANORAMA) + PANORAMA // 2) % PANORAMA - PANORAMA // 2)
        far = np.hypot(aside / 2.2, above - 25)
        sky += np.exp(-far / 45)[..., None] * np.array([120, 70, 10], np.float32)
    if hour.clouds:
        tile = noise_tile(1.6)
        rows = (90 * np.log1p(above / 18) + rng.integers(TILE)).astype(int) % TILE
        thick = smoothstep(tile[rows, around // 2 % TILE] + hour.clouds, 0.9, 2.2)
        white = hour.horizon * 0.6 + (0 if hour.name == "night" else 100)
        share = (thick * smoothstep(above, 2, 40) * (0.5 if hour.name == "overcast" else 0.9))[..., None]
        sky = sky * (1 - share) + (white * (0.75 if hour.name == "overcast" else 1)) * share
    base = hour.zenith * 0.5 + hour.horizon * 0.15 if sea else hour.horizon * 0.75
    sky[ROWS:] = (
        base * (1 - np.exp(-np.arange(1, ROWS + 1) / 6))[:, None, None]
        + hour.horizon * np.exp(-np.arange(1, ROWS + 1) / 6)[:, None, None]
    )
    for haze in np.sort(rng.uniform(0.25, 0.85, rng.integers(0, 4)))[::-1]:
        add_ridge(rng, sky, hour, haze)
    return np.clip(sky, 0, 255).astype(np.float32)


def add_ridge(rng: np.random.Generator, sky: np.ndarray, hour: Hour, haze: float) -> None:
    """Draw a chain of distant hills onto `sky`, in place; the larger `haze` (0..1), the lower and paler."""
    around = np.arange(PANORAMA) / 2
    line = noise_tile(3.0)[rng.integers(TILE)]
    height = (1 - haze) * rng.uniform(10, 55) * np.clip(1 + np.interp(around, np.arange(TILE), line, period=TILE), 0, 3)
    height += 1.2 * noise_tile(0.7)[rng.integers(TILE)][around.astype(int)] * (1 - haze)
    rows = np.arange(ROWS - 170, ROWS)
    inside = rows[:, None] > ROWS - height[None]
    colour = np.array(list(SOILS.values())[rng.integers(4)], np.float32) * (hour.ambient + 0.6 * hour.sun)
    texture = 1 + 0.22 * noise_tile(1.6)[rows % TILE][:, np.arange(PANORAMA) % TILE]
    hill = colour * 0.7 * texture[..., None] * (1 - haze) + hour.horizon * 0.85 * haze
    part = sky[ROWS - 170 : ROWS]
    part[inside] = hill[inside]


def compute_light(hour: Hour, sunlit: np.ndarray, x: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Compute the light on n points, with headlamps in the dark.

    Args:
      hour: the time of day.
      sunlit: share of sunlight, float [n].
      x: position to the right of the camera, metres, float [n].
      depth: distance before the camera, metres, float [n].

    Returns:
      RGB factors, [n, 3].
    """
    light = hour.ambient + sunlit[:, None] * hour.sun
    if hour.name in ("night", "dusk"):
        beam = np.exp(-((x / (1.6 + 0.16 * depth)) ** 2) - depth / 32) * smoothstep(depth, 3, 9)
        light += beam[:, None] * np.array([1.15, 1.08, 0.9], np.float32) * (1.0 if hour.name == "night" else 0.35)
    return light


def haze_colour(hour: Hour) -> np.ndarray:
    """Compute the colour that things fade into with their depth, RGB."""
    return hour.horizon * np.float32(0.85)


def add_haze(hour: Hour, colour: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Fade colours [n, 3] into the horizon with their depth [n]."""
    clear = np.exp(-depth / np.float32(hour.sight))[:, None]
    return colour * clear + haze_colour(hour) * (1 - clear)


def apply_camera(rng: np.random.Generator, picture: np.ndarray, hour: Hour) -> np.ndarray:
    """Apply the effects of lens and sensor: slight blur, vignette and noise.

    Args:
      rng: chooses the noise.
      picture: float32 [ROWS, COLUMNS, 3], 0..255.
      hour: the time of day; at night there is more noise.

    Returns:
      uint8 [ROWS, COLUMNS, 3].
    """
    soft = picture.copy()
    soft[:, 1:-1] = 0.64 * picture[:, 1:-1] + 0.18 * (picture[:, :-2] + picture[:, 2:])
    soft[1:-1] = 0.8 * soft[1:-1] + 0.1 * (soft[:-2] + soft[2:])
    soft *= make_vignette()
    top, left = rng.integers(TILE - ROWS), rng.integers(TILE - COLUMNS)
    grain = noise_tile(0.25)[top : top + ROWS, left : left + COLUMNS, None]
    soft += grain * (3.5 if hour.name == "night" else 2.0)
    return np.clip(soft, 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def make_vignette() -> np.ndarray:
    """Compute factors that darken the corners and the lowest rows, above the bonnet: float32 [ROWS, COLUMNS, 1]."""
    y, x = np.mgrid[-1 : 1 : ROWS * 1j, -1 : 1 : COLUMNS * 1j]
    fall = 1 - 0.10 * (x**2 + y**2) - 0.35 * np.clip(y - 0.9, 0, 1) * 5
    return fall.astype(np.float32)[..., None]
