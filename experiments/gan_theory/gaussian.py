"""Algorithm 1 on one Gaussian, as an animation, and the effect of more updates of D or of G."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dcgan_tf.console import progress
from experiments.framework.study import AGREES, COLORS, DIFFERS, Options, Row, new_figure, render
from experiments.gan_theory.densities import gaussian

if TYPE_CHECKING:
    from experiments.gan_theory.players import Game

MEAN, STD, HIDDEN, COUNT = 3.0, 0.7, 64, 20_000
EDGES = np.linspace(-4.0, 8.0, 121)  # of the histogram of p_g
CENTERS = 0.5 * (EDGES[1:] + EDGES[:-1])
WIDTH = EDGES[1] - EDGES[0]
STEPS = {"D 1, G 1": (1, 1), "D 5, G 1": (5, 1), "D 1, G 5": (1, 5)}  # updates of D and of G in a round


def make_game(d_steps: int, g_steps: int, seeds: range) -> Game:
    from experiments.gan_theory.players import Game, Setting, gaussian_mixture

    setting = Setting(d_steps=d_steps, g_steps=g_steps, d_rate=5e-3, g_rate=5e-4)
    return Game(gaussian_mixture(np.array([[MEAN]]), STD), 1, setting, seeds, HIDDEN)


def measure_state(played: Game) -> dict[str, np.ndarray]:
    """Measure a game as it stands, by seed.

    Returns:
      p_g: density of G's points in the bins, [seeds, bins].
      d: D's output at the centres of the bins, [seeds, bins].
      js: of p_data and p_g, nats, [seeds].
      gap: mean |D - D*| over the mixture of both, [seeds].
    """
    seeds = len(played.seeds)
    points = played.generate(COUNT)[..., 0]
    p_g = np.array([np.histogram(x, EDGES)[0] for x in points]) / COUNT / WIDTH
    middles = np.broadcast_to(CENTERS[None, :, None], (seeds, len(CENTERS), 1)).astype("float32")
    d = 1 / (1 + np.exp(-played.d(middles).numpy()[..., 0].astype(np.float64)))
    p = gaussian(MEAN, STD)(CENTERS)
    mixture = 0.5 * (p + p_g)
    best = p / np.maximum(p + p_g, 1e-12)

    gap = np.sum(np.abs(d - best) * mixture, axis=-1) * WIDTH
    return {"p_g": p_g, "d": d, "js": js_from_data(p_g), "gap": gap}


def js_from_data(p_g: np.ndarray) -> np.ndarray:
    """JS of p_data and of a density in the bins, nats: [seeds, bins] -> [seeds]."""
    p = gaussian(MEAN, STD)(CENTERS)
    mixture = 0.5 * (p + p_g)

    def kl(a, b):
        return np.sum(np.where(a > 0, a * np.log(np.maximum(a, 1e-300) / np.maximum(b, 1e-300)), 0), axis=-1) * WIDTH

    return 0.5 * kl(np.broadcast_to(p, p_g.shape), mixture) + 0.5 * kl(p_g, mixture)


def sampling_floor(seeds: range) -> np.ndarray:
    """JS of p_data and `COUNT` points drawn from p_data itself, measured as p_g is, nats: [seeds]."""
    drawn = [np.random.default_rng(seed).normal(MEAN, STD, COUNT) for seed in seeds]
    return js_from_data(np.array([np.histogram(x, EDGES)[0] for x in drawn]) / COUNT / WIDTH)


def judge_end(first: np.ndarray, late: np.ndarray, floor: np.ndarray) -> str:
    """The verdict on "ends at p_g = p_data".

    p_g is at p_data if JS stays below twice that of points of p_data in each game, and near it if each game's median is
    below a tenth of JS at the start.

    Args:
      first: JS at the start, nats, [seeds].
      late: JS in the last part of the games, [frames, seeds].
      floor: JS of points of p_data itself, [seeds].
    """
    middle = np.median(late, axis=0)
    if late.max() < 2 * floor.max():
        return f"{AGREES}: p_g cannot be told from p_data"
    if (middle < 0.1 * first).all():
        return (
            f"{DIFFERS}: it comes near and circles, JS {middle.min():.3f} to {middle.max():.3f} at the median and up "
            f"to {late.max():.3f}; points of p_data itself have {floor.mean():.4f} {CHANGED}"
        )
    return f"{DIFFERS}: it does not come near"


CHANGED = '(in version 0.1.0 "agrees", by one game and a limit of 0.05)'


def algorithm_1(options: Options) -> Row:
    """Play Algorithm 1 with several seeds; draw the densities, D, D* and where G maps z of the first."""
    from experiments.gan_theory.players import tf

    every, frames, last = (20, 6, 2) if options.quick else (45, 46, 15)
    seeds = range(options.few)
    played, pictures, states = make_game(1, 1, seeds), [], []
    for k in progress(range(frames), "algorithm_1", unit="frames"):
        states.append(measure_state(played))
        figure = _frame(played, states[-1], k * every)
        pictures.append(render(figure))
        if k < frames - 1:
            played.play(tf.constant(k * every), tf.constant(every))
    js, gap, floor = np.array([s["js"] for s in states]), np.array([s["gap"] for s in states]), sampling_floor(seeds)
    late = js[-last:]
    value = -math.log(4) + 2 * np.median(late)  # V(G, D*) = -log 4 + 2 JS, which is least where p_g = p_data
    return Row(
        f"Algorithm 1 on N({MEAN:g}, {STD:g}²), k = 1",
        "k updates of D, one of G, in turn; ends at p_g = p_data, V = -log 4 = -1.3863",
        f"JS {js[0].mean():.3f} at the start, {np.median(late):.4f} nats over the last {last} of {frames} frames, to "
        f"round {every * (frames - 1)}: V(G, D*) = {value:.4f}; {COUNT:,} points of p_data itself: {floor.mean():.4f}",
        f"[{late.min():.4f}, {late.max():.4f}] over those frames ({len(seeds)} seed{'s' if len(seeds) > 1 else ''}; "
        "the animation is of the first)",
        judge_end(js[0], late, floor),
        {"js": js.tolist(), "gap": gap.tolist(), "every": every, "last": last, "floor": floor.tolist()},
        [["round", *(f"JS, nats, seed {s}" for s in seeds), *(f"mean |D - D*|, seed {s}" for s in seeds)]]
        + [[k * every, *pair] for k, pair in enumerate(np.concatenate([js, gap], axis=1).tolist())],
        {"algorithm_1": figure},
        {"algorithm_1": pictures},
    )


def _frame(played: Game, now: dict, step: int):
    figure = new_figure(6, 3.8)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    p = gaussian(MEAN, STD)(CENTERS)
    above.fill_between(CENTERS, p, color=COLORS[0], alpha=0.4, label="p_data")
    above.step(CENTERS, now["p_g"][0], where="mid", color=COLORS[4], label="p_g (20,000 points)")
    above.plot(CENTERS, now["d"][0], color=COLORS[1], label="D")
    best = np.where(p + now["p_g"][0] > 1e-3, p / np.maximum(p + now["p_g"][0], 1e-12), np.nan)
    above.plot(CENTERS, best, "k--", linewidth=1, label="D*")
    above.set(ylim=(0, 1.15), ylabel="density; D", title=f"round {step}, JS {now['js'][0]:.3f} nats")
    above.legend(loc="upper left", fontsize=8)
    z = np.linspace(-2, 2, 21, dtype="float32")
    for start, end in zip(z, played.g(z[None, :, None]).numpy()[0, :, 0]):
        below.annotate("", (end, 1), (start, 0), arrowprops={"arrowstyle": "->", "color": "0.4", "linewidth": 0.8})
    below.set(ylim=(0, 1), xlim=(EDGES[0], EDGES[-1]), xlabel="x (above) and z (below the arrows)")
    below.set_yticks([0, 1], ["z", "G(z)"])
    return figure


def judge(gap: dict[str, np.ndarray], late: dict[str, np.ndarray]) -> str:
    """The verdict on more updates of D or of G, for the settings of `STEPS`.

    Args:
      gap: mean |D - D*| over the rounds, by seed; every run must keep the order of the settings.
      late: JS of p_data and p_g at the end, by seed: whether a better D has brought G nearer.
    """
    one, more_d, more_g = STEPS
    if gap[more_d].max() >= gap[one].min() or gap[one].max() >= gap[more_g].min():
        return DIFFERS
    lower = late[more_d].max() < late[one].min()
    return (
        f"{AGREES}: more updates of D keep it nearer to D*, more of G farther, in every run; more updates of D "
        f"{'bring G' if lower else 'do not bring G'} nearer to the data in the end"
    )


def updates_per_player(options: Options) -> Row:
    """Measure how near D stays to D* with more updates of D, or of G, in a round."""
    from experiments.gan_theory.players import tf

    every, blocks, seeds = (20, 4, 1) if options.quick else (25, 48, options.seeds)
    found = {}
    for name, steps in progress(STEPS.items(), "updates_per_player", unit="settings"):
        played, states = make_game(*steps, range(seeds)), []
        for k in range(blocks):
            played.play(tf.constant(k * every), tf.constant(every))
            states.append(measure_state(played))
        found[name] = {part: np.array([s[part] for s in states]) for part in ("js", "gap")}
    rounds = every * np.arange(1, blocks + 1)
    figure = new_figure(9, 3.6)
    for axes, (part, title) in zip(
        figure.subplots(1, 2), {"gap": "mean |D - D*|", "js": "JS of p_data and p_g, nats"}.items()
    ):
        for color, (name, f) in zip(COLORS, found.items()):
            axes.plot(rounds, np.median(f[part], axis=1), color=color, label=f"{name} a round")
            axes.fill_between(rounds, f[part].min(axis=1), f[part].max(axis=1), color=color, alpha=0.2)
        axes.set(xlabel="round", ylabel=title, yscale="log")
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    gap = {name: f["gap"].mean(axis=0) for name, f in found.items()}  # over the rounds, by seed
    late = {name: np.median(f["js"][-blocks // 4 :], axis=0) for name, f in found.items()}
    return Row(
        "the minimax game with more updates of D or of G",
        "min_G max_D V: G is to play against the best D; D is trained more than G, or G more than D",
        "mean |D - D*| over the rounds "
        + ", ".join(f"{values.mean():.3f} ({name})" for name, values in gap.items())
        + "; JS of the last quarter "
        + ", ".join(f"{values.mean():.4f} ({name})" for name, values in late.items()),
        ", ".join(f"[{values.min():.3f}, {values.max():.3f}] ({name})" for name, values in gap.items())
        + f" ({seeds} seed{'s' if seeds > 1 else ''})",
        judge(gap, late),
        {name: {part: values.tolist() for part, values in f.items()} for name, f in found.items()},
        [["setting", "seed", "mean |D - D*|", "JS of the last quarter"]]
        + [[n, k, *pair] for n in found for k, pair in enumerate(zip(gap[n].tolist(), late[n].tolist()))],
        {"updates_per_player": figure},
    )
