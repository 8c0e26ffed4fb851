"""The run folder: its lock, and which runs may be continued."""

import contextlib
import errno
import fcntl
import os
import resource
import subprocess
import sys

import pytest

from dcgan_tf.config import preset
from dcgan_tf.errors import UserError
from dcgan_tf.training.run_directory import RunDirectory, find_newest, open_for_training

CONFIG = preset("article", dataset="folder", data_dir="images", g_width=8)
DATA = {"dataset": "folder", "images": 400, "sha256": "ab" * 32}


@contextlib.contextmanager
def opened(path, config=CONFIG, data=DATA, fresh=False):
    with open_for_training(path, config, data, fresh) as run:
        yield run


def refused(path, **how) -> str:
    with pytest.raises(UserError) as raised, opened(path, **how):
        pass
    return str(raised.value)


def test_a_new_run_has_its_config_and_data(tmp_path):
    with opened(tmp_path / "a/b") as run:
        assert run.config() == CONFIG
        assert run.checkpoints.is_dir() and run.samples.is_dir()
    assert RunDirectory(tmp_path / "a/b").config() == CONFIG


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"g_width": 16}, "g_width (8 there, 16 here)"),
        ({"batch_size": 32, "learning_rate": 1e-3}, "batch_size (64 there, 32 here)."),
        ({"loss": "hinge", "seed": 5}, "loss (non_saturating there, hinge here), seed (0 there, 5 here)"),
    ],
)
def test_other_settings_are_refused_by_name_with_both_values(tmp_path, changed, words):
    with opened(tmp_path / "run"):
        pass
    before = (tmp_path / "run/config.json").read_bytes()
    settings = {"dataset": "folder", "data_dir": "images", "g_width": 8}
    message = refused(tmp_path / "run", config=preset("article", **(settings | changed)))
    assert words in message and "--fresh" in message and "--run_dir" in message
    assert (tmp_path / "run/config.json").read_bytes() == before


def test_settings_that_do_not_change_what_is_learned_may_change(tmp_path):
    with opened(tmp_path / "run"):
        pass
    more = preset("article", dataset="folder", data_dir="elsewhere", g_width=8, epochs=60, max_steps=7, sample_every=3,
                  sample_grid="2x2", checkpoint_every=9, keep_checkpoints=1, keep_every_epochs=0, histogram_every=2,
                  cache_dir="there")  # fmt: skip
    with opened(tmp_path / "run", config=more) as run:
        assert run.config() == more


def test_rates_and_schedules_may_change_and_are_recorded(tmp_path):
    with opened(tmp_path / "run"):
        pass
    settings = {"dataset": "folder", "data_dir": "images", "g_width": 8}
    other = preset("article", **settings, learning_rate=1e-3, beta1=0.0, beta2=0.9, decay=0.25, max_steps=50)
    changes = other.changed(CONFIG)
    assert changes == {
        "learning_rate": (2e-4, 1e-3), "decay": (0.0, 0.25), "beta1": (0.5, 0.0), "beta2": (0.999, 0.9),
        "max_steps": (0, 50),
    }  # fmt: skip
    with opened(tmp_path / "run", config=other) as run:
        run.record_changes(20, {"learning_rate": (2e-4, 1e-3)})
        run.record_changes(30, {"beta1": (0.5, 0.0), "decay": (0.0, 0.25)})
        assert run.config() == other
    lines = (tmp_path / "run/changes.csv").read_text().splitlines()
    assert lines == [
        "step,setting,before,now", "20,learning_rate,0.0002,0.001", "30,beta1,0.5,0.0", "30,decay,0.0,0.25",
    ]  # fmt: skip


def test_other_images_are_refused_and_the_same_ones_from_elsewhere_are_not(tmp_path):
    with opened(tmp_path / "run"):
        pass
    assert "the images themselves" in refused(tmp_path / "run", data=DATA | {"sha256": "cd" * 32})
    with opened(tmp_path / "run"):
        pass


