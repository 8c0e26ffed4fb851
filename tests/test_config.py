"""The presets have the values of the article and the papers; a value out of range is refused, and its flag named."""

import dataclasses
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import dcgan_tf
from dcgan_tf.config import PRESETS, Config, Dataset, LossName, from_json, preset
from dcgan_tf.datasets.options import PrepareOptions
from dcgan_tf.errors import UserError
from dcgan_tf.evaluation.options import EvaluateOptions
from dcgan_tf.inpainting.options import InpaintOptions
from dcgan_tf.layer_figures.options import LayerOptions
from dcgan_tf.sampling.options import SampleOptions
from dcgan_tf.training.options import TrainOptions


def test_the_default_is_the_articles_recipe():
    """Number by number, from the article's text and code."""
    c = preset("article")
    assert c == Config()
    assert (c.dataset, c.image_size, c.channels, c.resolved_crop) == ("sully_chen", 64, 3, "108")
    assert (c.latent_dim, c.latent, c.g_width, c.d_width, c.initializer) == (100, "normal", 64, 64, "article")
    assert (c.batch_size, c.epochs, c.d_steps, c.g_steps, c.loss) == (64, 30, 1, 2, "non_saturating")
    assert (c.learning_rate, c.beta1, c.ema, c.precision) == (0.0002, 0.5, 0.0, "float32")
    assert (c.sample_every, c.grid_shape) == (500, (8, 8))


