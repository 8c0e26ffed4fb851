"""Checkpoints: what is damaged or foreign is seen and named, and nothing in them is ever run."""

import os
import pickle
import resource
import zipfile

import numpy as np
import pytest

from dcgan_tf.config import preset
from dcgan_tf.errors import UserError
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.training import checkpoints
from dcgan_tf.training.checkpoints import Unusable
from tests.e2e.commands import same_arrays


def new_gan(**settings) -> DCGAN:
    settings = {"g_width": 4, "d_width": 4, "batch_size": 8, "latent_dim": 6, "image_size": 32} | settings
    return DCGAN(preset("article", **settings))


def values(gan) -> dict[str, np.ndarray]:
    return {name: variable.numpy().copy() for name, variable in checkpoints.variables(gan).items()}


def scramble(gan, seed) -> DCGAN:
    """Other values in every variable, the counters of the optimisers too."""
    rng = np.random.default_rng(seed)
    for variable in checkpoints.variables(gan).values():
        variable.assign((100 * rng.random(variable.shape)).astype(variable.dtype))
    return gan


@pytest.fixture(scope="module")
def gan():
    return new_gan(ema=0.9)


@pytest.fixture
def saved(gan, tmp_path):
    """(folder with the checkpoints 10, 20, 30; what each holds)."""
    held = {}
    for step in (10, 20, 30):
        checkpoints.save(tmp_path, scramble(gan, step), step)
        held[step] = values(gan)
    scramble(gan, 0)
    return tmp_path, held


def test_everything_that_training_changes_is_in_it(gan):
    # Counted from the networks and optimisers themselves: two moments a weight, and a step each.
    networks = [gan.generator, gan.discriminator, gan.ema_generator]
    weights = len(gan.generator.trainable_variables) + len(gan.discriminator.trainable_variables)
    named = checkpoints.variables(gan)
    assert len(named) == sum(len(network.variables) for network in networks) + 2 * weights + 2
    assert len({id(variable) for variable in named.values()}) == len(named)


def test_saved_and_restored_bit_for_bit_into_networks_made_anew(saved):
    folder, held = saved
    other = new_gan(ema=0.9)
    checkpoints.restore(checkpoints.path_of(folder, 20), other)
    assert same_arrays(values(other), held[20])


def test_the_newest_is_restored(saved, gan, capsys):
    folder, held = saved
    assert checkpoints.restore_newest(folder, gan) == 30
    assert same_arrays(values(gan), held[30])
    assert capsys.readouterr().out == ""


def test_without_checkpoints_a_run_starts_at_zero(gan, tmp_path):
    before = values(gan)
    assert checkpoints.restore_newest(tmp_path / "nowhere", gan) == checkpoints.restore_newest(tmp_path, gan) == 0
    assert same_arrays(values(gan), before)


@pytest.mark.parametrize("left", [0, 1, 100, 0.5, 0.999])
def test_a_truncated_one_is_named_and_the_one_before_it_used(saved, gan, left, capsys):
    folder, held = saved
    newest = checkpoints.path_of(folder, 30)
    os.truncate(newest, int(left if isinstance(left, int) else left * newest.stat().st_size))
    assert checkpoints.restore_newest(folder, gan) == 20
    assert same_arrays(values(gan), held[20])
    assert capsys.readouterr().out == f"{newest} is passed over: damaged or truncated.\n"


def test_flipped_bytes_are_never_taken_for_weights(saved, gan):
    # 200 places, the first and last bytes among them: either the checkpoint is refused and nothing has changed, or
    # the byte meant nothing (a date in the archive, say) and every array is as it was.
    folder, held = saved
    path = checkpoints.path_of(folder, 20)
    good = path.read_bytes()
    places = {*range(40), *range(len(good) - 40, len(good)), *np.random.default_rng(3).integers(0, len(good), 120)}
    refused = 0
    for place in places:
        bad = bytearray(good)
        bad[place] ^= 0x41
        path.write_bytes(bad)
        before = values(gan)
        try:
            checkpoints.restore(path, gan)
        except Unusable:
            refused += 1
            assert same_arrays(values(gan), before), place
        else:
            assert same_arrays(values(gan), held[20]), place
    assert refused > len(places) / 2


def test_one_of_another_width_is_named(saved, gan, capsys):
    folder, held = saved
    checkpoints.save(folder, new_gan(ema=0.9, d_width=5), 30)
    assert checkpoints.restore_newest(folder, gan) == 20
    said = capsys.readouterr().out
    assert f"{checkpoints.path_of(folder, 30)} is passed over: of other networks (d/" in said
    assert same_arrays(values(gan), held[20])


