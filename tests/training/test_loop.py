"""The training run, in this process: refused, continued, damaged, gone astray; and Python's face of it."""

import dataclasses
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

import dcgan_tf
from dcgan_tf.datasets.packing import open_packed
from dcgan_tf.errors import UserError
from dcgan_tf.gan import widths
from dcgan_tf.training import checkpoints, loop, measured_settings
from tests.e2e.commands import checkpoint_arrays, make_images, same_arrays
from tests.images import open_image


def final(run, step) -> dict[str, np.ndarray]:
    return checkpoint_arrays(Path(run) / f"checkpoints/step-{step:08d}.npz")


def metrics_but_time(run) -> list[list[str]]:
    rows = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    return [row[:2] + row[3:] for row in rows]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"g_width": 5}, "g_width (4 there, 5 here)"),
        ({"ema": 0.0}, "ema (0.5 there, 0.0 here)"),
        ({"held_out": 0.25}, "held_out (0.0 there, 0.25 here)"),
        ({"g_steps": 1, "loss": "hinge"}, "g_steps (2 there, 1 here), loss (non_saturating there, hinge here)"),
    ],
)
def test_learning_otherwise_is_refused_and_nothing_is_touched(tiny_config, run_copy, changed, words):
    before = contents(run_copy)
    with pytest.raises(UserError) as raised:
        dcgan_tf.train(dataclasses.replace(tiny_config, **changed), run_copy)
    assert words in str(raised.value)
    assert contents(run_copy) == before


def test_other_images_are_refused_and_nothing_is_touched(tiny_config, run_copy, tmp_path):
    before = contents(run_copy)
    others = make_images(tmp_path / "others", 48, seed=1)
    with pytest.raises(UserError, match="the images themselves"):
        dcgan_tf.train(dataclasses.replace(tiny_config, data_dir=str(others)), run_copy)
    assert contents(run_copy) == before


def test_what_is_held_out_is_never_trained_on(tiny_config, tmp_path):
    """Two sets that differ in their held-out images alone train the same networks, bit for bit."""
    ends, sums = [], []
    config = dataclasses.replace(tiny_config, held_out=0.25, data_dir=str(tmp_path / "a"), max_steps=9)
    make_images(tmp_path / "a", 48)
    packed = open_packed(config)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    others = make_images(tmp_path / "others", 48, seed=1)
    for image in packed.manifest["images"][36:]:
        shutil.copy(others / image["name"], tmp_path / "b" / image["name"])
    for name in "ab":
        run = dcgan_tf.train(dataclasses.replace(config, data_dir=str(tmp_path / name)), tmp_path / f"run {name}")
        ends.append(final(run.directory.path, 9))  # two epochs of 36 // 8 = 4 steps and one step more
        data = json.loads(run.directory.data_file.read_text())
        assert data["images"] == 36
        sums.append(data["sha256"])
    assert same_arrays(*ends) and sums[0] != sums[1]


def test_more_steps_watched_otherwise_from_moved_images_go_on_exactly(tiny_config, trained_on, run_copy, tmp_path):
    moved = Path(shutil.copytree(tiny_config.data_dir, tmp_path / "moved"))
    config = dataclasses.replace(
        tiny_config, data_dir=str(moved), max_steps=18, sample_grid="1x2", sample_every=5, checkpoint_every=7,
        histogram_every=3, keep_checkpoints=2,
    )  # fmt: skip
    run = dcgan_tf.train(config, run_copy)
    assert (run.step, run.last_step, run.signal) == (18, 18, None)
    assert same_arrays(final(run_copy, 18), final(trained_on, 18))
    assert metrics_but_time(run_copy) == metrics_but_time(trained_on)
    assert checkpoints.saved_steps(run_copy / "checkpoints") == [14, 18]
    assert run.directory.config() == config


def test_several_steps_a_call_end_in_the_same_weights_and_files(tiny_config, trained, tmp_path):
    run = dcgan_tf.train(dataclasses.replace(tiny_config, steps_per_call=5), tmp_path / "run").directory.path
    assert metrics_but_time(run) == metrics_but_time(trained)
    for step in (4, 6, 8, 12):
        assert same_arrays(final(run, step), final(trained, step))
    assert {p.name for p in (run / "samples").iterdir()} == {p.name for p in (trained / "samples").iterdir()}