# Every setting of each preset that is not the article's, with the source of its value.
DIFFERENCES = {
    "article": {},
    "fast": {"precision": "auto"},  # the article's, computed faster
    "paper": {
        "initializer": "paper",  # Radford et al. 2016, section 4: N(0, 0.02)
        "batch_size": 128,  # section 4
        "latent": "uniform",  # section 4.1: Z is drawn uniformly; the authors' code: U[-1, 1]
        "g_steps": 1,  # the authors' code, as Algorithm 1 with k = 1
    },
    "lfw": {
        "dataset": "lfw",
        "latent": "uniform",  # slides: z ~ U[-1, 1]
        "d_steps": 2,  # slides: k = 2
        "g_steps": 1,  # Algorithm 1
        "precision": "auto",
    },
    "stable": {  # experiments/recipes, the first study
        "precision": "auto",
        "g_steps": 1,
        "batch_size": 32,
        "learning_rate": 4e-4,
        "upsampling": "resize",
        "augment": "translation",
        "ema": 0.995,
    },
}
DIFFERENCES["modern"] = DIFFERENCES["stable"] | {  # experiments/recipes, the screening with seed 0
    "g_width": 0,
    "d_width": 0,
    "d_kernel": 4,
    "batch_size": 16,
    "learning_rate": 8e-4,
    "decay": 0.25,
    "ema": 0.9999,
    "ema_ramp": 5.0,
}
DIFFERENCES["quick"] = DIFFERENCES["modern"] | {
    "dataset": "synthetic_road",
    "crop": "square",  # the drawn frames are square
    "minutes": 3.5,  # a demo of five minutes with its pictures and measurements
    "sample_every": 250,
    "evaluate_every": 3000,
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_differs_from_the_article_in_these_settings_alone(name):
    article, found = dataclasses.asdict(preset("article")), dataclasses.asdict(preset(name))
    assert {field: value for field, value in found.items() if value != article[field]} == (
        DIFFERENCES[name] | ({} if name == "article" else {"preset": name})
    )


def test_given_settings_win_over_the_preset():
    assert preset("paper", batch_size=16).batch_size == 16
    assert dcgan_tf.preset("article", dataset="folder", data_dir="x").resolved_crop == "square"
    assert Config(dataset="lfw").resolved_crop == "144" and Config(dataset="lfw", crop="none").resolved_crop == "none"


def test_paths_are_expanded_as_by_a_shell(monkeypatch):
    """`--data_dir=~/x` reaches the program as it is: a shell expands `~` at the start of a word only."""
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SETS", "/big/sets")
    config = Config(data_dir="~/photos", cache_dir="$SETS/packed/${SETS}")
    assert (config.data_dir, config.cache_dir) == ("/home/me/photos", "/big/sets/packed//big/sets")
    assert Config(data_dir="a~b/$NO_SUCH_VARIABLE").data_dir == "a~b/$NO_SUCH_VARIABLE"
    assert TrainOptions(run_dir="~/run").run_dir == "/home/me/run"
    assert Config(crop="none", sample_grid="2x3").crop == "none"  # no path, left alone


def test_every_setting_that_names_a_file_or_folder_is_a_path():
    words = ("folder", "file", "picture of --check", "weights of", "image of the hole")
    for options in (Config, TrainOptions, SampleOptions, EvaluateOptions, InpaintOptions, LayerOptions, PrepareOptions):
        for field in dataclasses.fields(options):
            if isinstance(field.default, str) and any(word in field.metadata["help"] for word in words):
                assert field.metadata["path"] or field.name in ("images", "crop"), field.name  # a list; a word


def test_numpy_numbers_and_paths_are_accepted():
    config = preset("article", batch_size=np.int64(4), ema=np.float32(0.5), seed=np.uint8(3), data_dir=Path("a/b"))
    assert (config.batch_size, config.ema, config.seed, config.data_dir) == (4, 0.5, 3, "a/b")
    assert json.loads(config.to_json())["batch_size"] == 4
    assert preset("article", learning_rate=np.float64(0.001)).learning_rate == 0.001


@pytest.mark.parametrize(
    "field, value",
    [
        ("batch_size", 1), ("batch_size", -4), ("epochs", 0), ("max_steps", -1), ("image_size", 48),
        ("image_size", 256), ("image_size", 0), ("channels", 2), ("latent_dim", 0), ("g_width", -1), ("d_width", -1),
        ("d_kernel", 1), ("d_kernel", 7), ("decay", 1.1), ("decay", -0.1), ("ema_ramp", 0.0), ("minutes", -1.0),
        ("learning_rate", 0.0), ("learning_rate", -1.0), ("learning_rate", float("nan")), ("beta1", 1.0),
        ("beta1", -0.1), ("ema", 1.0), ("ema", float("inf")), ("d_steps", 0), ("g_steps", 0), ("loss", "gan"),
        ("initializer", "xavier"), ("precision", "float16"), ("seed", -1), ("crop", "-3"), ("crop", "0"),
        ("crop", "middle"), ("sample_grid", "8"), ("sample_grid", "0x3"), ("sample_grid", "axb"),
        ("sample_every", 0), ("checkpoint_every", 0), ("dataset", "celeba"), ("preset", "artcle"),
        ("batch_size", "64"), ("batch_size", True), ("batch_size", np.float64(4)), ("data_dir", 5),
        ("crop", 108), ("epochs", 1.5),
        ("held_out", 0.7), ("held_out", -0.1), ("held_out", float("nan")), ("held_out", "0.1"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(UserError, match=f"^--{field}="):
        Config(**{field: value})


def test_a_value_of_another_type_is_refused_with_the_type_needed():
    with pytest.raises(UserError, match="^--fresh=1: true or false is needed"):
        TrainOptions(fresh=1)
    with pytest.raises(UserError, match="^--crop=108: a string is needed"):
        Config(crop=108)
    with pytest.raises(UserError, match="^--epochs=x: a number is needed"):
        Config(epochs="x")


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(UserError, match="Did you mean article"):
        preset("artcle")
    with pytest.raises(UserError, match="no such setting. Did you mean batch_size"):
        preset("article", bath_size=3)
    with pytest.raises(UserError, match="sully_chen, synthetic_road, lfw or folder"):
        Config(dataset="celeba")


@pytest.mark.parametrize("name", PRESETS)
def test_config_survives_json(name):
    config = preset(name, seed=5, data_dir="ünï/cøde")
    assert from_json(config.to_json(), "there") == config


def test_a_run_from_before_images_were_held_out_learned_from_all():
    values = json.loads(Config().to_json())
    del values["held_out"]
    assert from_json(json.dumps(values), "there").held_out == 0
    assert from_json(Config(held_out=0.25).to_json(), "there").held_out == 0.25


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"batch_size": 0}', '{"colour": 1}', '{"seed": "x"}', "null"])
def test_a_damaged_config_is_refused_and_its_file_named(text):
    with pytest.raises(UserError, match="^some/config.json: "):
        from_json(text, "some/config.json")


def test_every_setting_has_a_help_text_and_a_bound_or_choice():
    for f in dataclasses.fields(Config):
        assert f.metadata["help"] and f.name in json.loads(Config().to_json())
        if isinstance(f.default, (int, float)):
            assert Config.choices[f.name] or f.metadata.keys() & {"at_least", "above"}, f.name


def test_the_names_in_the_config_are_those_implemented():
    from dcgan_tf.gan.losses import LOSSES as IMPLEMENTED

    assert set(get_args(LossName)) == set(IMPLEMENTED)
    assert set(get_args(Dataset)) == {"sully_chen", "synthetic_road", "lfw", "folder"}
