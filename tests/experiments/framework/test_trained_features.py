"""The trained features, with a package made for the test: the network's shapes, and weights drawn at random."""

import base64
import json

import numpy as np
import pytest

from dcgan_tf.backend import keras
from dcgan_tf.errors import UserError
from experiments.framework.trained_features import LAYER, SCALE, TrainedFeatures, read_weights


def write_package(folder, weights):
    """Write {name: (uint8 array, min, scale)} as the package does, in two files of bytes."""
    folder.mkdir(parents=True)
    entries = ",".join(
        f'{{name:"{name}",shape:{json.dumps(values.shape, separators=(",", ":"))},dtype:"float32",'
        f'quantization:{{min:{low},scale:{str(scale).lstrip("0")},dtype:"uint8"}}}}'
        for name, (values, low, scale) in weights.items()
    )
    (folder / "model.min.js").write_text(f'a.exports={{weightsManifest:[{{paths:["group1"],weights:[{entries}]}}]}}')
    data = b"".join(values.tobytes() for values, _, _ in weights.values())
    for n, part in enumerate((data[: len(data) // 2], data[len(data) // 2 :]), start=1):
        text = base64.b64encode(part).decode()
        (folder / f"group1-shard{n}of2.min.js").write_text(f'function(e,t,n){{t.exports="{text}"}}')
    return folder


SMALL = {
    "Conv1/kernel": (np.uint8([[0, 1], [2, 255]]), -1.5, 0.5),
    "bn/gamma": (np.uint8([10, 20]), -0, 0.25),
}


def test_a_weight_is_its_byte_times_the_scale_above_the_least(tmp_path):
    found = read_weights(write_package(tmp_path / "package", SMALL))
    np.testing.assert_array_equal(found["Conv1/kernel"], [[-1.5, -1.0], [-0.5, 126.0]])
    np.testing.assert_array_equal(found["bn/gamma"], [2.5, 5.0])


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="not the MobileNet v2 of nsfwjs"):
        read_weights(tmp_path / "nowhere")
    package = write_package(tmp_path / "package", SMALL)
    second = package / "group1-shard2of2.min.js"
    text = second.read_text()
    second.write_text('exports=""')
    with pytest.raises(UserError, match="not the MobileNet v2 of nsfwjs"):
        read_weights(package)
    second.write_text('exports="AA=="')
    with pytest.raises(UserError, match="its weights end within bn/gamma"):
        read_weights(package)
    second.write_text(text)
    (package / "group2.min.js").write_text('exports="AAAA"')
    with pytest.raises(UserError, match="9 bytes of weights, of which 6 are in its list"):
        read_weights(package)


@pytest.fixture(scope="module")
def network():
    """The whole network with random weights that are multiples of 1/512, and the same as a package's bytes."""
    rng = np.random.default_rng(0)
    model = keras.applications.MobileNetV2((224, 224, 3), include_top=False, weights=None)
    weights = {}
    for layer in model.layers:
        for variable in layer.weights:
            values = rng.integers(0, 256, variable.shape, np.uint8)
            low = 0.0 if "variance" in variable.name else -0.25
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            name = "depthwise_kernel" if depthwise else variable.name
            weights[f"{layer.name}/{name}"] = (values, low, 1 / 512)
            variable.assign(low + values / 512)
    return keras.Model(model.input, model.get_layer(LAYER).output), weights


def test_the_features_are_the_networks_own(network, tmp_path):
    model, weights = network
    write_package(tmp_path / "nsfwjs" / "dist" / "models" / "mobilenet_v2", weights)
    features = TrainedFeatures(tmp_path)
    images = np.random.default_rng(1).integers(0, 256, (3, 224, 224, 3), np.uint8)  # this size is not resized
    found = features(images)
    assert found.shape == (3, TrainedFeatures.dimension)
    wanted = SCALE * np.asarray(model(images / np.float32(255), training=False)).mean((1, 2))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6 * abs(wanted).max())
    flat = np.full((1, 64, 64, 3), 90, np.uint8)  # a plain image stays plain, whatever its size
    np.testing.assert_allclose(features(flat), features(np.full((1, 224, 224, 3), 90, np.uint8)), rtol=1e-4, atol=1e-6)


def test_a_weight_that_is_missing_is_named(network, tmp_path):
    _, weights = network
    less = {name: value for name, value in weights.items() if name != "block_3_expand_BN/beta"}
    write_package(tmp_path / "nsfwjs" / "dist" / "models" / "mobilenet_v2", less)
    with pytest.raises(UserError, match="block_3_expand_BN/beta is missing"):
        TrainedFeatures(tmp_path)
