"""Both networks together: the train step, and images from a trained generator."""

from __future__ import annotations

import dataclasses

import numpy as np

from dcgan_tf.backend import keras, tf
from dcgan_tf.config import Config
from dcgan_tf.gan import inspection, kernels
from dcgan_tf.gan.augment import translated
from dcgan_tf.gan.losses import LOSSES
from dcgan_tf.gan.models import Discriminator, Generator, to_float, to_uint8
from dcgan_tf.gan.optimizers import Adam
from dcgan_tf.gan.precision import fastest_precision

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
METRICS = ("d_loss", "d_loss_real", "d_loss_fake", "d_x", "d_g_z", "d_grad_norm", "g_loss", "g_grad_norm")
# Added to the update's number: these random numbers are not those of a latent.
PENALTY, SHOWN_TO_D, SHOWN_BY_G, FLIPPED = 1 << 20, 1 << 21, 1 << 22, 1 << 23


class DCGAN:
    """Generator, discriminator, their optimisers and, where the config asks for one, G's running average.

    Everything random follows from (seed, step): a checkpoint is the variables below and the step, nothing else.
    Made inside the scope of a `tf.distribute` strategy, its replicas do one step together: each takes its share of the
    global batch, and batch norm, gradients and metrics are those of the whole.

    Attributes:
      generator, discriminator: the networks.
      ema_generator: the generator with averaged weights, or None.
      g_optimizer, d_optimizer: Adam, as row A4.
      replicas: how many do a step together, each a share of `batch_size`.
      train_steps: several steps in one call, see `_train_steps`.
    """

    def __init__(self, config: Config):
        if config.precision == "auto":
            config = dataclasses.replace(config, precision=fastest_precision())
        self.config = config
        self.loss = LOSSES[config.loss]
        self._strategy = tf.distribute.get_strategy()
        self.replicas = self._strategy.num_replicas_in_sync
        layer_set = kernels.layer_set(config.kernels, synchronized=self.replicas > 1)
        self._layers = {"layer_set": layer_set, "dtype": POLICIES[config.precision]}
        self.generator = self._new_generator("g")
        self.ema_generator = self._new_generator("g_ema") if config.ema else None
        self.discriminator = self._new_discriminator()
        # Keras builds variables at the first call, and an optimiser needs them to exist.
        for network in self.networks().values():
            latent = network is not self.discriminator
            shape = (config.latent_dim,) if latent else (config.image_size, config.image_size, config.channels)
            network(np.zeros((1, *shape), "float32"))
        self.g_optimizer, self.d_optimizer = self._new_optimizer(), self._new_optimizer()
        self.g_optimizer.build(self.generator.trainable_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)
        # Replicas of this process, which is given their images only; the others are other workers'.
        self._here = len(self._strategy.extended.worker_devices) if tf.distribute.has_strategy() else 1
        images = config.batch_size * self._here // self.replicas
        shape = (None, config.d_steps, images, config.image_size, config.image_size, config.channels)
        signature = (tf.TensorSpec(shape, tf.uint8), tf.TensorSpec((), tf.int64))
        self.train_steps = tf.function(self._train_steps, signature, jit_compile=config.xla == "on" or None)

    def _new_generator(self, name: str) -> Generator:
        c = self.config
        sizes = (c.image_size, c.channels, c.g_width, c.latent_dim)
        return Generator(*sizes, c.initializer, c.seed, c.upsampling, name=name, **self._layers)

    def _new_discriminator(self) -> Discriminator:
        c = self.config
        return Discriminator(c.image_size, c.channels, c.d_width, c.initializer, c.seed, **self._layers)

    def _new_optimizer(self) -> keras.optimizers.Optimizer:
        c = self.config
        adam = keras.optimizers.Adam if c.kernels == "plain" and self.replicas == 1 else Adam
        return adam(c.learning_rate, beta_1=c.beta1, beta_2=c.beta2, epsilon=1e-8)

    def networks(self) -> dict[str, keras.Model]:
        """The networks that there are, by name."""
        networks = {"g": self.generator, "d": self.discriminator}
        return networks | ({"g_ema": self.ema_generator} if self.ema_generator else {})

    def latent(self, key, n: int, part: int = 0):
        """z of one update: float32 [n, latent_dim], fixed by (seed, key, part); a replica's share of all replicas'."""
        return self._random(self.config.latent, (n, self.config.latent_dim), key, part)

    def _random(self, distribution: str, shape, key, part: int):
        n, *rest = shape
        return self._share(self._whole_random(distribution, (n * self.replicas, *rest), key, part), self.replicas)

    def _share(self, values, shares: int, axis: int = 0):
        """This replica's share of what belongs to `shares` replicas, along an axis."""
        if shares == 1:
            return values
        n = values.shape[axis] // shares
        first = tf.distribute.get_replica_context().replica_id_in_sync_group % shares * n
        return tf.gather(values, first + tf.range(n), axis=axis)

    def _averaged(self, values):
        """The mean over the replicas of each of some tensors."""
        if self.replicas == 1:
            return values
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)

    def _whole_random(self, distribution: str, shape, key, part: int):
        # Philox by name: left to itself TensorFlow picks by device, and the numbers would depend on it.
        seed = tf.random.fold_in(tf.constant([self.config.seed, 0], tf.int64), key, alg="philox")
        seed = tf.random.fold_in(seed, part, alg="philox")
        if distribution == "normal":
            return tf.random.stateless_normal(shape, seed, alg="philox")
        low = -1.0 if distribution == "uniform" else 0.0
        return tf.random.stateless_uniform(shape, seed, low, 1.0, alg="philox")

    @tf.function
    def train_step(self, batches, step):
        """One step of Algorithm 1 (Goodfellow et al. 2014).

        Args:
          batches: uint8 [d_steps, N, H, W, C], one real batch for each update of D; of several replicas each has its
            own N.
          step: int64 scalar. With the seed it fixes every number drawn here.

        Returns:
          dict of float32 scalars, all of the last update of each network: d_loss = d_loss_real + d_loss_fake
          (+ penalty), g_loss, d_x = mean sigma(D(x)), d_g_z = mean sigma(D(G(z))) as D's update saw it,
          d_grad_norm and g_grad_norm (L2 over all weights).
        """
        for i in range(self.config.d_steps):
            z = self.latent(step, batches.shape[1], i)
            with tf.GradientTape() as g_tape:
                fake = self.generator(z, training=True)
            d_metrics = self.update_discriminator(self.flipped(to_float(batches[i]), step, i), fake, step, i)

        # The first update of G takes up the forward pass that D was just shown: same z, same weights.
        for j in range(self.config.g_steps):
            if j > 0:
                with tf.GradientTape() as g_tape:
                    fake = self.generator(z, training=True)
            g_metrics = self.update_generator(fake, g_tape, step, j)

        self.update_average(step)
        return d_metrics | g_metrics

    def _train_steps(self, batches, first):
        """`train_step` of the steps first, first + 1, ...: [K, d_steps, N, H, W, C] -> float32 [K, len(METRICS)]."""
        count = tf.shape(batches)[0]
        rows = tf.TensorArray(tf.float32, count, element_shape=(len(METRICS),))
        for k in tf.range(count):
            row = self._strategy.run(self._replica_step, (batches[k], first + tf.cast(k, tf.int64)))
            rows = rows.write(k, self._strategy.reduce(tf.distribute.ReduceOp.MEAN, row, axis=None))
        return rows.stack()

    def _replica_step(self, batches, step):
        """`train_step` by one replica, of the images of all replicas of this process: its float32 [len(METRICS)]."""
        images = self._share(batches, self._here, axis=1)
        train_step = self.train_step
        if tf.distribute.has_strategy():  # replicas wait for each other, and may not within functions of their own
            train_step = train_step.python_function
        metrics = train_step(images, step)
        return tf.stack([tf.cast(metrics[name], tf.float32) for name in METRICS])

    def update_discriminator(self, real, fake, step, i):
        """D descends its loss on one real and one generated batch, each normalised by itself."""
        weights = self.discriminator.trainable_variables
        real, fake = self.shown(real, step, SHOWN_TO_D + 2 * i), self.shown(fake, step, SHOWN_TO_D + 2 * i + 1)
        with tf.GradientTape() as tape:
            real_logits = self.discriminator(real, training=True)
            fake_logits = self.discriminator(tf.stop_gradient(fake), training=True)
            loss_real, loss_fake = self.loss.real(real_logits), self.loss.fake(fake_logits)
            loss = loss_real + loss_fake
            if self.loss.gradient_penalty:
                loss += self.loss.gradient_penalty * self.gradient_penalty(real, fake, step, i)
        gradients = self._averaged(tape.gradient(loss, weights))
        self.d_optimizer.apply(gradients, weights)
        return {
            "d_loss": loss,
            "d_loss_real": loss_real,
            "d_loss_fake": loss_fake,
            "d_x": tf.reduce_mean(tf.sigmoid(real_logits)),
            "d_g_z": tf.reduce_mean(tf.sigmoid(fake_logits)),
            "d_grad_norm": tf.linalg.global_norm(gradients),
        }

    def update_generator(self, fake, g_tape, step, j):
        """G descends its loss: the gradient comes back through D to the images, and from there through G."""
        weights = self.generator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as d_tape:
            d_tape.watch(fake)
            loss = self.loss.generator(self.discriminator(self.shown(fake, step, SHOWN_BY_G + j), training=True))
        gradients = g_tape.gradient(fake, weights, output_gradients=d_tape.gradient(loss, fake))
        gradients = self._averaged(gradients)
        self.g_optimizer.apply(gradients, weights)
        return {"g_loss": loss, "g_grad_norm": tf.linalg.global_norm(gradients)}

    def flipped(self, images, step, i):
        """Real images, half of them mirrored if the config says so; which, is fixed by (seed, step, i)."""
        if self.config.flip == "off":
            return images
        share = self._random("share", (images.shape[0], 1, 1, 1), step, FLIPPED + i)
        return tf.where(share < 0.5, tf.reverse(images, [2]), images)

    def shown(self, images, step, part):
        """The images as D sees them: as they are, or moved at random, by numbers fixed by (seed, step, part)."""
        if self.config.augment == "none":
            return images
        return translated(images, self._random("share", (images.shape[0], 2), step, part))

    def gradient_penalty(self, real, fake, step, i):
        """Mean of (|grad D| - 1)^2 at random points between real and fake (Gulrajani et al. 2017, eq. 3)."""
        share = self._random("share", (real.shape[0], 1, 1, 1), step, PENALTY + i)
        between = tf.stop_gradient(real + share * (fake - real))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(between)
            logits = self.discriminator(between, training=True)
        gradient = tape.gradient(logits, between)
        # The small number keeps the square root's derivative finite at zero.
        norms = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=(1, 2, 3)) + 1e-12)
        return tf.reduce_mean(tf.square(norms - 1.0))

    def update_average(self, step):
        """The averaged generator moves (1 - decay) of the way to the generator, batch norm statistics too.

        The decay rises from 1/10 to the config's: the average must not be the untrained network's for long.
        """
        if self.ema_generator is None:
            return
        t = tf.cast(step, tf.float32)
        decay = tf.minimum(self.config.ema, (1.0 + t) / (10.0 + t))
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
