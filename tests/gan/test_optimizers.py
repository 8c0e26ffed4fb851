"""Adam against its formula, and against Keras's of the same states."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcgan_tf.gan.optimizers import Adam

SETTINGS = {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8}


def weights():
    rng = np.random.default_rng(0)
    return [
        keras.Variable(rng.standard_normal(shape).astype("float32"), name=f"w{i}")
        for i, shape in enumerate([(3, 4), (5,)])
    ]


def gradients(step):
    rng = np.random.default_rng(step + 1)
    return [rng.standard_normal(shape).astype("float32") for shape in [(3, 4), (5,)]]


@pytest.mark.parametrize("compiled", [False, True])
def test_it_is_the_formula(compiled):
    """Kingma & Ba 2015 in float64, to 1e-6."""
    variables, adam = weights(), Adam(**SETTINGS)
    adam.build(variables)

    def apply(*grads):
        adam.apply(list(grads), variables)

    apply = tf.function(apply) if compiled else apply
    w = [v.numpy().astype(float) for v in variables]
    m, v = [0 * a for a in w], [0 * a for a in w]
    for step in range(5):
        apply(*map(tf.constant, gradients(step)))
        for i, g in enumerate(gradients(step)):
            m[i] = 0.5 * m[i] + 0.5 * g
            v[i] = 0.999 * v[i] + 0.001 * g.astype(float) ** 2
            rate = 0.01 * np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.5 ** (step + 1))
            w[i] = w[i] - rate * m[i] / (np.sqrt(v[i]) + 1e-8)
            np.testing.assert_allclose(variables[i].numpy(), w[i], rtol=1e-6, atol=1e-6)
    assert int(adam.iterations) == 5


def test_it_goes_on_where_keras_stopped_and_the_other_way_round():
    optimizers, sets = [Adam(**SETTINGS), keras.optimizers.Adam(**SETTINGS)], [weights(), weights()]
    for optimizer, variables in zip(optimizers, sets):
        optimizer.build(variables)
        for step in range(3):
            optimizer.apply([tf.constant(g) for g in gradients(step)], variables)
    states = [[v.numpy() for v in optimizer.variables] for optimizer in optimizers]
    names = [[v.path.partition("/")[2] for v in optimizer.variables] for optimizer in optimizers]
    assert names[0] == names[1]
    for optimizer, state in zip(optimizers, states[::-1]):
        for variable, value in zip(optimizer.variables, state):
            variable.assign(value)
    for optimizer, variables in zip(optimizers, sets):
        optimizer.apply([tf.constant(g) for g in gradients(3)], variables)
    for ours, theirs in zip(*sets):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)
