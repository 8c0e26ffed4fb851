"""Discriminators trained on pairs of known densities, compared with D* = p / (p + q)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from experiments.framework.study import AGREES, COLORS, DIFFERS, Options, Row, new_figure

Density = Callable[[np.ndarray], np.ndarray]
WITHIN, MASS = 0.02, 0.95  # the tolerance of |D - D*|, and the share of the mass where it must hold
HIDDEN, BATCH, RATE, SCALE = 64, 1024, 4e-3, 4.0  # D's input is x / SCALE
MOST_SEEDS = 3


def gaussian(mean: float, std: float) -> Density:
    return lambda x: np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def box(low: float, high: float) -> Density:
    return lambda x: ((x >= low) & (x < high)) / (high - low)


PAIRS: dict[str, tuple[Density, Density]] = {
    "equal": (gaussian(0, 1), gaussian(0, 1)),
    "shifted": (gaussian(-1, 1), gaussian(1, 1)),
    "narrow in wide": (gaussian(0, 0.5), gaussian(0, 2)),
    "two modes, one": (lambda x: 0.5 * (gaussian(-3, 0.7)(x) + gaussian(3, 0.7)(x)), gaussian(-3, 0.7)),
    "disjoint": (box(-4, -2), box(2, 4)),
}
POINTS = np.linspace(-16.0, 16.0, 320_001)
STEP = POINTS[1] - POINTS[0]


def optimal_output(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """D*(x) = p / (p + q), float64 as p; 1/2 where neither has mass, since any value is optimal there."""
    return np.where(p + q > 0, p / np.maximum(p + q, 1e-300), 0.5)


def region(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The densest region of the mixture that holds `MASS` of it: bool, as p."""
    mixture = 0.5 * (p + q)
    order = np.argsort(-mixture, kind="stable")
    inside = np.zeros(len(p), bool)
    inside[order[: np.searchsorted(np.cumsum(mixture[order]) * STEP, MASS) + 1]] = True
    return inside


def quantiles(p: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points below which a density has these shares of its mass."""
    inside = np.flatnonzero(p > 0)
    mass = np.cumsum(p[inside]) * STEP
    return np.interp(shares * mass[-1], mass, POINTS[inside])


@functools.cache
def train_discriminators(steps: int, seeds: int) -> dict[str, np.ndarray]:
    """Train discriminators on each pair and return D's output at POINTS: float64 [seeds, len(POINTS)].

    Batches are stratified, one point of each 1/1024 of the mass, so that the loss is nearly that of the densities.
    """
    from experiments.gan_theory.players import Players, keras, np, tf

    densities = [tuple(density(POINTS) for density in pair) for pair in PAIRS.values()]
    players = Players((1, HIDDEN, HIDDEN, 1), range(len(PAIRS) * seeds), 2, tf.nn.tanh)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps), epsilon=1e-8)
    optimizer.build(players.weights)
    # 4097 quantiles of each density; a batch has points at random places between them.
    tables = np.array([[quantiles(d, np.linspace(0, 1, 4097)) for d in pair] for pair in densities], np.float32)
    tables = tf.constant(np.repeat(tables, seeds, axis=0))  # [pairs * seeds, 2, 4097]

    @tf.function
    def train(steps):
        for step in tf.range(steps):
            jitter = tf.random.stateless_uniform((len(PAIRS) * seeds, 2, BATCH), tf.stack([5, step]))
            place = (tf.range(BATCH, dtype=tf.float32) + jitter) * (4096 / BATCH)
            low = tf.minimum(tf.cast(place, tf.int32), 4095)
            share = place - tf.cast(low, tf.float32)
            x = (1 - share) * tf.gather(tables, low, batch_dims=2) + share * tf.gather(tables, low + 1, batch_dims=2)
            with tf.GradientTape() as tape:
                logits = players(tf.reshape(x, (len(PAIRS) * seeds, 2 * BATCH, 1)) / SCALE)
                real, fake = logits[:, :BATCH], logits[:, BATCH:]
                each = tf.reduce_mean(tf.nn.softplus(-real) + tf.nn.softplus(fake), axis=(1, 2))
                loss = tf.reduce_sum(each)
            optimizer.apply(tape.gradient(loss, players.weights), players.weights)

    train(tf.constant(steps))
    some = POINTS[::16]  # D is smooth
    shown = np.broadcast_to(some[None, :, None] / SCALE, (len(PAIRS) * seeds, len(some), 1)).astype("float32")
    outputs = 1 / (1 + np.exp(-players(tf.constant(shown)).numpy()[..., 0].astype(np.float64)))
    full = np.array([np.interp(POINTS, some, values) for values in outputs])
    return dict(zip(PAIRS, full.reshape(len(PAIRS), seeds, -1)))


def train_for(options: Options) -> dict[str, np.ndarray]:
    """`train_discriminators` for as long as the options ask."""
    return train_discriminators(300, 1) if options.quick else train_discriminators(3000, min(options.seeds, MOST_SEEDS))


def optimal_discriminator(options: Options) -> Row:
    """Compare trained discriminators with p_data / (p_data + p_g)."""
    outputs, found = train_for(options), {}
    within = 5 * WITHIN if options.quick else WITHIN
    figure = new_figure(9.5, 4.6)
    plots = figure.subplots(2, len(PAIRS), sharex=True, sharey="row")
    for column, (name, pair) in enumerate(PAIRS.items()):
        p, q = (density(POINTS) for density in pair)
        best, inside = optimal_output(p, q), region(p, q)
        errors = np.abs(outputs[name] - best)
        found[name] = {"largest": errors[:, inside].max(axis=1).tolist()}
        mixture = 0.5 * (p + q) * STEP
        found[name]["share"] = [float(mixture[e < WITHIN].sum()) for e in errors]
        some = slice(100_000, 220_001, 50)  # -6 to 6
        x, held = POINTS[some], inside[some]
        plots[0, column].fill_between(x, p[some], color=COLORS[0], alpha=0.5, label="p_data", linewidth=0)
        plots[0, column].fill_between(x, q[some], color=COLORS[4], alpha=0.5, label="p_g", linewidth=0)
        plots[0, column].set_title(name, fontsize=10)
        for output in outputs[name]:
            plots[1, column].plot(x, output[some], color=COLORS[1], linewidth=2.5, alpha=0.6, label="D, trained")
        plots[1, column].plot(x, np.where(held, best[some], np.nan), "k", linewidth=1, label="D*, where 95 % are")
        plots[1, column].set_xlabel("x")
    plots[0, 0].set_ylabel("density")
    plots[1, 0].set_ylabel("D(x)")
    handles = dict(zip(*reversed([h + g for h, g in zip(*(a.get_legend_handles_labels() for a in plots[:, 0]))])))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    largest = {name: max(f["largest"]) for name, f in found.items()}
    seeds = len(found["equal"]["largest"])
    return Row(
        "the optimal D of five pairs of densities, trained",
        "p_data / (p_data + p_g)",
        f"largest |D - D*| where {MASS:.0%} of the mass are: "
        + ", ".join(f"{np.mean(f['largest']):.4f} ({name})" for name, f in found.items()),
        f"up to {max(largest.values()):.4f} ({seeds} seed{'s' if seeds > 1 else ''})",
        AGREES if max(largest.values()) < within else f"{DIFFERS}: more than {within}",
        found,
        [["pair", "seed", "largest |D - D*|", f"mass within {WITHIN}"]]
        + [[n, k, *v] for n, f in found.items() for k, v in enumerate(zip(f["largest"], f["share"]))],
        {"optimal_discriminator": figure},
    )
