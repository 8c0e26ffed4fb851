"""GAN losses: what D and what G minimise, from D's outputs on both sides.

D(x) below stands for the logit; sigma(D(x)) is the probability of "real". All terms are means over the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from dcgan_tf.backend import ops, tf
from dcgan_tf.batch import Batch


class DiscriminatorOutput(NamedTuple):
    """The discriminator's output for one batch.

    Attributes:
      logits: float32 [N, 1].
      batch: the images as D saw them, float32 [N, H, W, C] in [-1, 1], and their labels.
      extra: what else D returned, name -> tensor; empty unless D returns a dict with more than "logits".
    """

    logits: Any
    batch: Batch
    extra: dict[str, Any]


class Loss:
    """A GAN loss. A subclass may use both sides' logits, the images, the labels and D's extra outputs.

    Attributes:
      generator_needs_real: whether `generator_loss` is given D's output on real images, which costs a pass of D.
    """

    generator_needs_real = False

    def discriminator_terms(self, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> dict[str, Any]:
        """The scalars whose sum D minimises; "d_loss_real" and "d_loss_fake" are recorded, 0 where absent."""
        raise NotImplementedError

    def penalties(self, discriminator, real, fake, draws) -> dict[str, Any]:
        """Further scalars that D minimises, which need D itself.

        Args:
          discriminator: the network.
          real, fake: the images as D saw them, float32 [N, H, W, C] in [-1, 1].
          draws: float32 [N, 1, 1, 1] in [0, 1).
        """
        return {}

    def generator_loss(self, fake: DiscriminatorOutput, real: DiscriminatorOutput | None) -> Any:
        """The scalar that G minimises; `real` is None unless `generator_needs_real`."""
        raise NotImplementedError


@dataclass(frozen=True)
class LogitLoss(Loss):
    """A loss in which each logit counts by itself.

    Attributes:
      real, fake: D minimises `real(D(x)) + fake(D(G(z)))`; float32 [N, 1] -> scalar.
      generator: G minimises `generator(D(G(z)))`.
      gradient_penalty: weight of `gradient_penalty` in D's loss; 0: none.
    """

    real: Callable
    fake: Callable
    generator: Callable
    gradient_penalty: float = 0.0

    def discriminator_terms(self, real, fake):
        """The term on real and the term on generated images."""
        return {"d_loss_real": self.real(real.logits), "d_loss_fake": self.fake(fake.logits)}

    def penalties(self, discriminator, real, fake, draws):
        """The weighted gradient penalty, if there is one."""
        if not self.gradient_penalty:
            return {}
        return {"d_penalty": self.gradient_penalty * gradient_penalty(discriminator, real, fake, draws)}

    def generator_loss(self, fake, real):
        """`generator` of the generated images' logits."""
        return self.generator(fake.logits)


def gradient_penalty(discriminator, real, fake, draws):
    """Mean of (|grad D| - 1)^2 at random points between real and fake (Gulrajani et al. 2017, equation 3).

    Args:
      discriminator: (images, training) -> logits [N, 1].
      real, fake: float32 [N, H, W, C] in [-1, 1].
      draws: float32 [N, 1, 1, 1] in [0, 1), where each point lies between real (0) and fake (1).
    """
    between = tf.stop_gradient(real + tf.cast(draws, real.dtype) * (fake - real))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(between)
        logits, _ = split_outputs(discriminator(between, training=True))
    gradient = tape.gradient(logits, between)
    # The small number keeps the square root's derivative finite at zero.
    norms = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=(1, 2, 3)) + 1e-12)
    return tf.reduce_mean(tf.square(norms - 1.0))


def split_outputs(outputs) -> tuple[Any, dict[str, Any]]:
    """D's logits and its extra outputs, of the tensor or the dict that it returned."""
    if not isinstance(outputs, dict):
        return outputs, {}
    return outputs["logits"], {name: value for name, value in outputs.items() if name != "logits"}


# Sigmoid cross-entropy: with label 1 it is softplus(-logit), with label 0 softplus(logit).
LOSSES: dict[str, Loss] = {
    # Goodfellow et al. 2014: G maximises log sigma(D(G(z))). The article's.
    "non_saturating": LogitLoss(
        real=lambda logits: ops.mean(ops.softplus(-logits)),
        fake=lambda logits: ops.mean(ops.softplus(logits)),
        generator=lambda logits: ops.mean(ops.softplus(-logits)),
    ),
    # The minimax game itself (equation 1): G minimises log(1 - sigma(D(G(z)))).
    "saturating": LogitLoss(
        real=lambda logits: ops.mean(ops.softplus(-logits)),
        fake=lambda logits: ops.mean(ops.softplus(logits)),
        generator=lambda logits: -ops.mean(ops.softplus(logits)),
    ),
    # Mao et al. 2017, a = 0, b = c = 1.
    "lsgan": LogitLoss(
        real=lambda logits: 0.5 * ops.mean(ops.square(logits - 1.0)),
        fake=lambda logits: 0.5 * ops.mean(ops.square(logits)),
        generator=lambda logits: 0.5 * ops.mean(ops.square(logits - 1.0)),
    ),
    # Lim & Ye 2017.
    "hinge": LogitLoss(
        real=lambda logits: ops.mean(ops.relu(1.0 - logits)),
        fake=lambda logits: ops.mean(ops.relu(1.0 + logits)),
        generator=lambda logits: -ops.mean(logits),
    ),
    # Gulrajani et al. 2017, penalty weight 10. They leave batch norm out of D, because it makes the gradients of one
    # image depend on the others; here D is the article's, so this is their penalty on another network.
    "wgan_gp": LogitLoss(
        real=lambda logits: -ops.mean(logits),
        fake=lambda logits: ops.mean(logits),
        generator=lambda logits: -ops.mean(logits),
        gradient_penalty=10.0,
    ),
}
