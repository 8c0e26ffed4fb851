"""Both networks with their optimisers, and images from a trained generator."""

from __future__ import annotations

import dataclasses

import numpy as np

from dcgan_tf.backend import keras, tf
from dcgan_tf.config import Config
from dcgan_tf.errors import UserError
from dcgan_tf.gan import inspection, kernels
from dcgan_tf.gan.augment import AUGMENTATIONS
from dcgan_tf.gan.losses import LOSSES
from dcgan_tf.gan.models import Discriminator, Generator, to_float, to_uint8
from dcgan_tf.gan.optimizers import Adam, FallingRate
from dcgan_tf.gan.precision import fastest_precision
from dcgan_tf.gan.widths import choose_size, set_widths

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


class DCGAN:
    """Generator, discriminator, their optimisers and, where the config asks for one, G's running average.

    Everything that changes in training is in `networks()` and the two optimisers. A DCGAN made inside the scope of a
    `tf.distribute` strategy has a copy on each replica.

    Attributes:
      config: its settings, `precision="auto"` and widths of 0 resolved.
      generator, discriminator: the networks.
      ema_generator: the generator with averaged weights, or None.
      loss: what they minimise.
      augmentation: what D's images undergo.
      g_optimizer, d_optimizer: Adam, with the config's rate and decays.
      dtype: the type of weights, logits and losses: "float32" unless the policy says otherwise.
      strategy, replicas: the strategy in whose scope it was made, and its number of replicas.
    """

    def __init__(self, config: Config, policy: str | None = None):
        """Build the networks and the optimisers' variables.

        Args:
          config: the settings.
          policy: a Keras dtype policy in place of the one that `config.precision` names, such as "float64".

        Raises:
          UserError: the learning rate is to fall at the end of the run, and the config does not say where that is.
        """
        if config.precision == "auto":
            config = dataclasses.replace(config, precision=fastest_precision())
        if config.decay and not config.max_steps:
            raise UserError(
                f"--decay={config.decay:g}: where the rate falls depends on --max_steps, which must be given."
            )
        config = set_widths(config, choose_size(config.max_steps))
        self.config = config
        self.loss = LOSSES[config.loss]
        self.augmentation = AUGMENTATIONS[config.augment]
        self.strategy = tf.distribute.get_strategy()
        self.replicas = self.strategy.num_replicas_in_sync
        dtype_policy = keras.DTypePolicy(policy or POLICIES[config.precision])
        self.dtype = dtype_policy.variable_dtype
        layer_set = kernels.layer_set(config.kernels, synchronized=self.replicas > 1, dtype=self.dtype)
        self._layers = {"layer_set": layer_set, "dtype": dtype_policy}
        self.generator = self._new_generator("g")
        self.ema_generator = self._new_generator("g_ema") if config.ema else None
        self.discriminator = self._new_discriminator()
        # Keras builds variables at the first call, and an optimiser needs them to exist.
        for network in self.networks().values():
            latent = network is not self.discriminator
            shape = (config.latent_dim,) if latent else (config.image_size, config.image_size, config.channels)
            network(np.zeros((1, *shape), "float32"))
        self.g_optimizer = self._new_optimizer(config.g_steps)
        self.d_optimizer = self._new_optimizer(config.d_steps)
        self.g_optimizer.build(self.generator.trainable_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)

    def _new_generator(self, name: str) -> Generator:
        c = self.config
        sizes = (c.image_size, c.channels, c.g_width, c.latent_dim)
        return Generator(*sizes, c.initializer, c.seed, c.upsampling, name=name, **self._layers)

    def _new_discriminator(self) -> Discriminator:
        c = self.config
        return Discriminator(c.image_size, c.channels, c.d_width, c.initializer, c.seed, c.d_kernel, **self._layers)

    def _new_optimizer(self, updates_per_step: int) -> keras.optimizers.Optimizer:
        c = self.config
        adam = keras.optimizers.Adam if c.kernels == "plain" and self.replicas == 1 else Adam
        rate = FallingRate(c.learning_rate, c.max_steps * updates_per_step, c.decay) if c.decay else c.learning_rate
        return adam(rate, beta_1=c.beta1, beta_2=c.beta2, epsilon=1e-8)

    def networks(self) -> dict[str, keras.Model]:
        """The networks that there are, by name."""
        networks = {"g": self.generator, "d": self.discriminator}
        return networks | ({"g_ema": self.ema_generator} if self.ema_generator else {})

    def update_average(self, step):
        """Move the averaged generator, batch norm statistics included, by (1 - decay) towards the generator.

        The decay rises to `config.ema`, so that the untrained weights are soon forgotten: after t steps the average
        reaches back over at most t / `config.ema_ramp`.
        """
        if self.ema_generator is None:
            return
        t = tf.cast(step, tf.float32)
        decay = tf.minimum(self.config.ema, (1.0 + t) / (1.0 + self.config.ema_ramp + t))
        for average, value in zip(self.ema_generator.variables, self.generator.variables):
            average.assign_sub((average - value) * tf.cast(1.0 - decay, average.dtype))

    @tf.function
    def weight_norms(self):
        """L2 norm over all weights: float32 [2], the generator's and the discriminator's."""
        return tf.stack([tf.linalg.global_norm(n.trainable_variables) for n in (self.generator, self.discriminator)])

    def generate(self, n: int, seed: int = 0, raw: bool = False, batch_size: int = 64) -> np.ndarray:
        """`n` images, uint8 [n, H, W, C], from the averaged generator if there is one (unless `raw`).

        Image i depends on (seed, i) alone: asking for more images does not change the first ones.
        """
        return self.decode(self.sample_latents(n, seed), raw, batch_size)

    def sample_latents(self, n: int, seed: int | tuple[int, ...] = 0) -> np.ndarray:
        """float32 [n, latent_dim]; row i depends on (seed, i) alone, not on n."""
        draw, shape = np.random.default_rng(seed), (n, self.config.latent_dim)
        z = draw.standard_normal(shape) if self.config.latent == "normal" else draw.uniform(-1.0, 1.0, shape)
        return z.astype("float32")

    def decode(self, z: np.ndarray, raw: bool = False, batch_size: int = 64) -> np.ndarray:
        """G(z) in inference mode: float [n, latent_dim] -> uint8 [n, H, W, C]."""
        parts = [
            self._decode(self.generator_for(raw), tf.constant(z[i : i + batch_size]))
            for i in range(0, len(z), batch_size)
        ]
        c = self.config
        return np.concatenate([np.zeros((0, c.image_size, c.image_size, c.channels), np.uint8), *parts])

    def activations(self, x: np.ndarray, raw: bool = False) -> dict[str, np.ndarray]:
        """The maps of every layer, in order, batch norm in inference mode.

        Args:
          x: uint8 [N, H, W, C] for the discriminator's, float [N, latent_dim] for the generator's.
          raw: as in `generate`.

        Returns:
          layer name ("d/h1", "d/h1_bn", "d/h1_lrelu", ...) -> float32 [N, h, w, maps].

        Raises:
          ValueError: neither images nor latents of these networks.
        """
        c = self.config
        if x.shape[1:] == (c.latent_dim,):
            return inspection.activations(self.generator_for(raw), tf.constant(x, tf.float32))
        if x.dtype == np.uint8 and x.shape[1:] == (c.image_size, c.image_size, c.channels):
            return inspection.activations(self.discriminator, to_float(x))
        shapes = f"[N, {c.image_size}, {c.image_size}, {c.channels}] or latents [N, {c.latent_dim}]"
        raise ValueError(f"uint8 images {shapes} are needed, not {x.dtype} {list(x.shape)}")

    def generator_for(self, raw: bool = False) -> Generator:
        """The averaged generator if there is one, unless `raw`."""
        return self.generator if raw or self.ema_generator is None else self.ema_generator

    @tf.function(reduce_retracing=True)
    def _decode(self, network, z):
        return to_uint8(network(z, training=False))
