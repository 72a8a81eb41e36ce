"""Edges of patches in decoded pictures."""

import numpy as np


def blocking(original: np.ndarray, decoded: np.ndarray, patch: int) -> float:
    """Mean squared step of the luma error across patch borders, relative to that between all other neighbours."""
    error = (decoded.astype(np.float64) - original) @ (0.299, 0.587, 0.114)
    across, within = [], []
    for steps in (np.diff(error, axis=0).T, np.diff(error, axis=1)):
        at_border = np.arange(1, steps.shape[1] + 1) % patch == 0
        across.append(np.square(steps[:, at_border]).mean())
        within.append(np.square(steps[:, ~at_border]).mean())
    return float(np.mean(across) / max(np.mean(within), 1e-9))
