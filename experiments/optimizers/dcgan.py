"""A small DCGAN of digits, trained by each optimiser for the same number of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dcgan_tf.console import progress
from experiments.framework.mnist import load_digits
from experiments.framework.small_dcgan import COUNTED, network_variables
from experiments.framework.study import AGREES, DIFFERS, Options, Row, new_figure
from experiments.optimizers.formulas import NAMES, OF_NAME, make_optimizer

if TYPE_CHECKING:
    from dcgan_tf.config import Config

# The best of two to four rates a factor of about 3 apart, by 300 steps of one seed each. The rates of the network on
# MNIST do not suit two networks that are trained against each other.
RATES = {"SGD": 0.03, "Momentum": 0.0003, "Nesterov": 0.0003, "AdaGrad": 0.03, "RMSProp": 0.001, "Adam": 0.001}
IMAGE_SIZE, WIDTH, BATCH, BLOCK, SHOWN = 32, 16, 32, 20, 14
MOST_SEEDS = 3  # as the row takes minutes
REAL, UNTRAINED = "other real digits", "untrained"


class Trainings:
    """Trainings by one optimiser, from initial weights of any seed, with one compiled step."""

    def __init__(self, config: Config, name: str):
        from dcgan_tf.distributed.replicas import compile_train_steps
        from dcgan_tf.gan.dcgan import DCGAN

        self.gan = DCGAN(config)
        if name != "Adam":  # Adam stays the article's, with beta1 0.5
            self.gan.g_optimizer, self.gan.d_optimizer = (make_optimizer(name, RATES[name]) for _ in range(2))
            self.gan.g_optimizer.build(self.gan.generator.trainable_variables)
            self.gan.d_optimizer.build(self.gan.discriminator.trainable_variables)
        self.optimizers = self.gan.g_optimizer.variables + self.gan.d_optimizer.variables
        self._train_steps = compile_train_steps(self.gan)
        self._start = [slot.numpy() for slot in self.optimizers]

    def train(self, real: np.ndarray, weights: list[np.ndarray], steps: int, seed: int) -> dict[str, np.ndarray]:
        """Train on `real`, uint8 [N, 32, 32, 1]; batches and z depend on the seed alone.

        Returns:
          metric of the train step -> its values, [steps].
        """
        from dcgan_tf.backend import tf
        from dcgan_tf.batch import Batch
        from dcgan_tf.run_metrics import STEP_NAMES

        for variable, values in zip(network_variables(self.gan) + self.optimizers, weights + self._start):
            variable.assign(values)
        draw, found = np.random.default_rng(seed), []
        for first in range(0, steps, BLOCK):
            batches = real[draw.integers(0, len(real), (BLOCK, 1, BATCH))]
            # z follows from the number of the step, so seeds get numbers far apart.
            number = tf.constant(seed * 1_000_000 + first, tf.int64)
            found.append(self._train_steps(Batch.unlabelled(batches), number))
        return dict(zip(STEP_NAMES, np.concatenate(found).T))


def dcgan_optimizers(options: Options) -> Row:
    """Measure the distance of generated from real digits, and both losses, after 300 steps by each optimiser."""
    from dcgan_tf.config import preset
    from dcgan_tf.gan.dcgan import DCGAN
    from dcgan_tf.metrics.comparison import QuickScores
    from experiments.framework.random_features import RandomFeatures

    data = load_digits(options.data_dir)
    names = ("SGD", "Adam") if options.quick else NAMES
    seeds, steps, scored = (1, BLOCK, 100) if options.quick else (min(options.seeds, MOST_SEEDS), 300, 1000)
    real = pad(data.images)
    quick_scores = QuickScores(pad(data.test_images)[:scored], 0, RandomFeatures())
    sizes = {"image_size": IMAGE_SIZE, "channels": 1, "g_width": WIDTH, "d_width": WIDTH, "batch_size": BATCH}
    configs = [preset("article", learning_rate=RATES["Adam"], seed=seed, **sizes) for seed in range(seeds)]
    untrained = [DCGAN(config) for config in configs]
    weights = [[variable.numpy() for variable in network_variables(gan)] for gan in untrained]
    scores = {
        UNTRAINED: [quick_scores(untrained[0].generate)],
        REAL: [quick_scores(lambda n: real[:n])],
    }
    losses, images = {}, {REAL: real[:SHOWN]}
    for name in progress(names, "dcgan_optimizers", unit="optimisers"):
        trainings = Trainings(configs[0], name)
        losses[name], scores[name] = [], []
        for seed in range(seeds):
            losses[name].append(trainings.train(real, weights[seed], steps, seed))
            scores[name].append(quick_scores(trainings.gan.generate))
            if seed == 0:
                images[name] = trainings.gan.generate(SHOWN)
    distances = {name: [found["frechet"] for found in values] for name, values in scores.items()}
    middle = {name: float(np.median(values)) for name, values in distances.items()}
    late = {
        name: {part: float(np.mean([run[part][-50:].mean() for run in runs])) for part in ("d_loss", "g_loss")}
        for name, runs in losses.items()
    }
    return Row(
        title=f"a DCGAN (width {WIDTH}, {IMAGE_SIZE} px, {data.name}) by each optimiser, {steps} steps",
        published="beyond the sources, which say of a classifier: the others learn faster than SGD",
        ours="Fréchet distance of random features to test digits: "
        + ", ".join(f"{name} {middle[name]:.0f}" for name in (*names, UNTRAINED, REAL))
        + "; D and G loss of the last 50 steps: "
        + ", ".join(f"{name} {late[name]['d_loss']:.2f} and {late[name]['g_loss']:.2f}" for name in names),
        spread=", ".join(f"{name} [{min(distances[name]):.0f}, {max(distances[name]):.0f}]" for name in names)
        + f" ({seeds} seed{'s' if seeds > 1 else ''})",
        verdict=judge(distances, names),
        numbers={"data": data.name, "scores": scores, "losses of the last 50 steps": late, "rates": RATES},
        table=[
            ["images of", "learning rate", "seed", *scores[REAL][0]],
            *(
                [name, RATES.get(name, ""), seed, *(f"{v:.4f}" for v in found.values())]
                for name, values in scores.items()
                for seed, found in enumerate(values)
            ),
        ],
        figures={
            "dcgan_optimizers": _figure(losses, scores, data.name),
            "dcgan_optimizers_images": _images_figure(images, steps),
        },
    )


def pad(images: np.ndarray) -> np.ndarray:
    """Pad with black: uint8 [N, 28, 28] -> [N, 32, 32, 1]."""
    return np.pad(images, ((0, 0), (2, 2), (2, 2)))[..., None]


def judge(distances: dict[str, list[float]], names: tuple[str, ...]) -> str:
    """The verdict: which optimisers are nearer to real digits than SGD in every run, which farther, which neither."""
    others = [name for name in names if name != "SGD"]
    nearer = [name for name in others if max(distances[name]) < min(distances["SGD"])]
    farther = [name for name in others if min(distances[name]) > max(distances["SGD"])]
    if nearer == others:
        return f"{AGREES}: every other optimiser is ahead of SGD in every run"
    said = [f"ahead of it {', '.join(nearer) or 'none'}", f"behind {', '.join(farther) or 'none'}"]
    if among := [name for name in others if name not in nearer + farther]:
        said.append(f"not told apart {', '.join(among)}")
    return f"{DIFFERS}: SGD is not the slowest in a game of two; in all runs {'; '.join(said)}"


def _figure(losses: dict[str, list[dict]], scores: dict[str, list[dict]], data: str):
    from matplotlib.ticker import LogLocator

    figure = new_figure(9, 6.4)
    top, bottom = figure.subplots(2, 2)
    kernel = np.ones(BLOCK // 2) / (BLOCK // 2)
    for axis, part in zip(top, ("d_loss", "g_loss")):
        for name, runs in losses.items():
            smooth = [np.convolve(run[part], kernel, "valid") for run in runs]
            axis.plot(
                np.arange(len(smooth[0])) + len(kernel), np.median(smooth, axis=0), color=OF_NAME[name], label=name
            )
        axis.set(xlabel="step", ylabel="nats", title=f"loss of {part[0].upper()}: median run, mean of 10 steps")
        axis.grid(alpha=0.3)
    for axis, (metric, title) in zip(bottom, COUNTED.items()):
        for row, name in enumerate(losses):
            found = [score[metric] for score in scores[name]]
            axis.plot(found, [row] * len(found), "o", color=OF_NAME[name], alpha=0.8)
        for name, style in ((UNTRAINED, "--"), (REAL, ":")):
            axis.axvline(scores[name][0][metric], color="0.3", linestyle=style, label=name)
        axis.set_yticks(range(len(losses)), list(losses))
        axis.invert_yaxis()
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.xaxis.set_minor_formatter("")  # their numbers would overlap
        axis.set(xlabel="to test digits; a dot a run, less is nearer", title=title)
        axis.grid(alpha=0.3)
    handles, labels = (a + b for a, b in zip(*(x.get_legend_handles_labels() for x in (top[0], bottom[0]))))
    figure.legend(handles, labels, loc="outside lower center", ncols=8, fontsize=8)
    figure.suptitle(f"DCGAN, {IMAGE_SIZE} px, width {WIDTH}, {data}")
    return figure


def _images_figure(images: dict[str, np.ndarray], steps: int):
    figure = new_figure(9, 5.2)
    for axis, (name, made) in zip(figure.subplots(len(images), 1), images.items()):
        axis.imshow(np.concatenate(list(made[..., 0]), axis=1), cmap="gray", vmin=0, vmax=255)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(f"generated after {steps} steps, the same z for all, and real digits")
    return figure
