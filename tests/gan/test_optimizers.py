"""Adam in one operation against the formula, in NumPy and float64, and against Keras's."""

import json
import subprocess
import sys

import numpy as np
import pytest

from dcgan_tf.backend import keras, tf
from dcgan_tf.gan.optimizers import Adam, FallingRate

# The decays are short and epsilon is large, so that bias correction and epsilon weigh within a few steps.
SETTINGS = {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2}
SHAPES = ((3, 2), (4,), ())


def starts() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype("float32") for shape in SHAPES]


def gradients(step: int) -> list[np.ndarray]:
    """Some as large as 1, some far below epsilon."""
    rng = np.random.default_rng(1 + step)
    return [(rng.normal(size=s) * 10.0 ** -rng.integers(0, 5, s)).astype("float32") for s in SHAPES]


def formula(weights, steps, lr, beta1, beta2, epsilon):
    """Kingma & Ba 2015, algorithm 1, with epsilon moved inside as at the end of their section 2."""
    weights = [w.astype(np.float64) for w in weights]
    m, v = ([np.zeros_like(w) for w in weights] for _ in range(2))
    for t in range(1, steps + 1):
        for i, gradient in enumerate(gradients(t - 1)):
            m[i] = beta1 * m[i] + (1 - beta1) * gradient
            v[i] = beta2 * v[i] + (1 - beta2) * gradient.astype(np.float64) ** 2
            weights[i] = weights[i] - lr * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m[i] / (np.sqrt(v[i]) + epsilon)
    return weights, m, v


def new(adam):
    weights = [keras.Variable(w, name=f"w{i}") for i, w in enumerate(starts())]
    optimizer = adam(**SETTINGS)
    optimizer.build(weights)
    return optimizer, weights


def advance(optimizer, weights, steps):
    for step in steps:
        optimizer.apply([tf.constant(g) for g in gradients(step)], weights)


def agree(ours, wanted):
    assert len(ours) == len(wanted)
    for mine, theirs in zip(ours, wanted):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "function"])
def test_six_steps_are_the_formulas(graph):
    optimizer, weights = new(Adam)
    apply = tf.function(lambda gradients: optimizer.apply(gradients, weights)) if graph else None
    for step in range(6):
        if graph:
            apply([tf.constant(g) for g in gradients(step)])
        else:
            advance(optimizer, weights, [step])
    wanted, m, v = formula(starts(), 6, *SETTINGS.values())
    agree(weights, wanted)
    slots = {variable.name: variable for variable in optimizer.variables}
    agree([slots[f"w{i}_momentum"] for i in range(3)], m)
    agree([slots[f"w{i}_velocity"] for i in range(3)], v)
    assert int(optimizer.iterations) == 6


def test_variables_are_those_of_keras():
    named = [[(v.name, v.shape, v.dtype) for v in new(adam)[0].variables] for adam in (Adam, keras.optimizers.Adam)]
    assert named[0] == named[1]
    assert new(Adam)[0].name.startswith("adam")  # the first part of each path


@pytest.mark.parametrize("first, second", [(Adam, keras.optimizers.Adam), (keras.optimizers.Adam, Adam)])
def test_either_continues_from_the_others_state(first, second):
    (one, weights), (other, others) = new(first), new(second)
    advance(one, weights, range(3))
    for source, target in zip([*one.variables, *weights], [*other.variables, *others]):
        target.assign(source)
    advance(other, others, range(3, 6))
    agree(others, formula(starts(), 6, *SETTINGS.values())[0])
    assert int(other.iterations) == 6


def test_learning_rate_may_change_between_steps():
    optimizer, weights = new(Adam)
    advance(optimizer, weights, [0])
    before = [w.numpy() for w in weights]
    optimizer.learning_rate.assign(0.0)
    advance(optimizer, weights, [1])
    agree(weights, before)


# Two devices must be there before TensorFlow starts: a process of its own.
TWO_DEVICES = """
import json
from dcgan_tf.backend import tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.gan.test_optimizers import Adam, gradients, new

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    optimizer, weights = new(Adam)


@tf.function
def step(gradients):
    def replica():
        context = tf.distribute.get_replica_context()
        share = 0.5 + tf.cast(context.replica_id_in_sync_group, tf.float32)
        averaged = context.all_reduce(tf.distribute.ReduceOp.MEAN, [share * g for g in gradients])
        optimizer.apply(averaged, weights)

    strategy.run(replica)


for t in range(3):
    step([tf.constant(g) for g in gradients(t)])
print(json.dumps([[w.value.values[i].numpy().tolist() for w in weights] for i in (0, 1)]))
"""


def test_two_mirrored_devices_each_step_by_the_averaged_gradients_once():
    done = subprocess.run([sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    for weights in json.loads(done.stdout.splitlines()[-1]):
        agree(weights, formula(starts(), 3, *SETTINGS.values())[0])


def test_the_rate_falls_linearly_at_the_end():
    rate = FallingRate(0.8, updates=10, share=0.4)
    found = [float(rate(update)) for update in range(12)]
    assert found == pytest.approx([0.8] * 7 + [0.6, 0.4, 0.2, 0.0, 0.0], abs=1e-6)
    again = FallingRate.from_config(rate.get_config())
    assert float(again(8)) == float(rate(8))


def test_adam_takes_the_rate_of_its_own_updates():
    weights = [keras.Variable(w, name=f"w{i}") for i, w in enumerate(starts())]
    scheduled = Adam(**SETTINGS | {"learning_rate": FallingRate(0.01, updates=4, share=0.5)})
    plain, others = new(Adam)
    scheduled.build(weights)
    for step, rate in enumerate([0.01, 0.01, 0.01, 0.005]):
        plain.learning_rate = rate
        advance(scheduled, weights, [step])
        advance(plain, others, [step])
    for a, b in zip(weights, others):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)
