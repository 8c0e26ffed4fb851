"""bfloat16 only where it is clearly faster."""

import pytest

from dcgan_tf.gan import precision


def with_times(monkeypatch, **seconds):
    """Products that take these seconds, one value a try."""
    tries = {name: iter(values) for name, values in seconds.items()}
    monkeypatch.setattr(precision, "_product", lambda dtype: lambda: next(tries[dtype]))


@pytest.mark.parametrize(
    "bfloat16, chosen", [(0.24, "bfloat16"), (0.5, "bfloat16"), (0.9, "float32"), (3.4, "float32")]
)
def test_the_faster_type_is_chosen_and_equal_ones_stay_float32(monkeypatch, bfloat16, chosen):
    with_times(monkeypatch, float32=[1.0] * 5, bfloat16=[bfloat16] * 5)
    assert precision.fastest_precision() == chosen


def test_a_disturbed_try_changes_nothing(monkeypatch):
    with_times(monkeypatch, float32=[9.0, 1.0, 1.1, 9.0, 9.0], bfloat16=[9.0, 9.0, 9.0, 0.3, 9.0])
    assert precision.fastest_precision() == "bfloat16"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_product_is_made_and_timed(dtype):
    assert 1e-5 < precision._product(dtype)() < 60
