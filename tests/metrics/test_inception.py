import hashlib
import os

import numpy as np
import pytest

from dcgan_tf.backend import tf
from dcgan_tf.errors import UserError
from dcgan_tf.metrics.inception import InceptionFeatures

SIZE = 19  # the original graph resizes to 299
RNG = np.random.default_rng(3)
KERNEL = RNG.normal(0, 0.3, (5, 5, 3, 4)).astype(np.float32)
MEAN, VARIANCE, BETA, GAMMA = (RNG.uniform(0.5, 1.5, 4).astype(np.float32) for _ in range(4))
IMAGES = RNG.integers(0, 256, (3, 13, 24, 3), np.uint8)


def add(graph, name, op, *inputs, **attributes):
    """A node as it stands in a file: only what is said, none of the defaults that TensorFlow writes today."""
    node = graph.node.add(name=name, op=op, input=inputs)
    for key, value in attributes.items():
        attribute = node.attr[key]
        if isinstance(value, tf.DType):
            attribute.type = value.as_datatype_enum
        elif isinstance(value, np.ndarray):
            attribute.tensor.CopyFrom(tf.make_tensor_proto(value))
        elif isinstance(value, bool):
            attribute.b = value
        elif isinstance(value, int):
            attribute.i = value
        elif isinstance(value, float):
            attribute.f = value
        elif isinstance(value, str):
            attribute.s = value.encode()
        else:
            attribute.list.i.extend(value)


def constant(graph, name, value):
    value = np.asarray(value)
    dtype = tf.string if value.dtype.kind in "SO" else tf.as_dtype(value.dtype)
    add(graph, name, "Const", dtype=dtype, value=value)


def small_graph():
    """The original graph's beginning and end, with one layer between them: the same names, operations and version."""
    graph = tf.compat.v1.GraphDef()
    graph.versions.producer = 8
    add(graph, "DecodeJpeg/contents", "Placeholder", dtype=tf.string)
    add(graph, "DecodeJpeg", "DecodeJpeg", "DecodeJpeg/contents", channels=3)
    add(graph, "Cast", "Cast", "DecodeJpeg", SrcT=tf.uint8, DstT=tf.float32)
    constant(graph, "ExpandDims/dim", np.int32(0))
    add(graph, "ExpandDims", "ExpandDims", "Cast", "ExpandDims/dim", T=tf.float32)
    constant(graph, "ResizeBilinear/size", np.int32([SIZE, SIZE]))
    add(graph, "ResizeBilinear", "ResizeBilinear", "ExpandDims", "ResizeBilinear/size", T=tf.float32)
    constant(graph, "Sub/y", np.float32(128))
    add(graph, "Sub", "Sub", "ResizeBilinear", "Sub/y", T=tf.float32)
    constant(graph, "Mul/y", np.float32(1 / 128))
    add(graph, "Mul", "Mul", "Sub", "Mul/y", T=tf.float32)
    constant(graph, "conv/conv2d_params", KERNEL)
    stride = {"strides": [1, 2, 2, 1], "padding": "VALID"}
    add(graph, "conv/Conv2D", "Conv2D", "Mul", "conv/conv2d_params", T=tf.float32, **stride)
    moments = {"moving_mean": MEAN, "moving_variance": VARIANCE, "beta": BETA, "gamma": GAMMA}
    for name, value in moments.items():
        constant(graph, f"conv/batchnorm/{name}", value)
    add(
        graph,
        "conv/batchnorm",
        "BatchNormWithGlobalNormalization",
        "conv/Conv2D",
        *(f"conv/batchnorm/{name}" for name in moments),
        T=tf.float32,
        variance_epsilon=0.001,
        scale_after_normalization=True,
    )
    add(graph, "conv/CheckNumerics", "CheckNumerics", "conv/batchnorm", T=tf.float32, message="conv")
    checked = ("conv/batchnorm", "^conv/CheckNumerics")
    add(graph, "conv/control_dependency", "Identity", *checked, T=tf.float32)
    add(graph, "conv", "Relu", "conv/control_dependency", T=tf.float32)
    whole = {"ksize": [1, 8, 8, 1], "strides": [1, 1, 1, 1], "padding": "VALID"}  # (19 - 5) / 2 + 1 = 8
    constant(graph, "join/concat_dim", np.int32(3))
    add(graph, "join", "Concat", "join/concat_dim", "conv", "conv/CheckNumerics", T=tf.float32, N=2)
    add(graph, "pool_3", "AvgPool", "join", T=tf.float32, **whole)
    # The original graph goes on to a classifier made for one image.
    constant(graph, "pool_3/_reshape/shape", np.int32([1, 8]))
    add(graph, "pool_3/_reshape", "Reshape", "pool_3", "pool_3/_reshape/shape", T=tf.float32)
    return graph


