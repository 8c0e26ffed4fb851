"""Other implementations of a DCGAN, for comparing step times and the time to quality.

`Tutorial` and `KerasFit` use Keras; `TorchDCGAN` and `TorchExample` need PyTorch (`pip install ".[peers]"`). All but
the last make the article's updates of the article's networks; `TorchExample` has those of PyTorch's examples/dcgan.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np

from dcgan_tf.backend import keras, tf
from dcgan_tf.config import Config
from dcgan_tf.files import replacing
from dcgan_tf.gan.dcgan import DCGAN
from dcgan_tf.gan.models import to_float


class Tutorial:
    """The step as in TensorFlow's DCGAN tutorial: Keras layers, Keras Adam, one tf.function, a forward pass an update.

    The tutorial itself is 1D:1G and updates both networks from one state, which is less work but not the article's
    algorithm.
    """

    def __init__(self, config: Config):
        gan = DCGAN(dataclasses.replace(config, kernels="plain"))
        self.config, self.generator, self.discriminator = config, gan.generator, gan.discriminator
        self.g_optimizer, self.d_optimizer = (
            keras.optimizers.Adam(config.learning_rate, beta_1=config.beta1, epsilon=1e-8) for _ in range(2)
        )
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def __call__(self, batches, step):
        for i in range(self.config.d_steps):
            noise = tf.random.normal((self.config.batch_size, self.config.latent_dim))
            d_loss = self.update_discriminator(to_float(batches[i]), noise)
        for _ in range(self.config.g_steps):
            g_loss = self.update_generator(noise)
        return {"d_loss": d_loss, "g_loss": g_loss}

    def update_discriminator(self, images, noise):
        with tf.GradientTape() as tape:
            fake = self.discriminator(self.generator(noise, training=True), training=True)
            real = self.discriminator(images, training=True)
            loss = self.cross_entropy(tf.ones_like(real), real) + self.cross_entropy(tf.zeros_like(fake), fake)
        weights = self.discriminator.trainable_variables
        self.d_optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        return loss

    def update_generator(self, noise):
        with tf.GradientTape() as tape:
            fake = self.discriminator(self.generator(noise, training=True), training=True)
            loss = self.cross_entropy(tf.ones_like(fake), fake)
        weights = self.generator.trainable_variables
        self.g_optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        return loss


class KerasFit(keras.Model):
    """The step as in the Keras example: a model whose `train_step` makes the updates, trained by `fit`."""

    def __init__(self, config: Config):
        super().__init__()
        self.parts = Tutorial(config)
        self.compile(optimizer=self.parts.g_optimizer)

    def train_step(self, batches):
        config = self.parts.config
        for i in range(config.d_steps):
            noise = tf.random.normal((config.batch_size, config.latent_dim))
            d_loss = self.parts.update_discriminator(to_float(batches[i]), noise)
        for _ in range(config.g_steps):
            g_loss = self.parts.update_generator(noise)
        return {"d_loss": d_loss, "g_loss": g_loss}

    def run(self, batches, steps: int) -> None:
        """Train `steps` steps with `fit`, all on the same batches uint8 [d_steps, N, H, W, C]."""
        data = tf.data.Dataset.from_tensors(batches).repeat(steps)
        self.fit(data, epochs=1, verbose=0, shuffle=False)


def _torch():
    import torch

    torch.set_num_threads(os.cpu_count())
    return torch


class TorchDCGAN:
    """The article's networks and updates in PyTorch, with fused Adam; bfloat16 by autocast."""

    def __init__(self, config: Config, channels_last: bool = False):
        torch = _torch()
        torch.manual_seed(config.seed)
        self.config, self.channels_last = config, channels_last
        self.generator, self.discriminator = self._networks(torch.nn)
        for network in (self.generator, self.discriminator):
            network.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
        settings = {"lr": config.learning_rate, "betas": (config.beta1, config.beta2), "fused": True}
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), **settings)
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), **settings)

    def _networks(self, nn):
        c, width = self.config, 8 * self.config.g_width
        layers = [nn.Linear(c.latent_dim, 16 * width, bias=False), nn.Unflatten(1, (width, 4, 4))]
        for _ in range(3):
            layers += [nn.BatchNorm2d(width), nn.ReLU(True)]
            layers.append(nn.ConvTranspose2d(width, width // 2, 5, 2, 2, output_padding=1, bias=False))
            width //= 2
        layers += [nn.BatchNorm2d(width), nn.ReLU(True)]
        generator = nn.Sequential(*layers, nn.ConvTranspose2d(width, c.channels, 5, 2, 2, output_padding=1), nn.Tanh())
        width = c.d_width
        layers = [nn.Conv2d(c.channels, width, 5, 2, 2), nn.LeakyReLU(0.2, True)]
        for _ in range(3):
            layers += [nn.Conv2d(width, 2 * width, 5, 2, 2, bias=False), nn.BatchNorm2d(2 * width)]
            layers.append(nn.LeakyReLU(0.2, True))
            width *= 2
        return generator, nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * width, 1))

    def latent(self):
        return _torch().randn(self.config.batch_size, self.config.latent_dim)

    def __call__(self, batches, step) -> dict[str, float]:
        torch, softplus = _torch(), _torch().nn.functional.softplus
        bfloat16 = torch.autocast("cpu", torch.bfloat16, enabled=self.config.precision == "bfloat16")
        for images in batches:
            real = torch.from_numpy(np.asarray(images)).permute(0, 3, 1, 2) / 127.5 - 1.0
            if not self.channels_last:
                real = real.contiguous()
            z = self.latent()
            self.d_optimizer.zero_grad()
            with bfloat16:
                fake = self.generator(z)
                real_logits, fake_logits = self.discriminator(real).float(), self.discriminator(fake.detach()).float()
            d_loss = softplus(-real_logits).mean() + softplus(fake_logits).mean()
            d_loss.backward()
            self.d_optimizer.step()
        self.discriminator.requires_grad_(False)
        for j in range(self.config.g_steps):
            self.g_optimizer.zero_grad()
            with bfloat16:
                if j > 0:
                    fake = self.generator(z)
                logits = self.discriminator(fake).float()
            g_loss = softplus(-logits).mean()
            g_loss.backward()
            self.g_optimizer.step()
        self.discriminator.requires_grad_(True)
        return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}

    def save(self, path: Path) -> None:
        """Write all that changes while it trains, the state of PyTorch's random numbers included."""
        with replacing(path) as temporary:
            _torch().save(
                {name: part.state_dict() for name, part in self._parts()} | {"random": _torch().get_rng_state()},
                temporary,
            )

    def restore(self, path: Path) -> None:
        """Read what `save` wrote."""
        states = _torch().load(path, weights_only=True)
        for name, part in self._parts():
            part.load_state_dict(states[name])
        _torch().set_rng_state(states["random"])

    def _parts(self):
        names = ("generator", "discriminator", "g_optimizer", "d_optimizer")
        return [(name, getattr(self, name)) for name in names]

    def generate(self, n: int, seed: int) -> np.ndarray:
        """Generate images in inference mode: uint8 [n, H, W, C]."""
        torch = _torch()
        shape = (n, *self.latent().shape[1:])
        z = torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype("float32"))
        self.generator.eval()
        with torch.no_grad():
            images = torch.cat([self.generator(part) for part in z.split(64)]).float()
        self.generator.train()
        images = ((images.permute(0, 2, 3, 1) + 1.0) * 127.5).round().clamp(0, 255)
        return images.to(torch.uint8).numpy()


