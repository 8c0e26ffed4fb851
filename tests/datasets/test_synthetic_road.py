"""The drawn data set: its files, its reproducibility, and that the angles agree with the bends of the drawn roads."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_tf.datasets.synthetic_road import drawing
from dcgan_tf.datasets.synthetic_road.drawing import draw_set
from dcgan_tf.datasets.synthetic_road.scene import FRAMES_PER_DRIVE, draw_frame
from dcgan_tf.errors import UserError

ROOT = Path(__file__).parents[2]
REAL_LINE = re.compile(r"(\d+\.jpg) (-?\d+\.\d{6}),(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d):(0|[1-9]\d{0,2})")


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def in_new_process(code: str, *, wait: bool = True) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    if wait:
        process.output = process.communicate(timeout=60)[0]
    return process


@pytest.fixture(scope="module")
def first_frames() -> list[tuple[np.ndarray, float]]:
    """The first frame of each of 40 drives."""
    return [draw_frame(3, drive * FRAMES_PER_DRIVE) for drive in range(40)]


def test_a_frame_is_rgb_of_the_size_of_the_real_ones():
    frame, angle = draw_frame(0, 0)
    assert frame.shape == (256, 455, 3) and frame.dtype == np.uint8
    assert isinstance(angle, float)


def test_same_seed_and_index_give_the_same_frame_in_a_new_process():
    # Frame 7 after frame 6 here, frame 7 alone there: what was drawn before must not matter.
    draw_frame(4, 6)
    frame, angle = draw_frame(4, 7)
    process = in_new_process(
        "import hashlib; from dcgan_tf.datasets.synthetic_road.scene import draw_frame;"
        "frame, angle = draw_frame(4, 7);"
        "print(hashlib.sha256(frame.tobytes()).hexdigest(), repr(angle))"
    )
    assert process.output.split() == [hashlib.sha256(frame.tobytes()).hexdigest(), repr(angle)]


@pytest.mark.parametrize(
    "seed, index, colour, deviation, angle",
    [
        (0, 0, (125.6126, 117.4594, 92.1257), 47.3374, -9.810497),
        (3, 120, (87.1666, 104.9371, 124.7202), 47.3179, -26.415595),
        (5, 287, (124.7372, 117.8964, 95.6631), 52.1384, 4.404821),
    ],
)
def test_frames_are_those_of_version_0_1(seed, index, colour, deviation, angle):
    """Runs on this set are continued by later versions. Other versions of NumPy may round a few pixels differently."""
    frame, drawn_angle = draw_frame(seed, index)
    assert frame.mean((0, 1)) == pytest.approx(colour, abs=0.01)
    assert frame.std() == pytest.approx(deviation, abs=0.01)
    assert drawn_angle == pytest.approx(angle, abs=1e-6)


def test_seeds_and_indices_differ():
    frames = [draw_frame(*key)[0].astype(int) for key in ((0, 0), (1, 0), (0, 1))]
    assert np.abs(frames[0] - frames[1]).mean() > 10
    assert np.abs(frames[0] - frames[2]).mean() > 0.5


def test_the_set_has_the_layout_of_the_real_one(tmp_path):
    draw_set(tmp_path / "deep" / "set", 45, 2)
    folder = tmp_path / "deep" / "set"
    lines = (folder / "data.txt").read_text().splitlines()
    parts = [REAL_LINE.fullmatch(line) for line in lines]
    assert all(parts), lines
    assert [part[1] for part in parts] == [f"{n}.jpg" for n in range(45)]
    moments = [time.mktime(time.strptime(part[3], "%Y-%m-%d %H:%M:%S")) + int(part[4]) / 1000 for part in parts]
    gaps = np.diff(moments)
    assert np.allclose(np.delete(gaps, 39), 1 / 30, atol=0.002) and gaps[39] > 10
    assert {path.name for path in folder.iterdir()} == {"data.txt"} | {f"{n}.jpg" for n in range(45)}
    for n in (0, 44):
        with Image.open(folder / f"{n}.jpg") as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (455, 256))
    frame, angle = draw_frame(2, 44)
    assert abs(float(parts[44][2]) - angle) < 1e-6
    assert np.abs(np.asarray(Image.open(folder / "44.jpg"), int) - frame).mean() < 6


def test_number_of_workers_does_not_matter(tmp_path, monkeypatch):
    for workers in (1, 2):
        monkeypatch.setattr(os, "cpu_count", lambda workers=workers: workers)
        draw_set(tmp_path / str(workers), 42, 5)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_empty_folder_is_filled(tmp_path):
    (tmp_path / "set").mkdir()
    draw_set(tmp_path / "set", 1, 0)
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["0.jpg", "data.txt"]


def test_an_existing_set_is_left_alone(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "data.txt").write_text("mine")
    draw_set(tmp_path / "set", 1, 0)
    assert (tmp_path / "set" / "data.txt").read_text() == "mine"


def test_the_slower_of_two_processes_discards_its_frames(tmp_path, monkeypatch):
    winner = tmp_path / "set"

    def draw_while_another_finishes(folder: Path, num_frames: int, seed: int) -> list[float]:
        winner.mkdir()
        (winner / "data.txt").write_text("winner")
        return [0.0] * num_frames

    monkeypatch.setattr(drawing, "_draw_frames", draw_while_another_finishes)
    draw_set(winner, 3, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert (winner / "data.txt").read_text() == "winner"


def test_a_failed_drawing_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(drawing, "_draw_frames", fail)
    with pytest.raises(UserError, match="No space left"):
        draw_set(tmp_path / "set", 3, 0)
    assert list(tmp_path.iterdir()) == []


def test_unusable_folder_and_numbers_are_user_errors(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        draw_set(tmp_path / "file" / "set", 1, 0)
    with pytest.raises(UserError, match="other files"):
        draw_set(tmp_path, 1, 0)
    with pytest.raises(UserError, match="at least 1"):
        draw_set(tmp_path / "set", 0, 0)
    with pytest.raises(UserError, match="seed"):
        draw_set(tmp_path / "set", 1, -1)


def group_ends(group: int) -> bool:
    """Whether the last process of the group ends within 10 s."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def begin_drawing(folder: Path) -> subprocess.Popen:
    """Start a process in its own group that draws many frames; return once it has written the first."""
    process = in_new_process(
        "from pathlib import Path; from dcgan_tf.datasets.synthetic_road.drawing import draw_set;"
        f"draw_set(Path({str(folder / 'set')!r}), 100000, 0)",
        wait=False,
    )
    deadline = time.monotonic() + 30
    while not list(folder.glob("*/*.jpg")):
        assert time.monotonic() < deadline, "nothing was drawn within 30 s"
        time.sleep(0.1)
    return process


