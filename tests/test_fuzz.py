"""Bytes and values that nobody meant: each is read as what it is or refused with a sentence, and runs no code.

DCGAN_TF_FUZZ=5000 tries as many examples of each (default 100).
"""

import contextlib
import gzip
import io
import json
import os
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcgan_tf import config as config_lib
from dcgan_tf.config import Config, preset
from dcgan_tf.datasets import packing, sully_chen
from dcgan_tf.errors import UserError
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.layer_figures import inputs
from dcgan_tf.training import checkpoints
from experiments.framework import mnist

fuzz = settings(
    max_examples=int(os.environ.get("DCGAN_TF_FUZZ", "100")),
    derandomize=True,  # the same examples each time
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=20), values, max_size=4),
    max_leaves=8,
)
NAMES = list(json.loads(Config().to_json()))


def changed(data: bytes, edits, end: int) -> bytes:
    """`data` with some bytes replaced, and cut at `end` in a thousand."""
    out = bytearray(data)
    for place, value in edits:
        out[place % len(out)] = value
    return bytes(out[: len(out) * end // 1000])


edited = st.builds(
    lambda edits, end: (edits, end),
    st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), max_size=6),
    st.integers(0, 1000) | st.just(1000),
)


class Trap:
    """Pickled, it makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


# config.json


@fuzz
@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=12), JSON, max_size=6) | JSON)
def test_any_json_is_a_config_or_a_sentence(value):
    try:
        assert isinstance(config_lib.from_json(json.dumps(value), "config.json"), Config)
    except UserError as error:
        assert "config.json" in str(error)


@fuzz
@given(st.text())
def test_any_text_is_a_config_or_a_sentence(text):
    try:
        config_lib.from_json(text, "config.json")
    except UserError as error:
        assert "config.json" in str(error)


# data.txt


@fuzz
@given(st.binary(max_size=200) | st.lists(st.text(max_size=30), max_size=5).map(lambda x: "\n".join(x).encode()))
def test_any_list_of_frames_is_read_or_refused(tmp_path, data):
    (tmp_path / "data.txt").write_bytes(data)
    try:
        rows = sully_chen.parse(tmp_path / "data.txt")
    except UserError as error:
        assert "data.txt" in str(error)
        return
    for name, angle, _ in rows:
        inside = os.path.normpath(tmp_path / name)
        assert inside.startswith(str(tmp_path) + os.sep) and np.isfinite(angle)


# idx


@fuzz
@given(edited, st.booleans(), st.sampled_from([1, 3]))
def test_any_idx_file_is_read_or_refused(tmp_path, edit, packed_first, dimensions):
    shape = (2, 3, 4)[:dimensions]
    header = bytes([0, 0, 8, dimensions]) + np.array(shape, ">u4").tobytes()
    data = header + bytes(int(np.prod(shape)))
    data = changed(gzip.compress(data), *edit) if packed_first else gzip.compress(changed(data, *edit))
    (tmp_path / "file.gz").write_bytes(data)
    try:
        array = mnist.read_idx(tmp_path / "file.gz", dimensions)
        assert array.dtype == np.uint8 and array.ndim == dimensions
    except UserError as error:
        assert "file.gz" in str(error)


# z


def saved(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def as_npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


Z = {"npy": as_npy(np.arange(8.0)), "npz": saved(z=np.arange(8.0)), "text": b"1 2 3 4 5 6 7 8"}


@fuzz
@given(st.sampled_from(list(Z)), edited)
def test_any_z_file_is_read_or_refused(tmp_path, kind, edit):
    (tmp_path / "z.npy").write_bytes(changed(Z[kind], *edit))
    try:
        z, _ = inputs.read_z(str(tmp_path / "z.npy"), 8)
        assert z.shape == (1, 8) and z.dtype == np.float32
    except UserError as error:
        assert "z.npy" in str(error)


@pytest.mark.parametrize("kind", ["pickle", "object array", "object array in an npz"])
def test_a_pickle_is_not_run(tmp_path, kind):
    trap = tmp_path / "trap"
    objects = np.array([Trap(trap)], object)
    data = {
        "pickle": lambda: pickle.dumps(Trap(trap)),
        "object array": lambda: as_npy(objects),
        "object array in an npz": lambda: saved(z=objects, step=objects),
    }[kind]()
    pickle.loads(pickle.dumps(Trap(trap)))
    assert trap.exists()  # it would work
    trap.rmdir()
    for name in ("z.npy", "step-00000001.npz"):
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError):
        inputs.read_z(str(tmp_path / "z.npy"), 1)
    with pytest.raises(checkpoints.Unusable):
        checkpoints.restore(tmp_path / "step-00000001.npz", DCGAN(TINY))
    assert not trap.exists()


# Checkpoints and packs

TINY = preset("article", image_size=32, g_width=1, d_width=1, latent_dim=2, batch_size=2)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A tiny DCGAN, the bytes of its checkpoint and the values in it."""
    gan, folder = DCGAN(TINY), tmp_path_factory.mktemp("tiny")
    checkpoints.save(folder, gan, 1)
    return gan, checkpoints.path_of(folder, 1).read_bytes(), values_of(gan)


def values_of(gan):
    return {name: variable.numpy().tobytes() for name, variable in checkpoints.variables(gan).items()}


@fuzz
@given(edited)
def test_any_checkpoint_is_whole_or_refused_and_then_changes_nothing(tmp_path, tiny, edit):
    gan, data, values = tiny
    (tmp_path / "step-00000001.npz").write_bytes(changed(data, *edit))
    with contextlib.suppress(checkpoints.Unusable):
        checkpoints.restore(tmp_path / "step-00000001.npz", gan)
    assert values_of(gan) == values  # what passes the checksums is what was saved


@fuzz
@given(JSON, edited)
def test_any_manifest_and_array_of_a_pack_is_whole_or_made_anew(tmp_path, value, edit):
    array = changed(as_npy(np.zeros((3, 2, 2, 3), np.uint8)), *edit)
    (tmp_path / "a.npy").write_bytes(array)
    whole = {"fingerprint": "x", "array": "a.npy", "images": [{}, {}, {}], "training": 2}
    for manifest in (value, whole, whole | {"images": value}, whole | {"training": value}, whole | {"array": value}):
        (tmp_path / "a.json").write_text(json.dumps(manifest))
        found = packing._read_pack(tmp_path / "a.json", "x")
        assert found is None or (found.images.dtype == np.uint8 and len(found.training) >= 1)
