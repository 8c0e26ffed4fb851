"""The place of a drive: time of day, cross-section of the road, and what is beside it. Lengths are in metres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Hour:
    """The light of a time of day. Sun and ambient light are RGB factors around 1; sky colours are RGB in 0..255."""

    name: str
    sun: np.ndarray
    ambient: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    sun_height: float  # tangent of the sun's elevation
    sight: float  # distance in metres at which haze has reduced the contrast by 63 %
    clouds: float  # amount, 0..1


@dataclass(frozen=True)
class Line:
    """A painted line at position `across`. It is solid if `period` is 0; else a third of each period is painted."""

    across: float
    width: float
    colour: tuple[int, int, int]
    period: float = 0.0


@dataclass(frozen=True)
class Road:
    """A cross-section: asphalt from `left` to `right`, one carriageway, or two with a `median` between them."""

    left: float
    right: float
    median: tuple[float, float] | None
    lines: tuple[Line, ...]
    lane: float  # position of the camera
    lanes_ahead: tuple[float, ...]
    lanes_oncoming: tuple[float, ...]
    pavement: float  # width of a pavement with a kerb; 0: there is none


@dataclass(frozen=True)
class Side:
    """What is beside the road on one side, from the asphalt outwards."""

    slope: float = 0.05  # rise per metre; negative: it falls
    rise: float = 4.0  # height or depth of the slope
    plants: float = 0.3  # share of the soil covered by plants, 0..1
    plants_height: float = 2.0
    plants_from: float = 3.0  # distance from the asphalt
    houses: float = 0.0  # height; 0: there are none
    wall: float = 0.0  # height; 0: there is none
    rail: bool = False
    sea: bool = False
    trees: tuple[str, ...] = ("oak", "bush")  # kinds of single trees and posts
    trees_gap: float = 25.0  # mean distance between them


HOURS = {  # sun, ambient, zenith, horizon, sun height, sight, share of drives
    "day": ((0.80, 0.76, 0.66), (0.27, 0.32, 0.42), (28, 104, 214), (150, 206, 246), 1.0, 1500, 0.45),
    "golden": ((0.92, 0.70, 0.44), (0.32, 0.31, 0.35), (78, 122, 172), (252, 206, 138), 0.45, 700, 0.19),
    "dusk": ((0.08, 0.05, 0.06), (0.37, 0.33, 0.43), (44, 52, 104), (236, 136, 100), 0.5, 700, 0.10),
    "night": ((0.90, 0.62, 0.34), (0.12, 0.13, 0.18), (12, 18, 46), (66, 60, 82), 1.0, 500, 0.09),
    "overcast": ((0.12, 0.12, 0.12), (0.66, 0.69, 0.73), (158, 166, 176), (212, 217, 220), 1.0, 420, 0.17),
}
SOILS = {"dry": (158, 138, 98), "green": (88, 108, 56), "sand": (186, 166, 132), "red": (150, 108, 80)}
PLANTS = {"oak": (66, 84, 40), "olive": (100, 102, 60), "pine": (46, 70, 50), "autumn": (136, 98, 48)}
SHARES = (0.4, 0.3, 0.2, 0.1)  # of drives with these soils, or with these plants, in the order above
WHITE, YELLOW = (226, 226, 218), (222, 164, 40)
SCENERIES = ("coast", "canyon", "suburb", "city", "forest", "desert", "fields", "freeway")


def choose_hour(rng: np.random.Generator) -> Hour:
    """Choose a time of day and vary its light."""
    shares = np.array([values[-1] for values in HOURS.values()])
    name = str(rng.choice(list(HOURS), p=shares / shares.sum()))
    sun, ambient, zenith, horizon, height, sight, _ = HOURS[name]
    shade = (rng.uniform(0.85, 1.15) * rng.uniform(0.95, 1.05, 3)).astype(np.float32)
    return Hour(
        name=name,
        sun=np.array(sun, np.float32) * shade,
        ambient=np.array(ambient, np.float32) * shade,
        zenith=np.array(zenith, np.float32) * (rng.uniform(0.9, 1.2) * rng.uniform(0.93, 1.07, 3)).astype(np.float32),
        horizon=np.array(horizon, np.float32) * rng.uniform(0.93, 1.03, 3).astype(np.float32),
        sun_height=height * rng.uniform(0.6, 1.4),
        sight=sight * rng.uniform(0.4, 1.3),
        clouds=float(rng.choice([0.0, 0.3, 0.6, 0.9])) if name != "overcast" else 1.0,
    )


def choose_road(rng: np.random.Generator, scenery: str) -> Road:
    """Choose a cross-section for the scenery."""
    width = rng.uniform(3.2, 3.8)
    dash = rng.uniform(8, 12)
    if scenery == "freeway" or (scenery in ("coast", "desert", "city") and rng.random() < 0.5):
        lanes = 3 if scenery == "freeway" else 2
        lane = rng.integers(lanes)
        gap = rng.uniform(1.0, 5.0)
        own = [Line(width * n, 0.14, WHITE, dash) for n in range(1, lanes)]
        other = [Line(-gap - 1.2 - width * n, 0.14, WHITE, dash) for n in range(1, lanes)]
        edges = [Line(0.0, 0.15, YELLOW), Line(width * lanes, 0.15, WHITE), Line(-gap - 1.2, 0.15, YELLOW)]
        shoulder = 2.4 if scenery == "freeway" else 0.8
        return Road(
            left=-gap - 1.6 - width * lanes - shoulder,
            right=width * lanes + shoulder,
            median=(-gap - 0.7, -0.5),
            lines=tuple(own + other + edges),
            lane=width * (lane + 0.5),
            lanes_ahead=tuple(width * (n + 0.5) for n in range(lanes)),
            lanes_oncoming=tuple(-gap - 1.2 - width * (n + 0.5) for n in range(lanes)),
            pavement=0.0 if scenery in ("freeway", "desert") else rng.uniform(1.2, 2.5),
        )
    town = scenery in ("suburb", "city")
    half = width + (rng.uniform(1.2, 2.4) if town else rng.uniform(0.4, 1.5))
    middle = rng.choice(["double", "dashed", "solid", "none"] if town else ["double", "double", "dashed", "solid"])
    colour = YELLOW if rng.random() < 0.75 else WHITE
    lines = {
        "double": [Line(-0.14, 0.12, colour), Line(0.14, 0.12, colour)],
        "dashed": [Line(0.0, 0.14, colour, dash)],
        "solid": [Line(0.0, 0.16, colour)],
        "none": [],
    }[str(middle)]
    if not town or rng.random() < 0.4:
        lines = lines + [Line(-width, 0.14, WHITE), Line(width, 0.14, WHITE)]
    return Road(
        left=-half,
        right=half,
        median=None,
        lines=tuple(lines),
        lane=width / 2,
        lanes_ahead=(width / 2,),
        lanes_oncoming=(-width / 2,),
        pavement=rng.uniform(1.5, 3.0) if town else 0.0,
    )


def choose_side(rng: np.random.Generator, scenery: str, seaward: bool) -> Side:
    """Choose what is beside the road. On coasts and in canyons the ground falls on the side `seaward`."""

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def chance(share: float) -> bool:
        return bool(rng.random() < share)

    if scenery == "coast" and seaward:
        bare: dict[str, Any] = {"plants": 0.12, "plants_height": 0.7, "trees": ("palm", "bush")}
        return Side(slope=-0.5, rise=9.0, rail=chance(0.5), sea=True, **bare)
    if scenery == "canyon" and seaward:
        return Side(slope=-0.4, rise=10.0, rail=chance(0.8), trees=("oak", "bush"))
    if scenery in ("coast", "canyon"):
        cover: dict[str, Any] = {
            "plants": between(0.2, 0.75),
            "plants_height": between(1, 4),
            "trees": ("palm", "oak", "bush"),
        }
        return Side(slope=between(0.25, 0.9), rise=between(8, 45), wall=0.9 * chance(0.3), **cover)
    if scenery == "suburb":
        trees = ("palm", "oak", "cypress", "bush")
        garden: dict[str, Any] = {"plants": between(0.1, 0.5), "wall": 1.6 * chance(0.4), "trees_gap": between(9, 20)}
        return Side(houses=between(3.0, 5.5), trees=trees, **garden)
    if scenery == "city":
        return Side(houses=between(8, 24), plants=0.0, trees=("oak", "lamp", "palm"), trees_gap=16.0)
    if scenery == "forest":
        wood: dict[str, Any] = {
            "plants": between(0.6, 0.95),
            "plants_height": between(5, 13),
            "plants_from": between(2, 7),
        }
        return Side(slope=between(0, 0.3), trees=("pine", "oak"), trees_gap=between(6, 14), **wood)
    if scenery == "desert":
        return Side(slope=between(-0.02, 0.1), plants=0.15, plants_height=0.8, trees=("bush", "pole"))
    if scenery == "fields":
        planting: dict[str, Any] = {"trees": ("oak", "pole", "cypress"), "trees_gap": between(20, 45)}
        return Side(slope=between(-0.03, 0.06), plants=between(0.0, 0.3), rail=chance(0.2), **planting)
    bank: dict[str, Any] = {"slope": between(-0.2, 0.5), "rise": between(3, 14), "plants": between(0.2, 0.7)}
    return Side(rail=chance(0.6), wall=between(2, 4) * chance(0.35), trees=("lamp", "oak", "bush"), **bank)
