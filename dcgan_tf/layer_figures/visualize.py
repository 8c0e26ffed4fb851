"""The layer figures of a run: maps, their causes, and their development over the checkpoints."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from dcgan_tf.console import Progress
from dcgan_tf.datasets.shards import Images
from dcgan_tf.errors import UserError
from dcgan_tf.gan import inspection
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.gan.latents import walk
from dcgan_tf.gan.models import to_float, to_uint8
from dcgan_tf.layer_figures import article_style
from dcgan_tf.layer_figures.figures import add_label, outline, save_layer_figure, save_strip, save_table_of_images
from dcgan_tf.layer_figures.inputs import Inputs, choose_inputs, choose_layers, select_stage
from dcgan_tf.layer_figures.maps import (
    activation_grid,
    colorize,
    enlarge,
    filter_grid,
    order_maps,
    rescale,
    signed_image,
)
from dcgan_tf.layer_figures.options import LayerOptions
from dcgan_tf.layer_figures.report import Frame, save_report
from dcgan_tf.pictures.animation import save_gif
from dcgan_tf.training import learned_set
from dcgan_tf.training.loading import load, restore_each, saved_steps
from dcgan_tf.training.run_directory import RunDirectory, choose_run

ROWS = 6  # maps per table
TOP = 5  # images that excite a map most
SET_IMAGES = 1000  # the most images of the set that are searched for them
FRAMES = 8  # the most checkpoints in the report, besides the untrained networks
REPORT_BYTES = 13_000_000  # about the largest size of the report: wide or large networks get fewer frames
WALK = 270  # pixels: about the height of the maps in an animated walk
PATCH = (255, 140, 0)  # Okabe & Ito's orange, around the receptive field of a position


def visualize(options: LayerOptions) -> list[Path]:
    """Write the figures that the options describe.

    Returns:
      The files written, the report last.

    Raises:
      UserError: there is no such run, checkpoint, layer or map, or an input cannot be used.
    """
    directory = choose_run(options.run)
    gan = load(directory.path, options.checkpoint)
    folder = Path(options.output) if options.output else directory.path / "layers"
    inputs = choose_inputs(gan, _find_images(directory, options), options.seed, options.z_file, options.image)
    if options.style == "article":
        written = article_style.draw(gan, inputs, folder / "article")
    else:
        written = _Figures(gan, directory, options, inputs, folder).draw()
    if options.tensorboard:
        _write_tensorboard(folder / "tensorboard", written, folder)
    return written


def _find_images(directory: RunDirectory, options: LayerOptions) -> Images | None:
    """The set that the run learned from, the held-out images last; None if it is not found."""
    if options.data_dir:
        return learned_set.open_again(directory, directory.config(), options.data_dir).images
    packed = learned_set.find(directory)
    return packed.images if packed else None


class _Figures:
    """Draws the figures that the options describe. Each `draw_` method writes some and lists them in `written`."""

    def __init__(self, gan: DCGAN, directory: RunDirectory, options: LayerOptions, inputs: Inputs, folder: Path):
        self.gan, self.directory, self.options, self.inputs, self.folder = gan, directory, options, inputs, folder
        self.maps = self.compute_maps(gan)
        self.layers = choose_layers(list(self.maps), options.layer_patterns)
        self.generated = gan.decode(inputs.z)[0]
        explained = [layer for layer in self.layers if layer.startswith("d/") or f"{layer}_relu" in self.maps]
        beyond = [n for n in options.map_texts if not any(int(n) < self.maps[layer].shape[-1] for layer in explained)]
        if beyond:
            sizes = ", ".join(f"{layer} has {self.maps[layer].shape[-1]}" for layer in explained)
            raise UserError(f"--maps={beyond[0]}: no layer has such a map ({sizes}, counted from 0).")
        self.written: list[Path] = []

    def compute_maps(self, gan: DCGAN) -> dict[str, np.ndarray]:
        return gan.activations(self.inputs.z) | gan.activations(self.inputs.image)

    def add_file(self, name: str) -> Path:
        """List a file as written and return its path."""
        self.written.append(self.folder / name)
        return self.written[-1]

    def draw(self) -> list[Path]:
        """Draw all figures of the chosen layers and return the files written."""
        steps = [(self.draw_layer, layer) for layer in self.layers]
        hidden = [layer for layer in self.layers if f"{layer}_relu" in self.maps]
        # A layer that has none of the requested maps gets no explanation.
        steps += [(self.draw_reasons, n) for n in self.layers if n.startswith("d/") and self.is_explained(n)]
        steps += [(self.draw_switched_off, layer) for layer in hidden if self.is_explained(layer)]
        steps += [(self.draw_walk, layer) for layer in hidden[-1:]]
        last = [layer for layer in self.maps if layer.startswith("g/") and "_" not in layer][-1]
        steps += [(self.draw_filters, layer) for layer in self.layers if layer in ("d/h0", last)]
        steps += [(self.draw_over_checkpoints, (hidden or self.layers)[-1])]
        with Progress("drawing layer figures", len(steps), "figures") as bar:
            for step, layer in steps:
                step(layer)
                bar.advance(note=layer)
        return self.written

    def draw_layer(self, layer: str) -> None:
        """Draw a layer's maps beside its network's input and output (the article's figures 1.9 to 1.15)."""
        maps, stage = select_stage(self.maps, layer, self.options.stage)
        generator = layer.startswith("g/")
        save_layer_figure(
            self.add_file(f"{_file_name(layer)}.png"),
            maps[0],
            title=layer,
            stage=stage,
            scaling=self.options.scaling,
            order=self.options.order,
            input_image=None if generator else self.inputs.image[0],
            output_image=self.generated if generator else None,
            input_label=f"in: {self.inputs.z_label if generator else self.inputs.image_label}",
            output_label="out: the generated image" if generator else f"out: {self.describe_verdict(self.gan)}",
        )

    def describe_verdict(self, gan: DCGAN) -> str:
        """Describe D's output for its image, such as "D(x) = 0.48"."""
        logit = np.asarray(gan.discriminator(to_float(self.inputs.image))).item()
        return f"D(x) = {1 / (1 + np.exp(-logit)):.2f}"

    def draw_reasons(self, layer: str) -> None:
        """Draw what activates the strongest maps of a discriminator layer, in this image and in the set."""
        name = f"{layer}_lrelu"
        strongest = self.maps[name][0].max(axis=(0, 1))
        channels = self.requested_maps(layer) or [int(c) for c in np.argsort(-strongest, kind="stable")[:ROWS]]
        x, d = to_float(self.inputs.image), self.gan.discriminator
        one = inspection.strongest_images(d, [np.asarray(x)], name, channels, 1)
        columns = [self.inputs.image_label.replace(" of ", " of\n")]
        rows = [[outline(self.inputs.image[0], one[c][0].box, PATCH)] for c in channels]
        for rule, at_peak, label in (
            ("guided", True, "guided,\nstrongest position"),
            ("deconvolution", True, "deconvolution,\nstrongest position"),
            ("guided", False, "guided,\nwhole map"),
            ("deconvolution", False, "deconvolution,\nwhole map"),
        ):
            columns.append(label)
            for row, g in zip(rows, inspection.input_gradients(d, x, name, channels, rule, at_peak)):
                row.append(signed_image(g))
        if self.inputs.images is not None:
            images = self.inputs.images[:: max(1, len(self.inputs.images) // SET_IMAGES)][:SET_IMAGES]
            batches = (np.asarray(to_float(images[i : i + 50])) for i in range(0, len(images), 50))
            found = inspection.strongest_images(d, batches, name, channels, TOP)
            columns += [f"of the set,\nno. {k + 1}" for k in range(min(TOP, len(images)))]
            for row, channel in zip(rows, channels):
                row += [outline(images[e.index], e.box, PATCH) for e in found[channel]]
        labels = [f"map {c}\n{strongest[c]:.2f}" for c in channels]
        title = (
            f"{layer}: what makes its strongest maps fire (the framed patch is all that the strongest position sees)"
        )
        save_table_of_images(self.add_file(f"{_file_name(layer)}_reasons.png"), rows, labels, columns, title)

    def draw_switched_off(self, layer: str) -> None:
        """Draw what the generated image loses when one map of a layer is switched off."""
        name, z, g = f"{layer}_relu", self.inputs.z, self.gan.generator_for()
        whole = np.asarray(g(z))[0]
        energy = np.mean(np.square(self.maps[name][0]), axis=(0, 1))
        tried = self.requested_maps(layer) or np.argsort(-energy, kind="stable")[: 4 * ROWS]
        changed = {int(c): inspection.without_map(g, z, name, int(c))[0] - whole for c in tried}
        channels = sorted(changed, key=lambda c: -np.abs(changed[c]).mean())[: len(self.requested_maps(layer)) or ROWS]
        rows = [
            [
                self.generated,
                np.asarray(to_uint8(whole + changed[c])),
                signed_image(changed[c]),
                self.render_map(name, c),
            ]
            for c in channels
        ]
        labels = [f"map {c}\n{np.abs(changed[c]).mean() / 2:.1%}" for c in channels]
        columns = ["the image", "without the map", "difference", "the map"]
        title = f"{layer}: the image without one of its maps (mean change, share of the whole range)"
        save_table_of_images(self.add_file(f"{_file_name(layer)}_switched_off.png"), rows, labels, columns, title)

    def is_explained(self, layer: str) -> bool:
        return bool(self.requested_maps(layer)) or not self.options.map_texts

    def requested_maps(self, layer: str) -> list[int]:
        """The indices in the option `maps` that this layer has."""
        return [int(n) for n in self.options.map_texts if int(n) < self.maps[layer].shape[-1]]

    def render_map(self, name: str, channel: int) -> np.ndarray:
        """Render a single map in grey, at the size of the images."""
        maps = self.maps[name][0, ..., channel : channel + 1]
        zoom = self.generated.shape[0] // maps.shape[0]
        return enlarge(colorize(rescale(maps, "map"), "map")[..., 0, :], zoom)

    def draw_walk(self, layer: str) -> None:
        """Animate a walk from this z to two others and back: the image, and the maps of a layer beside it."""
        z = np.concatenate([self.inputs.z, self.gan.sample_latents(2, self.options.seed + 1), self.inputs.z])
        path = walk(z, 12, self.gan.config.latent)[:-1]
        images, maps = self.gan.decode(path), self.gan.activations(path)[f"{layer}_relu"]
        zoom = max(1, WALK // activation_grid(maps[0], zoom=1).shape[0])
        frames = [_place_beside(i, activation_grid(m, "map", zoom=zoom)) for i, m in zip(images, maps)]
        save_gif(self.add_file(f"{_file_name(layer)}_walk.gif"), frames, milliseconds=100)

    def draw_filters(self, layer: str) -> None:
        """Draw the kernels of a layer next to the pixels: D's first or G's last."""
        network = self.gan.discriminator if layer.startswith("d/") else self.gan.generator_for()
        # [k, k, out, in] of a transposed convolution and [k, k, in, out] of a convolution: the pixels' axis is third.
        kernel = network.get_layer(layer[2:]).kernel.numpy()
        rows, columns, _, count = kernel.shape
        label = f"{layer}: {count} filters of {rows}x{columns}, each scaled by its own largest weight; grey is 0"
        save_strip(self.add_file(f"filters_{_file_name(layer)}.png"), [filter_grid(kernel)], [label])

    def draw_over_checkpoints(self, layer: str) -> None:
        """Draw the report, and a strip and a GIF of one layer, before training and at the run's checkpoints."""
        steps = saved_steps(self.directory)
        # One byte per value, four characters per three bytes; one frame is of the untrained networks.
        one_frame = sum(values[0].size for values in self.maps.values()) * 4 / 3
        room = min(FRAMES, len(steps), max(1, int(REPORT_BYTES / one_frame) - 1))
        # Counted from the last one, so that it is always included.
        in_report = {steps[-1 - i] for i in np.linspace(0, len(steps) - 1, room).astype(int)}
        gan = DCGAN(self.gan.config)  # as at the start of the run: the seed determines the weights
        maps = self.compute_maps(gan)
        labels, frames = ["untrained"], [self.make_frame(gan, maps, "untrained")]
        grids = [select_stage(maps, layer, self.options.stage)[0][0]]
        for step in restore_each(self.directory, gan):
            maps = self.compute_maps(gan)
            labels.append(f"step {step:,}")
            if step in in_report:
                frames.append(self.make_frame(gan, maps, labels[-1]))
            grids.append(select_stage(maps, layer, self.options.stage)[0][0])
        scaling, some = self.options.scaling, order_maps(grids[-1], self.options.order)[:16]  # as many as a strip holds
        strip = [activation_grid(maps[..., some], scaling, columns=4, zoom=1) for maps in grids]
        save_strip(self.add_file(f"{_file_name(layer)}_over_training.png"), strip, labels)
        whole = [add_label(activation_grid(maps, scaling), f"{layer}, {label}") for maps, label in zip(grids, labels)]
        save_gif(self.add_file(f"{_file_name(layer)}_over_training.gif"), whole, milliseconds=600, hold=1500)
        config = self.gan.config
        save_report(
            self.add_file("report.html"),
            f"Inside {self.directory.path.name}",
            f"{config.data_name}, preset {config.preset}; {self.inputs.z_label}, {self.inputs.image_label}",
            frames,
            "Batch norm in inference mode. G's maps are of the generated image, D's of the image that it is shown.",
        )

    def make_frame(self, gan: DCGAN, maps: dict[str, np.ndarray], label: str) -> Frame:
        pictures = {"g/output": gan.decode(self.inputs.z)[0], "d/input": self.inputs.image[0]}
        captions = {
            "g/input": f"{self.inputs.z_label}, {gan.config.latent_dim} numbers",
            "d/input": self.inputs.image_label,
            "d/output": self.describe_verdict(gan),
        }
        return Frame(label, {name: values[0] for name, values in maps.items()}, pictures, captions)


def _file_name(layer: str) -> str:
    return layer.replace("/", "_")


def _place_beside(image: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Place maps to the right of an image, which is enlarged to their height by a whole factor."""
    zoom = max(1, maps.shape[0] // image.shape[0])
    image = enlarge(np.broadcast_to(image, (*image.shape[:2], 3)), zoom)
    height = max(image.shape[0], maps.shape[0])
    sheet = np.full((height, image.shape[1] + 8 + maps.shape[1], 3), 255, np.uint8)
    sheet[: image.shape[0], : image.shape[1]] = image
    sheet[: maps.shape[0], image.shape[1] + 8 :] = maps
    return sheet


def _write_tensorboard(folder: Path, files: list[Path], root: Path) -> None:
    from PIL import Image

    from dcgan_tf.backend import tf

    with tf.summary.create_file_writer(os.fsencode(folder)).as_default(step=0):
        for path in files:
            if path.suffix == ".png":
                with Image.open(path) as image:
                    tf.summary.image(
                        str(path.relative_to(root).with_suffix("")), np.asarray(image.convert("RGB"))[None]
                    )
