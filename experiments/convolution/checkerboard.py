"""The source of the checkerboard in generated images (Odena et al. 2016).

Compared are three ways to double a map: the article's 5x5 transposed convolution of stride 2, the same with 4x4 taps,
and nearest-neighbour upsampling followed by a 3x3 convolution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from experiments.framework.small_dcgan import IMAGE_SIZE, WIDTH, draw_roads
from experiments.framework.study import AGREES, COLORS, DIFFERS, Options, Row, new_figure

if TYPE_CHECKING:
    from dcgan_tf.config import Config
    from dcgan_tf.gan.dcgan import DCGAN

SHOWN = 256
FORMS = ("5x5 transposed", "4x4 transposed", "resize, then 3x3")
PERIODS = (2, 4)
REAL = "drawn roads"


def checkerboard(options: Options) -> Row:
    """Measure the overlap of the kernels, the response to a constant, and the spectra of generated and drawn images."""
    maps = {form: overlap(form) for form in FORMS}
    uneven = {form: float(m[4:-4, 4:-4].max() / m[4:-4, 4:-4].min()) for form, m in maps.items()}
    seeds, steps = (1, 20) if options.quick else (options.seeds, 300)
    phases = {form: [phase_variation(form, seed) for seed in range(seeds)] for form in FORMS}
    real = draw_roads(24, drives=6) if options.quick else draw_roads(256, drives=16)
    spectra, images = {REAL: [line_spectrum(real)]}, {REAL: real}
    for form in FORMS:
        for seed in range(seeds):
            before, after = generate_images(form, real, steps, seed)
            for when, made in (("untrained", before), ("trained", after)):
                spectra.setdefault(f"{form}, {when}", []).append(line_spectrum(made))
                images.setdefault(f"{form}, {when}", made)
    peaks = {name: {p: [peak_ratio(s, p) for s in found] for p in PERIODS} for name, found in spectra.items()}
    shares = {name: {p: [power_share(s, p) for s in found] for p in PERIODS} for name, found in spectra.items()}
    medians = {name: {p: float(np.median(values)) for p, values in by.items()} for name, by in peaks.items()}
    return Row(
        title="checkerboard of transposed convolutions",
        published="beyond the sources (Odena et al. 2016): overlap is uneven where the stride does not divide the "
        "kernel, and upsampling before a convolution makes no checkerboard",
        ours="most / least overlap "
        + ", ".join(f"{uneven[f]:.2f} ({f})" for f in FORMS)
        + "; a constant's image varies by "
        + ", ".join(f"{np.mean(phases[f]):.2f}" for f in FORMS)
        + f" of itself; power at period 2 over its neighbours', after {steps} steps: "
        + ", ".join(f"{medians[n][2]:.2f} ({n})" for n in (*(f"{f}, trained" for f in FORMS), REAL)).replace(
            ", trained", ""
        ),
        spread="; ".join(f"{f} [{min(v):.2f}, {max(v):.2f}]" for f in FORMS for v in [peaks[f"{f}, trained"][2]])
        + f" ({seeds} seed{'s' if seeds > 1 else ''})",
        verdict=_verdict(uneven, phases, peaks),
        numbers={"uneven": uneven, "phase variation": phases, "peaks": peaks, "shares": shares},
        table=[
            ["images", "period, pixels", "seed", "power over neighbours'", "share of all power"],
            *(
                [name, p, seed, round(value, 4), round(shares[name][p][seed], 6)]
                for name, by in peaks.items()
                for p, values in by.items()
                for seed, value in enumerate(values)
            ),
        ],
        figures={
            "checkerboard_overlap": _overlap_figure(maps),
            "checkerboard_spectrum": _spectrum_figure(spectra, steps),
            "checkerboard_images": _images_figure(images),
        },
    )


def _verdict(uneven: dict[str, float], phases: dict[str, list[float]], peaks: dict[str, dict[int, list[float]]]) -> str:
    """The verdict. Each transposed form's least power over the seeds is compared with upsampling's largest."""
    five, four, resize = FORMS
    if not (uneven[five] > 1.01 and abs(uneven[four] - 1) < 1e-5 and abs(uneven[resize] - 1) < 1e-5):
        return f"{DIFFERS}: the overlaps are not as said"
    if max(phases[resize]) > 1e-4:
        return f"{DIFFERS}: upsampling before a convolution does not keep a constant constant"
    before, after = (
        min(*peaks[f"{five}, {when}"][2], *peaks[f"{four}, {when}"][2]) > max(peaks[f"{resize}, {when}"][2])
        for when in ("untrained", "trained")
    )
    if not before:
        return f"{DIFFERS}: no more power at period 2 before training than with upsampling"
    learned = "more" if after else "not in every run more"
    return (
        f"{AGREES}: but an even overlap (4x4) is no cure, its random taps make one too; "
        f"trained, transposed convolutions keep {learned} power at period 2 than upsampling"
    )


def _make_layer(form: str, filters: int, initializer):
    """The form's Keras layer: padding "same", stride 2, no bias."""
    from dcgan_tf.backend import keras
    from dcgan_tf.gan.models import ResizeConvolution

    settings = {"strides": 2, "padding": "same", "use_bias": False, "kernel_initializer": initializer}
    if form.startswith("resize"):
        return ResizeConvolution(filters, 3, **settings)
    return keras.layers.Conv2DTranspose(filters, int(form[0]), **settings)


