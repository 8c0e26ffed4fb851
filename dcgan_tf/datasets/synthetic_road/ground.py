"""The map of a place in road coordinates: `along` the centre line and `across` it, in metres, right positive.

The map repeats every `LENGTH` metres, so a drive never reaches its end.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from dcgan_tf.datasets.synthetic_road.place import PLANTS, SHARES, SOILS, Hour, Road, Side

LENGTH = 512.0  # metres of road after which a place repeats
ROWS, COLUMNS = 1024, 512  # cells of a map: 0.5 m long; 8 cm wide at the centre line, 6 m at the edges
RIM, FINE = 5.0, 4.0  # across = FINE * sinh(q), q in [-RIM, RIM]
TILE = 512  # rows and columns of a noise tile
SEA_LEVEL = -9.0  # metres below the road

# Channels of a map. GROUND is the height of the bare soil, HEIGHT that of what is on it, in metres above the road.
HEIGHT, GROUND, RED, GREEN, BLUE, LIGHT, ROUGHNESS, KIND = range(8)
PLAIN, LEAVES, WALL, FACADE, RAIL = range(5)  # values of KIND


@cache
def noise_tile(steepness: float) -> np.ndarray:
    """Make a periodic tile of 1/f**steepness noise: float32 [512, 512], mean 0, standard deviation 1."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(TILE), np.fft.rfftfreq(TILE), indexing="ij"))
    frequency[0, 0] = np.inf
    white = np.random.default_rng(TILE).normal(size=(TILE, TILE))
    tile = np.fft.irfft2(np.fft.rfft2(white) / np.maximum(frequency, 3 / TILE) ** steepness)
    return ((tile - tile.mean()) / tile.std()).astype(np.float32)


def column_positions() -> np.ndarray:
    """Compute the position of each map column across the road, in metres: float32 [COLUMNS]."""
    return (FINE * np.sinh(np.linspace(-RIM, RIM, COLUMNS))).astype(np.float32)


def sample_noise(steepness: float, cell: float, shift: np.ndarray) -> np.ndarray:
    """Sample noise on the whole map: float32 [ROWS, COLUMNS].

    Args:
      steepness: see `noise_tile`.
      cell: size of a tile cell in metres, a power of 2; between cells the noise is interpolated.
      shift: offset in the tile, float [2], cells.
    """
    tile = noise_tile(steepness)
    row = np.arange(ROWS, dtype=np.float32)[:, None] * (LENGTH / ROWS / cell) + shift[0]
    column = column_positions()[None] / cell + shift[1]
    below, left = np.floor(row).astype(int), np.floor(column).astype(int)
    rows = tile[below[:, 0] % TILE] * (1 - (row - below)) + tile[(below[:, 0] + 1) % TILE] * (row - below)
    part = (column - left).astype(np.float32)
    return (rows[:, left[0] % TILE] * (1 - part) + rows[:, (left[0] + 1) % TILE] * part).astype(np.float32)