def test_killed_drawing_leaves_no_workers_and_no_set(tmp_path):
    process = begin_drawing(tmp_path)
    process.kill()
    process.communicate(timeout=30)
    assert group_ends(process.pid)
    assert not (tmp_path / "set").exists()


def test_ctrl_c_leaves_neither_files_nor_workers(tmp_path):
    process = begin_drawing(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the workers as well
    output = process.communicate(timeout=30)[0]
    assert process.returncode != 0 and output.count("Traceback") <= 1, output
    assert list(tmp_path.iterdir()) == []
    assert group_ends(process.pid)


def test_workers_import_neither_tensorflow_nor_matplotlib():
    process = in_new_process(
        "import sys; import dcgan_tf.datasets.synthetic_road.drawing;"
        "print(sorted({'tensorflow', 'matplotlib'} & set(sys.modules)))"
    )
    assert process.output.strip() == "[]"


def seen_bend(frame: np.ndarray) -> float:
    """Estimate the curvature (1/m, right positive) that makes the lines of the drawn road straight.

    Of a camera 1.35 m above a level road, with a focal length of 400 pixels: the row `r` pixels below the
    horizon shows the ground at the depth 540 / r. A road of curvature c lies c * depth**2 / 2 to the right
    there. Shifted back by this, its lines and edges form vertical stripes, whose mean over the rows is sharpest.
    """
    grey = frame.astype(np.float32).mean(axis=2)
    curvatures = np.linspace(-0.03, 0.03, 41)
    across = np.linspace(-5, 5, 101)
    sharpness = []
    for horizon in (112, 117, 122, 127, 132):
        rows = np.arange(250, horizon + 20, -2)
        depth = (540 / (rows - horizon))[:, None]
        column = 227 + 400 * (across + curvatures[:, None, None] * depth**2 / 2) / depth
        inside = (column >= 0) & (column <= 454)
        light = grey[rows[:, None], column.clip(0, 454).astype(int)]
        # Pixels brighter than the ground 60 cm beside them: painted lines, edges of the asphalt.
        beside = np.minimum(np.roll(light, 6, axis=2), np.roll(light, -6, axis=2))
        stripes = ((light - beside).clip(0, 60) * inside).mean(axis=1)
        sharpness.append(stripes.var(axis=1))
    return float(curvatures[np.max(sharpness, axis=0).argmax()])


def test_angle_follows_the_drawn_bend(first_frames):
    bent = [(seen_bend(frame), angle) for frame, angle in first_frames if abs(angle) > 15 and frame.mean() > 60]
    bends, angles = np.array(bent).T
    assert len(bent) >= 8 and angles.min() < 0 < angles.max()
    assert np.mean(bends * angles > 0) >= 0.9, bent
    assert np.corrcoef(bends, angles)[0, 1] > 0.85, bent


def test_angles_are_small_mostly_and_within_their_range(first_frames):
    angles = np.array([angle for _, angle in first_frames])
    assert np.abs(angles).max() <= 62
    assert 0.2 < np.mean(np.abs(angles) < 5) < 0.8
    assert np.abs(angles).max() > 20


def test_sky_is_brighter_than_the_road_by_day(first_frames):
    by_day = [frame for frame, _ in first_frames if frame.mean() > 90]
    assert len(by_day) >= 10
    assert np.mean([frame[:90].mean() - frame[160:].mean() for frame in by_day]) > 20


def test_drives_differ_more_than_the_frames_of_one():
    def distance(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.abs(one.astype(int) - other).mean())

    within, between = [], []
    for drive in range(6):
        first, later = (draw_frame(8, drive * FRAMES_PER_DRIVE + step)[0] for step in (0, 4))
        within.append(distance(first, later))
        between.append(distance(first, draw_frame(8, (drive + 20) * FRAMES_PER_DRIVE)[0]))
    assert np.mean(between) > 2 * np.mean(within)


def test_a_script_that_does_not_guard_its_main_part_can_draw(tmp_path):
    """Examples from the documentation are often pasted into a file as they are."""
    script = tmp_path / "script.py"
    script.write_text(
        "print('begun')\n"
        "from pathlib import Path\n"
        "from dcgan_tf.datasets.synthetic_road.drawing import draw_set\n"
        f"draw_set(Path({str(tmp_path / 'set')!r}), 3, 0)\n"
    )
    result = subprocess.run(
        [sys.executable, str(script)], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (0, "begun\n"), result.stderr
    assert len(list((tmp_path / "set").glob("*.jpg"))) == 3
