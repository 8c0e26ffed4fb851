"""Runs through the commands: refused with exit code 2 and one line, on a full disk, and what TensorBoard serves."""

import csv
import io
import json
import resource
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from PIL import Image

from tests.e2e import commands
from tests.e2e.conftest import STEPS
from tests.images import open_image


def the_one_line(end: subprocess.CompletedProcess) -> str:
    assert end.returncode == 2, end.stderr
    (line,) = end.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def metrics_but_time(run, count=None) -> list[list[str]]:
    with open(run / "metrics.csv", newline="") as file:
        rows = list(csv.reader(file))[: count and count + 1]
    return [row[:2] + row[3:] for row in rows]


def test_other_settings_are_refused(workshop, undisturbed):
    folder, _ = undisturbed
    end = commands.run("train", *workshop.args(f"--run_dir={folder}", "--latent_dim=9"), cwd=workshop.path)
    line = the_one_line(end)
    assert f"{folder}: this run was started with other settings or images: latent_dim (8 there, 9 here)." in line


def test_a_share_is_held_out(workshop, tmp_path):
    end = commands.run("train", *workshop.args("--held_out=0.1", "--max_steps=2", "--evaluate_every=0"), cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")
    assert "folder: 400 images, 40 of them held out; on " in end.stdout
    run = tmp_path / "runs/folder-article"
    assert json.loads((run / "data.json").read_text())["images"] == 360
    assert "[   0/  45]" in (run / "train.log").read_text()  # 360 / 8 steps
    # A whole batch of the 400 there would be, of the 360 there is none.
    end = commands.run("train", *workshop.args("--held_out=0.1", "--batch_size=380", "--fresh"), cwd=tmp_path)
    said = "360 to train on and 40 held out; give --batch_size=360 or less, or --held_out=0."
    assert the_one_line(end).endswith(said)


def test_a_full_disk(workshop, undisturbed, tmp_path):
    folder = tmp_path / "run"
    args = workshop.args(f"--run_dir={folder}", "--sample_every=1000", "--histogram_every=1000", "--evaluate_every=0")
    first = commands.run("train", *args, "--max_steps=15", cwd=workshop.path)
    assert first.returncode == 0, first.stderr
    (good,) = (folder / "checkpoints").iterdir()
    before = good.read_bytes()

    # No file may grow beyond this: the logs and the pictures still can be written, a checkpoint cannot.
    largest = len(before) * 3 // 4
    assert all(p.stat().st_size < largest / 2 for p in folder.rglob("*") if p.is_file() and p != good)
    end = commands.run(
        "train", *args, "--max_steps=30", cwd=workshop.path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)),
    )  # fmt: skip
    line = the_one_line(end)
    assert f"{folder}/checkpoints/step-00000020.npz: no space left on the disk" in line
    assert good.read_bytes() == before
    assert [p.name for p in (folder / "checkpoints").iterdir()] == [good.name]

    again = commands.run("train", *args, "--max_steps=30", cwd=workshop.path)
    assert again.returncode == 0, again.stderr
    assert "continues at step 15" in again.stdout
    assert metrics_but_time(folder) == metrics_but_time(undisturbed[0], 30)


def test_sampling_by_command(workshop, undisturbed):
    folder, _ = undisturbed
    end = commands.run(
        "sample", f"--run={folder}", "--num_images=5", "--seed=2", "--gif", "--output=out", "--checkpoint=100",
        cwd=workshop.path,
    )  # fmt: skip
    assert (end.returncode, end.stderr) == (0, "")
    assert end.stdout.splitlines() == ["out/seed_2.png", "out/seed_2.gif"]
    assert open_image(workshop.path / "out/seed_2.png").size == (3 * 32, 2 * 32)
    assert open_image(workshop.path / "out/seed_2.gif").n_frames == 5


