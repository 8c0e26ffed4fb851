"""GAN losses behind one interface: what D minimises on real and on fake logits, and what G minimises.

D(x) below stands for the logit; sigma(D(x)) is the probability of "real". All are means over the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dcgan_tf.backend import ops


@dataclass(frozen=True)
class Loss:
    """One GAN loss; each part takes float32 logits [N, 1] and gives a scalar.

    `real(D(x)) + fake(D(G(z)))` is what D minimises, `generator(D(G(z)))` what G minimises.
    `gradient_penalty` is the weight of (|grad_x D| - 1)^2 between real and fake (Gulrajani et al. 2017).
    """

    real: Callable
    fake: Callable
    generator: Callable
    gradient_penalty: float = 0.0


# Sigmoid cross-entropy: with label 1 it is softplus(-logit), with label 0 softplus(logit).
LOSSES = {
    # Goodfellow et al. 2014: G maximises log sigma(D(G(z))). The article's (row A4).
    "non_saturating": Loss(
        real=lambda logits: ops.mean(ops.softplus(-logits)),
        fake=lambda logits: ops.mean(ops.softplus(logits)),
        generator=lambda logits: ops.mean(ops.softplus(-logits)),
    ),
    # The minimax game itself (equation 1): G minimises log(1 - sigma(D(G(z)))).
    "saturating": Loss(
        real=lambda logits: ops.mean(ops.softplus(-logits)),
        fake=lambda logits: ops.mean(ops.softplus(logits)),
        generator=lambda logits: -ops.mean(ops.softplus(logits)),
    ),
    # Mao et al. 2017, a = 0, b = c = 1.
    "lsgan": Loss(
        real=lambda logits: 0.5 * ops.mean(ops.square(logits - 1.0)),
        fake=lambda logits: 0.5 * ops.mean(ops.square(logits)),
        generator=lambda logits: 0.5 * ops.mean(ops.square(logits - 1.0)),
    ),
    # Lim & Ye 2017.
    "hinge": Loss(
        real=lambda logits: ops.mean(ops.relu(1.0 - logits)),
        fake=lambda logits: ops.mean(ops.relu(1.0 + logits)),
        generator=lambda logits: -ops.mean(logits),
    ),
    # Gulrajani et al. 2017, penalty weight 10. They leave batch norm out of D, because it ties the gradients of a batch
    # together; here D is the article's, so this is their penalty on another network.
    "wgan_gp": Loss(
        real=lambda logits: -ops.mean(logits),
        fake=lambda logits: ops.mean(logits),
        generator=lambda logits: -ops.mean(logits),
        gradient_penalty=10.0,
    ),
}
