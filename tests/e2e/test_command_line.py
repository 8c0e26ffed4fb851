"""The answers of the commands before any work: help, and one sentence for each mistake.

TensorFlow cannot be imported in these tests, which shows that the commands answer without it, and so at once.
"""

import dataclasses
import os
import subprocess
import sys

import pytest

from dcgan_tf.config import Config
from tests.e2e import commands


@pytest.fixture(scope="module")
def without_tensorflow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fakes")
    for name in ("tensorflow", "keras"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise RuntimeError('{name} was imported')\n")
    return commands.environment(PYTHONPATH=f"{folder}:{commands.ROOT}")


def test_the_fake_tensorflow_is_imported(without_tensorflow, tmp_path):
    # Otherwise the other tests would prove nothing: real work fails with the fake.
    end = commands.run("train", f"--data_dir={tmp_path}", "--dataset=folder", cwd=tmp_path, env=without_tensorflow)
    assert end.returncode == 1
    assert "RuntimeError: tensorflow was imported" in end.stderr


def test_commands_run_one_after_the_other_in_one_process(without_tensorflow, tmp_path):
    """As in a notebook's kernel: each has its own flags, and none of those of the command before."""
    code = """
import importlib, sys
for name, flag in (("sample", "--run=no"), ("sample", "--run=no"), ("train", "--epochs=0"), ("evaluate", "--epochs=3")):
    sys.argv = [name, flag]
    try:
        importlib.import_module(f"dcgan_tf.{name}").run()
    except SystemExit as end:
        print(end.code)
"""
    end = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=without_tensorflow, capture_output=True, text=True
    )
    assert end.stdout.split() == ["2"] * 4
    errors = end.stderr.splitlines()
    assert errors[0] == errors[1] and errors[0].startswith("error: no: not a run")
    assert errors[2].startswith("error: --epochs=0: it must be at least 1")
    assert errors[3].startswith("error: --epochs: no such flag")


def test_the_module_of_the_command_can_be_called_like_the_function(without_tensorflow):
    code = (
        "import dcgan_tf; f = dcgan_tf.train; import dcgan_tf.train as m; print(m.__call__ is f, dcgan_tf.train is m)"
    )
    end = subprocess.run([sys.executable, "-c", code], env=without_tensorflow, capture_output=True, text=True)
    assert end.stdout == "True True\n"


@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_help_of_train_lists_every_setting_with_its_default(without_tensorflow, tmp_path, flag):
    end = commands.run("train", flag, cwd=tmp_path, env=without_tensorflow)
    assert (end.returncode, end.stderr) == (0, "")
    lines = end.stdout.splitlines()
    for f in dataclasses.fields(Config):
        assert f"  --{f.name}" in lines, f.name
    for name in ("run_dir", "fresh", "flagfile"):
        assert f"  --{name}" in lines
    assert "(default: 0.0002)" in end.stdout and "non_saturating, saturating, lsgan, hinge, wgan_gp" in end.stdout
    for name in ("article", "fast", "paper", "lfw", "quick", "stable", "modern"):
        assert f"{name}: " in end.stdout


@pytest.mark.parametrize(
    "command, names",
    [
        ("prepare", "dataset data_dir cache_dir crop held_out image_size download year url sha256 check output"),
        ("sample", "run checkpoint num_images grid seed singly interpolate gif raw output"),
        (
            "visualize_layers",
            "run checkpoint seed z_file image data_dir layers maps stage scaling order style output tensorboard",
        ),
        ("evaluate", "run checkpoint real fake data_dir num_images seed inception image_size output"),
        (
            "inpaint",
            "run checkpoint images data_dir num_images mask mask_image loss optimizer iterations restarts blend seed "
            "benchmark",
        ),
    ],
)
def test_help_of_the_others(without_tensorflow, tmp_path, command, names):
    end = commands.run(command, "--help", cwd=tmp_path, env=without_tensorflow)
    assert (end.returncode, end.stderr) == (0, "")
    for name in names.split():
        assert f"  --{name}" in end.stdout.splitlines(), name