@pytest.fixture(scope="module")
def ask(undisturbed):
    """Asks a real TensorBoard server on the finished run over HTTP, as a browser does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", str(undisturbed[0]), "--host", "127.0.0.1",
         "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=commands.environment(),
    )  # fmt: skip

    def ask(path, **query) -> bytes:
        url = f"http://127.0.0.1:{port}/data/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read()

    def ready() -> bool:
        try:
            return "tensorboard" in json.loads(ask("plugin/scalars/tags"))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    give_up = time.monotonic() + commands.PATIENCE
    try:
        while not ready():
            assert server.poll() is None and time.monotonic() < give_up, "TensorBoard does not answer"
            time.sleep(0.2)
        yield ask
    finally:
        server.terminate()
        server.wait()


def test_tensorboard_serves_every_scalar_with_the_values_of_the_metrics_file(ask, undisturbed):
    with open(undisturbed[0] / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    column_of = {
        "loss/discriminator": "d_loss",
        "loss/generator": "g_loss",
        "loss_parts/discriminator_on_real": "d_loss_real",
        "loss_parts/discriminator_on_fake": "d_loss_fake",
        "probability_of_real/D(x)": "d_x",
        "probability_of_real/D(G(z))": "d_g_z",
        "gradient_norm/discriminator": "d_grad_norm",
        "gradient_norm/generator": "g_grad_norm",
    }
    tags = set(json.loads(ask("plugin/scalars/tags"))["tensorboard"])
    others = {"speed/images_per_second", "weight_norm/generator", "weight_norm/discriminator"}
    quality = {
        "quality/frechet_fault_features": "frechet",
        "quality/sliced_wasserstein": "sliced_wasserstein",
        "quality/precision": "precision",
        "quality/recall": "recall",
        "quality/coverage": "coverage",
        "quality/ms_ssim": "ms_ssim",
    }
    assert tags == set(column_of) | set(quality) | others
    for tag in others:
        values = [v for _, _, v in json.loads(ask("plugin/scalars/scalars", run="tensorboard", tag=tag))]
        assert len(values) == STEPS / 10 and min(values) > 0
    for tag, column in (column_of | quality).items():
        points = json.loads(ask("plugin/scalars/scalars", run="tensorboard", tag=tag))
        assert [step for _, step, _ in points] == (
            [69, 139, 209, 239] if tag in quality else list(range(0, STEPS, 10))
        ), tag
        assert [value for *_, value in points] == pytest.approx([float(rows[s][column]) for _, s, _ in points])


def test_tensorboard_serves_the_sample_grids_as_pictures(ask, undisturbed):
    tags = json.loads(ask("plugin/images/tags"))["tensorboard"]
    assert set(tags) == {"samples", "real_batch"}
    # It shows ten of them at most, the last one surely.
    shown = json.loads(ask("plugin/images/images", run="tensorboard", tag="samples", sample=0))
    assert shown[-1]["step"] == STEPS - 1
    for picture in shown:
        epoch, index = divmod(picture["step"], 50)
        query = dict(urllib.parse.parse_qsl(picture["query"]))
        served = Image.open(io.BytesIO(ask("plugin/images/individualImage", **query))).convert("RGB")
        ours = open_image(undisturbed[0] / f"samples/train_{epoch:02d}_{index:04d}.png")
        assert served.tobytes() == ours.tobytes()


def test_tensorboard_serves_the_settings_as_a_table(ask):
    assert json.loads(ask("plugin/text/tags"))["tensorboard"] == ["config"]
    (text,) = json.loads(ask("plugin/text/text", run="tensorboard", tag="config"))
    html = "".join(text["text"].split())
    assert "<td>latent_dim</td><td>8</td>" in html and "<td>dataset</td><td>folder</td>" in html


def test_tensorboard_serves_histograms_of_the_weights(ask):
    tags = json.loads(ask("plugin/histograms/tags"))["tensorboard"]
    assert any(tag.startswith("weights_g/") for tag in tags) and any(tag.startswith("weights_d/") for tag in tags)
    points = json.loads(ask("plugin/histograms/histograms", run="tensorboard", tag=sorted(tags)[0]))
    assert [step for _, step, _ in points] == [59, 119, 179, 239]


def test_a_wheel_works_away_from_the_checkout(workshop, tmp_path):
    pytest.importorskip("setuptools")
    sources = tmp_path / "sources"
    sources.mkdir()
    names = ["setup.py", "pyproject.toml", "requirements.txt", "README.md", "LICENSE", "dcgan_tf"]
    for name in names:
        path = commands.ROOT / name
        if path.is_dir():
            shutil.copytree(path, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.exists():
            shutil.copy(path, sources)
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index", "-w", "wheels"],
        cwd=sources, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    (wheel,) = (sources / "wheels").glob("dcgan_tf-*.whl")
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    shutil.unpack_archive(wheel, installed, "zip")
    shutil.rmtree(sources)
    elsewhere.mkdir()

    env = commands.environment(PYTHONPATH=str(installed))
    end = commands.run("train", "--help", cwd=elsewhere, env=env)
    assert (end.returncode, end.stderr) == (0, "")
    where = subprocess.run(
        [sys.executable, "-c", "import dcgan_tf; print(dcgan_tf.__file__)"],
        cwd=elsewhere, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(installed))
    end = commands.run("train", *workshop.args("--max_steps=2"), cwd=elsewhere, env=env)
    assert (end.returncode, end.stderr) == (0, "")
    assert (elsewhere / "runs/folder-article/checkpoints/step-00000002.npz").is_file()
    assert set(p.name for p in elsewhere.iterdir()) == {"runs"}
