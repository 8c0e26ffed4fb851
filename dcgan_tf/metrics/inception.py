"""Features of the network that FID is defined on, from a weights file of the user.

FID (Heusel et al. 2017) is a distance between the pool_3 features of a particular network: TensorFlow's Inception of
2015, the frozen graph classify_image_graph_def.pb in inception-2015-12-05.tgz. Features of other Inception weights, or
of images resized in another way, give other numbers. Nothing is downloaded here.

Facts about the graph, with their sources:

* images, floats in 0..255, enter at `ExpandDims:0`, after the JPEG decoder, and features leave at `pool_3:0`, 2048 per
  image (github.com/bioinf-jku/TTUR, fid.py: `_get_inception_layer`, `get_activations`);
* the graph preprocesses the images itself: `ResizeBilinear` to 299x299 as in TensorFlow 1, source pixel = target pixel
  * in / out without half-pixel centres or antialiasing, then `Sub` 128 and `Mul` 1/128 (the nodes' names: the listing
  of the graph in github.com/anshuman23/tensorflex, lib/tensorflex.ex; the numbers: github.com/toshas/torch-fidelity,
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
# A graph is a program, and TensorFlow has operations that read and write files and call Python. Only arithmetic may
# run: the operations of an Inception, as of 2015 or as rewritten by tools for frozen graphs.
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
      name: the name of the features in results.
      dimension: the number of features of an image; 2048 with the original file.
      sha256: SHA-256 of the weights file, to identify the weights in results.
    """

    name = "Inception-2015 pool_3"

    def __init__(self, path: str | Path):
        """Read the weights from `path`, a classify_image_graph_def.pb, and run them once.

        Raises:
          UserError: there is no such file, it is not this graph, or it has other operations than arithmetic.
        """
        path = Path(path)
        data = _read(path)
        self.sha256 = hashlib.sha256(data).hexdigest()
        definition = _extract_subgraph(data, path)
        graph = tf.Graph()
        try:
            with graph.as_default():
                tf.import_graph_def(definition, name="")
            # A session instead of a tf.function: functions run at TensorFlow's current GraphDef version, which no
            # longer has this graph's batch norm; a session runs a graph at the version it was written for.
            self._session = tf.compat.v1.Session(graph=graph)
            self.dimension = self._run(np.zeros((1, 1, 1, 3), np.float32)).shape[1]
        except (ValueError, tf.errors.OpError) as error:
            raise UserError(
                f"{path}: TensorFlow cannot run this graph ({_reason(error)}). {_describe_needed_file()}"
            ) from None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute uint8 [n, H, W, 3 or 1] -> float32 [n, dimension]; grey images count as equal red, green and blue.

        Raises:
          ValueError: the images have another type or shape.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
            raise ValueError(f"images must be uint8 [n, H, W, 1 or 3], not {images.dtype} {list(images.shape)}")
        features = np.empty((len(images), self.dimension), np.float32)
        for start in range(0, len(images), BATCH):
            seen = images[start : start + BATCH]
            # All runs have one shape, so that an image's features do not depend on the number of images with it.
            batch = np.zeros((BATCH, *images.shape[1:3], 3), np.float32)
            batch[: len(seen)] = seen
            features[start : start + BATCH] = self._run(batch)[: len(seen)]
        return features

    def _run(self, batch: np.ndarray) -> np.ndarray:
        """Run the graph: float32 [n, H, W, 3] in 0..255 -> float32 [n, dimension]."""
        return self._session.run(f"{_FEATURES}:0", {f"{_IMAGES}:0": batch}).reshape(len(batch), -1)


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the path of the weights file in it. {_describe_needed_file()}")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"There is no file {path}. {_describe_needed_file()}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). {_describe_needed_file()}") from None


def _extract_subgraph(data: bytes, path: Path) -> tf.compat.v1.GraphDef:
    """Extract the part of the graph between images and features; TensorFlow runs nothing else.

    Raises:
      UserError: `data` is no such graph, or the part has an operation that is not allowed.
    """
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(data)
    except DecodeError:
        definition.Clear()
    if not definition.node:
        raise UserError(f"{path} is not a frozen TensorFlow graph. {_describe_needed_file()}")
    nodes = {node.name: node for node in definition.node}
    missing = [name for name in _NEEDED if name not in nodes]
    if missing:
        raise UserError(
            f"{path}: the graph has no {', '.join(missing)}, so it is another one. {_describe_needed_file()}"
        )

    images = tf.compat.v1.NodeDef(name=_IMAGES, op="Placeholder")
    images.attr["dtype"].type = tf.float32.as_datatype_enum
    for size in (-1, -1, -1, 3):
        images.attr["shape"].shape.dim.add(size=size)
    nodes[_IMAGES] = images

    found, names = {}, [_FEATURES]
    while names:
        name = names.pop()
        if name in found or name not in nodes:  # TensorFlow will name a missing node
            continue
        found[name] = node = nodes[name]
        if node.op not in _ALLOWED and name != _IMAGES:
            refused = f"{node.op} ({name})"
            raise UserError(f"{path}: {refused} is not arithmetic, so this graph is not run. {_describe_needed_file()}")
        # "^name" is a control dependency, "name:1" the second output of name.
        names += [source.lstrip("^").partition(":")[0] for source in node.input]
    aside = [name for name in _NEEDED if name not in found]
    if aside:
        raise UserError(f"{path}: {', '.join(aside)} does not lead to {_FEATURES}. {_describe_needed_file()}")
    return tf.compat.v1.GraphDef(node=found.values(), versions=definition.versions)


def _reason(error: Exception) -> str:
    """Return the line with the reason, which a session puts after a heading and the node's name."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return next((why for node, why in itertools.pairwise(lines) if node.startswith("Node: ")), lines[0])


def _describe_needed_file() -> str:
    return f"FID needs {FILE}, unpacked from {ARCHIVE}."
