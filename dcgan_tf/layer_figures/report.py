"""The layers of both networks as one HTML file, which opens from the disk and makes no network request."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from dcgan_tf.files import write_text
from dcgan_tf.pictures.grids import to_pillow

NETWORKS = {"g": "Generator", "d": "Discriminator"}
ACTIVATIONS = {"relu": "ReLU", "lrelu": "leaky ReLU", "tanh": "tanh", "sigmoid": "sigmoid"}
STATISTICS = ("min", "max", "mean", "std", "zeros", "peak")

_NAME = re.compile(rf"(?P<network>[^/]+)/(?P<layer>.+?)(?:_(?P<stage>bn|{'|'.join(ACTIVATIONS)}))?")


@dataclass(frozen=True)
class Frame:
    """The maps of one checkpoint.

    Attributes:
      label: the checkpoint, e.g. "step 2,040".
      maps: finite numbers [h, w, n] by name, in the order of the network: "g/h0" is layer h0 of the generator before
        batch norm, "g/h0_bn" after it, "g/h0_relu" (or _lrelu, _tanh, _sigmoid) after the activation.
      pictures: uint8 [H, W, 1 or 3]: "g/output" is the generator's image, "d/input" the discriminator's.
      captions: a line of text for any "network/input", "network/output" or "network/layer".
    """

    label: str
    maps: dict[str, np.ndarray]
    pictures: dict[str, np.ndarray]
    captions: dict[str, str]


def save_report(path: Path, title: str, subtitle: str, frames: list[Frame], notes: str = "") -> None:
    """Write the report, atomically.

    Maps are stored as uint8 between their own minimum and maximum, so that a value is off by at most
    (max - min) / 510. The statistics are of the exact values. The article's networks take about 1.1 MB per frame.

    Args:
      path: the HTML file to write.
      title, subtitle, notes: plain text; `notes` is the footer and keeps its line breaks.
      frames: one or more checkpoints with the same maps; the report opens at the last.

    Raises:
      ValueError: there are no frames or no maps, frames differ in names or shapes, names or shapes are not as `Frame`
        describes, or values are not finite in float32.
    """
    if not frames or not frames[0].maps:
        raise ValueError("a report needs at least one frame with at least one map")
    shapes = {name: np.shape(maps) for name, maps in frames[0].maps.items()}
    for frame in frames[1:]:
        if {name: np.shape(maps) for name, maps in frame.maps.items()} != shapes:
            raise ValueError(f"the maps of frame {frame.label!r} differ in names or shapes from the first frame's")
    # With "<", a caption could end the script element that holds the data.
    data = json.dumps({"networks": _networks(shapes), "frames": [_frame(f) for f in frames]}).replace("<", "\\u003c")
    template = resources.files("dcgan_tf.layer_figures").joinpath("report.html").read_text(encoding="utf-8")
    (code,) = re.findall(r"<script>(.*?)</script>", template, re.DOTALL)
    fields = {
        "code_hash": base64.b64encode(hashlib.sha256(code.encode()).digest()).decode(),
        "title": html.escape(title),
        "subtitle": html.escape(subtitle),
        "notes": html.escape(notes),
        "data": data,
    }
    # A single pass, so that a title that looks like a field is not replaced.
    write_text(path, re.sub(r"\{\{(\w+)\}\}", lambda field: fields[field[1]], template))


def _networks(shapes: dict[str, tuple[int, ...]]) -> list[dict]:
    """List each network's layers with their stages, in the order of `shapes`."""
    networks: dict[str, dict[str, dict[str, str]]] = {}  # network -> layer -> stage ("" before all others) -> map
    for name in shapes:
        match = _NAME.fullmatch(name)
        if not match:
            raise ValueError(f"map {name!r} is not named 'network/layer'")
        stages = networks.setdefault(match["network"], {}).setdefault(match["layer"], {})
        stages[match["stage"] or ""] = name
    return [
        {
            "name": network,
            "title": NETWORKS.get(network, network),
            "layers": [_layer(network, layer, stages, shapes) for layer, stages in layers.items()],
        }
        for network, layers in networks.items()
    ]


def _layer(network: str, layer: str, stages: dict[str, str], shapes: dict[str, tuple[int, ...]]) -> dict:
    """Describe one layer: its shape, its stages, and the names of the operations that follow it."""
    shape = {shapes[name] for name in stages.values()}
    if len(shape) > 1:
        raise ValueError(f"the stages of layer {network}/{layer} differ in shape: {sorted(shape)}")
    before = "before batch norm" if "bn" in stages else "before activation" if len(stages) > 1 else "output"
    labels = {"": before, "bn": "after batch norm"}
    words = {"bn": "batch norm"} | ACTIVATIONS
    return {
        "name": layer,
        "shape": shape.pop(),
        "follows": [words[stage] for stage in stages if stage],
        "stages": [{"map": name, "label": labels.get(stage, "after activation")} for stage, name in stages.items()],
    }


def _frame(frame: Frame) -> dict:
    return {
        "label": frame.label,
        "maps": {name: _encode_maps(name, maps) for name, maps in frame.maps.items()},
        "pictures": {name: _encode_picture(name, picture) for name, picture in frame.pictures.items()},
        "captions": frame.captions,
    }


def _encode_maps(name: str, maps: np.ndarray) -> dict[str, str]:
    """[h, w, n] as base64: uint8 [n, h, w] between each map's extremes, and float32 [statistics, n], little endian."""
    if maps.ndim != 3 or 0 in maps.shape:
        raise ValueError(f"map {name!r} has shape {maps.shape}, not [h, w, n] with each at least 1")
    with np.errstate(over="ignore"):  # what is too large for float32 is refused below
        flat = np.moveaxis(maps, -1, 0).reshape(maps.shape[-1], -1).astype(np.float32).astype(np.float64)
    if not np.isfinite(flat).all():
        raise ValueError(f"map {name!r} has values that are not finite")
    low, high = flat.min(axis=1), flat.max(axis=1)
    span = np.where(high > low, high - low, 1)
    levels = np.rint((flat - low[:, None]) * (255 / span)[:, None]).astype(np.uint8)
    statistics = {
        "min": low,
        "max": high,
        "mean": flat.mean(axis=1),
        "std": flat.std(axis=1),
        "zeros": (flat == 0).mean(axis=1),
        "peak": flat.argmax(axis=1),  # row * width + column of the largest value
    }
    table = np.stack([statistics[key] for key in STATISTICS]).astype("<f4")
    return {"levels": base64.b64encode(levels.tobytes()).decode(), "table": base64.b64encode(table.tobytes()).decode()}


def _encode_picture(name: str, picture: np.ndarray) -> str:
    """A uint8 picture as the data address of a PNG."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] not in (1, 3) or 0 in picture.shape:
        raise ValueError(f"picture {name!r} is {picture.dtype} {picture.shape}, not uint8 [H, W, 1 or 3]")
    file = io.BytesIO()
    to_pillow(picture).save(file, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