def smoothstep(value: np.ndarray, low: float | np.ndarray, high: float | np.ndarray) -> np.ndarray:
    """Compute the smoothstep function: 0 below `low`, 1 above `high`, a cubic between."""
    part = np.clip((value - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)


class MapMaker:
    """Fills the map of a place. The random numbers are drawn in a fixed order, on which the frames depend."""

    def __init__(self, rng: np.random.Generator, hour: Hour, road: Road, sides: tuple[Side, Side]):
        self.rng, self.hour, self.road, self.sides = rng, hour, road, sides
        self.across = column_positions()
        self.map = np.zeros((ROWS, COLUMNS, 8), np.float32)
        self.soil = self._vary_colour(SOILS[str(rng.choice(list(SOILS), p=SHARES))])
        self.leaves = self._vary_colour(PLANTS[str(rng.choice(list(PLANTS), p=SHARES))])
        # Cells become wider outwards; details finer than a cell are faded out.
        self.near = np.clip(25 / np.abs(self.across), 0, 1)
        self.hills = self._noise(2.0, 1.0)
        self.lumps = self._noise(1.6, 0.25)
        self.grain = self._noise(0.7, 0.25)
        self.crowns = self._noise(2.0, 0.25)
        turn = rng.uniform(0, 2 * np.pi)
        self.sun = (float(np.cos(turn)), float(np.sin(turn)))  # direction to the sun: along, across

    def _noise(self, steepness: float, cell: float) -> np.ndarray:
        return sample_noise(steepness, cell, self.rng.uniform(0, TILE, 2).astype(np.float32))

    def _vary_colour(self, colour: tuple[int, ...], tint: float = 0.1) -> np.ndarray:
        """Make a colour lighter or darker, and change each of its channels by up to the share `tint`."""
        factors = self.rng.uniform(0.75, 1.2) * self.rng.uniform(1 - tint, 1 + tint, 3)
        return (np.array(colour) * factors).astype(np.float32)

    def make(self) -> np.ndarray:
        """Make the map: the soil, what stands on it, the road, then the light.

        Returns:
          float32 [ROWS, COLUMNS, 8], with the channels named above.
        """
        self._paint_soil()
        for side, sign in zip(self.sides, (-1, 1)):
            beyond = self.across - self.road.right if sign > 0 else self.road.left - self.across
            self._raise_slope(side, beyond)
            if side.sea:
                self._add_sea(beyond)
        self.map[..., GROUND] = self.map[..., HEIGHT]
        for side, sign in zip(self.sides, (-1, 1)):
            beyond = self.across - self.road.right if sign > 0 else self.road.left - self.across
            self._add_plants(side, beyond)
            if side.houses:
                self._add_houses(side, beyond)
            self._add_barriers(side, beyond)
        self._pave_road()
        self._compute_light()
        return self.map

    def _paint(self, where: np.ndarray | tuple, colour: np.ndarray, roughness: float, kind: int = PLAIN) -> None:
        self.map[..., RED : BLUE + 1][where] = colour
        self.map[..., ROUGHNESS][where] = roughness
        self.map[..., KIND][where] = kind

    def _paint_soil(self) -> None:
        second = 0.5 * (self.soil + self._vary_colour(SOILS[str(self.rng.choice(list(SOILS)))]))
        share = smoothstep(self.lumps + self.hills, -0.6, 1.4)[..., None]
        self.map[..., RED : BLUE + 1] = self.soil * (1 - share) + second * share
        self.map[..., ROUGHNESS] = 0.22

    def _raise_slope(self, side: Side, beyond: np.ndarray) -> None:
        start = 1.5 + self.road.pavement
        climb = np.clip((beyond - start) * abs(side.slope), 0, side.rise) * np.sign(side.slope)
        uneven = 1 + 0.35 * self.hills + 0.08 * self.lumps * self.near
        self.map[..., HEIGHT] += np.where(beyond > start, climb * np.clip(uneven, 0.1, 2), 0)
        self.map[..., HEIGHT] += np.clip(beyond - 12, 0, 120) * 0.05 * np.clip(self.hills + 0.3, 0, None)

    def _add_sea(self, beyond: np.ndarray) -> None:
        shore = 22 + 6 * self.hills
        where = beyond > shore
        self.map[where, HEIGHT] = SEA_LEVEL
        self._paint(where, self.hour.zenith * 0.5 + self.hour.horizon * 0.15, 0.08)
        surf = where & (beyond < shore + 3 + 2 * self.lumps)
        self._paint(surf, np.array([215, 222, 225], np.float32), 0.1)

    def _add_plants(self, side: Side, beyond: np.ndarray) -> None:
        # 1.5 * (1 - 2 * share) approximates the bound that a normal variate exceeds with probability `share`.
        bound = 1.5 * (1 - 2 * side.plants)
        inner = side.plants_from + self.road.pavement + 0.5 * self.lumps
        noise = self.crowns * 0.8 * self.near + self.hills * (1.4 - 0.8 * self.near)
        # The root turns the gentle slopes of the noise into round crowns.
        cover = np.sqrt(smoothstep(noise, bound, bound + 1.2) * smoothstep(beyond, inner, inner + 2))
        where = (cover > 0.3) & (self.map[..., GROUND] > SEA_LEVEL)
        height = cover * np.clip(0.85 + 0.3 * self.hills, 0.4, 1.5) + 0.04 * self.grain * self.near
        self.map[..., HEIGHT] += where * height * side.plants_height
        tint = self.leaves * (1 + 0.12 * self.hills[where] + 0.05 * self.lumps[where])[:, None]
        self._paint(where, tint, 0.5, LEAVES)

    def _add_houses(self, side: Side, beyond: np.ndarray) -> None:
        town = side.houses > 7
        front = self.road.pavement + (1.0 if town else self.rng.uniform(6, 10))
        along = 0.0
        while along < LENGTH - 12:
            length, depth = self.rng.uniform(10, 24), self.rng.uniform(9, 14)
            rows = slice(int(along * 2), int((along + length) * 2))
            inside = (beyond > front) & (beyond < front + depth)
            columns = np.flatnonzero(inside)
            height = side.houses * self.rng.uniform(0.6, 1.4)
            block = (rows, slice(columns[0], columns[-1] + 1))
            colour = self.rng.choice([(205, 195, 178), (178, 154, 130), (150, 150, 152), (214, 212, 206)])
            self._paint(block, self._vary_colour(colour, 0.04), 0.06, FACADE)
            self.map[block + (HEIGHT,)] = height
            self.map[block + (GROUND,)] = 0
            if not town:
                self._add_roof(block, height)
            along += length + (self.rng.uniform(0, 4) if town else self.rng.uniform(5, 16))

    def _add_roof(self, block: tuple[slice, slice], height: float) -> None:
        """Add a pitched roof, whose ridge runs along the house."""
        rows, columns = block
        inner = (slice(rows.start + 1, rows.stop - 1), slice(columns.start + 1, columns.stop - 1))
        width = inner[1].stop - inner[1].start
        ridge = 1 - np.abs(np.linspace(-1, 1, width))
        self._paint(inner, self._vary_colour((150, 100, 80)), 0.12, WALL)
        self.map[inner + (HEIGHT,)] = height + 0.3 + 2.2 * ridge

    def _add_barriers(self, side: Side, beyond: np.ndarray) -> None:
        at = self.road.pavement + 0.7
        if side.wall:
            where = (beyond > at + 1) & (beyond < at + 1.7)
            self.map[:, where, HEIGHT] = self.map[:, where, GROUND] + side.wall
            self._paint((slice(None), where), self._vary_colour((176, 168, 156), 0.06), 0.1, WALL)
        if side.rail:
            where = (beyond > at) & (beyond < at + 0.45)
            self.map[:, where, HEIGHT] = self.map[:, where, GROUND] + 0.8
            self._paint((slice(None), where), np.array([176, 180, 182], np.float32), 0.05, RAIL)

    def _pave_road(self) -> None:
        road, across = self.road, self.across
        # Kerbs are painted without height: such low steps would show the gaps between the slices (`scene`).
        paved = (across > road.left - road.pavement) & (across < road.right + road.pavement)
        self.map[:, paved, HEIGHT] = self.map[:, paved, GROUND] = 0
        if road.pavement:
            self._paint((slice(None), paved), self._vary_colour((172, 168, 160), 0.04), 0.08)
        lane = (across > road.left) & (across < road.right)
        where = (slice(None), lane)
        grey = self.rng.uniform(62, 118) * np.array([0.98, 1.0, 1.03], np.float32) * self.rng.uniform(0.96, 1.04, 3)
        worn = 0.045 * self.lumps + 0.05 * self.grain + 0.05 * np.cos((across - road.lane) * 2 * np.pi / 1.75)
        self._paint(where, (grey * (1 + worn[..., None]))[:, lane], 0.09)
        self.map[:, lane, HEIGHT] = 0
        for _ in range(int(self.rng.choice([0, 4, 16]))):
            self._add_patch()
        if road.median:
            left, right = road.median
            strip = (across > left) & (across < right)
            soil = self.soil if self.rng.random() < 0.6 else self._vary_colour((150, 146, 138))
            self._paint((slice(None), strip), soil, 0.2)
            kerbs = strip & ((across < left + 0.35) | (across > right - 0.35))
            self._paint((slice(None), kerbs), self._vary_colour((186, 182, 174), 0.04), 0.06)
            if right - left < 1.5:
                self.map[:, strip, HEIGHT] = 0.85
                self._paint((slice(None), strip), self._vary_colour((170, 168, 162), 0.04), 0.06, WALL)

    def _add_patch(self) -> None:
        """Make a stretch of the asphalt darker or lighter, as if repaired."""
        row = int(self.rng.integers(ROWS - 80))
        left = self.rng.uniform(self.road.left, self.road.right - 1)
        columns = slice(*np.searchsorted(self.across, [left, min(left + self.rng.uniform(0.6, 3.5), self.road.right)]))
        self.map[row : row + int(self.rng.integers(3, 80)), columns, RED : BLUE + 1] *= self.rng.uniform(0.72, 1.12)

    def _compute_light(self) -> None:
        """Fill the channel LIGHT: sunlight with cast shadows; at night the light of street lamps."""
        if self.hour.name == "night":
            along = np.arange(ROWS)[:, None] * (LENGTH / ROWS)
            lamps = (along % 32 - 16) ** 2 / 60 + (np.abs(self.across) - self.road.right) ** 2 / 40
            lit = any(side.houses for side in self.sides)
            self.map[..., LIGHT] = np.exp(-lamps) if lit else 0
            return
        height, kind = self.map[..., HEIGHT], self.map[..., KIND]
        self.map[..., LIGHT] = self._compute_incidence() * self._cast_shadows()
        # Of walls and houses, the camera sees the face towards the road.
        built = kind >= WALL
        face = np.clip(0.45 - 0.9 * np.sign(self.across) * self.sun[1], 0.1, 1.2)
        self.map[..., LIGHT][built] = np.broadcast_to(face, height.shape)[built]

    def _compute_incidence(self) -> np.ndarray:
        """Compute the share of sunlight by the slope of the ground, 1 on level ground: [ROWS, COLUMNS]."""
        height = np.where(self.map[..., HEIGHT] < 0.3, 0, self.map[..., HEIGHT])
        leaves = self.map[..., KIND] == LEAVES
        rise_along = np.clip((np.roll(height, -2, 0) - np.roll(height, 2, 0)) / (4 * LENGTH / ROWS), -1, 1)
        rise_across = np.clip(np.gradient(height, axis=1) / np.gradient(self.across), -1, 1)
        slope = rise_along * self.sun[0] + rise_across * self.sun[1]
        # Crowns are rough, so their slope counts less; their texture is drawn in `surface`.
        return np.clip(1 - np.where(leaves, 0.25, 1) * slope / self.hour.sun_height, 0.1, 1.2)

    def _cast_shadows(self) -> np.ndarray:
        """Compute cast shadows: 0 in the shadow, 1 in the sun, [ROWS, COLUMNS]."""
        height = self.map[..., HEIGHT]
        light = np.ones_like(height)
        # Leaves let some light through: fine noise makes the edges of shadows ragged.
        ragged = height - 0.3 * self.grain
        for distance in np.geomspace(0.8, 26, 10).tolist():
            columns = np.searchsorted(self.across, self.across + self.sun[1] * distance).clip(0, COLUMNS - 1)
            other = np.roll(height, -round(self.sun[0] * distance * ROWS / LENGTH), 0)[:, columns]
            hidden = (other - ragged - (distance * self.hour.sun_height + 0.2)) * 2
            light = np.minimum(light, 1 - 0.95 * np.clip(hidden, 0, 1))
        return np.where(self.map[..., KIND] == LEAVES, 0.3 + 0.7 * light, light)

    def add_tree_shadow(self, along: float, across: float, height: float) -> None:
        """Add the shadow of a tree's crown, a spot with ragged edges; arguments in metres."""
        reach = min(0.65 * height / self.hour.sun_height, 25.0)
        centre = along - self.sun[0] * reach, across - self.sun[1] * reach
        radius = 0.3 * height
        first = int((centre[0] - 2 * radius) * ROWS / LENGTH)
        rows = np.arange(first, first + int(4 * radius * ROWS / LENGTH) + 1)
        columns = slice(*np.searchsorted(self.across, [centre[1] - 2 * radius, centre[1] + 2 * radius]))
        far = np.hypot(rows[:, None] * LENGTH / ROWS - centre[0], self.across[columns] - centre[1]) / radius
        lumps, grain = self.lumps[rows % ROWS, columns], self.grain[rows % ROWS, columns]
        spot = smoothstep(1 - far + 0.35 * lumps + 0.2 * grain, 0, 0.4)
        self.map[rows % ROWS, columns, LIGHT] *= 1 - 0.9 * spot


def look_up(place_map: np.ndarray, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Look up the map cells at positions in metres: [..., channels]."""
    row = (along * (ROWS / LENGTH)).astype(np.int32) % ROWS
    column = ((np.arcsinh(across / FINE) + RIM) * ((COLUMNS - 1) / (2 * RIM)) + 0.5).astype(np.int32)
    return place_map.reshape(ROWS * COLUMNS, -1).take(row * COLUMNS + column.clip(0, COLUMNS - 1), axis=0)