@pytest.mark.parametrize("first, per_call", [(0, 1), (0, 4), (7, 4), (7, 1000)])
def test_calls_cover_every_step_once_and_end_at_milestones(tiny_config, first, per_call):
    config = dataclasses.replace(
        tiny_config,
        steps_per_call=per_call,
        sample_every=7,
        checkpoint_every=10,
        histogram_every=1000,
        evaluate_every=9,
    )
    made = list(loop.calls(first, 40, 6, config))
    assert [step for call in made for step in range(*call)] == list(range(first, 40))
    ends = {done for _, done in made}
    assert ends >= {done for done in range(first + 1, 41) if not (done % 6 and done % 7 and done % 9 and done % 10)}
    assert max(done - step for step, done in made) <= per_call
    assert first > 0 or made[0] == (0, 1)  # the untrained generator's first grid


def test_auto_precision_is_found_out_once_and_kept(tiny_config, tmp_path, monkeypatch, capsys):
    config = dataclasses.replace(tiny_config, precision="auto", max_steps=2)
    monkeypatch.setattr(measured_settings, "fastest_precision", lambda: "bfloat16")
    run = dcgan_tf.train(config, tmp_path / "run").directory
    assert run.config().precision == "bfloat16" == dcgan_tf.load(run.path).config.precision
    assert "--precision=auto: bfloat16, the faster one here." in capsys.readouterr().out
    # Another machine, or a trial that went otherwise, must not change what the run computes in.
    monkeypatch.setattr(measured_settings, "fastest_precision", lambda: "float32")
    assert dcgan_tf.train(dataclasses.replace(config, max_steps=3), run.path).step == 3
    assert run.config().precision == "bfloat16"
    assert dcgan_tf.train(config, run.path, fresh=True).directory.config().precision == "float32"


def test_minutes_are_counted_in_steps_once(tiny_config, tmp_path, monkeypatch, capsys):
    config = dataclasses.replace(tiny_config, minutes=0.5, max_steps=0, epochs=1)
    monkeypatch.setattr(measured_settings, "time_step", lambda config, workers: 4.0)
    run = dcgan_tf.train(config, tmp_path / "run")
    assert "--minutes=0.5: 8 steps of 4000 ms." in capsys.readouterr().out
    assert (run.step, run.last_step) == (8, 8)  # 0.5 * 60 / 4, to the even number; more than the one epoch of 6
    kept = run.directory.config()
    assert (kept.minutes, kept.max_steps, kept.epochs) == (0.5, 8, 2)
    # A busier machine does not change the length of the run; more minutes give steps in proportion.
    monkeypatch.setattr(measured_settings, "time_step", None)
    assert dcgan_tf.train(config, run.directory.path).last_step == 8
    assert dcgan_tf.train(dataclasses.replace(config, minutes=0.75), run.directory.path).last_step == 12
    assert dcgan_tf.train(dataclasses.replace(config, max_steps=3), tmp_path / "given").last_step == 3


@pytest.fixture
def three_widths(monkeypatch):
    """Three sizes, the latter from 10 and 100 steps on, whose steps take 1, 2 and 0.5 seconds."""
    sizes = (widths.Size(2, 2, 0), widths.Size(4, 3, 10), widths.Size(8, 8, 100))
    for module in (widths, measured_settings):
        monkeypatch.setattr(module, "SIZES", sizes)
    monkeypatch.setattr(measured_settings, "time_step", lambda config, _: {2: 1.0, 4: 2.0, 8: 0.5}[config.g_width])


def widths_of(run):
    kept, used = run.directory.config(), run.gan.config
    assert (kept.g_width, kept.d_width) == (used.g_width, used.d_width)
    return kept.g_width, kept.d_width


def test_widths_of_0_are_the_widest_that_get_enough_steps(tiny_config, tmp_path, three_widths, capsys):
    config = dataclasses.replace(tiny_config, minutes=0.25, max_steps=0, g_width=0, d_width=0)
    run = dcgan_tf.train(config, tmp_path / "minutes")  # 15 steps at width 2, too few (8) at width 4
    assert "--minutes=0.25: 15 steps of 1000 ms, widths 2 and 2." in capsys.readouterr().out
    assert (widths_of(run), run.step) == ((2, 2), 15)
    run = dcgan_tf.train(dataclasses.replace(config, minutes=0.4), tmp_path / "more")  # 12 at width 4, 48 at width 8
    assert (widths_of(run), run.step) == ((4, 3), 12)
    run = dcgan_tf.train(dataclasses.replace(config, minutes=0.4, d_width=5), tmp_path / "given")
    assert (widths_of(run), run.step) == ((4, 5), 12)