def node(graph, name):
    return next(node for node in graph.node if node.name == name)


def resized_as_tensorflow_1_did(image):
    """Target pixel i comes from i * in / out: no half-pixel centres, and the last row and column are held."""
    for axis in (0, 1):
        n = image.shape[axis]
        source = np.arange(SIZE) * (n / SIZE)
        low = np.floor(source).astype(int)
        weight = (source - low).reshape([-1 if a == axis else 1 for a in range(3)])
        image = image.take(low, axis) * (1 - weight) + image.take(np.minimum(low + 1, n - 1), axis) * weight
    return image


def features_by_hand(image):
    """The small graph in float64."""
    x = (resized_as_tensorflow_1_did(image.astype(np.float64)) - 128) / 128
    windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), (0, 1))[::2, ::2]  # [8, 8, 3, 5, 5]
    y = np.einsum("hwcij,ijck->hwk", windows, KERNEL)
    y = (y - MEAN) / np.sqrt(VARIANCE + np.float64(0.001)) * GAMMA + BETA
    return np.concatenate([np.maximum(y, 0), y], axis=2).mean((0, 1))


@pytest.fixture
def save(tmp_path):
    def save(graph):
        path = tmp_path / "graph.pb"
        path.write_bytes(graph.SerializeToString())
        return path

    return save


def test_features_are_those_of_the_graph_computed_by_hand(save):
    features = InceptionFeatures(save(small_graph()))(IMAGES)
    assert features.shape == (3, 8) and features.dtype == np.float32
    np.testing.assert_allclose(features, [features_by_hand(image) for image in IMAGES], rtol=1e-4, atol=1e-5)


def test_a_resize_with_half_pixel_centres_would_be_seen(save):
    """Otherwise the test above could not tell the resize of 2015 from the current one."""
    graph = small_graph()
    node(graph, "ResizeBilinear").attr["half_pixel_centers"].b = True
    features = InceptionFeatures(save(graph))(IMAGES[:1])
    assert np.abs(features - features_by_hand(IMAGES[0])).max() > 1e-3


def test_features_do_not_depend_on_what_else_is_in_the_batch(save):
    see = InceptionFeatures(save(small_graph()))
    images = RNG.integers(0, 256, (103, 9, 9, 3), np.uint8)  # two batches of 50 and a part
    together = see(images)
    for i in (0, 49, 50, 102):
        np.testing.assert_array_equal(together[i], see(images[i : i + 1])[0])


def test_no_images_have_no_features(save):
    assert InceptionFeatures(save(small_graph()))(IMAGES[:0]).shape == (0, 8)


def test_grey_is_equal_red_green_and_blue(save):
    see = InceptionFeatures(save(small_graph()))
    grey = IMAGES[..., :1]
    np.testing.assert_array_equal(see(grey), see(np.concatenate([grey, grey, grey], axis=3)))


def test_name_and_hash_identify_the_network(save):
    path = save(small_graph())
    see = InceptionFeatures(path)
    assert see.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert see.dimension == 8  # 2048 in the original graph
    assert see.name == "Inception-2015 pool_3"


@pytest.mark.parametrize(
    "images",
    [IMAGES.astype(np.float32), IMAGES[0], np.repeat(IMAGES[..., :1], 4, axis=3)],
    ids=["float", "3-D", "RGBA"],
)
def test_images_of_another_kind_are_refused(save, images):
    with pytest.raises(ValueError, match="images must be uint8"):
        InceptionFeatures(save(small_graph()))(images)


