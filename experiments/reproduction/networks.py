"""The article's networks, initial weights and training compared with the package's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from experiments.framework import study
from experiments.framework.study import AGREES, DIFFERS, IN_SMALL, SOURCE_ERROR, Options, Row

STEP_TIMES = Path(__file__).parents[1] / "performance" / "results" / "step.json"
# As in the article's code; its prose differs.
G_SHAPES = [(4, 4, 512), (8, 8, 256), (16, 16, 128), (32, 32, 64), (64, 64, 3)]
D_SHAPES = [(32, 32, 64), (16, 16, 128), (8, 8, 256), (4, 4, 512)]
PROSE_SIDE, PROSE_LAYERS, PROSE_UNITS = 64, 3, 64 * 8 * 64 * 64
TRAINING = {
    "batch_size": 64,
    "learning_rate": 2e-4,
    "beta1": 0.5,
    "latent": "normal",
    "d_steps": 1,
    "g_steps": 2,
    "loss": "non_saturating",
    "epochs": 30,
}
LISTED_FRAMES, STEPS_AN_EPOCH, SECONDS_A_STEP = 63_825, 997, 0.4704  # seconds: the mean of the 18 printed lines


def _networks(seed: int = 0):
    """The article's generator and discriminator, built."""
    from dcgan_tf.gan.models import Discriminator, Generator

    g, d = Generator(seed=seed), Discriminator(seed=seed)
    d(g(np.zeros((1, 100), "float32")))
    return g, d


def _outputs(network, x) -> dict[str, tuple[int, ...]]:
    from dcgan_tf.gan.inspection import activations

    return {name: maps.shape[1:] for name, maps in activations(network, x).items()}


def _table(shapes: dict[str, tuple[int, ...]]) -> list[list]:
    return [["output", "shape"], *([name, "x".join(map(str, shape))] for name, shape in shapes.items())]


def _chain(shapes) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes)


def generator(options: Options) -> Row:
    """Compare the generator's shapes with the article's code and prose."""
    g, _ = _networks()
    shapes = _outputs(g, np.zeros((1, 100), "float32"))
    found = [shape for name, shape in shapes.items() if name.removeprefix("g/h").isdecimal()]
    side = PROSE_SIDE * 2**PROSE_LAYERS
    dense = int(np.prod(g.sequence[0].kernel.shape))
    return Row(
        title="generator",
        published=f"{_chain(G_SHAPES)} (the code); 64*8*64*64 units as 64x64x512, then 3 layers (the prose)",
        ours=f"{_chain(found)}; {g.count_params():,} parameters",
        spread="none: no chance in it",
        verdict=f"{SOURCE_ERROR}: from the prose's 64x64 its three layers of stride 2 would reach {side}x{side}, its "
        f"dense layer have {100 * PROSE_UNITS:,} weights, not {dense:,}; the code's sizes are right"
        if found == G_SHAPES
        else f"{DIFFERS}: other shapes than the article's code",
        numbers={"shapes": shapes, "parameters": g.count_params()},
        table=_table(shapes),
    )


def discriminator(options: Options) -> Row:
    """Compare the discriminator's shapes, slope, batch norm and output with the article's code."""
    _, d = _networks()
    from dcgan_tf.backend import layers

    shapes = _outputs(d, np.zeros((1, 64, 64, 3), "float32"))
    found = [shape for name, shape in shapes.items() if name.removeprefix("d/h").isdecimal()]
    slopes = {float(layer.negative_slope) for layer in d.sequence if isinstance(layer, layers.LeakyReLU)}
    norms = [layer.name for layer in d.sequence if isinstance(layer, layers.BatchNormalization)]
    logits = d.sequence[-1].activation.__name__ == "linear"
    right = found == D_SHAPES and slopes == {0.2} and norms == ["h1_bn", "h2_bn", "h3_bn"] and logits
    return Row(
        title="discriminator",
        published=f"{_chain(D_SHAPES)}; LeakyReLU 0.2 and logits (the code); ReLU and sigmoid (the prose)",
        ours=f"{_chain(found)}; LeakyReLU {', '.join(map(str, sorted(slopes)))}; {'logit' if logits else 'no logit'}; "
        f"batch norm in all but the first; {d.count_params():,} parameters",
        spread="none: no chance in it",
        verdict=f"{SOURCE_ERROR}: its prose and its code contradict each other; the code is followed"
        if right
        else f"{DIFFERS}: other layers than the article's code",
        numbers={"shapes": shapes, "slopes": sorted(slopes), "batch norm": norms, "parameters": d.count_params()},
        table=_table(shapes),
    )


