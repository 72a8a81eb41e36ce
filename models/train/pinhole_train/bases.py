"""Fixed bases that initialise the linear ends of the transform.

A network that starts as a colour-decorrelated 8x8 DCT (type II, orthonormal) followed by a 2x2 Haar step is a working
transform codec at step 0; training only has to improve it.
"""

from __future__ import annotations

import math

import numpy as np

PATCH = 8


def dct_matrix(n: int) -> np.ndarray:
    """Orthonormal DCT-II: rows are frequencies, columns are samples."""
    k, x = np.mgrid[0:n, 0:n]
    basis = np.cos(math.pi * (x + 0.5) * k / n) * math.sqrt(2 / n)
    basis[0] /= math.sqrt(2)
    return basis


def colour_matrix() -> np.ndarray:
    """Orthonormal luma, orange-blue and green-magenta axes (a normalised YCoCg)."""
    rows = np.array([[1, 1, 1], [1, 0, -1], [-1, 2, -1]], dtype=np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def patch_transform() -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """The 192x192 orthonormal matrix from an 8x8 RGB patch to coefficients, and each row's (colour, v, u).

    Inputs are ordered (row, column, colour), as space-to-depth leaves them. Rows go from low to high frequency.
    """
    dct, colour = dct_matrix(PATCH), colour_matrix()
    rows, labels = [], []
    for c in range(3):
        for v in range(PATCH):
            for u in range(PATCH):
                rows.append(np.einsum("y,x,c->yxc", dct[v], dct[u], colour[c]).ravel())
                labels.append((c, v, u))
    order = sorted(range(192), key=lambda i: (labels[i][1] + labels[i][2] + 3 * (labels[i][0] > 0), labels[i]))
    return np.stack([rows[i] for i in order]), [labels[i] for i in order]


def haar_step(labels: list[tuple[int, int, int]], keep: int) -> np.ndarray:
    """The `keep` lowest-frequency rows of the 2x2 Haar step over space-to-depth(2) of the coefficients.

    Shape (keep, 4 * len(labels)), orthonormal rows. A Haar difference of a coefficient with frequency f stands for
    frequency f + 1/2 at the doubled patch size.
    """
    n = len(labels)
    patterns = {(0, 0): [1, 1, 1, 1], (0, 1): [1, -1, 1, -1], (1, 0): [1, 1, -1, -1], (1, 1): [1, -1, -1, 1]}
    rows, costs = [], []
    for i, (c, v, u) in enumerate(labels):
        for (dv, du), signs in patterns.items():
            row = np.zeros((4, n))
            row[:, i] = np.array(signs) / 2
            rows.append(row.ravel())
            # Chroma carries far less energy at the same frequency (natural pictures, 8-bit RGB).
            costs.append(math.hypot(2 * v + dv, 2 * u + du) * (1.0 if c == 0 else 2.2) + (0 if c == 0 else 1.0))
    order = np.argsort(np.array(costs), kind="stable")[:keep]
    return np.stack([rows[i] for i in order])