REFUSED = [
    ("inpaint", "--mask=centre,hole", "--mask=hole: unknown; it can be centre, "),
    ("inpaint", "--loss=l2", "--loss=l2: unknown; it can be slides, paper or non_saturating"),
    ("inpaint", "", "no run in runs"),
    ("inpaint", "--run=nowhere", "nowhere"),
    ("inpaint", "--iterations=0", "--iterations=0: it must be at least 1"),
    ("train", "--epoch=3", "epochs"),  # the similar flag is named
    ("train", "--epochs=many", "--epochs=many"),
    ("train", "--epochs=2.5", "--epochs=2.5"),
    ("train", "--epochs=0", "--epochs=0"),
    ("train", "--batch_size=-8", "--batch_size=-8"),
    ("train", "--learning_rate=nan", "--learning_rate=nan"),
    ("train", "--learning_rate=fast", "--learning_rate=fast"),
    ("train", "--image_size=48", "--image_size=48"),
    ("train", "--crop=-3", "--crop=-3"),
    ("train", "--held_out=0.7", "--held_out=0.7: it must be at least 0 and at most 0.5"),
    ("train", "--sample_grid=0x3", "--sample_grid=0x3"),
    ("train", "--dataset=sully", "--dataset=sully"),
    ("train", "--preset=article2", "--preset=article2"),
    ("train", "--loss=wgan", "--loss=wgan"),
    ("train", "quick", "quick"),
    ("train", "--epochs", "epochs"),
    ("train", "--fresh=perhaps", "fresh"),
    ("train", "--evaluate_every=-1", "--evaluate_every=-1"),
    ("train", "--augment=colour", "--augment=colour"),
    ("train", "--upsampling=bilinear", "--upsampling=bilinear"),
    ("evaluate", "--num_image=3", "num_images"),
    ("evaluate", "--num_images=19", "--num_images=19: it must be at least 20"),
    ("evaluate", "--run=nowhere", "nowhere"),
    ("evaluate", "--seed=-1", "--seed=-1"),
    ("evaluate", "--real=nowhere", "--real=nowhere: not a folder"),
    ("prepare", "--image_size=63", "--image_size=63"),
    ("prepare", "--year=2019", "--year=2019: unknown; it can be 2018 or 2017."),
    ("prepare", "--num_images=-1", "--num_images=-1"),
    ("prepare", "--loss=hinge", "loss"),  # a setting, but not of this command
    ("sample", "--num_images=0", "--num_images=0"),
    ("sample", "--grid=2x3 --num_images=10", "--grid=2x3: that is 6 images, and --num_images=10"),
    ("inpaint", "--benchmark --mask=left", "--benchmark: it uses all masks"),
    ("inpaint", "--mask=left --mask_image=hole.png", "--mask=left: the hole is that of --mask_image"),
    ("evaluate", "--run=r --real=. --fake=.", "--run=r: no run is read when both --real and --fake are given"),
    ("sample", "--num_images=ten", "--num_images=ten"),
    ("sample", "--grid=3", "--grid=3"),
    ("sample", "--seed=-1", "--seed=-1"),
    ("sample", "--num_images=1 --interpolate=5", "--interpolate"),
    ("sample", "--interpolate=-1", "--interpolate=-1"),
    ("sample", "--run=nowhere", "nowhere"),
    ("sample", "", "no run in runs"),
    ("visualize_layers", "", "no run in runs"),
    ("visualize_layers", "--run=nowhere", "nowhere"),
    ("visualize_layers", "--seed=one", "--seed=one"),
    ("visualize_layers", "--stage=end", "--stage=end"),
    ("visualize_layers", "--maps=first", "--maps=first"),
    ("visualize_layers", "--style=cubist", "--style=cubist"),
    ("visualize_layers", "--layer=g/h1", "Did you mean --layers?"),
]


@pytest.mark.parametrize("command, args, named", REFUSED, ids=[f"{c} {a}" for c, a, _ in REFUSED])
def test_a_mistake_is_one_line_that_names_it(without_tensorflow, tmp_path, command, args, named):
    end = commands.run(command, *args.split(), cwd=tmp_path, env=without_tensorflow)
    assert_refused(end, named)
    assert not list(tmp_path.iterdir())  # no work was begun


def assert_refused(end, named):
    assert end.returncode == 2, end.stderr
    assert end.stdout == ""
    (line,) = end.stderr.splitlines()
    assert line.startswith("error: ") and named in line


def test_a_flagfile_sets_flags(without_tensorflow, tmp_path):
    # That only the wrong value is refused shows that the others were accepted.
    (tmp_path / "settings").write_text("# widths\n--g_width=16\n\n--d_width=4096\n")
    end = commands.run("train", "--flagfile=settings", cwd=tmp_path, env=without_tensorflow)
    assert_refused(end, "--d_width=4096")
    # The command line comes after the file and wins.
    end = commands.run("train", "--flagfile=settings", "--d_width=-1", cwd=tmp_path, env=without_tensorflow)
    assert_refused(end, "--d_width=-1")


def test_a_flagfile_from_windows_has_a_mark_and_other_ends_of_lines(without_tensorflow, tmp_path):
    (tmp_path / "settings").write_bytes(b"\xef\xbb\xbf# widths\r\n--g_width=16\r\n\r\n--d_width=4096\r\n")
    end = commands.run("train", "--flagfile=settings", cwd=tmp_path, env=without_tensorflow)
    assert_refused(end, "--d_width=4096")


@pytest.mark.parametrize(
    "content, named",
    [
        (b"--widht=3\n", "widht"),
        (b"g_width=16\n", "g_width=16"),
        (b"--epochs=x\n", "--epochs=x"),
        (bytes(range(128, 256)), "--flagfile"),  # such as a picture
        (b"\xef\xbb\xbf" + bytes(range(128, 256)), "--flagfile"),
        (None, "settings"),
    ],
    ids=["unknown", "no dashes", "bad value", "binary", "binary with a mark", "missing"],
)
def test_a_bad_flagfile_is_refused(without_tensorflow, tmp_path, content, named):
    if content is not None:
        (tmp_path / "settings").write_bytes(content)
    end = commands.run("train", "--flagfile=settings", cwd=tmp_path, env=without_tensorflow)
    assert_refused(end, named)


@pytest.mark.parametrize("fresh", ["--fresh", "-fresh", "--fresh=true"])
def test_the_command_that_continues_does_not_start_over(monkeypatch, fresh):
    from dcgan_tf import cli

    monkeypatch.setattr(cli, "python_command", lambda: "python")
    monkeypatch.setattr("sys.argv", ["/x/dcgan_tf/train.py", "--epochs=3", fresh, "--run_dir=my runs/a"])
    assert cli.this_command() == "python -m dcgan_tf.train --epochs=3 '--run_dir=my runs/a'"


def test_help_into_a_closed_pipe(without_tensorflow, tmp_path):
    """As in `... --help | head -1`, if head ends before the help is written."""
    read, write = os.pipe()
    os.close(read)
    end = subprocess.run(
        [sys.executable, "-m", "dcgan_tf.train", "--help"],
        cwd=tmp_path, env=without_tensorflow, stdout=write, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(write)
    assert end.stderr == ""
