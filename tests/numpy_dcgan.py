"""The DCGAN and one training step of Algorithm 1 (Goodfellow 2014) in plain NumPy: a test oracle.

In float64, with hand-derived gradients; it shares nothing with the package.

Weights are one dict, name -> array, in Keras layouts: `g/...` the generator's, `d/...` the discriminator's;
the depth is read off the names. A layer is a function that returns its output and a closure
`back(dy, grads) -> dx`, which adds the layer's weight gradients to `grads`. An update rebinds the dict's
entries and never writes to an array, so a closure differentiates at the weights its forward pass saw.
"""

import re

import numpy as np

KERNEL, STRIDE = 5, 2
BEFORE, AFTER = 1, 2  # SAME padding of an even size: (size/2 - 1) * 2 + 5 - size = 3, the odd one at the end
SLOPE = 0.2
BN_EPSILON, BN_MOMENTUM = 1e-5, 0.9
BATCH = (0, 1, 2)  # the axes N, H, W of [N,H,W,C]


# Convolution arithmetic: one 5x5 kernel is 25 strided matrix products.


def _taps(padded):
    """For each kernel offset, the view of `padded` that meets it: one pixel per output pixel."""
    height, width = (size - BEFORE - AFTER for size in padded.shape[1:3])
    for i in range(KERNEL):
        for j in range(KERNEL):
            yield (i, j), padded[:, i : i + height : STRIDE, j : j + width : STRIDE]


def _pad(x):
    assert x.shape[1] % 2 == 0 and x.shape[2] % 2 == 0, "the padding is that of even sizes"
    return np.pad(x, ((0, 0), (BEFORE, AFTER), (BEFORE, AFTER), (0, 0)))


def conv(x, kernel):
    """SAME convolution of stride 2: [N,2H,2W,I] with a kernel [5,5,I,O] gives [N,H,W,O]."""
    return sum(view @ kernel[tap] for tap, view in _taps(_pad(x)))


def conv_transpose(y, kernel):
    """The gradient of `conv` with respect to its input: [N,H,W,O] with [5,5,I,O] gives [N,2H,2W,I].

    A Conv2DTranspose kernel [5,5,out,in] is that of the matching convolution, from `out` to `in` channels.
    """
    n, height, width, _ = y.shape
    padded = np.zeros((n, 2 * height + BEFORE + AFTER, 2 * width + BEFORE + AFTER, kernel.shape[2]))
    for tap, view in _taps(padded):
        view += y @ kernel[tap].T
    return padded[:, BEFORE:-AFTER, BEFORE:-AFTER]


def conv_kernel_gradient(x, dy):
    """The gradient of `conv` with respect to its kernel."""
    gradient = np.empty((KERNEL, KERNEL, x.shape[-1], dy.shape[-1]))
    for tap, view in _taps(_pad(x)):
        gradient[tap] = np.tensordot(view, dy, axes=(BATCH, BATCH))
    return gradient


# Layers.


def _add(grads, name, gradient):
    grads[name] = grads.get(name, 0.0) + gradient


def _kernel_layer(forward, by_input, by_kernel):
    def layer(x, weights, name):
        kernel = weights[f"{name}/kernel"]

        def back(dy, grads):
            _add(grads, f"{name}/kernel", by_kernel(x, dy))
            return by_input(dy, kernel)

        return forward(x, kernel), back

    return layer


dense_layer = _kernel_layer(lambda x, w: x @ w, lambda dy, w: dy @ w.T, lambda x, dy: x.T @ dy)
conv_layer = _kernel_layer(conv, conv_transpose, conv_kernel_gradient)
# <conv_transpose(x), dy> = <x, conv(dy)>: for the kernel, x and dy change places.
conv_transpose_layer = _kernel_layer(conv_transpose, conv, lambda x, dy: conv_kernel_gradient(dy, x))


def bias_layer(x, weights, name):
    def back(dy, grads):
        _add(grads, f"{name}/bias", dy.sum(axis=tuple(range(dy.ndim - 1))))
        return dy

    return x + weights[f"{name}/bias"], back


