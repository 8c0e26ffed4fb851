"""Mode collapse on a ring of 8 and a grid of 25 Gaussians: settings that fail, collapse and cover the modes."""

from __future__ import annotations

import numpy as np

from dcgan_tf.console import progress
from experiments.framework.study import AGREES, COLORS, DIFFERS, Options, Row, new_figure

POINTS, NEAR = 2500, 3.0  # points that are counted; a point of high quality is within NEAR standard deviations
MOST_SEEDS = 3
GOOD, HALF, MOST = 0.5, 0.5, 0.7  # least share of good points; most modes of a collapse; least modes of a cover
CHANGED = (
    "(in version 0.1.0 a collapse was at most 2 modes at any quality, which D 1, G 5 reaches by failing; the penalty's "
    "control was added after the other settings had been seen)"
)


def count_modes(points: np.ndarray, centers: np.ndarray, std: float) -> tuple[int, float]:
    """Count the modes with at least a tenth of their share of high-quality points; also the share of such points.

    Args:
      points: [N, 2]; a point is of high quality within `NEAR` standard deviations of its nearest center.
      centers: [K, 2].
    """
    distances = np.linalg.norm(points[:, None] - centers, axis=-1)
    good = distances.min(axis=1) < NEAR * std
    counts = np.bincount(distances.argmin(axis=1)[good], minlength=len(centers))
    return int(np.sum(counts >= 0.1 * len(points) / len(centers))), float(good.mean())


def describe(modes: np.ndarray, shares: np.ndarray, count: int) -> str:
    """What a setting does on a set of `count` modes: "fails", "collapses", "covers" or "in between".

    It fails where less than half of G's points are of high quality in any seed. It collapses where they are, but lie on
    at most half of the modes in every seed. It covers at least 70 % of the modes in every seed.

    Args:
      modes, shares: modes covered and share of high-quality points at the end, by seed.
    """
    if shares.min() < GOOD:
        return "fails"
    if modes.max() <= HALF * count:
        return "collapses"
    return "covers" if modes.min() >= MOST * count else "in between"


def judge(last: dict[tuple[str, str], np.ndarray], counts: dict[str, int], too_short: bool = False) -> str:
    """The verdict: on some set a setting collapses, and the same with the penalty covers.

    Args:
      last: (set, setting) -> modes and share of high-quality points at the end, [seeds, 2]; the last setting
        has the penalty, and the one before it is its control, which lacks the penalty and nothing else.
      counts: set -> modes that there are.
      too_short: whether the games were too short to tell.
    """
    *_, control, penalty = dict.fromkeys(setting for _, setting in last)
    does = {play: describe(*values.T, counts[play[0]]) for play, values in last.items()}
    mended = [name for name in counts if (does[name, control], does[name, penalty]) == ("collapses", "covers")]
    if not mended:
        return f"{DIFFERS}: too few rounds" if too_short else DIFFERS
    collapsed, failed = (
        "; ".join(", ".join(play) for play, found in does.items() if found == kind) for kind in ("collapses", "fails")
    )
    return (
        f"{AGREES}: collapsed: {collapsed}; with the penalty it covers the modes there. Failed, which is not collapse: "
        f"{failed or 'none'} {CHANGED}"
    )


def mode_collapse(options: Options) -> Row:
    """Count the modes that G finds with more updates of G, a faster D, and a penalty on D's gradient."""
    from experiments.gan_theory.players import Game, Setting, gaussian_mixture, grid, ring, tf

    # Fewer rounds where a round has five updates of G, which take more time.
    settings = {
        "D 1, G 5": (Setting(g_steps=5), 2000),
        "D 1, G 1": (Setting(), 4000),
        "D 1, G 1, faster D": (Setting(d_rate=3e-3), 6000),
        "D 1, G 1, faster D, penalty": (Setting(penalty=0.1, d_rate=3e-3), 6000),
    }
    sets = {"ring of 8": (ring(), 0.05), "grid of 25": (grid(), 0.1)}
    seeds, blocks = (1, 2) if options.quick else (min(options.seeds, MOST_SEEDS), 20)
    found, drawn = {}, {}
    plays = [(s, k) for s in sets for k in settings]
    for name, kind in progress(plays, "mode_collapse", unit="games"):
        centers, std = sets[name]
        setting, rounds = settings[kind]
        rounds = 60 if options.quick else rounds
        played, each = Game(gaussian_mixture(centers, std), 2, setting, range(seeds)), rounds // blocks
        history = []
        for block in range(blocks):
            played.play(tf.constant(block * each), tf.constant(each))
            points = played.generate(POINTS)
            history.append([count_modes(x, centers, std) for x in points])
        drawn[name, kind] = points[0]
        found[name, kind] = np.array(history, np.float64), each * np.arange(1, blocks + 1)
    last = {play: history[-1] for play, (history, _) in found.items()}
    return Row(
        "mode collapse on a ring of 8 and a grid of 25 Gaussians",
        "G captures some of the classes only",
        "; ".join(
            f"{name}, {kind}: {np.mean(h[:, 0]):.1f} modes, {np.mean(h[:, 1]):.0%} of high quality"
            for (name, kind), h in last.items()
        ),
        "; ".join(f"{min(h[:, 0]):.0f} to {max(h[:, 0]):.0f}" for h in last.values())
        + f" modes ({seeds} seed{'s' if seeds > 1 else ''})",
        judge(last, {name: len(centers) for name, (centers, _) in sets.items()}, too_short=options.quick),
        {f"{n}, {k}": {"history": h.tolist(), "rounds": r.tolist()} for (n, k), (h, r) in found.items()},
        [["set", "setting", "seed", "modes", "high-quality share"]]
        + [[*play, k, *pair] for play, h in last.items() for k, pair in enumerate(h.tolist())],
        {
            "mode_collapse_points": _points_figure(drawn, sets, list(settings)),
            "mode_collapse": _history_figure(found, sets, settings),
        },
    )


def _points_figure(drawn: dict, sets: dict, kinds: list[str]):
    figure = new_figure(11.5, 6.4)
    plots = figure.subplots(len(sets), len(kinds))
    for row, (name, (centers, _)) in enumerate(sets.items()):
        reach = 1.35 * np.abs(centers).max()
        for column, kind in enumerate(kinds):
            axes = plots[row, column]
            axes.plot(*centers.T, "o", color="0.3", markersize=10, markerfacecolor="none", label="modes")
            axes.plot(*drawn[name, kind].T, ".", color=COLORS[1], markersize=2, alpha=0.5, label="G's points")
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="x")
            axes.set_title(f"{name}: {kind}", fontsize=9)
        plots[row, 0].set_ylabel("y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, markerscale=1.5)
    return figure


def _history_figure(found: dict, sets: dict, settings: dict):
    figure = new_figure(9, 5.4)
    plots = figure.subplots(2, len(sets), sharey="row")
    for column, (name, (centers, _)) in enumerate(sets.items()):
        for row, part in enumerate(("share of the modes covered", "share of high-quality points")):
            axes = plots[row, column]
            for color, kind in zip(COLORS, settings):
                history, rounds = found[name, kind]
                values = history[..., row] / (len(centers) if row == 0 else 1)
                axes.plot(rounds, np.median(values, axis=1), color=color, label=kind)
                axes.fill_between(rounds, values.min(axis=1), values.max(axis=1), color=color, alpha=0.2)
            axes.grid(alpha=0.3)
            plots[row, 0].set_ylabel(part)
        plots[0, column].set_title(name)
        plots[1, column].set_xlabel("round")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
