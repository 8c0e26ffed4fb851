"""Features of the network that FID is defined on, from a weights file of the user.

FID (Heusel et al. 2017) is a distance between pool_3 features of one certain network: TensorFlow's own Inception of
2015, the frozen graph classify_image_graph_def.pb in inception-2015-12-05.tgz. Features of other Inception weights or
of another resize give other numbers. Nothing is downloaded here.

What is known of the graph, and from where:

* images, floats in 0..255, go in at `ExpandDims:0`, after the JPEG decoder, and features come out at `pool_3:0`, 2048
  an image (github.com/bioinf-jku/TTUR, fid.py: `_get_inception_layer`, `get_activations`);
* the graph itself makes them ready: `ResizeBilinear` to 299x299 as in TensorFlow 1, source pixel = target pixel * in /
  out without half-pixel centres or antialiasing, then `Sub` 128 and `Mul` 1/128 (the nodes' names: the listing of the
  graph in github.com/anshuman23/tensorflex, lib/tensorflex.ex; the numbers: github.com/toshas/torch-fidelity,
  feature_extractor_inceptionv3.py and interpolate_compat_tensorflow.py);
* it is of GraphDef version 8 or older: its BatchNormWithGlobalNormalization was removed in version 9
  (github.com/tensorflow/tensorflow, issue 2164).
"""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from dcgan_tf.backend import tf
from dcgan_tf.errors import UserError

FILE = "classify_image_graph_def.pb"
ARCHIVE = "http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz"
BATCH = 50  # as in TTUR's fid.py

_IMAGES, _FEATURES = "ExpandDims", "pool_3"
_NEEDED = (_IMAGES, "ResizeBilinear", "Sub", "Mul", _FEATURES)
# A graph is a program and TensorFlow has operations that read, write and call Python: only arithmetic may run. This is
# what an Inception is made of, as in 2015 or as tools that tidy frozen graphs write it.
_ALLOWED = frozenset(
    [
        "Add",
        "AddV2",
        "AvgPool",
        "BatchNormWithGlobalNormalization",
        "BiasAdd",
        "Cast",
        "CheckNumerics",
        "Concat",
        "ConcatV2",
        "Const",
        "Conv2D",
        "ExpandDims",
        "FusedBatchNorm",
        "FusedBatchNormV3",
        "Identity",
        "MaxPool",
        "Mul",
        "Relu",
        "Reshape",
        "ResizeBilinear",
        "Squeeze",
        "Sub",
    ]
)


class InceptionFeatures:
    """pool_3 of the Inception of 2015: the features of FID and KID.

    Attributes:
      name: what a result says it was computed with.
      dimension: features of an image; 2048 with the genuine file.
      sha256: of the weights file, so that a result can say which weights saw the images.
    """

    name = "Inception-2015 pool_3"

    def __init__(self, path: str | Path):
        """Read the weights from `path`, a classify_image_graph_def.pb, and run them once.

        Raises:
          UserError: there is no such file, or it is not this graph, or it is more than arithmetic.
        """
        path = Path(path)
        data = _read(path)
        self.sha256 = hashlib.sha256(data).hexdigest()
        definition = _from_images_to_features(data, path)
        graph = tf.Graph()
        try:
            with graph.as_default():
                tf.import_graph_def(definition, name="")
            # A session and no tf.function: functions run at TensorFlow's own GraphDef version, which no longer has this
            # graph's batch norm; a session runs a graph at the version it was written for.
            self._session = tf.compat.v1.Session(graph=graph)
            self.dimension = self._run(np.zeros((1, 1, 1, 3), np.float32)).shape[1]
        except (ValueError, tf.errors.OpError) as error:
            raise UserError(
                f"{path}: TensorFlow cannot run this graph ({_reason(error)}). {_what_is_needed()}"
            ) from None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """uint8 [n, H, W, 3 or 1] of any size -> float32 [n, dimension]; grey counts as equal red, green and blue.

        Raises:
          ValueError: the images are of another type or shape.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
            raise ValueError(f"images must be uint8 [n, H, W, 1 or 3], not {images.dtype} {list(images.shape)}")
        features = np.empty((len(images), self.dimension), np.float32)
        for start in range(0, len(images), BATCH):
            seen = images[start : start + BATCH]
            # One shape for every run, so that an image's features do not depend on how many others came with it.
            batch = np.zeros((BATCH, *images.shape[1:3], 3), np.float32)
            batch[: len(seen)] = seen
            features[start : start + BATCH] = self._run(batch)[: len(seen)]
        return features

    def _run(self, batch: np.ndarray) -> np.ndarray:
        """float32 [n, H, W, 3] in 0..255 -> float32 [n, dimension]."""
        return self._session.run(f"{_FEATURES}:0", {f"{_IMAGES}:0": batch}).reshape(len(batch), -1)


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the path of the weights file in it. {_what_is_needed()}")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"There is no file {path}. {_what_is_needed()}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). {_what_is_needed()}") from None


def _from_images_to_features(data: bytes, path: Path) -> tf.compat.v1.GraphDef:
    """The part of the graph that lies between images and features: all that is ever handed to TensorFlow.

    Raises:
      UserError: `data` is no such graph, or the part has an operation that is not allowed.
    """
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(data)
    except DecodeError:
        definition.Clear()
    if not definition.node:
        raise UserError(f"{path} is not a frozen TensorFlow graph. {_what_is_needed()}")
    nodes = {node.name: node for node in definition.node}
    missing = [name for name in _NEEDED if name not in nodes]
    if missing:
        raise UserError(f"{path}: the graph has no {', '.join(missing)}, so it is another one. {_what_is_needed()}")

    images = tf.compat.v1.NodeDef(name=_IMAGES, op="Placeholder")
    images.attr["dtype"].type = tf.float32.as_datatype_enum
    for size in (-1, -1, -1, 3):
        images.attr["shape"].shape.dim.add(size=size)
    nodes[_IMAGES] = images

    found, names = {}, [_FEATURES]
    while names:
        name = names.pop()
        if name in found or name not in nodes:  # what is not there, TensorFlow will miss and name
            continue
        found[name] = node = nodes[name]
        if node.op not in _ALLOWED and name != _IMAGES:
            refused = f"{node.op} ({name})"
            raise UserError(f"{path}: {refused} is not arithmetic, so this graph is not run. {_what_is_needed()}")
        # "^name" only has to run before, "name:1" is the second output of name.
        names += [source.lstrip("^").partition(":")[0] for source in node.input]
    aside = [name for name in _NEEDED if name not in found]
    if aside:
        raise UserError(f"{path}: {', '.join(aside)} does not lead to {_FEATURES}. {_what_is_needed()}")
    return tf.compat.v1.GraphDef(node=found.values(), versions=definition.versions)


def _reason(error: Exception) -> str:
    """The line that says why; what fails in a session comes after a heading and the node's name."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return next((why for node, why in itertools.pairwise(lines) if node.startswith("Node: ")), lines[0])


def _what_is_needed() -> str:
    return f"FID needs {FILE}, unpacked from {ARCHIVE}."
