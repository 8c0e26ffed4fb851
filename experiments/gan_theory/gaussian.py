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

    def kl(a, b):
        return np.sum(np.where(a > 0, a * np.log(np.maximum(a, 1e-300) / np.maximum(b, 1e-300)), 0), axis=-1) * WIDTH

    js = 0.5 * kl(np.broadcast_to(p, p_g.shape), mixture) + 0.5 * kl(p_g, mixture)
    return {"p_g": p_g, "d": d, "js": js, "gap": np.sum(np.abs(d - best) * mixture, axis=-1) * WIDTH}


def algorithm_1(options: Options) -> Row:
    """Play Algorithm 1 and draw the densities, D, D* and where G maps z."""
    from experiments.gan_theory.players import tf

    every, frames = (20, 6) if options.quick else (45, 46)
    played, pictures, curves = make_game(1, 1, range(1)), [], []
    for k in progress(range(frames), "algorithm_1", unit="frames"):
        now = measure_state(played)
        figure = _frame(played, now, k * every)
        pictures.append(render(figure))
        curves.append((float(now["js"][0]), float(now["gap"][0])))
        if k < frames - 1:
            played.play(tf.constant(k * every), tf.constant(every))
    first, last = curves[0][0], float(np.median([js for js, _ in curves[-10:]]))
    # V(G, D*) = -log 4 + 2 JS, which is least where p_g = p_data.
    value = -math.log(4) + 2 * last
    good = last < (first if options.quick else 0.05)
    return Row(
        f"Algorithm 1 on N({MEAN:g}, {STD:g}²), k = 1",
        "k updates of D, one of G, in turn; ends at p_g = p_data, V = -log 4 = -1.3863",
        f"JS {first:.3f} at the start, {last:.4f} nats at round {every * (frames - 1)} (median of 10 frames): "
        f"V(G, D*) = {value:.4f}",
        f"{np.ptp([js for js, _ in curves[-10:]]):.4f} over the last 10 frames (one game: it is an animation)",
        AGREES if good else DIFFERS,
        {"js": [js for js, _ in curves], "gap": [gap for _, gap in curves], "every": every},
        [["round", "JS, nats", "mean |D - D*|"], *([k * every, *pair] for k, pair in enumerate(curves))],
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


def judge(gap: dict[str, np.ndarray]) -> str:
    """The verdict on mean |D - D*| by seed for the settings of `STEPS`; every run must keep their order."""
    one, more_d, more_g = (gap[name] for name in STEPS)
    good = more_d.max() < one.min() and one.max() < more_g.min()
    return f"{AGREES}: more updates of D keep it nearer to D*, more of G farther, in every run" if good else DIFFERS


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
        judge(gap),
        {name: {part: values.tolist() for part, values in f.items()} for name, f in found.items()},
        [["setting", "seed", "mean |D - D*|", "JS of the last quarter"]]
        + [[n, k, *pair] for n in found for k, pair in enumerate(zip(gap[n].tolist(), late[n].tolist()))],
        {"updates_per_player": figure},
    )