def overlap(form: str, side: int = 8) -> np.ndarray:
    """Count the products of inputs and taps that are added up for each output: float32 [2 side, 2 side].

    Computed as ones through a kernel of ones. In a resize-convolution each copy of an input counts.
    """
    return _make_layer(form, 1, "ones")(np.ones((1, side, side, 1), "float32")).numpy()[0, :, :, 0]


def phase_variation(form: str, seed: int, maps: int = 64) -> float:
    """Variation of the outputs of a constant input: standard deviation over root mean square, away from the edges.

    For independent taps of mean 0 the four phases of a transposed convolution of stride 2 are independent too, and the
    variation is sqrt(3/4) = 0.87 whether the overlap is even or not.
    """
    from dcgan_tf.backend import keras

    layer = _make_layer(form, 256, keras.initializers.RandomNormal(seed=seed))
    outputs = layer(np.ones((1, 8, 8, maps), "float32")).numpy()[0, 4:-4, 4:-4]
    return float(np.sqrt(outputs.var(axis=(0, 1)).mean() / np.square(outputs).mean()))


def generate_images(form: str, real: np.ndarray, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Generate images by a small DCGAN before and after `steps` steps on `real`: two of float32 [SHOWN, 32, 32, 3].

    Batch norm takes the statistics of the SHOWN images, as in training, because an untrained generator has no others.
    """
    from dcgan_tf.backend import tf
    from dcgan_tf.batch import Batch
    from dcgan_tf.config import preset
    from dcgan_tf.distributed.replicas import compile_train_steps

    config = preset(
        "article",
        image_size=IMAGE_SIZE,
        g_width=WIDTH,
        d_width=WIDTH,
        batch_size=32,
        g_steps=1,
        learning_rate=4e-4,
        seed=seed,
        upsampling="resize" if form.startswith("resize") else "transposed",
    )
    gan = _make_dcgan(form, config)
    z = gan.sample_latents(SHOWN, seed)
    before = gan.generator(z, training=True).numpy()
    draw, block, train_steps = np.random.default_rng(seed), 20, compile_train_steps(gan)
    for first in range(0, steps, block):
        batches = real[draw.integers(0, len(real), (block, 1, config.batch_size))]
        train_steps(Batch.unlabelled(batches), tf.constant(first, tf.int64))
    return before, gan.generator(z, training=True).numpy()


def _make_dcgan(form: str, config: Config) -> DCGAN:
    """The package's DCGAN, or one with 4x4 kernels in the generator."""
    from dcgan_tf.backend import keras
    from dcgan_tf.gan.dcgan import DCGAN
    from dcgan_tf.gan.models import KERAS, Generator

    class Four(keras.layers.Conv2DTranspose):
        def __init__(self, filters, kernel_size, **kwargs):
            super().__init__(filters, 4, **kwargs)

    class FourTaps(DCGAN):
        def _new_generator(self, name):
            c = self.config
            sizes = (c.image_size, c.channels, c.g_width, c.latent_dim)
            layers = KERAS._replace(conv_transpose=Four)
            return Generator(*sizes, c.initializer, c.seed, layer_set=layers, name=name)

    return (FourTaps if form.startswith("4") else DCGAN)(config)


def line_spectrum(images: np.ndarray) -> np.ndarray:
    """Mean power of the images' rows and columns at the frequencies 0, 1/S, .. 1/2 cycles a pixel: [S / 2 + 1].

    Args:
      images: uint8, or float in [-1, 1], [N, S, S, C]. Each line's mean is subtracted, so frequency 0 has no power.
    """
    values = images / 127.5 - 1.0 if images.dtype == np.uint8 else images
    power = 0.0
    for axis in (1, 2):
        lines = np.moveaxis(values - values.mean(axis=axis, keepdims=True), axis, -1)
        power = power + (np.abs(np.fft.rfft(lines)) ** 2).reshape(-1, lines.shape[-1] // 2 + 1).mean(axis=0)
    return power / 2 / values.shape[1] ** 2


def peak_ratio(spectrum: np.ndarray, period: int) -> float:
    """Power at a period in pixels over the mean power of its two neighbours; 1 means no peak."""
    size = 2 * (len(spectrum) - 1)
    place = size // period
    around = [spectrum[min(n, size - n)] for n in (place - 1, place + 1)]  # the spectrum is mirrored at 1/2
    return float(spectrum[place] / np.mean(around))


def power_share(spectrum: np.ndarray, period: int) -> float:
    """Share of the power at a period; each frequency below 1/2 counts twice, for its negative."""
    both = np.r_[2 * spectrum[:-1], spectrum[-1]]
    return float(both[2 * (len(spectrum) - 1) // period] / both.sum())


def _overlap_figure(maps: dict[str, np.ndarray]):
    figure = new_figure(9, 3.6)
    axes = figure.subplots(1, 3)
    for axis, (form, values) in zip(axes, maps.items()):
        shown = axis.imshow(values[3:13, 3:13], cmap="cividis", vmin=0, vmax=9)
        for (row, column), count in np.ndenumerate(values[3:13, 3:13]):
            axis.text(
                column, row, f"{count:.0f}", ha="center", va="center", fontsize=7, color="k" if count > 5 else "w"
            )
        axis.set_title(f"{form}, stride 2" if "trans" in form else form)
        axis.set_xlabel("output column, pixels")
        axis.set_ylabel("output row, pixels")
    figure.colorbar(shown, ax=axes, label="products added up", shrink=0.8)
    return figure


def _spectrum_figure(spectra: dict[str, list[np.ndarray]], steps: int):
    figure = new_figure(9, 4.6)
    axes = figure.subplots(1, 2, sharey=True)
    frequencies = np.arange(IMAGE_SIZE // 2 + 1) / IMAGE_SIZE
    for axis, when in zip(axes, ("untrained", "trained")):
        curves = {form: spectra[f"{form}, {when}"] for form in FORMS} | {REAL: spectra[REAL]}
        for color, (name, found) in zip((*COLORS[:3], COLORS[6]), curves.items()):
            style = {"color": color, "linestyle": "--" if name == REAL else "-"}
            axis.plot(
                frequencies[1:], np.median(found, axis=0)[1:], marker="." if name != REAL else "", label=name, **style
            )
            if len(found) > 1:
                axis.fill_between(
                    frequencies[1:], *(f(found, axis=0)[1:] for f in (np.min, np.max)), color=color, alpha=0.2
                )
        axis.set_xticks([n / 8 for n in range(1, 5)], ["1/8", "1/4\nperiod 4", "3/8", "1/2\nperiod 2"])
        axis.set_yscale("log")
        axis.set_title("generators untrained" if when == "untrained" else f"generators after {steps} steps")
        axis.set_xlabel("frequency, cycles a pixel")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("mean power of rows and columns, images in [-1, 1]")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle("spectra of generated images (medians; bands: least to most over seeds)")
    return figure


def _images_figure(images: dict[str, np.ndarray]):
    from dcgan_tf.gan.models import to_uint8

    figure = new_figure(9, 6.2)
    axes = figure.subplots(len(images), 1)
    for axis, (name, made) in zip(axes, images.items()):
        chosen = made[:: max(1, len(made) // 12)][:12]
        shown = chosen if chosen.dtype == np.uint8 else to_uint8(chosen).numpy()
        axis.imshow(np.concatenate(list(shown), axis=1), interpolation="nearest")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_ylabel(name.replace(", ", "\n"), rotation=0, ha="right", va="center")
    figure.suptitle(f"{REAL} and generated images, {IMAGE_SIZE} x {IMAGE_SIZE} pixels")
    return figure
