"""The gradient that reaches G while D is trained further, by the saturating and by the non-saturating loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dcgan_tf.console import progress
from experiments.framework.study import AGREES, COLORS, DIFFERS, Options, Row, new_figure

if TYPE_CHECKING:
    from collections.abc import Iterator

LOSSES = ("saturating", "non_saturating")
AHEAD = (0, 1, 2, 5, 10, 20, 50, 100, 200, 400)  # updates of D with G fixed
MOST_SEEDS = 3


def vanishing_gradients(options: Options) -> Row:
    """Measure G's gradient by both losses while D alone is trained."""
    seeds = 1 if options.quick else min(options.seeds, MOST_SEEDS)
    ahead = AHEAD[:6] if options.quick else AHEAD
    found = {}
    for name, norms in {"ring of 8 Gaussians": _measure_game, "DCGAN": _measure_dcgan}.items():
        runs = list(progress(norms(range(seeds), ahead), f"vanishing_gradients, {name}", len(ahead), "stages"))
        found[name] = {part: np.array([run[part] for run in runs]) for part in (*LOSSES, "d_g_z")}  # [ahead, seeds]
    # As D improves, s = D(G(z)) -> 0. By the logit the saturating loss has the gradient -s, the non-saturating s - 1.
    fall = {name: {loss: f[loss][-1] / f[loss][0] for loss in LOSSES} for name, f in found.items()}
    share = {name: f["saturating"][-1] / f["non_saturating"][-1] for name, f in found.items()}
    good = all(s.max() < (1.0 if options.quick else 0.1) for s in share.values())
    return Row(
        f"gradients of G as D is trained 0 to {ahead[-1]} updates ahead",
        "diminished gradients: D becomes too good, G's gradient vanishes and G learns nothing",
        "; ".join(
            f"{name}: gradient norm times {np.median(f['saturating']):.3g} saturating, "
            f"{np.median(f['non_saturating']):.3g} non-saturating"
            for name, f in fall.items()
        )
        + "; saturating over non-saturating at the end "
        + ", ".join(f"{np.median(s):.3g} ({name})" for name, s in share.items()),
        ", ".join(f"[{s.min():.2g}, {s.max():.2g}] ({name})" for name, s in share.items())
        + f" ({seeds} seed{'s' if seeds > 1 else ''})",
        f"{AGREES}: of the saturating loss; the article's own, non-saturating, keeps its gradient" if good else DIFFERS,
        {name: {part: values.tolist() for part, values in f.items()} for name, f in found.items()} | {"ahead": ahead},
        [["network", "updates ahead", "seed", *LOSSES, "mean D(G(z))"]]
        + [
            [name, n, k, *(f"{f[part][place, k]:.6g}" for part in (*LOSSES, "d_g_z"))]
            for name, f in found.items()
            for place, n in enumerate(ahead)
            for k in range(seeds)
        ],
        {"vanishing_gradients": _figure(found, ahead)},
    )


def _measure_game(seeds: range, ahead: tuple[int, ...]) -> Iterator[dict[str, list[float]]]:
    """After each number of updates of D: each loss's gradient norm over G's weights, and D(G(z)), by seed."""
    from experiments.gan_theory.players import Game, Setting, gaussian_mixture, ring, tf

    played, done = Game(gaussian_mixture(ring(), 0.05), 2, Setting(), seeds), 0
    z = played.z(1024, 7)
    for count in ahead:
        played.train_d(tf.constant(done), tf.constant(count - done))
        done, found = count, {}
        for loss in LOSSES:
            with tf.GradientTape() as tape:
                total = tf.reduce_sum(played.g_loss(played.g(z), loss))
            squares = [tf.reduce_sum(tf.square(g), axis=(1, 2)) for g in tape.gradient(total, played.g.weights)]
            found[loss] = tf.sqrt(tf.add_n(squares)).numpy().tolist()
        found["d_g_z"] = tf.reduce_mean(tf.sigmoid(played.d(played.g(z))), axis=(1, 2)).numpy().tolist()
        yield found


def _measure_dcgan(seeds: range, ahead: tuple[int, ...]) -> Iterator[dict[str, list[float]]]:
    """The same for the article's networks at width 16 with their initial weights; D is trained on drawn roads."""
    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.gan.losses import LOSSES as FUNCTIONS
    from dcgan_tf.gan.noise import draw_noise
    from dcgan_tf.gan.train_step import update_discriminator
    from experiments.framework.small_dcgan import BATCH, draw_roads, make_dcgan

    real, gans, done = draw_roads(120, 6), [make_dcgan("article", seed) for seed in seeds], 0

    def update_of(gan):
        @tf.function
        def update(images, step):
            noise = draw_noise(gan.config, gan.augmentation.draws, step, BATCH)
            fake = gan.generator(noise.z[0], training=True)
            update_discriminator(gan, Batch.unlabelled(images), fake, noise.d[0], average=lambda tensors: tensors)

        return update

    updates = [update_of(gan) for gan in gans]
    draws = [np.random.default_rng(seed) for seed in seeds]
    for count in ahead:
        found = {part: [] for part in (*LOSSES, "d_g_z")}
        for gan, update, draw in zip(gans, updates, draws):
            for step in range(done, count):
                update(real[draw.integers(0, len(real), BATCH)], tf.constant(step, tf.int64))
            z = tf.constant(gan.sample_latents(4 * BATCH, seed=7))
            for loss in LOSSES:
                with tf.GradientTape() as tape:
                    logits = gan.discriminator(gan.generator(z, training=True), training=True)
                    total = FUNCTIONS[loss].generator(logits)
                found[loss].append(
                    float(tf.linalg.global_norm(tape.gradient(total, gan.generator.trainable_variables)))
                )
            found["d_g_z"].append(float(tf.reduce_mean(tf.sigmoid(logits))))
        done = count
        yield found


def _figure(found: dict, ahead: tuple[int, ...]):
    figure, places = new_figure(9, 3.8), np.arange(len(ahead))
    for axes, (name, f) in zip(figure.subplots(1, len(found)), found.items()):
        for color, part in zip(COLORS, (*LOSSES, "d_g_z")):
            style = {"color": color, "linestyle": ":" if part == "d_g_z" else "-"}
            label = "mean D(G(z))" if part == "d_g_z" else f"{part.replace('_', '-')}: gradient norm of G"
            axes.plot(places, np.median(f[part], axis=1), marker=".", label=label, **style)
            axes.fill_between(places, f[part].min(axis=1), f[part].max(axis=1), color=color, alpha=0.2)
        axes.set(yscale="log", xlabel="updates of D ahead, G held still", title=name)
        axes.set_xticks(places, ahead)
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
