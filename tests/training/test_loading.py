"""Loading the checkpoints of a run one after the other."""

import numpy as np

import dcgan_tf
from dcgan_tf.training import checkpoints
from dcgan_tf.training.loading import restore_each, saved_steps
from dcgan_tf.training.run_directory import choose_run


def test_checkpoints_are_restored_from_the_oldest_on(run_copy):
    run, gan = choose_run(run_copy), dcgan_tf.load(run_copy)
    weight = gan.generator.trainable_variables[0]
    expected = {}
    for step in saved_steps(run):
        expected[step] = dcgan_tf.load(run_copy, step).generator.trainable_variables[0].numpy()
    found = {step: weight.numpy() for step in restore_each(run, gan)}
    assert list(found) == sorted(expected) and len(found) > 1
    for step, values in expected.items():
        np.testing.assert_array_equal(found[step], values)
    first, *_, last = found.values()
    assert (first != last).any()


def test_a_damaged_checkpoint_is_reported_and_left_out(run_copy, capsys):
    run, gan = choose_run(run_copy), dcgan_tf.load(run_copy)
    first, *others = saved_steps(run)
    damaged = checkpoints.path_of(run.checkpoints, first)
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert list(restore_each(run, gan)) == others and others
    assert f"{damaged} is passed over: damaged or truncated.\n" in capsys.readouterr().out
