"""The layer figures of a tiny run: which files are written, for which inputs, and which inputs are refused."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import dcgan_tf
from dcgan_tf.errors import UserError
from dcgan_tf.gan import inspection
from dcgan_tf.layer_figures import activation_grid, article_grid, article_style, inputs
from dcgan_tf.layer_figures.options import LayerOptions
from dcgan_tf.layer_figures.visualize import visualize
from tests.images import open_image


@pytest.fixture(scope="module")
def gan(trained):
    return dcgan_tf.load(trained)


@pytest.fixture(scope="module")
def modern(trained, tmp_path_factory):
    """All figures, drawn once: {file name: path}."""
    folder = tmp_path_factory.mktemp("modern")
    written = visualize(LayerOptions(run=str(trained), seed=3, image="5", tensorboard=True, output=str(folder)))
    return {path.name: path for path in written}


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def contains(picture: np.ndarray, part: np.ndarray) -> bool:
    """Whether `picture` contains `part`, pixel for pixel."""
    height, width = part.shape[:2]
    rows, columns = np.where((picture[: -height + 1, : -width + 1] == part[0, 0]).all(-1))
    return any(np.array_equal(picture[r : r + height, c : c + width], part) for r, c in zip(rows, columns))


def test_there_is_a_figure_of_every_kind_for_every_layer(modern):
    layers = ["g_h0", "g_h1", "g_h2", "g_h3", "d_h0", "d_h1", "d_h2"]  # 32 px: three doublings
    expected = {f"{layer}.png" for layer in layers} | {"filters_d_h0.png", "filters_g_h3.png", "report.html"}
    expected |= {f"d_h{k}_reasons.png" for k in range(3)} | {f"g_h{k}_switched_off.png" for k in range(3)}
    expected |= {"g_h2_walk.gif", "g_h2_over_training.png", "g_h2_over_training.gif"}
    assert set(modern) == expected
    assert all(path.stat().st_size > 0 for path in modern.values())


def test_layer_figures_hold_the_maps_before_batch_norm_pixel_for_pixel(modern, gan):
    """As in the article, before normalisation: G's maps of the chosen z and D's of the chosen image."""
    images = np.array(sorted_images(gan)[5:6])
    maps = gan.activations(gan.sample_latents(1, 3)) | gan.activations(images)
    for layer in ("g/h0", "g/h2", "g/h3", "d/h0", "d/h2"):
        assert contains(pixels(modern[f"{layer.replace('/', '_')}.png"]), activation_grid(maps[layer][0])), layer


def test_the_defaults_are_the_articles_figures():
    """Its tool draws the values before batch norm, each map by its own range, in the order of the channels.

    With each map by its own range, the values after batch norm look the same, so pictures alone do not tell.
    """
    options = LayerOptions()
    assert (options.stage, options.scaling, options.order) == ("before_bn", "map", "channel")


def sorted_images(gan) -> np.ndarray:
    from dcgan_tf.datasets.packing import open_packed

    return open_packed(gan.config).images


def test_the_figure_over_training_has_a_frame_for_the_start_and_every_checkpoint(modern, trained):
    checkpoints = len(list((trained / "checkpoints").glob("*.npz")))
    assert checkpoints == 4
    assert open_image(modern["g_h2_over_training.gif"]).n_frames == 1 + checkpoints
    report = modern["report.html"].read_text()
    for step in (4, 6, 8, 12):
        assert json.dumps(f"step {step}") in report


def test_the_walk_returns_to_its_start(modern):
    gif = open_image(modern["g_h2_walk.gif"])
    assert gif.n_frames == 36  # three legs of twelve steps


def test_tensorboard_gets_the_same_figures(modern):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(modern["report.html"].parent / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    assert set(events.Tags()["tensors"]) == {name[:-4] for name in modern if name.endswith(".png")}
    width, height, png = events.Tensors("g_h1")[0].tensor_proto.string_val
    assert (int(width), int(height)) == open_image(modern["g_h1.png"]).size and png[1:4] == b"PNG"


@pytest.mark.parametrize("stage, suffix", [("before_bn", ""), ("after_bn", "_bn"), ("activation", "_relu")])
def test_figures_are_of_the_requested_stage(trained, gan, tmp_path, stage, suffix):
    written = visualize(
        LayerOptions(
            run=str(trained), output=str(tmp_path), layers="g/h1", stage=stage, scaling="signed", order="energy"
        )
    )
    names = {path.name for path in written}
    assert "g_h1.png" in names and not any(name.startswith(("d_h", "g_h2", "g_h0")) for name in names)
    maps = gan.activations(gan.sample_latents(1, 0))[f"g/h1{suffix}"][0]
    assert contains(pixels(tmp_path / "g_h1.png"), activation_grid(maps, "signed", "energy"))


def test_the_requested_maps_are_explained(trained, tmp_path):
    """A table has a row of one height for each map: three requested maps give three rows."""
    heights = []
    for maps in ("3", "3,0", "3, 0, 1"):
        visualize(LayerOptions(run=str(trained), layers="d/h0,g/h2", maps=maps, output=str(tmp_path)))
        heights.append([open_image(tmp_path / f).height for f in ("d_h0_reasons.png", "g_h2_switched_off.png")])
    rows = np.diff(heights, axis=0)
    assert np.all(rows > 32) and np.all(rows[0] == rows[1])


def test_maps_that_only_some_layers_have_are_explained_there(trained, tmp_path):
    """d/h0 has 4 maps and g/h3, the image, has 3: neither is explained, but the figures of all layers are drawn."""
    written = {p.name for p in visualize(LayerOptions(run=str(trained), maps="9", output=str(tmp_path)))}
    assert {"d_h0.png", "g_h3.png", "d_h2_reasons.png", "g_h0_switched_off.png"} <= written
    assert not written & {"d_h0_reasons.png", "g_h2_switched_off.png"}


def test_article_style_has_no_options():
    with pytest.raises(UserError, match="^--scaling: the article's tool has no such option"):
        LayerOptions(style="article", scaling="layer")


def test_article_style_writes_the_tools_20_grids(trained, gan, tmp_path):
    """There are 8 of ReLU and 12 of Conv2D for four levels. A 32 px network has three levels: 6 and 9."""
    written = visualize(LayerOptions(run=str(trained), style="article", image="2", output=str(tmp_path)))
    grids = [p for p in written if p.name == "grid_activation.png"]
    assert [p.parent.parent.parent.name for p in grids] == (
        ["generator"] * 3 + ["generator_1"] * 3 + ["discriminator"] * 3 + ["discriminator_1"] * 3 + ["gradients"] * 3
    )
    assert sum("Relu" in p.parent.parent.name for p in grids) == 6
    assert sum("Conv2D" in p.parent.parent.name for p in grids) == 9
    assert sum(p.name == "grid_image.png" for p in written) == 6  # D on fake and on real

    z, image = gan.sample_latents(1, 0), sorted_images(gan)[2:3]
    by_op = {p.parent.parent.name: np.asarray(Image.open(p)) for p in grids}
    for op, maps in (
        ("generator_1_g_h1_batch_norm_Relu", gan.activations(z)["g/h1_relu"]),
        ("discriminator_1_d_h2_conv2d_Conv2D", gan.activations(image)["d/h2"]),
        ("discriminator_d_h0_conv2d_Conv2D", gan.activations(gan.decode(z))["d/h0"]),
    ):
        np.testing.assert_array_equal(by_op[op], article_grid(maps[0]), err_msg=op)


def test_the_training_copy_normalises_over_a_batch_and_restores_its_statistics(gan):
    """Normalised over 64 samples, a map has over these 64 the mean beta and the variance gamma squared."""
    before = [v.numpy() for v in gan.generator_for().variables]
    z = gan.sample_latents(1, 0)
    maps = article_style.activate_over_batch(gan, z)
    for variable, value in zip(gan.generator_for().variables, before):
        np.testing.assert_array_equal(variable.numpy(), value)
    batch = np.concatenate([z, gan.sample_latents(63, 1)])
    x = inspection.activations(gan.generator_for(), batch)["g/h0"].astype(np.float64)
    norm = gan.generator_for().get_layer("h0_bn")
    wanted = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5) * norm.gamma.numpy() + norm.beta.numpy()
    np.testing.assert_allclose(maps["g/h0_bn"], wanted[:1], atol=1e-4)


def test_loss_gradients_agree_with_finite_differences(gan):
    """Tested for the last one, by changing the input of the last transposed convolution."""
    z = gan.sample_latents(1, 0)
    gradients = article_style.compute_loss_gradients(gan, z)
    assert list(gradients) == ["g/h1", "g/h2", "g/h3"]
    generator = gan.generator_for()
    x = inspection.activations(generator, z)["g/h2_relu"].astype(np.float64)
    direction = np.random.default_rng(0).normal(size=x.shape)

    def loss(x):
        image = generator.get_layer("h3_tanh")(generator.get_layer("h3")(x.astype("float32")))
        return float(gan.loss.generator(gan.discriminator(image)))

    h = 1e-4  # small, because the loss is smooth only between the kinks of LeakyReLU
    slope = (loss(x + h * direction) - loss(x - h * direction)) / (2 * h)
    assert np.sum(gradients["g/h3"] * direction) == pytest.approx(slope, rel=0.05, abs=1e-4)


def test_an_image_file_is_cropped_as_in_training_and_reported(trained, gan, tmp_path, capsys):
    picture = np.zeros((50, 80, 3), np.uint8)
    picture[:, 15:65] = (200, 30, 90)  # the central square
    Image.fromarray(picture).save(tmp_path / "wide.png")
    chosen = inputs.choose_inputs(gan, None, image=str(tmp_path / "wide.png"))
    assert chosen.image.shape == (1, 32, 32, 3) and np.all(chosen.image == (200, 30, 90))
    assert "as 32x32 pixels" in capsys.readouterr().out


def test_z_comes_from_a_file(gan, tmp_path):
    z = np.arange(8, dtype=np.float64) / 8
    np.save(tmp_path / "z.npy", z)
    chosen = inputs.choose_inputs(gan, sorted_images(gan), z_file=str(tmp_path / "z.npy"), image="0")
    np.testing.assert_allclose(chosen.z, z[None])


@pytest.mark.parametrize("change", ["gone", "others"])
def test_without_its_set_a_run_is_still_shown_and_this_is_reported(run_copy, tmp_path, capsys, change):
    """No set is packed or drawn to look at a run, and other images are not shown as the run's own."""
    if change == "gone":
        for file in (run_copy / "config.json", run_copy / "data.json"):
            file.write_text(json.dumps(json.loads(file.read_text()) | {"cache_dir": str(tmp_path / "gone")}))
    else:
        (run_copy / "data.json").write_text('{"dataset": "folder", "images": 48, "sha256": "another"}')
    written = visualize(LayerOptions(run=str(run_copy), layers="d/h1"))
    assert "The discriminator is shown the generated image: the images" in capsys.readouterr().out
    assert run_copy / "layers" / "d_h1_reasons.png" in written
    assert not (tmp_path / "gone").exists()
    with pytest.raises(UserError, match="^--image=7: the images that the run learned from were moved or changed"):
        visualize(LayerOptions(run=str(run_copy), image="7", output=str(tmp_path / "out")))


