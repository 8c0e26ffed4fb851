"""Blending of the generator's proposal into the hole: pasted, or by its gradients (Pérez et al. 2003)."""

from __future__ import annotations

import numpy as np


def blend(images: np.ndarray, proposals: np.ndarray, known: np.ndarray, how: str = "poisson") -> np.ndarray:
    """The images with their holes filled from the proposals.

    Args:
      images, proposals: uint8 [N, H, W, C].
      known: bool [N, H, W], True where `images` is kept as it is, bit for bit; something of each must be.
      how: "paste", or "poisson": the hole gets the proposal's gradients and meets the known pixels at its edge.

    Returns:
      uint8 [N, H, W, C].
    """
    filled = proposals if how == "paste" else np.stack([_poisson(*three) for three in zip(images, proposals, known)])
    return np.where(known[..., None], images, filled)


def _poisson(image: np.ndarray, proposal: np.ndarray, known: np.ndarray) -> np.ndarray:
    filled = poisson(image.astype(np.float64), proposal.astype(np.float64), known)
    return np.clip(np.round(filled), 0, 255).astype(np.uint8)


def poisson(image: np.ndarray, proposal: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The image whose hole has the proposal's differences between neighbours, as far as the edge allows.

    Solves, for each pixel p of the hole, sum over its neighbours q of (x_p - x_q) = sum of (g_p - g_q), where x_q of a
    known neighbour is the image's; beyond the image there is no neighbour.

    Args:
      image, proposal: float [H, W, C].
      known: bool [H, W], not all of it and not nothing.

    Returns:
      float64 [H, W, C]; known pixels are the image's.
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
    everyone = np.arange(count)
    matrix = csc_matrix((values, (np.append(first, everyone), np.append(second, everyone))), shape=(count, count))
    filled = image.astype(np.float64)
    filled[rows, columns] = splu(matrix).solve(wanted)
    return filled
