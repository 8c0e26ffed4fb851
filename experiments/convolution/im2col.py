"""Convolutions in NumPy as the slides describe them: patches are gathered (im2col), then multiplied by one matrix.

Kernels are [kh, kw, c, d] and not flipped, as in TensorFlow. A padding is ((above, below), (left, right)) in pixels.
"""

from __future__ import annotations

import numpy as np

Padding = tuple[tuple[int, int], tuple[int, int]]
NONE: Padding = ((0, 0), (0, 0))


def same_padding(size: tuple[int, int], kernel_size: tuple[int, int], stride: int = 1, dilation: int = 1) -> Padding:
    """TensorFlow's "SAME" padding: ceil(size / stride) outputs; an odd zero goes below and to the right."""

    def along(n: int, k: int) -> tuple[int, int]:
        zeros = max((-(-n // stride) - 1) * stride + dilation * (k - 1) + 1 - n, 0)
        return zeros // 2, zeros - zeros // 2

    return along(size[0], kernel_size[0]), along(size[1], kernel_size[1])


def extract_patches(
    x: np.ndarray, kernel_size: tuple[int, int], stride: int, padding: Padding, dilation: int
) -> np.ndarray:
    """The inputs of each output: [N, H, W, c] -> [N, h, w, kh, kw, c]."""
    spans = tuple(dilation * (k - 1) + 1 for k in kernel_size)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), *padding, (0, 0))), spans, axis=(1, 2))
    return windows[:, ::stride, ::stride, :, ::dilation, ::dilation].transpose(0, 1, 2, 4, 5, 3)


def conv2d(x, kernel, bias=0.0, stride: int = 1, padding: Padding = NONE, dilation: int = 1) -> np.ndarray:
    """Y = X W + b with X [N h w, kh kw c] and W [kh kw c, d]: [N, H, W, c] -> [N, h, w, d]."""
    seen = extract_patches(x, kernel.shape[:2], stride, padding, dilation)
    maps = kernel.shape[-1]
    outputs = seen.reshape(-1, kernel.size // maps) @ kernel.reshape(-1, maps) + bias
    return outputs.reshape(*seen.shape[:3], maps)


def conv2d_transpose(y, kernel, size: tuple[int, int], stride: int = 1, padding: Padding = NONE) -> np.ndarray:
    """Gradient of `conv2d` with respect to its input: Y W^T, each patch added where it was taken from (col2im).

    Args:
      y: [N, h, w, d], as `conv2d` gives for images of `size` (H, W).

    Returns:
      [N, H, W, c].
    """
    count, h, w, maps = y.shape
    kh, kw, channels, _ = kernel.shape
    columns = (y.reshape(-1, maps) @ kernel.reshape(-1, maps).T).reshape(count, h, w, kh, kw, channels)
    (above, below), (left, right) = padding
    outputs = np.zeros((count, size[0] + above + below, size[1] + left + right, channels), columns.dtype)
    for i, j in np.ndindex(kh, kw):
        outputs[:, i : i + stride * h : stride, j : j + stride * w : stride][:, :h, :w] += columns[:, :, :, i, j]
    return outputs[:, above : above + size[0], left : left + size[1]]


def conv2d_fractionally_strided(
    y, kernel, size: tuple[int, int], stride: int = 1, padding: Padding = NONE
) -> np.ndarray:
    """`conv2d_transpose` under the slides' other name: zeros between the inputs, then a convolution of stride 1.

    The kernel is rotated by 180 degrees, with its inputs and outputs exchanged.
    """
    count, h, w, maps = y.shape
    spread = np.zeros((count, (h - 1) * stride + 1, (w - 1) * stride + 1, maps), y.dtype)
    spread[:, ::stride, ::stride] = y
    margins = tuple(
        (k - 1 - before, n - 1 - (m - 1) * stride + before)
        for k, n, m, (before, _) in zip(kernel.shape, size, (h, w), padding)
    )
    return conv2d(spread, kernel[::-1, ::-1].transpose(0, 1, 3, 2), padding=margins)


def convolution_matrix(kernel, size: tuple[int, int], stride: int = 1, padding: Padding = NONE) -> np.ndarray:
    """The convolution as one matrix [h w d, H W c]; column k is the output for an input that is 1 at k alone."""
    channels = kernel.shape[2]
    ones = np.eye(size[0] * size[1] * channels).reshape(-1, *size, channels)
    return conv2d(ones, kernel, stride=stride, padding=padding).reshape(len(ones), -1).T