@pytest.mark.parametrize(
    "request_, sentence",
    [
        ({"layers": "d/h9"}, "--layers=d/h9: no such layer; similar are d/h"),
        ({"layers": "g/h1,conv"}, "--layers=conv: no such layer"),
        ({"image": "48"}, "--image=48: the set has 48 images, counted from 0"),
        ({"image": "nowhere.png"}, r"--image=nowhere.png: cannot be read \(missing\)"),
        ({"layers": "d/h0", "maps": "1,4"}, r"--maps=4: no layer has such a map \(d/h0 has 4, counted from 0"),
        ({"z_file": "nowhere.npy"}, "--z_file=nowhere.npy: no such file"),
    ],
)
def test_inputs_that_cannot_be_used_are_refused(trained, tmp_path, monkeypatch, request_, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=sentence):
        visualize(LayerOptions(run=str(trained), **request_, output=str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_a_z_file_with_other_numbers_or_code_is_refused(gan, tmp_path):
    path = tmp_path / "z.npy"
    for bad in (np.zeros(7), np.full(8, np.nan), np.array(["a"] * 8), np.zeros(8, complex)):
        np.save(path, bad)
        with pytest.raises(UserError, match="8 finite numbers are needed"):
            inputs.read_z(str(path), 8)
    np.save(path, np.array([{"a": 1}] * 8, dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="not a NumPy array file"):
        inputs.read_z(str(path), 8)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="not a NumPy array file"):
        inputs.read_z(str(path), 8)


@pytest.mark.parametrize("name", ["stage", "scaling", "order", "style"])
def test_an_unknown_choice_names_the_known_ones(name):
    with pytest.raises(UserError, match=f"^--{name}=odd: unknown; it can be "):
        LayerOptions(**{name: "odd"})


def test_a_run_without_a_checkpoint_is_refused(run_copy, tmp_path):
    shutil.rmtree(run_copy / "checkpoints")
    with pytest.raises(UserError, match="has no checkpoint yet"):
        visualize(LayerOptions(run=str(run_copy), output=str(tmp_path / "out")))


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"channels": 1, "image_size": 32}, {"image_size": 128, "precision": "bfloat16"}])
def test_other_networks_are_shown_too(tmp_path, settings, tiny_config):
    """Grey, 128 px and bfloat16."""
    from dataclasses import replace

    from tests.e2e.commands import make_images

    make_images(tmp_path / "images", 8)
    config = replace(tiny_config, data_dir=str(tmp_path / "images"), cache_dir=str(tmp_path / "p"), **settings)
    run = dcgan_tf.train(replace(config, max_steps=1, batch_size=4), tmp_path / "run")
    written = visualize(LayerOptions(run=str(run.directory.path), scaling="layer"))
    depth = 5 if config.image_size == 128 else 3
    assert {f"g_h{depth}.png", f"d_h{depth - 1}.png", "report.html"} <= {path.name for path in written}
    article = LayerOptions(run=str(run.directory.path), style="article", output=str(tmp_path / "a"))
    assert len(visualize(article)) == 7 * depth
