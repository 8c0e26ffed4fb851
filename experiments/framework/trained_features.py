"""Features of a trained network, which judge generated images independently of the package's metrics.

The network is the MobileNet v2 (Sandler et al. 2018) in the npm package nsfwjs (`npm install nsfwjs`, MIT licence). Its
last blocks were trained again for other classes. The features here are those of block 10, the deepest that kept the
weights from ImageNet, averaged over the image. Distances have another scale than FID and compare only with each other,
at one number of images.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np

from dcgan_tf.backend import keras, tf
from dcgan_tf.errors import UserError

LAYER = "block_10_project_BN"
SCALE = 0.75  # brings the root mean square of photographs' features to about 1
SIDE = 224
BATCH = 32
# One weight in the package's list: {name:"Conv1/kernel",shape:[3,3,3,32],...,quantization:{min:-1.5,scale:.01,...}}
ENTRY = re.compile(
    r'\{name:"(?P<name>[\w/]+)",shape:\[(?P<shape>[\d,]*)\],dtype:"float32",'
    r'quantization:\{min:(?P<min>[-.\de]+),scale:(?P<scale>[-.\de]+),dtype:"uint8"\}\}'
)


def read_weights(folder: Path) -> dict[str, np.ndarray]:
    """Read the weights of the package's MobileNet v2.

    Args:
      folder: contains `model.min.js`, with the list of weights, and `group*.min.js`, with their bytes in base64. A
        weight is min + scale * byte.

    Returns:
      name ("Conv1/kernel") -> float32 array.

    Raises:
      UserError: the files are missing, or are not those that this function knows.
    """
    try:
        entries = list(ENTRY.finditer((folder / "model.min.js").read_text()))
        texts = [path.read_text() for path in sorted(folder.glob("group*.min.js"))]
        data = b"".join(base64.b64decode(re.search(r'exports="([\w+/=]+)"', text)[1]) for text in texts)
    except (OSError, TypeError, ValueError) as error:
        raise UserError(f"{folder}: not the MobileNet v2 of nsfwjs ({type(error).__name__}).") from None
    weights, start = {}, 0
    for entry in entries:
        shape = [int(n) for n in entry["shape"].split(",") if n]
        count = int(np.prod(shape))
        values = np.frombuffer(data[start : start + count], np.uint8).astype(np.float32)
        start += count
        if len(values) != count:
            raise UserError(f"{folder}: its weights end within {entry['name']}.")
        weights[entry["name"]] = (values * float(entry["scale"]) + float(entry["min"])).reshape(shape)
    if not weights or start != len(data):
        raise UserError(f"{folder}: {len(data):,} bytes of weights, of which {start:,} are in its list.")
    return weights


class TrainedFeatures:
    """Block 10 of MobileNet v2, averaged over the image.

    Attributes:
      name: the name of the features in results.
      dimension: the number of features of an image.
    """

    name = f"MobileNet v2, {LAYER}"
    dimension = 96

    def __init__(self, packages: Path):
        """Load the network; `packages` is the folder `node_modules` in which npm installed nsfwjs."""
        folder = packages / "nsfwjs" / "dist" / "models" / "mobilenet_v2"
        weights = read_weights(folder)
        whole = keras.applications.MobileNetV2((SIDE, SIDE, 3), include_top=False, weights=None)
        self._network = keras.Model(whole.input, whole.get_layer(LAYER).output)
        for layer in self._network.layers:
            for variable in layer.weights:
                name = "depthwise_kernel" if isinstance(layer, keras.layers.DepthwiseConv2D) else variable.name
                try:
                    variable.assign(weights[f"{layer.name}/{name}"])
                except (KeyError, ValueError):
                    raise UserError(f"{folder}: {layer.name}/{name} is missing or has another shape.") from None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute uint8 [n, H, W, 3] -> float32 [n, dimension]; the images are resized to 224 px with antialiasing."""
        parts = [self._features(tf.constant(images[i : i + BATCH])).numpy() for i in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    @tf.function(reduce_retracing=True)
    def _features(self, images):
        x = tf.image.resize(tf.cast(images, tf.float32) / 255.0, (SIDE, SIDE), "bilinear", antialias=True)
        return SCALE * tf.reduce_mean(self._network(x, training=False), (1, 2))
