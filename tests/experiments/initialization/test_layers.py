"""Variances through layers, fans, and training from equal weights, against closed forms."""

import math

import numpy as np
import pytest

from experiments.initialization import inputs, layers, variance


@pytest.mark.parametrize("scheme", variance.VARIANCES)
@pytest.mark.parametrize("shape", [(300, 700), (700, 300)])
def test_weights_have_their_variance_and_shape(scheme, shape):
    """The standard error of the variance of 210,000 values is sqrt(2 / 210,000) = 0.3 %; 5 of these."""
    drawn = variance.draw_weights(scheme, *shape, np.random.default_rng(0))
    assert drawn.shape == shape[::-1]
    assert drawn.var() == pytest.approx(variance.VARIANCES[scheme][0](*shape), rel=0.016)


@pytest.mark.parametrize("shape", [(30, 70), (70, 30), (40, 40)])
def test_orthogonal_weights_keep_lengths_or_their_transpose_does(shape):
    w = variance.draw_weights("orthogonal", *shape, np.random.default_rng(0))
    small = w @ w.T if w.shape[0] < w.shape[1] else w.T @ w
    np.testing.assert_allclose(small, np.eye(min(shape)), atol=1e-12)


@pytest.mark.parametrize(
    "activation, signal, gradient",
    # E phi(z)^2 and E phi'(z)^2 for z ~ N(0, 1): 1 and 1; 1/2 and 1/2; (1 + 0.2^2) / 2 twice.
    [("linear", 1.0, 1.0), ("ReLU", 0.5, 0.5), ("LeakyReLU 0.2", 0.52, 0.52)],
)
def test_the_formula_of_one_layer_is_the_closed_form(activation, signal, gradient):
    forward, back = variance.predict("1/n (LeCun)", activation, [400, 100])
    np.testing.assert_allclose(forward, [1.0, signal], rtol=1e-3)
    np.testing.assert_allclose(back, [gradient * 100 / 400, 1.0], rtol=1e-3)


@pytest.mark.parametrize("activation", variance.ACTIVATIONS)
def test_slopes_are_the_derivatives(activation):
    function, x = variance.ACTIVATIONS[activation], np.array([-2.3, -0.4, 0.7, 3.1])
    numeric = (function.value(x + 1e-6) - function.value(x - 1e-6)) / 2e-6
    np.testing.assert_allclose(function.slope(x), numeric, atol=1e-8)


def test_the_factor_of_gradients_is_towards_the_input():
    found = {"signal": np.array([1.0, 4.0, 16.0]), "gradient": np.array([1.0, 3.0, 9.0])}
    assert variance.log_factor(found, "signal") == pytest.approx(math.log(4))
    assert variance.log_factor(found, "gradient") == pytest.approx(-math.log(3))


def test_the_change_after_the_first_layer_is_a_product_of_factors():
    """Mean squares that grow by 5, 2, 3 through three layers: 6 from the first layer's output on, or back to it."""
    values = np.array([[1.0, 5.0, 10.0, 30.0], [2.0, 10.0, 20.0, 60.0]])
    assert variance.change_after_first(values, "signal") == pytest.approx(6)
    assert variance.change_after_first(values, "gradient") == pytest.approx(1 / 6)


def test_mean_cosine_of_known_vectors():
    assert inputs.mean_cosine(np.array([[1.0, 0], [0, 2], [-3, 0]])) == pytest.approx(-1 / 3)
    assert inputs.mean_cosine(np.array([[1.0, 1], [2, 2]])) == pytest.approx(1.0)


def test_training_descends_by_the_gradient():
    """The first step's change of every weight against central differences of the loss."""
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((7, 4)), np.array([0, 1, 2, 0, 1, 2, 0])
    start = [rng.standard_normal(shape) for shape in ((4, 3), (3, 3), (3, 3))]

    def loss(weights):
        return inputs.train([w.copy() for w in weights], x, labels, 0)[0][0]

    moved = [w.copy() for w in start]
    inputs.train(moved, x, labels, 1, rate=1.0)
    for k, w in enumerate(start):
        for place in np.ndindex(w.shape):
            up, down = ([v.copy() for v in start] for _ in range(2))
            up[k][place] += 1e-5
            down[k][place] -= 1e-5
            assert start[k][place] - moved[k][place] == pytest.approx((loss(up) - loss(down)) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("kind, size, stride", layers.FANS)
def test_fans_are_the_taps_counted_one_by_one(kind, size, stride):
    """Along one side, each tap of each small place is scattered to its large place; both sides give the square."""
    small, large = 50, 50 * stride
    reached = np.zeros((small, large))
    for place in range(small):
        for tap in range(size):
            if 0 <= place * stride + tap - size // 2 < large:
                reached[place, place * stride + tap - size // 2] += 1
    of_small = reached.sum(axis=1)[10:-10].mean() ** 2
    of_large = reached.sum(axis=0)[10 * stride : -10 * stride].mean() ** 2
    fans = (of_small, of_large) if kind == "convolution" else (of_large, of_small)
    assert layers.FANS[kind, size, stride] == pytest.approx(fans)


def test_gains_are_the_fans_times_the_variance():
    """The standard error of the mean square over 24 maps of random weights is sqrt(2 / 24 / 25) = 6 %; 4 of these."""
    from dcgan_tf.backend import keras

    forward, back = layers.gains("transposed", 5, 2, keras.initializers.RandomNormal(0, 0.1, seed=3))
    assert forward == pytest.approx(0.01 * layers.C_IN * 25 / 4, rel=0.24)
    assert back == pytest.approx(0.01 * layers.C_OUT * 25, rel=0.24)


def test_keras_truncates_at_two_standard_deviations():
    """The standard deviation of N(0, 1) cut at 2 is 0.87962566."""
    found, bound = layers._truncated_normal(1.0, 1.0)
    assert found == 1.0 and 2 / bound == pytest.approx(0.87962566, abs=1e-7)