def initial_weights(options: Options) -> Row:
    """Compare the standard deviation of every kernel and of gamma with the formula's."""
    ratios: dict[str, list[float]] = {}
    gammas = []
    for seed in range(options.seeds):
        variables = [variable for network in _networks(seed) for variable in network.variables]
        for variable in variables:
            if variable.name == "kernel":
                *taps, first, second = variable.shape
                formula = np.sqrt(2 / ((first + second) * np.prod(taps)))
                ratios.setdefault(variable.path, []).append(float(variable.numpy().std() / formula))
        gammas.append(np.concatenate([variable.numpy() for variable in variables if variable.name == "gamma"]))
    means, deviations = ([float(f(g)) for g in gammas] for f in (np.mean, np.std))
    # The standard error of a deviation is 1 / sqrt(2 n); the smallest kernels have 4,800 weights.
    agrees = max(abs(r - 1) for values in ratios.values() for r in values) < 0.06
    agrees = agrees and max(abs(m - 1) for m in means) < 0.003 and max(abs(s - 0.02) for s in deviations) < 0.002
    everything = [r for values in ratios.values() for r in values]
    return Row(
        title="initial weights",
        published="std = sqrt(2 / (fan_in + fan_out)); gamma ~ N(1, 0.02)",
        ours=f"std over the formula's {np.mean(everything):.4f} ({len(ratios)} kernels); "
        f"gamma N({np.mean(means):.4f}, {np.mean(deviations):.4f})",
        spread=f"[{min(everything):.4f}, {max(everything):.4f}] over kernels and {options.seeds} seeds",
        verdict=AGREES if agrees else f"{DIFFERS}: further off than chance",
        numbers={"ratios": ratios, "gamma means": means, "gamma deviations": deviations},
        table=[["kernel", "seed", "std / formula"], *([k, n, r] for k, v in ratios.items() for n, r in enumerate(v))],
    )


def training_time(options: Options) -> Row:
    """Compare the preset's settings, and the step time that `experiments.performance.step` recorded."""
    from dcgan_tf.config import preset
    from dcgan_tf.datasets.batching import steps_per_epoch

    config = preset("article", held_out=0.0)
    other = {name: getattr(config, name) for name, value in TRAINING.items() if getattr(config, name) != value}
    steps = steps_per_epoch(LISTED_FRAMES, config)
    if steps != STEPS_AN_EPOCH:
        other["steps an epoch"] = steps
    seconds = json.loads(STEP_TIMES.read_text())["variants"]["ours_float32"]["seconds"]
    middle = float(np.median(seconds))
    hours = TRAINING["epochs"] * steps * middle / 3600
    return Row(
        title="training",
        published=f"30 epochs x {STEPS_AN_EPOCH} steps at {SECONDS_A_STEP} s, mean of 18 printed lines: 3 h 54 min; "
        "batch 64, Adam and the order of updates are in the code that the article names, not in its text",
        ours=f"30 epochs x {steps} steps; {middle:.3f} s a step in float32 on two CPU cores, so {hours:.1f} h "
        "(reckoned)",
        spread=f"[{min(seconds):.3f}, {max(seconds):.3f}] s ({len(seconds)} rounds)",
        verdict=f"{DIFFERS}: in {', '.join(other)}"
        if other
        else f"{IN_SMALL}: all settings are the same; 30 epochs were not run; a step takes "
        f'{middle / SECONDS_A_STEP:.1f} times the published time, on another machine (in version 0.1.0 "agrees")',
        numbers={"settings": {name: getattr(config, name) for name in TRAINING}, "steps": steps, "seconds": seconds},
    )


ROWS = study.name_rows(generator, discriminator, initial_weights, training_time)