def test_a_run_in_use_by_another_process_is_refused(tmp_path):
    run = tmp_path / "run"
    code = (
        "import sys; from pathlib import Path; from tests.training.test_run_directory import opened\n"
        "with opened(Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "in\n"
        message = refused(run)
        assert str(run) in message and f"number {holder.pid}" in message
        assert "number" in refused(run, fresh=True)  # nor is it moved away from under the other
    finally:
        holder.kill()  # SIGKILL: the system releases the lock
        holder.communicate()
    with opened(run):
        pass


def test_the_lock_leaves_no_process_number_behind(tmp_path):
    with opened(tmp_path / "run"):
        assert (tmp_path / "run/.pid").read_text() == str(os.getpid())
    with opened(tmp_path / "run", fresh=True):
        assert not (tmp_path / "run-1/.pid").exists()
    assert not list(tmp_path.rglob(".pid"))


def test_the_number_of_a_killed_process_is_not_that_of_the_next(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.pid").write_text("123456")  # killed: its lock is gone, its number is still there
    with opened(tmp_path / "run"):
        assert f"number {os.getpid()}" in refused(tmp_path / "run")


def test_a_process_that_has_not_written_its_number_yet_is_unknown(tmp_path):
    with opened(tmp_path / "run"):
        (tmp_path / "run/.pid").unlink()
        assert "in use by another process (number unknown)" in refused(tmp_path / "run")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_a_sentence(tmp_path, monkeypatch, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    message = refused(tmp_path / "run")
    assert f"{tmp_path / 'run'}: its file system has no locks" in message and "--run_dir" in message


def test_fresh_keeps_the_old_runs_aside(tmp_path, capsys):
    run = tmp_path / "run"
    marks = ["first", "second", "third"]
    for mark in marks:
        with opened(run, fresh=True):
            assert not (run / "mark").exists()
            (run / "mark").write_text(mark)
    assert [(tmp_path / name / "mark").read_text() for name in ("run-1", "run-2", "run")] == [
        "first",
        "second",
        "third",
    ]
    assert f"The old run is kept in {tmp_path / 'run-2'}." in capsys.readouterr().out


def test_fresh_starts_with_other_settings_where_no_run_can_be_continued(tmp_path):
    run = tmp_path / "run"
    with opened(run):
        pass
    other = preset("article", dataset="folder", g_width=16)
    with opened(run, config=other, fresh=True):
        assert RunDirectory(run).config() == other


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path, fresh):
    (tmp_path / "thesis.tex").write_text("...")
    assert "not empty and not a run" in refused(tmp_path, fresh=fresh)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_config_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert "model_type: no such setting" in refused(tmp_path)
    assert (tmp_path / "config.json").read_text() == '{"model_type": "bert"}'


def test_a_run_killed_while_its_folder_was_made_can_be_started_again(tmp_path, monkeypatch):
    # Whichever write it dies before, the same command continues. The kill is simulated by an exception that the tested
    # code does not catch, and by a temporary file of a process that no longer exists.
    from dcgan_tf.training import run_directory

    ghost = subprocess.Popen(["true"])
    ghost.wait()

    class Killed(BaseException):
        pass

    for survived in range(3):
        run, writes = tmp_path / f"run{survived}", []

        def dying(path, text, writes=writes, survived=survived):
            if len(writes) == survived:
                path.with_name(f".{path.name}.{ghost.pid}.tmp").write_text(text[:5])
                raise Killed
            writes.append(path)
            path.write_text(text)

        with monkeypatch.context() as patched:
            patched.setattr(run_directory, "write_text", dying)
            with contextlib.suppress(Killed), opened(run):
                pass
        with opened(run):
            assert not [p.name for p in run.iterdir() if p.name.endswith(".tmp")]
            assert RunDirectory(run).config() == CONFIG


def test_temporary_files_of_dead_processes_are_removed_and_those_of_living_ones_kept(tmp_path):
    ghost = subprocess.Popen(["true"])
    ghost.wait()
    with opened(tmp_path / "run") as run:
        dead = [folder / f".x.{ghost.pid}.tmp" for folder in (run.path, run.checkpoints, run.samples, run.tensorboard)]
    alive = run.samples / f".x.{os.getppid()}.tmp"
    for path in (*dead, alive):
        path.write_text("half")
    with opened(run.path):
        assert not any(path.exists() for path in dead)
        assert alive.exists()


def test_a_path_below_a_file_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file/run"):
        assert "a file stands where a folder is needed" in refused(path)


def test_a_folder_that_may_not_be_written_is_a_sentence(tmp_path_factory):
    # Permissions do not stop root, so the test becomes the user nobody for a moment.
    root = os.geteuid() == 0
    folder = tmp_path_factory.mktemp("closed")
    made = folder / "run"
    with opened(made):
        pass
    (made / ".lock").touch()  # some versions of filelock remove it
    for path in (folder, made, made / ".lock"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    opened_up = [p for p in folder.parents if p.is_relative_to(tmp_path_factory.getbasetemp().parent)]
    modes = [p.stat().st_mode for p in opened_up]
    try:
        for path in opened_up:  # pytest's folders are private; the user nobody must be able to enter them
            path.chmod(0o755)
        if root:
            os.seteuid(65534)
        messages = refused(made), refused(folder / "another")
    finally:
        if root:
            os.seteuid(0)
        for path, mode in zip(opened_up, modes):
            path.chmod(mode)
        folder.chmod(0o755)
        made.chmod(0o755)
    for message, path in zip(messages, (made, folder / "another")):
        assert str(path) in message and "may not be written" in message


def test_a_disk_without_room_for_the_lock_is_a_sentence_that_says_where(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # no file may have a byte: as on a full disk
    try:
        message = refused(tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert message.startswith(f"{tmp_path / 'run'}: no space left on the disk; ")
    with opened(tmp_path / "run") as run:  # with room again: nothing holds it
        assert run.config() == CONFIG


def test_the_newest_run_is_the_one_written_to_last(tmp_path):
    with pytest.raises(UserError, match=r"no run in .*dcgan_tf.train"):
        find_newest(tmp_path)
    for i, name in enumerate(("old", "trained on", "begun")):
        with opened(tmp_path / name):
            os.utime(tmp_path / name / "config.json", (1000 + i, 1000 + i))
    assert find_newest(tmp_path).path.name == "begun"
    (tmp_path / "trained on/metrics.csv").write_text("step\n")
    os.utime(tmp_path / "trained on/metrics.csv", (2000, 2000))
    assert find_newest(tmp_path).path.name == "trained on"


@pytest.mark.parametrize(
    "content, words", [(None, "not a run"), ("{", "not a readable config"), ("[1]", "not a config")]
)
def test_a_folder_that_is_not_a_run_is_a_user_error(tmp_path, content, words):
    if content:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=words) as raised:
        RunDirectory(tmp_path).config()
    assert str(tmp_path) in str(raised.value)