def test_widths_of_0_stay_as_they_are_when_a_run_is_continued(tiny_config, tmp_path, three_widths):
    config = dataclasses.replace(tiny_config, max_steps=9, g_width=0, d_width=0)
    run = dcgan_tf.train(config, tmp_path / "run")
    assert widths_of(run) == (2, 2)
    longer = dcgan_tf.train(dataclasses.replace(config, max_steps=11), run.directory.path)
    assert (widths_of(longer), longer.step) == ((2, 2), 11)
    fresh = dcgan_tf.train(dataclasses.replace(config, max_steps=11), run.directory.path, fresh=True)
    assert widths_of(fresh) == (4, 3)
    assert dcgan_tf.load(fresh.directory.path).config.g_width == 4


def test_the_step_is_timed_as_the_run_will_make_it(tiny_config, monkeypatch):
    workers = loop.workers_lib.choose_workers(tiny_config)
    clock = iter(np.cumsum([0, 90, 0, 50, *[0, 2, 0, 3, 0, 100] * 99]).tolist())
    monkeypatch.setattr(measured_settings.time, "perf_counter", lambda: next(clock))
    assert measured_settings.time_step(tiny_config, workers) == 3.0  # the median; neither of the first two


def test_a_rate_may_change_when_a_run_is_continued_and_the_run_stays_exact(tiny_config, tmp_path, capsys):
    config = dataclasses.replace(tiny_config, max_steps=8, checkpoint_every=2)
    slower = dataclasses.replace(config, learning_rate=0.001, beta1=0.25, max_steps=12)
    weights = []
    for folder, killed in ((tmp_path / "a", False), (tmp_path / "b", True)):
        dcgan_tf.train(config, folder)
        run = dcgan_tf.train(slower, folder)
        if killed:  # after step 10
            (folder / "checkpoints/step-00000012.npz").unlink()
            run = dcgan_tf.train(slower, folder)
        assert float(run.gan.d_optimizer.learning_rate) == pytest.approx(0.001)
        assert run.gan.g_optimizer.beta_1 == 0.25
        lines = (folder / "changes.csv").read_text().splitlines()
        assert lines[1:] == ["8,learning_rate,0.01,0.001", "8,beta1,0.5,0.25"]
        weights.append([variable.numpy() for variable in checkpoints.variables(run.gan).values()])
    assert "From step 8 on: learning_rate 0.001 (was 0.01), beta1 0.25 (was 0.5)" in capsys.readouterr().out
    for a, b in zip(*weights):
        np.testing.assert_array_equal(a, b)
    unchanged = dcgan_tf.train(dataclasses.replace(config, max_steps=12), tmp_path / "c").gan
    assert any((a.numpy() != b).any() for a, b in zip(checkpoints.variables(unchanged).values(), weights[0]))


