"""Signal and gradient of every layer of a DCGAN, before and during training, by initial weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dcgan_tf.console import progress
from experiments.framework.small_dcgan import (
    BATCH,
    COUNTED,
    IMAGE_SIZE,
    NAIVE,
    WIDTH,
    draw_roads,
    make_dcgan,
    network_variables,
)
from experiments.framework.study import AGREES, COLORS, DIFFERS, Options, Row, new_figure

if TYPE_CHECKING:
    from dcgan_tf.gan.dcgan import DCGAN

BLOCK, LATER = 20, 200
REAL = "other real roads"
KINDS = ("article", "paper", "he", NAIVE)
MOST_SEEDS = 3  # as the row takes minutes
MARKERS = "osv^"


def measure_layers(gan: DCGAN, real: np.ndarray) -> dict[str, dict[str, float]]:
    """Measure both networks with batch norm as in training; their variables are restored afterwards.

    Args:
      real: uint8 [BATCH, S, S, C].

    Returns:
      name of every layer with weights, such as "g/h1" -> "signal", the root mean square of its output, and "gradient",
      the root mean square of the gradient of its network's loss by that output, for the loss of one image.
    """
    from dcgan_tf.backend import keras, tf
    from dcgan_tf.gan.models import to_float

    kept = [variable.numpy() for variable in network_variables(gan)]
    z = tf.constant(gan.sample_latents(len(real), seed=1))

    def through(network, x, outputs):
        for layer in network.sequence:
            norm = isinstance(layer, keras.layers.BatchNormalization)
            x = layer(x, training=True) if norm else layer(x)
            if layer.weights and not norm:
                outputs[f"{network.name}/{layer.name}"] = x
        return x

    of_g, of_d, unused = {}, {}, {}
    with tf.GradientTape(persistent=True) as tape:
        # Variables are watched, so every output that depends on them has a gradient.
        fake = through(gan.generator, z, of_g)
        g_loss = gan.loss.generator(through(gan.discriminator, fake, unused))
        d_loss = gan.loss.real(through(gan.discriminator, to_float(real), of_d))
        d_loss += gan.loss.fake(gan.discriminator(tf.stop_gradient(fake), training=True))
    found = {}
    for outputs, loss in ((of_g, g_loss), (of_d, d_loss)):
        for (name, output), gradient in zip(outputs.items(), tape.gradient(loss, list(outputs.values()))):
            found[name] = {
                "signal": float(tf.sqrt(tf.reduce_mean(tf.square(output)))),
                "gradient": float(tf.sqrt(tf.reduce_mean(tf.square(gradient)))) * len(real),
            }
    for variable, values in zip(network_variables(gan), kept):
        variable.assign(values)
    return found


def dcgan_initialization(options: Options) -> Row:
    """Train a small DCGAN from each kind of initial weights; measure its layers and its images."""
    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.distributed.replicas import compile_train_steps
    from dcgan_tf.metrics.comparison import QuickScores
    from experiments.framework.random_features import RandomFeatures

    seeds, later = (1, BLOCK) if options.quick else (min(options.seeds, MOST_SEEDS), LATER)
    steps = later if options.quick else 2 * LATER
    real = draw_roads(*((120, 6) if options.quick else (600, 16)))
    train, test = real[::2], real[1::2]
    scored = QuickScores(test, 0, RandomFeatures())
    kinds = (KINDS[0], NAIVE) if options.quick else KINDS
    looks: dict[str, dict[int, list]] = {}
    scores = {REAL: [scored(lambda n: train[:n])]}
    images = {}
    for kind in progress(kinds, "dcgan_initialization", unit="initial weights"):
        looks[kind], scores[kind] = {0: [], later: []}, []
        for seed in range(seeds):
            gan, draw = make_dcgan(kind, seed), np.random.default_rng(seed)
            train_steps = compile_train_steps(gan)
            looks[kind][0].append(measure_layers(gan, train[:BATCH]))
            for first in range(0, steps, BLOCK):
                batches = train[draw.integers(0, len(train), (BLOCK, 1, BATCH))]
                train_steps(Batch.unlabelled(batches), tf.constant(first, tf.int64))
                if first + BLOCK == later:
                    looks[kind][later].append(measure_layers(gan, train[:BATCH]))
            scores[kind].append(scored(gan.generate))
            if seed == 0:
                images[kind] = gan.generate(14)
    frechet = {kind: [s["frechet"] for s in found] for kind, found in scores.items()}
    # Batch norm divides the size of the weights out again, but not at the outputs: the image and D's logit.
    outputs = {
        kind: {n: np.median([run[n]["signal"] for run in looks[kind][0]]) for n in ("d/h0", "d/h3")} for kind in kinds
    }
    loud = outputs[NAIVE]["d/h3"] / outputs["article"]["d/h3"]
    worse = min(frechet[NAIVE]) > max(max(frechet[kind]) for kind in kinds if kind != NAIVE)
    return Row(
        f"a DCGAN (width {WIDTH}, {IMAGE_SIZE} px, drawn roads) by initial weights",
        "beyond the sources, which say of plain networks: N(0, 1) explodes, small weights vanish",
        "D's logit at step 0, root mean square: "
        + ", ".join(f"{outputs[kind]['d/h3']:.3g} ({kind})" for kind in kinds)
        + f"; Fréchet distance of random features after {steps} steps: "
        + ", ".join(f"{np.median(found):.1f} ({kind})" for kind, found in frechet.items()),
        ", ".join(f"{kind} [{min(frechet[kind]):.1f}, {max(frechet[kind]):.1f}]" for kind in kinds)
        + f" ({seeds} seed{'s' if seeds > 1 else ''})",
        (
            f"{AGREES}: batch norm takes the weights' size out of the layers between, not out of the ends: N(0, 1) "
            + ("is worse in every run" if worse else "is not worse in every run")
        )
        if loud > 10
        else DIFFERS,
        {"layers": {k: {str(s): runs for s, runs in found.items()} for k, found in looks.items()}, "scores": scores},
        [["weights", "seed", *scores[REAL][0]]]
        + [[k, n, *(f"{v:.4f}" for v in s.values())] for k, found in scores.items() for n, s in enumerate(found)],
        {
            "dcgan_initialization": _layer_figure(looks),
            "dcgan_initialization_metrics": _score_figure(scores, steps),
            "dcgan_initialization_images": _images_figure(images | {"real": test[:: len(test) // 14][:14]}, steps),
        },
    )


def _layer_figure(looks: dict):
    figure = new_figure(9.5, 6.4)
    plots = figure.subplots(2, 2, sharey="row", sharex=True)
    for column, step in enumerate(next(iter(looks.values()))):
        for row, part in enumerate(("signal", "gradient")):
            axes = plots[row, column]
            for color, marker, (kind, found) in zip(COLORS, MARKERS, looks.items()):
                names = list(found[step][0])
                values = np.median([[run[name][part] for name in names] for run in found[step]], axis=0)
                for network in "gd":  # a line for each network
                    places = [n for n, name in enumerate(names) if name[0] == network]
                    label = kind if network == "g" else None
                    axes.plot(places, values[places], marker=marker, color=color, label=label)
            axes.set_yscale("log")
            axes.grid(alpha=0.3)
            axes.set_xticks(range(len(names)), names, rotation=45)
        plots[0, column].set_title(f"step {step}")
        plots[1, column].set_xlabel("layer with weights, of G and of D")
    plots[0, 0].set_ylabel("signal, root mean square")
    plots[1, 0].set_ylabel("gradient of an image's loss,\nroot mean square")
    figure.legend(
        *plots[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, title="initial weights"
    )
    return figure


def _score_figure(scores: dict, steps: int):
    figure, kinds = new_figure(9, 2.8), [kind for kind in scores if kind != REAL]
    for axes, (metric, title) in zip(figure.subplots(1, 2, sharey=True), COUNTED.items()):
        for row, kind in enumerate(kinds):
            found = [s[metric] for s in scores[kind]]
            axes.plot(found, [row] * len(found), MARKERS[row], color=COLORS[row])
        axes.axvline(scores[REAL][0][metric], color="0.3", linestyle=":", label=REAL)
        axes.set_yticks(range(len(kinds)), kinds)
        axes.invert_yaxis()
        axes.set(xscale="log", xlabel=f"{title}\na dot a run, less is nearer")
        axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.suptitle(f"after {steps} steps")
    return figure


def _images_figure(images: dict[str, np.ndarray], steps: int):
    figure = new_figure(9, 4.2)
    for axis, (name, made) in zip(figure.subplots(len(images), 1), images.items()):
        axis.imshow(np.concatenate(list(made), axis=1), interpolation="nearest")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(f"generated after {steps} steps, the same z for all, and real (drawn) roads")
    return figure
