"""The share and the place of each mask's hole, and weights computed by hand."""

import numpy as np
import pytest

from dcgan_tf.errors import UserError
from dcgan_tf.inpainting import masks


@pytest.mark.parametrize(
    "name, missing",
    [("centre", 0.25), ("left", 0.5), ("right", 0.5), ("top", 0.5), ("bottom", 0.5), ("random", 0.8),
     ("random:0.3", 0.3), ("pattern", 0.25), ("pattern:0.6", 0.6), ("grid", 0.75), ("low_resolution", 15 / 16)],
)  # fmt: skip
@pytest.mark.parametrize("size", [32, 64, 128])
def test_a_mask_leaves_its_share(name, missing, size):
    known = masks.make(name, size, seed=3)
    assert known.shape == (size, size) and known.dtype == bool
    assert 1 - known.mean() == pytest.approx(missing, abs=1 / size**2)


def test_where_the_hole_is():
    centre = masks.make("centre", 64)
    rows, columns = np.nonzero(~centre)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 47, 16, 47)
    assert not masks.make("left", 64)[:, :32].any() and masks.make("left", 64)[:, 32:].all()
    assert not masks.make("bottom", 64)[32:].any() and masks.make("bottom", 64)[:32].all()


def test_strokes_are_connected():
    """Between a twentieth and half is missing, and most missing pixels have missing neighbours."""
    for seed in range(20):
        hole = ~masks.make("strokes", 64, seed)
        assert 0.02 < hole.mean() < 0.6
        neighbours = hole[1:-1, :-2] | hole[1:-1, 2:] | hole[:-2, 1:-1] | hole[2:, 1:-1]
        assert neighbours[hole[1:-1, 1:-1]].mean() > 0.95


@pytest.mark.parametrize("name", ["random", "pattern", "strokes"])
def test_random_masks_depend_on_the_seed(name):
    assert (masks.make(name, 64, 1) == masks.make(name, 64, 1)).all()
    assert (masks.make(name, 64, 1) != masks.make(name, 64, 2)).any()


@pytest.mark.parametrize(
    "name", ["hole", "", "centre:0.5", "random:", "random:2", "random:x", "random:nan", "strokes:0.1"]
)
def test_an_unknown_mask_is_refused(name):
    with pytest.raises(UserError, match=r"--mask=.*(unknown; it can be|a share from 0.01)"):
        masks.make(name, 64)


def test_weights_are_those_worked_out_by_hand():
    """9x9, the middle 3x3 missing, window 3: a pixel is weighed by the missing ones among the up to nine around it."""
    known = np.ones((9, 9), bool)
    known[3:6, 3:6] = False
    expected = np.zeros((9, 9))
    for k, count in zip(range(2, 7), (1, 2, 3, 2, 1)):  # along each side of the ring around the hole
        expected[2, k] = expected[6, k] = expected[k, 2] = expected[k, 6] = count / 9
    np.testing.assert_allclose(masks.importance(known, 3), expected, rtol=1e-6)


def test_at_the_edge_only_pixels_of_the_image_count():
    known = np.ones((5, 5), bool)
    known[0, 0] = False
    weights = masks.importance(known, 3)
    assert weights[0, 1] == pytest.approx(1 / 6) and weights[1, 1] == pytest.approx(1 / 9) and weights[0, 0] == 0
    assert weights[2:].sum() == weights[:, 2:].sum() == 0