@pytest.mark.parametrize("there, wanted", [(0.0, 0.9), (0.9, 0.0)])
def test_one_with_or_without_averages_is_not_taken_for_the_other(tmp_path, there, wanted):
    checkpoints.save(tmp_path, new_gan(ema=there), 10)
    with pytest.raises(UserError, match="of other networks .g_ema/"):
        checkpoints.restore_newest(tmp_path, new_gan(ema=wanted))


def test_none_usable_is_a_sentence_that_names_each(saved, gan):
    folder, _ = saved
    for step in (10, 20, 30):
        checkpoints.path_of(folder, step).write_bytes(b"not a checkpoint")
    before = values(gan)
    with pytest.raises(UserError) as raised:
        checkpoints.restore_newest(folder, gan)
    for step in (10, 20, 30):
        assert str(checkpoints.path_of(folder, step)) in str(raised.value)
    assert "--fresh" in str(raised.value) and "\n" not in str(raised.value)
    assert same_arrays(values(gan), before)


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_checkpoint_is_run(saved, gan, tmp_path):
    folder, held = saved
    mark, path = tmp_path / "was here", checkpoints.path_of(folder, 20)
    arrays = held[20] | {"g/" + next(iter(held[20])).partition("/")[2]: np.array([Bomb(mark)], object)}
    with open(path, "wb") as file:
        np.savez(file, step=20, **arrays)
    with pytest.raises(Unusable):
        checkpoints.restore(path, gan)
    path.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(Unusable):
        checkpoints.restore(path, gan)
    assert not mark.exists()
    # The bomb does go off where it is let: the test would see it.
    pickle.loads(path.read_bytes())
    assert mark.exists()


@pytest.mark.parametrize("content", ["an array", "an empty archive", "an archive of texts"])
def test_other_files_of_that_name_are_unusable(gan, tmp_path, content):
    path = checkpoints.path_of(tmp_path, 10)
    if content == "an array":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            if content == "an archive of texts":
                archive.writestr("readme.txt", "hello")
    with pytest.raises(Unusable):
        checkpoints.restore(path, gan)


def stub(folder, *steps):
    for step in steps:
        checkpoints.path_of(folder, step).touch()


def test_pruned_are_all_but_the_newest_and_those_of_chosen_epochs(tmp_path):
    stub(tmp_path, *range(10, 110, 10))
    checkpoints.prune(tmp_path, 100, 3, 40)
    assert checkpoints.saved_steps(tmp_path) == [40, 80, 90, 100]
    checkpoints.prune(tmp_path, 100, 1, 0)
    assert checkpoints.saved_steps(tmp_path) == [100]
    checkpoints.prune(tmp_path, 100, 5, 0)
    assert checkpoints.saved_steps(tmp_path) == [100]


def test_the_best_is_the_saved_one_with_the_least_distance_and_is_not_pruned(tmp_path):
    stub(tmp_path, *range(10, 110, 10))
    frechet = {10: 9.0, 15: 1.0, 30: 4.0, 50: 4.0, 70: 6.0}  # 15 is not saved, and 30 came before 50
    best = checkpoints.best_step(tmp_path, frechet)
    assert best == 30
    checkpoints.prune(tmp_path, 100, 2, 0, best)
    assert checkpoints.saved_steps(tmp_path) == [30, 90, 100]
    assert checkpoints.best_step(tmp_path, {15: 1.0}) is checkpoints.best_step(tmp_path / "none", frechet) is None


def test_a_damaged_one_passed_over_does_not_crowd_out_the_good(tmp_path):
    # Step 30 was damaged and the run went on from 20: with one to keep, the one just saved must be it.
    stub(tmp_path, 20, 25, 30)
    checkpoints.prune(tmp_path, 25, 1, 0)
    assert 25 in checkpoints.saved_steps(tmp_path) and 20 not in checkpoints.saved_steps(tmp_path)


def test_steps_are_ordered_as_numbers_and_other_names_are_none(tmp_path):
    stub(tmp_path, 99_999_999, 100_000_000, 5)
    for name in ("step-5.npz", ".step-00000007.npz.12.tmp", "step-00000008.npz.bak", "notes.txt"):
        (tmp_path / name).touch()
    assert checkpoints.saved_steps(tmp_path) == [5, 99_999_999, 100_000_000]


def test_a_full_disk_leaves_the_earlier_ones(saved, gan):
    folder, _ = saved
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # no file may grow larger: as on a full disk
    try:
        with pytest.raises(UserError) as raised:
            checkpoints.save(folder, gan, 40)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    path = checkpoints.path_of(folder, 40)
    assert str(raised.value) == f"{path}: no space left on the disk; free some and run the same command again."
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