def batch_norm_layer(x, weights, name, training):
    """Batch normalisation over N, H, W; a training-mode pass also moves the moving statistics."""
    gamma, beta = weights[f"{name}/gamma"], weights[f"{name}/beta"]
    if training:
        mean, variance = x.mean(axis=BATCH), x.var(axis=BATCH)
        for statistic, batch in (("moving_mean", mean), ("moving_variance", variance)):
            key = f"{name}/{statistic}"
            weights[key] = BN_MOMENTUM * weights[key] + (1 - BN_MOMENTUM) * batch
    else:
        mean, variance = weights[f"{name}/moving_mean"], weights[f"{name}/moving_variance"]
    scale = 1 / np.sqrt(variance + BN_EPSILON)
    normal = (x - mean) * scale

    def back(dy, grads):
        assert training, "only training-mode passes are differentiated"
        _add(grads, f"{name}/gamma", (dy * normal).sum(axis=BATCH))
        _add(grads, f"{name}/beta", dy.sum(axis=BATCH))
        # The batch's mean and variance depend on x too: they remove from dy its constant and `normal` parts.
        return gamma * scale * (dy - dy.mean(axis=BATCH) - normal * (dy * normal).mean(axis=BATCH))

    return gamma * normal + beta, back


def leaky_relu_layer(x, slope):
    derivative = np.where(x > 0, 1.0, slope)
    return x * derivative, lambda dy, grads: dy * derivative


def tanh_layer(x):
    y = np.tanh(x)
    return y, lambda dy, grads: dy * (1 - y**2)


def reshape_layer(x, *shape):
    return x.reshape(len(x), *shape), lambda dy, grads: dy.reshape(x.shape)


# Networks.


def _run(x, layers):
    """Chain `layers`, each (function, *arguments after x); `back` goes through them in reverse."""
    backs = []
    for layer, *arguments in layers:
        x, layer_back = layer(x, *arguments)
        backs.append(layer_back)

    def back(dy, grads):
        for layer_back in reversed(backs):
            dy = layer_back(dy, grads)
        return dy

    return x, back


def depth(weights, network):
    """n, where the kernels of `network` ('g' or 'd') are h0 .. hn."""
    return sum(bool(re.fullmatch(rf"{network}/h\d+/kernel", name)) for name in weights) - 1


