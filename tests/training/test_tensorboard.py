"""TensorBoard's events, read back with TensorBoard's own reader; what `tests/e2e` cannot time is played here."""

import resource
from dataclasses import replace

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from dcgan_tf.errors import UserError
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.run_metrics import SCORES, STEP_METRICS, STEP_NAMES
from dcgan_tf.training import tensorboard as events_module
from dcgan_tf.training.tensorboard import Events


@pytest.fixture(scope="module")
def gan(tiny_config):
    return DCGAN(replace(tiny_config, histogram_every=15))


def write(folder, gan, first, last):
    with Events(folder, gan.config, first) as events:
        for step in range(first, last):
            events.add_step(step, {name: float(step + i) for i, name in enumerate(STEP_NAMES)}, 100.0, gan)
            if step % 7 == 0:
                events.add_image(step, "samples", np.full((4, 4, 3), step, np.uint8))
        events.flush()


def steps_of(folder) -> dict[str, list[int]]:
    read = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    tags = read.Tags()["tensors"]
    assert {"config", "samples", *(metric.tag for metric in STEP_METRICS)} < set(tags) and any(
        tag.startswith("weights_d/") for tag in tags
    )
    return {tag: [event.step for event in read.Tensors(tag)] for tag in tags}


def assert_as_expected(folder, last):
    """Each event of the steps before `last` is there once."""
    for tag, steps in steps_of(folder).items():
        every = {"config": range(1), "samples": range(0, last, 7)}.get(tag)
        if every is None:
            every = range(14, last, 15) if tag.startswith("weights_") else range(0, last, 10)
        # Files of one second are read in the order of their names, in which 10 comes before 9: that is this test's
        # haste, so the order is left to `tests/e2e`.
        assert sorted(steps) == list(every), tag


def test_what_came_after_the_checkpoint_is_removed(tmp_path, gan):
    write(tmp_path, gan, 0, 48)
    for first, last in ((31, 40), (35, 61), (50, 80)):  # three times killed, each time taken up before
        write(tmp_path, gan, first, last)
        assert_as_expected(tmp_path, last)


def test_scores_and_sentences_are_in_it(tmp_path, gan):
    with Events(tmp_path, gan.config, 0) as events:
        events.add_scores(499, {metric.name: float(i) for i, metric in enumerate(SCORES)})
        events.add_text(499, "health", "all is well")
    read = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    for i, (_, tag) in enumerate(SCORES):
        (event,) = read.Tensors(tag)
        assert event.step == 499 and tensor_util.make_ndarray(event.tensor_proto) == i
    (event,) = read.Tensors("health")
    assert tensor_util.make_ndarray(event.tensor_proto).item() == b"all is well"


def test_from_step_zero_nothing_old_is_left(tmp_path, gan):
    write(tmp_path, gan, 0, 30)
    write(tmp_path, gan, 0, 20)
    assert_as_expected(tmp_path, 20)


@pytest.mark.parametrize("cut_off", [1, 5, 100])
def test_a_half_record_at_the_end_is_left_out(tmp_path, gan, cut_off):
    write(tmp_path, gan, 0, 48)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-cut_off])
    write(tmp_path, gan, 20, 60)
    assert_as_expected(tmp_path, 60)


def test_killed_while_it_cuts_nothing_is_lost_or_doubled(tmp_path, gan, monkeypatch):
    # The process dies after each of the files that are replaced, in turn.
    write(tmp_path, gan, 0, 30)
    write(tmp_path, gan, 28, 45)

    class Killed(BaseException):
        pass

    for survived in (0, 1):
        done = []

        def dying(path, done=done, survived=survived, replacing=events_module.replacing):
            if len(done) == survived:
                raise Killed
            done.append(path)
            return replacing(path)

        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(events_module, "replacing", dying)
            Events(tmp_path, gan.config, 40)
    write(tmp_path, gan, 40, 60)
    assert_as_expected(tmp_path, 60)


def test_names_do_not_grow_however_often_it_is_continued(tmp_path, gan):
    write(tmp_path, gan, 0, 1)
    (name,) = [p.name for p in tmp_path.iterdir()]
    for step in range(1, 4):
        write(tmp_path, gan, step, step + 1)
    assert {len(p.name) - len(name) for p in tmp_path.iterdir()} <= {0, 1}


def test_a_full_disk_is_a_sentence_and_what_was_whole_is_kept(tmp_path, gan):
    write(tmp_path, gan, 0, 20)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))  # no file may grow larger: as on a full disk
    try:
        with pytest.raises(UserError) as raised:
            write(tmp_path, gan, 20, 400)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    message = str(raised.value)
    assert message.startswith(f"{tmp_path}: TensorBoard events cannot be written (File too large); ")
    assert "\n" not in message
    write(tmp_path, gan, 20, 60)
    assert_as_expected(tmp_path, 60)


def test_a_folder_that_is_gone_is_a_sentence(tmp_path, gan):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="TensorBoard events cannot be written"):
        write(tmp_path / "file/below", gan, 0, 1)
