"""Real pictures of the repository, and where its files are."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]

Bytes = npt.NDArray[np.uint8]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def rgb() -> Bytes:
    """A photograph, 600x400."""
    return np.asarray(Image.open(ROOT / "samples/coffee.png").convert("RGB"))


@pytest.fixture(scope="session")
def gray() -> Bytes:
    """A grey photograph."""
    return np.asarray(Image.open(ROOT / "samples/camera.png").convert("L"))


@pytest.fixture(scope="session")
def rgba(rgb: Bytes) -> Bytes:
    """The photograph with a gradient of alpha."""
    alpha = np.linspace(0, 255, rgb.shape[1]).astype(np.uint8)
    return np.dstack([rgb, np.broadcast_to(alpha, rgb.shape[:2])])


def psnr(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> float:
    """Peak signal to noise ratio of two pictures of bytes, in decibels."""
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")