def generator(weights, z, training):
    """z [N,latent] -> images [N,H,W,C] in (-1, 1), and back."""
    n = depth(weights, "g")
    layers = [(dense_layer, weights, "g/h0"), (reshape_layer, 4, 4, weights["g/h0/kernel"].shape[1] // 16)]
    for k in range(n):
        layers += [
            (batch_norm_layer, weights, f"g/h{k}_bn", training),
            (leaky_relu_layer, 0.0),
            (conv_transpose_layer, weights, f"g/h{k + 1}"),
        ]
    layers += [(bias_layer, weights, f"g/h{n}"), (tanh_layer,)]
    return _run(np.asarray(z, np.float64), layers)


def discriminator(weights, x, training):
    """Images [N,H,W,C] -> logits [N,1], and back."""
    n = depth(weights, "d")
    # The input layer is not normalised, so it alone of the convolutions has a bias.
    layers = [(conv_layer, weights, "d/h0"), (bias_layer, weights, "d/h0"), (leaky_relu_layer, SLOPE)]
    for k in range(1, n):
        layers += [
            (conv_layer, weights, f"d/h{k}"),
            (batch_norm_layer, weights, f"d/h{k}_bn", training),
            (leaky_relu_layer, SLOPE),
        ]
    layers += [(reshape_layer, -1), (dense_layer, weights, f"d/h{n}"), (bias_layer, weights, f"d/h{n}")]
    return _run(np.asarray(x, np.float64), layers)


def generate(weights, z):
    """Images by the moving statistics (inference mode)."""
    return generator(weights, z, training=False)[0]


def discriminate(weights, x):
    """Logits by the moving statistics (inference mode)."""
    return discriminator(weights, x, training=False)[0]


# Losses: functions of the logits s that return each one's loss and its derivative.


def sigmoid(s):
    return np.exp(-np.logaddexp(0, -s))  # no overflow on either side


def _softplus(sign):  # -log(1 - sigmoid(s)) for sign 1, -log(sigmoid(s)) for sign -1
    return lambda s: (np.logaddexp(0, sign * s), sign * sigmoid(sign * s))


def _half_square(target):
    return lambda s: (0.5 * (s - target) ** 2, s - target)


def _hinge(sign):
    return lambda s: (np.maximum(1 + sign * s, 0), np.where(1 + sign * s > 0, sign, 0.0))


def _linear(sign):
    return lambda s: (sign * s, np.full_like(s, sign))


# loss -> (D's term on real images, D's term on generated images, G's loss)
LOSSES = {
    "non_saturating": (_softplus(-1), _softplus(1), _softplus(-1)),
    "saturating": (_softplus(-1), _softplus(1), lambda s: (-np.logaddexp(0, s), -sigmoid(s))),
    "lsgan": (_half_square(1), _half_square(0), _half_square(1)),
    "hinge": (_hinge(-1.0), _hinge(1.0), _linear(-1.0)),
    "wgan": (_linear(-1.0), _linear(1.0), _linear(-1.0)),
}


def translate_layer(x, draws):
    """Images shifted by up to an eighth of the side; draws [N,2] in [0,1) choose among the shifts, down and right."""
    side = x.shape[1]
    most = side // 8
    shifts = np.floor(np.asarray(draws, np.float64) * (2 * most + 1)).astype(int) - most

    def shift(images, by):
        moved = np.zeros_like(images)
        for image, result, (down, right) in zip(images, moved, by):
            rows = slice(max(0, down), side + min(0, down)), slice(max(0, -down), side + min(0, -down))
            columns = slice(max(0, right), side + min(0, right)), slice(max(0, -right), side + min(0, -right))
            result[rows[0], columns[0]] = image[rows[1], columns[1]]
        return moved

    return shift(x, shifts), lambda dy, grads: shift(dy, -shifts)


def _judge(weights, images, term, draws, grads):
    """One training-mode pass of D: the loss term's mean over the batch and its gradient by the images.

    `draws` shifts the images before; None: they are not shifted.
    """
    augmented, augment_back = (images, None) if draws is None else translate_layer(images, draws)
    logits, back = discriminator(weights, augmented, training=True)
    losses, slopes = term(logits)
    d_images = back(slopes / len(logits), grads)
    return losses.mean(), augment_back(d_images, grads) if augment_back else d_images


# Training.


def new_adam():
    """The state of two Adams, each with its own step count and moments."""
    return {network: {"t": 0, "m": {}, "v": {}} for network in ("g", "d")}


def adam_update(weights, state, grads, lr, beta1, beta2, eps):
    """Adam as in Keras: the bias corrections are in the rate, so `eps` is beside the uncorrected sqrt(v)."""
    state["t"] += 1
    m, v, t = state["m"], state["v"], state["t"]
    alpha = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    for name, g in grads.items():
        m[name] = beta1 * m.get(name, 0.0) + (1 - beta1) * g
        v[name] = beta2 * v.get(name, 0.0) + (1 - beta2) * g**2
        weights[name] = weights[name] - alpha * m[name] / (np.sqrt(v[name]) + eps)


def train_step(
    weights, adam, reals, noise, g_steps, loss, flip=False, translate=False, lr=2e-4, beta1=0.5, beta2=0.999, eps=1e-8
):
    """One iteration of Algorithm 1: D's update for each (real, z), then `g_steps` of G's on the last z.

    `noise` has the random numbers: `z`, one for each update of D; for `flip`, `d[i].flip` [N,1]: real images whose
    number is below 1/2 are mirrored; for `translate`, `d[i].real`, `d[i].fake` and `g[j].fake`, [N,2].
    The losses are without gradient penalties. Changes the dicts `weights` and `adam`; returns the losses and
    gradients of each network's last update.
    """
    if not reals or g_steps < 1:
        raise ValueError("each network needs at least one update")
    on_real, on_fake, g_term = LOSSES[loss]
    for i, (real, z) in enumerate(zip(reals, noise.z, strict=True)):
        fake, g_back = generator(weights, z, training=True)
        if flip:
            real = np.where(np.asarray(noise.d[i].flip)[..., None, None] < 0.5, real[:, :, ::-1], real)
        d_grads = {}
        d_loss_real, _ = _judge(weights, real, on_real, noise.d[i].real if translate else None, d_grads)
        d_loss_fake, _ = _judge(weights, fake, on_fake, noise.d[i].fake if translate else None, d_grads)
        adam_update(weights, adam["d"], d_grads, lr, beta1, beta2, eps)
    for j in range(g_steps):
        if j > 0:  # at first G is as D's last update saw it, and so is its forward pass
            fake, g_back = generator(weights, z, training=True)
        g_grads = {}
        g_loss, d_fake = _judge(weights, fake, g_term, noise.g[j].fake if translate else None, {})
        g_back(d_fake, g_grads)
        adam_update(weights, adam["g"], g_grads, lr, beta1, beta2, eps)
    losses = {"d_loss_real": d_loss_real, "d_loss_fake": d_loss_fake, "g_loss": g_loss}
    return {**losses, "d_loss": d_loss_real + d_loss_fake, "d_grads": d_grads, "g_grads": g_grads}
