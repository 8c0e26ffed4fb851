"""Blending the generator's proposal into the hole: by pasting, or by its gradients (Pérez et al. 2003)."""

from __future__ import annotations

import numpy as np

from dcgan_tf.inpainting.options import BlendName


def blend(images: np.ndarray, proposals: np.ndarray, known: np.ndarray, how: BlendName = "poisson") -> np.ndarray:
    """Fill the holes of images from proposals.

    Args:
      images, proposals: uint8 [N, H, W, C].
      known: bool [N, H, W], True where `images` is kept, bit for bit; each image needs some known pixels.
      how: "paste", or "poisson": the hole gets the gradients of the proposal and matches the known pixels at its edge.

    Returns:
      Uint8 [N, H, W, C].
    """
    filled = proposals
    if how == "poisson":
        filled = np.stack([_blend_poisson(*one) for one in zip(images, proposals, known)])
    return np.where(known[..., None], images, filled)


def _blend_poisson(image: np.ndarray, proposal: np.ndarray, known: np.ndarray) -> np.ndarray:
    filled = solve_poisson(image.astype(np.float64), proposal.astype(np.float64), known)
    return np.clip(np.round(filled), 0, 255).astype(np.uint8)


def solve_poisson(image: np.ndarray, proposal: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill the hole of an image with the differences between neighbours that a proposal has.

    For each pixel p of the hole it solves sum over its neighbours q of (x_p - x_q) = sum of (g_p - g_q), where x_q of a
    known neighbour is the image's value. There are no neighbours beyond the border of the image.

    Args:
      image, proposal: float [H, W, C].
      known: bool [H, W], with some pixels known and some not.

    Returns:
      Float64 [H, W, C]; known pixels are the image's.
    """
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import splu

    rows, columns = np.nonzero(~known)
    count = len(rows)
    number = np.full(known.shape, -1)
    number[rows, columns] = np.arange(count)
    diagonal = np.zeros(count)
    wanted = np.zeros((count, image.shape[2]))
    entries = []
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        i, j = rows + down, columns + right
        (inside,) = np.nonzero((i >= 0) & (i < known.shape[0]) & (j >= 0) & (j < known.shape[1]))
        i, j = i[inside], j[inside]
        diagonal[inside] += 1.0
        wanted[inside] += proposal[rows[inside], columns[inside]] - proposal[i, j]
        at_edge = known[i, j]
        wanted[inside[at_edge]] += image[i[at_edge], j[at_edge]]
        entries.append((inside[~at_edge], number[i[~at_edge], j[~at_edge]]))
    first, second = (np.concatenate(parts) for parts in zip(*entries))
    values = np.concatenate([-np.ones(len(first)), diagonal])
    indices = np.arange(count)
    matrix = csc_matrix((values, (np.append(first, indices), np.append(second, indices))), shape=(count, count))
    filled = image.astype(np.float64)
    filled[rows, columns] = splu(matrix).solve(wanted)
    return filled
