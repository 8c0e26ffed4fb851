"""Poisson blending against solutions computed by hand."""

import numpy as np
import pytest

from dcgan_tf.inpainting.blending import blend, solve_poisson


def holed(size=12):
    known = np.ones((size, size), bool)
    known[3:9, 4:10] = False
    return known


def test_a_flat_proposal_in_a_ramp_gives_the_ramp():
    """Without gradients of the proposal the solution is harmonic, as a linear ramp is."""
    rows, columns = np.mgrid[:12, :12].astype(float)
    ramp = np.stack([10 + 3 * rows, 50 + 2 * columns, 7 * rows - columns], axis=-1)
    known = holed()
    damaged = np.where(known[..., None], ramp, -99.0)
    np.testing.assert_allclose(solve_poisson(damaged, np.full_like(ramp, 33.0), known), ramp, atol=1e-9)


def test_a_proposal_of_another_brightness_is_lifted_to_fit():
    draw = np.random.default_rng(0)
    image = draw.uniform(0, 200, (12, 12, 1))
    np.testing.assert_allclose(solve_poisson(image, image + 40.0, holed()), image, atol=1e-9)


def test_a_hole_to_the_border_has_no_neighbour_beyond():
    """One row whose right end is missing: the differences 5 and -2 are added to the last known value."""
    image = np.array([10.0, 20.0, 0.0, 0.0])[None, :, None]
    proposal = np.array([0.0, 100.0, 105.0, 103.0])[None, :, None]
    known = np.array([[True, True, False, False]])
    np.testing.assert_allclose(solve_poisson(image, proposal, known)[0, :, 0], [10, 20, 25, 23], atol=1e-9)


@pytest.mark.parametrize("how", ["poisson", "paste"])
def test_known_pixels_stay_bit_for_bit_and_values_in_range(how):
    draw = np.random.default_rng(1)
    images, proposals = draw.integers(0, 256, (2, 5, 12, 12, 3), np.uint8)
    known = draw.random((5, 12, 12)) < 0.5
    result = blend(images, proposals, known, how)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result[known], images[known])
    if how == "paste":
        np.testing.assert_array_equal(result[~known], proposals[~known])