class TorchExample(TorchDCGAN):
    """PyTorch's examples/dcgan: 4x4 kernels, batch norm, weights from N(0, 0.02), float32, one update of each network.

    Its sigmoid and BCELoss are replaced by logits and softplus, which give the same numbers.
    """

    def _networks(self, nn):
        c, width = self.config, 8 * self.config.g_width
        layers = [nn.ConvTranspose2d(c.latent_dim, width, 4, 1, 0, bias=False)]
        for _ in range(3):
            layers += [nn.BatchNorm2d(width), nn.ReLU(True)]
            layers.append(nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False))
            width //= 2
        layers += [nn.BatchNorm2d(width), nn.ReLU(True)]
        generator = nn.Sequential(*layers, nn.ConvTranspose2d(width, c.channels, 4, 2, 1, bias=False), nn.Tanh())
        width = c.d_width
        layers = [nn.Conv2d(c.channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
        for _ in range(3):
            layers += [nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width)]
            layers.append(nn.LeakyReLU(0.2, True))
            width *= 2
        discriminator = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 0, bias=False), nn.Flatten())
        for network in (generator, discriminator):
            network.apply(self._start)
        return generator, discriminator

    @staticmethod
    def _start(layer) -> None:
        name = type(layer).__name__
        if name.startswith("Conv"):
            layer.weight.data.normal_(0.0, 0.02)
        elif name.startswith("BatchNorm"):
            layer.weight.data.normal_(1.0, 0.02)

    def latent(self):
        return super().latent()[:, :, None, None]
