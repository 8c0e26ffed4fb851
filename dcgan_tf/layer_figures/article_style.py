"""The article's layer figures: the 20 grids that its tool, tf_cnnvis, writes for its graph.

Selection, order, scaling, gaps, sizes and file layout are the tool's as far as they are meaningful. The differences:

* `generator` is the training copy of G. The tool fed it one z, so its batch norm normalised over one sample. Here it
  normalises over 64 z, and the first is shown. `generator_1` is the evaluation copy, with the moving statistics.
* `discriminator` sees the generated image and `discriminator_1` the real one. Each is one image; the tool kept the last
  of 64.
* `gradients` are four convolutions of the gradient graph, which the tool filed as activations: the gradient of G's loss
  with respect to the input of each transposed convolution.
* `deconvolution/grid_image.png` is the gradient of each map's sum with respect to the image, min-max scaled. The tool's
  guided rule acts at ReLU only, and D has none. For G the "image" would be z, so no picture is made.
* The op names are composed from the layers' names, because the article does not give them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcgan_tf.backend import keras, tf
from dcgan_tf.console import Progress
from dcgan_tf.gan import inspection
from dcgan_tf.gan.models import to_float
from dcgan_tf.layer_figures.inputs import Inputs
from dcgan_tf.layer_figures.maps import article_grid, min_max_image, square_grid
from dcgan_tf.pictures.grids import save_png

BATCH = 64  # the article's


def draw(gan, inputs: Inputs, folder: Path) -> list[Path]:
    """Write the grids below `folder` and return the files in the tool's order."""
    generator, written = gan.generator_for(), []
    fake = gan.decode(inputs.z)
    levels = sum(name.endswith("_relu") for name in inspection.activations(generator, inputs.z))
    with Progress("drawing the article's grids", 7 * levels, "grids") as bar:

        def write(network: str, op: str, kind: str, picture: np.ndarray) -> None:
            file = {"activations": "grid_activation.png", "deconvolution": "grid_image.png"}[kind]
            written.append(folder / network / op / kind / file)
            save_png(written[-1], picture if picture.ndim == 3 else picture[..., None])
            bar.advance()

        for network, maps in (
            ("generator", activate_over_batch(gan, inputs.z)),
            ("generator_1", inspection.activations(generator, inputs.z)),
        ):
            for name in (n for n in maps if n.endswith("_relu")):
                op = f"{network}_{name.removesuffix('_relu').replace('/', '_')}_batch_norm_Relu"
                write(network, op, "activations", article_grid(maps[name][0]))
        for network, image in (("discriminator", fake), ("discriminator_1", inputs.image)):
            x = to_float(image)
            for name, values in inspection.activations(gan.discriminator, x).items():
                if "_" in name:
                    continue
                op = f"{network}_{name.replace('/', '_')}_conv2d_Conv2D"
                write(network, op, "activations", article_grid(values[0]))
                back = inspection.input_gradients(
                    gan.discriminator, x, name, range(values.shape[-1]), "gradient", strongest=False
                )
                write(network, op, "deconvolution", square_grid(np.stack([min_max_image(g) for g in back])))
        for name, gradient in compute_loss_gradients(gan, inputs.z).items():
            write("gradients", f"gradients_{name.replace('/', '_')}_Conv2D", "activations", article_grid(gradient[0]))
    return written


def activate_over_batch(gan, z: np.ndarray) -> dict[str, np.ndarray]:
    """Compute G's maps for `z` with batch norm over it and 63 other z.

    The moving statistics are restored afterwards.

    Args:
      gan: the trained DCGAN.
      z: float32 [1, latent_dim].

    Returns:
      Layer name -> float32 [1, h, w, channels].
    """
    generator = gan.generator_for()
    before = [v.numpy() for v in generator.non_trainable_variables]
    maps = inspection.activations(generator, np.concatenate([z, gan.sample_latents(BATCH - 1, 1)]), training=True)
    for variable, value in zip(generator.non_trainable_variables, before):
        variable.assign(value)
    return {name: values[:1] for name, values in maps.items()}


def compute_loss_gradients(gan, z: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the gradient of G's loss at `z` with respect to the input of each transposed convolution.

    Returns:
      Name of the convolution -> float32, in the shape of its input.
    """
    layer_inputs = {}
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        x = tf.constant(z)
        for layer in gan.generator_for().sequence:
            if isinstance(layer, keras.layers.Conv2DTranspose):
                layer_inputs[inspection.name_of(gan.generator, layer)] = x
                tape.watch(x)
            x = layer(x)
        loss = gan.loss.generator(gan.discriminator(x))
    gradients = tape.gradient(loss, layer_inputs)
    return {name: tf.cast(gradient, tf.float32).numpy() for name, gradient in gradients.items()}