def test_with_a_falling_rate_the_last_step_is_part_of_the_recipe(tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, decay=0.5, max_steps=8, ema=0.0)
    straight = dcgan_tf.train(config, tmp_path / "straight")
    for optimizer, updates in ((straight.gan.d_optimizer, 8), (straight.gan.g_optimizer, 8 * config.g_steps)):
        assert int(optimizer.iterations) == updates
        for done, share in ((updates // 2, 1.0), (updates * 3 // 4, 0.5), (updates, 0.0)):
            optimizer.iterations.assign(done)
            assert float(optimizer.learning_rate) == pytest.approx(config.learning_rate * share)
    # Continued from the middle, it ends with the same weights.
    folder = tmp_path / "continued"
    dcgan_tf.train(config, folder)
    for saved in checkpoints.saved_steps(folder / "checkpoints"):
        if saved > 6:
            (folder / f"checkpoints/step-{saved:08d}.npz").unlink()
    again = dcgan_tf.train(config, folder)
    for a, b in zip(checkpoints.variables(straight.gan).values(), checkpoints.variables(again.gan).values()):
        assert np.array_equal(a.numpy(), b.numpy())
    # To another end, it goes on with the rate that falls towards that one.
    longer = dcgan_tf.train(dataclasses.replace(config, max_steps=12), folder)
    assert (folder / "changes.csv").read_text().splitlines()[1:] == ["8,max_steps,8,12"]
    longer.gan.d_optimizer.iterations.assign(9)
    assert float(longer.gan.d_optimizer.learning_rate) == pytest.approx(config.learning_rate * 0.5)
    with pytest.raises(UserError, match="--decay=0.5: where the rate falls depends on --max_steps"):
        loop.DCGAN(dataclasses.replace(config, max_steps=0))
    whole_epochs = dcgan_tf.train(dataclasses.replace(config, max_steps=0, epochs=1), tmp_path / "epoch")
    assert whole_epochs.directory.config().max_steps == whole_epochs.last_step == 6


def test_a_finished_run_is_left_as_it_is(tiny_config, trained, run_copy, capsys):
    run = dcgan_tf.train(tiny_config, run_copy)
    assert (run.step, run.last_step) == (12, 12)
    assert f"{run_copy}: all steps are done." in capsys.readouterr().out
    ours, theirs = contents(run_copy), contents(trained)
    assert ours == theirs


def test_fresh_starts_at_zero_and_keeps_the_old_run(tiny_config, trained, run_copy):
    before = contents(run_copy)
    config = dataclasses.replace(tiny_config, max_steps=3, seed=9)
    assert dcgan_tf.train(config, run_copy, fresh=True).step == 3
    assert contents(run_copy.with_name("run-1")) == before
    assert [row[0] for row in metrics_but_time(run_copy)[1:]] == ["0", "1", "2"]
    assert checkpoints.saved_steps(run_copy / "checkpoints") == [3]


def test_a_damaged_newest_checkpoint_costs_only_its_steps(tiny_config, trained, run_copy, capsys):
    newest = run_copy / "checkpoints/step-00000012.npz"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 0xFF
    newest.write_bytes(data)
    # With one to keep, the damaged file must not be the one that is kept.
    assert dcgan_tf.train(dataclasses.replace(tiny_config, keep_checkpoints=1), run_copy).step == 12
    said = capsys.readouterr().out
    assert f"{newest} is passed over: damaged" in said and f"{run_copy}: continues at step 8." in said
    assert same_arrays(final(run_copy, 12), final(trained, 12))
    assert metrics_but_time(run_copy) == metrics_but_time(trained)


def test_all_checkpoints_damaged_is_a_sentence_and_costs_nothing(tiny_config, run_copy):
    for path in (run_copy / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    before = contents(run_copy)
    with pytest.raises(UserError, match="no checkpoint can be used: .*step-00000012.npz: damaged.*--fresh"):
        dcgan_tf.train(tiny_config, run_copy)
    assert contents(run_copy) == before


def test_losses_that_overflow_stop_the_run_at_the_last_good_checkpoint(tiny_config, run_copy):
    # A discriminator whose weights have grown to 1e30: finite, and what it computes no longer is.
    path = run_copy / "checkpoints/step-00000012.npz"
    arrays = checkpoint_arrays(path)
    for name in [name for name in arrays if name.startswith("d/") and "kernel" in name]:
        arrays[name] = np.full_like(arrays[name], 1e30)
    with open(path, "wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(UserError) as raised:
        dcgan_tf.train(dataclasses.replace(tiny_config, max_steps=20), run_copy)
    message = str(raised.value)
    assert "training stopped at step 12: " in message and "d_loss" in message and "not finite" in message
    assert "the checkpoint of step 12 is kept" in message and "--learning_rate" in message
    assert same_arrays(checkpoint_arrays(path), arrays)
    assert checkpoints.saved_steps(run_copy / "checkpoints")[-1] == 12
    assert [row[0] for row in metrics_but_time(run_copy)[1:]] == [str(step) for step in range(12)]


def test_diverging_losses_stop_the_run_before_a_checkpoint_of_nans(tiny_config, tmp_path):
    # A real divergence: least squares, Adam at the highest rate that is allowed, no brake on beta2.
    config = dataclasses.replace(
        tiny_config,
        loss="lsgan",
        learning_rate=1.0,
        beta2=0.0,
        beta1=0.99,
        max_steps=400,
        epochs=99,
        checkpoint_every=5,
    )
    with pytest.raises(UserError, match=r"training stopped at step [\d,]+: .* not finite"):
        dcgan_tf.train(config, tmp_path / "run")
    steps = checkpoints.saved_steps(tmp_path / "run/checkpoints")
    for step in steps:
        assert all(np.isfinite(array).all() for array in final(tmp_path / "run", step).values())
    if steps:
        assert dcgan_tf.generate(tmp_path / "run", 2).shape == (2, 32, 32, 3)


def test_the_set_smaller_than_a_batch_is_refused_before_anything_is_made(tiny_config, tmp_path):
    with pytest.raises(UserError, match="--batch_size=64: one step needs 64 images, and the set has 48"):
        dcgan_tf.train(dataclasses.replace(tiny_config, batch_size=64), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_path_below_a_file_is_refused(tiny_config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        dcgan_tf.train(tiny_config, tmp_path / "file/run")


def test_the_pictures_of_a_run(trained):

    names = {p.name for p in (trained / "samples").iterdir()}
    assert names == {"train_00_0000.png", "train_00_0005.png", "train_01_0005.png"}
    for name in names:
        assert open_image(trained / "samples" / name).size == (3 * 32, 2 * 32)
    assert open_image(trained / "progress.gif").n_frames == 3
    assert open_image(trained / "losses.png").width > 500


def test_the_sample_grid_is_of_the_averaged_generator_and_a_fixed_z(trained, tiny_config):
    from PIL import Image

    gan = dcgan_tf.load(trained)
    images = gan.generate(6, seed=tiny_config.seed)
    grid = np.asarray(Image.open(trained / "samples/train_01_0005.png"))
    for i, image in enumerate(images):
        row, column = divmod(i, 3)
        np.testing.assert_array_equal(grid[32 * row : 32 * row + 32, 32 * column : 32 * column + 32], image)


class TestPythonsFace:
    def test_preset_train_load_generate(self, trained, tiny_config):
        # `trained` came of dcgan_tf.preset and dcgan_tf.train.
        gan = dcgan_tf.load(trained)
        images = gan.generate(5, seed=3)
        assert images.dtype == np.uint8 and images.shape == (5, 32, 32, 3)
        np.testing.assert_array_equal(dcgan_tf.generate(trained, 5, seed=3), images)
        np.testing.assert_array_equal(dcgan_tf.generate(str(trained), 2, seed=3), images[:2])
        held = {name: variable.numpy() for name, variable in checkpoints.variables(gan).items()}
        saved = final(trained, 12)
        assert same_arrays(held, {name: saved[name] for name in held})

    @pytest.mark.parametrize("checkpoint", ["8", 8, "00000008"])
    def test_an_earlier_checkpoint(self, trained, checkpoint):
        gan = dcgan_tf.load(trained, checkpoint)
        saved = final(trained, 8)
        for name, variable in checkpoints.variables(gan).items():
            np.testing.assert_array_equal(variable.numpy(), saved[name], name)

    @pytest.mark.parametrize("checkpoint", ["7", "first", "-8", ""])
    def test_a_checkpoint_that_is_not_there(self, trained, checkpoint):
        with pytest.raises(UserError) as raised:
            dcgan_tf.load(trained, checkpoint)
        assert f"--checkpoint={checkpoint}: {trained} has last and the steps 4, 6, 8, 12." == str(raised.value)

    def test_a_damaged_checkpoint_is_passed_over_or_refused(self, run_copy, capsys):
        (run_copy / "checkpoints/step-00000012.npz").write_bytes(b"")
        dcgan_tf.load(run_copy)
        assert "step-00000012.npz is passed over" in capsys.readouterr().out
        with pytest.raises(UserError, match="step-00000012.npz: damaged.*; choose another of 4, 6, 8, 12"):
            dcgan_tf.load(run_copy, "12")

    def test_no_run_and_no_checkpoint(self, run_copy, tmp_path, monkeypatch):
        with pytest.raises(UserError, match="not a run"):
            dcgan_tf.load(tmp_path / "nowhere")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UserError, match="no run in runs"):
            dcgan_tf.load()
        shutil.rmtree(run_copy / "checkpoints")
        with pytest.raises(UserError, match="has no checkpoint yet"):
            dcgan_tf.load(run_copy)

    def test_without_a_name_the_newest_run_is_taken(self, trained, tmp_path, monkeypatch):
        shutil.copytree(trained, tmp_path / "runs/a")
        monkeypatch.chdir(tmp_path)
        np.testing.assert_array_equal(dcgan_tf.generate(n=2), dcgan_tf.generate(trained, 2))

    def test_errors_are_user_errors(self):
        for wrong in ({"name": "best"}, {"name": "quick", "epochs": 0}, {"name": "quick", "epoch": 3}):
            with pytest.raises(dcgan_tf.UserError):
                dcgan_tf.preset(**wrong)

    def test_training_in_another_thread(self, tiny_config, trained, tmp_path):
        # As in a notebook or a server: signals are the main thread's, and are left alone.
        config = dataclasses.replace(tiny_config, max_steps=4)
        done = []
        thread = threading.Thread(target=lambda: done.append(dcgan_tf.train(config, tmp_path / "run")))
        thread.start()
        thread.join()
        assert done[0].step == 4
        assert same_arrays(final(tmp_path / "run", 4), final(trained, 4))