def refused(path, *parts):
    with pytest.raises(UserError) as caught:
        InceptionFeatures(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "classify_image_graph_def.pb, unpacked from http://download.tensorflow.org/" in sentence
    for part in parts:
        assert part in sentence


def test_no_such_file(tmp_path):
    refused(tmp_path / "no.pb", "There is no file")
    (tmp_path / "file").touch()
    refused(tmp_path / "file" / "no.pb", "cannot be read", "Not a directory")


def test_a_folder(tmp_path):
    refused(tmp_path, "is a folder")


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_that_may_not_be_read(save):
    path = save(small_graph())
    path.chmod(0)
    refused(path, "cannot be read", "Permission denied")


@pytest.mark.parametrize(
    "data", [b"", b"<html>404</html>", b"\x1f\x8b\x08" + bytes(50), b"cut"], ids=["empty", "html", "tgz", "cut"]
)
def test_no_graph(tmp_path, data):
    path = tmp_path / "graph.pb"
    path.write_bytes(small_graph().SerializeToString()[:-7] if data == b"cut" else data)
    refused(path, "is not a frozen TensorFlow graph")


def test_another_graph_is_refused_by_its_missing_nodes(save):
    graph = small_graph()
    node(graph, "pool_3").name = "InceptionV3/Logits/AvgPool"
    node(graph, "Mul").name = "normalised"
    refused(save(graph), "the graph has no Mul, pool_3")


def test_features_that_do_not_come_from_the_images(save):
    graph = small_graph()
    constant(graph, "weights", np.zeros((1, SIZE, SIZE, 3), np.float32))
    node(graph, "conv/Conv2D").input[0] = "weights"
    refused(save(graph), "ExpandDims, ResizeBilinear, Sub, Mul does not lead to pool_3")


def test_a_graph_that_tensorflow_cannot_import_or_run(save):
    graph = small_graph()
    node(graph, "conv").input[0] = "nowhere"
    refused(save(graph), "TensorFlow cannot run this graph", "nowhere")

    graph = small_graph()
    node(graph, "conv/batchnorm/beta").attr["value"].tensor.CopyFrom(tf.make_tensor_proto(BETA * np.float32("nan")))
    refused(save(graph), "TensorFlow cannot run this graph", "NaN")

    graph = small_graph()  # its batch norm was removed in version 9
    graph.versions.producer = 9
    refused(save(graph), "TensorFlow cannot run this graph", "BatchNormWithGlobalNormalization")


@pytest.mark.parametrize("how", ["input", "before"])
def test_a_graph_that_writes_a_file_never_runs(save, tmp_path, how):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    graph = small_graph()
    constant(graph, "name", np.array(str(victim).encode()))
    constant(graph, "contents", np.array(b"theirs"))
    if how == "before":
        add(graph, "evil", "WriteFile", "name", "contents")
        node(graph, "conv").input.append("^evil")
        refused(save(graph), "WriteFile (evil) is not arithmetic")
    else:
        add(graph, "evil", "ReadFile", "name")
        node(graph, "Cast").input[0] = "evil"  # ahead of the images: cut off, not run
        add(graph, "bytes", "DecodeRaw", "evil", out_type=tf.float32)
        node(graph, "conv/Conv2D").input[1] = "bytes:0"
        refused(save(graph), "DecodeRaw (bytes) is not arithmetic")
    assert victim.read_text() == "mine"


def test_what_does_not_lead_to_the_features_never_runs(save, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    graph = small_graph()
    constant(graph, "name", np.array(str(victim).encode()))
    constant(graph, "contents", np.array(b"theirs"))
    add(graph, "evil", "WriteFile", "name", "contents")
    node(graph, "ExpandDims").input.append("^evil")  # the images come in here, so nothing ahead of it runs
    node(graph, "pool_3/_reshape").input.append("^evil")
    assert InceptionFeatures(save(graph))(IMAGES).shape == (3, 8)
    assert victim.read_text() == "mine"


def test_an_input_without_a_value_is_refused(save):
    graph = small_graph()
    add(graph, "noise", "Placeholder", dtype=tf.float32)
    node(graph, "conv/Conv2D").input[1] = "noise"
    refused(save(graph), "Placeholder (noise) is not arithmetic")


def test_a_function_in_the_file_does_not_circumvent_the_check(save):
    graph = small_graph()
    graph.library.function.add().signature.name = "Innocent"
    add(graph, "call", "Innocent", "conv")
    node(graph, "pool_3").input[0] = "call"
    refused(save(graph), "Innocent (call) is not arithmetic")
