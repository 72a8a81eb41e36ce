"""A codec small enough to train in a test, and pictures made on the spot."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pinhole_train.codec import Codec
from pinhole_train.config import AnalysisShape, Config, Shape, SynthesisShape
from pinhole_train.layers import enable_quantisation, observe

SHAPE = Shape(
    latents=32, hyper_latents=8, hyper_width=16, entropy_width=16, parameter_width=16, gain_knots=4,
    analyses={"default": AnalysisShape(blocks=1, hidden=32, low_hidden=32)},
    syntheses={
        "standard": SynthesisShape(blocks=1, hidden=32, low_hidden=32),
        "lite": SynthesisShape(width=64, blocks=1, hidden=16, low_hidden=16),
    },
)  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Sums in one order, and no fight over cores."""
    torch.set_num_threads(1)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Soft gradients, a few hard edges and a little noise, uint8 (height, width, 3)."""
    random = np.random.Generator(np.random.PCG64(seed))
    y, x = np.mgrid[0:height, 0:width] / 64
    planes = [128 + 80 * np.sin(x * a + b) * np.cos(y * c) for a, b, c in random.uniform(0.5, 3, (3, 3))]
    out = np.stack(planes, 2)
    for _ in range(4):
        top, left = random.integers(height), random.integers(width)
        out[top : top + 20, left : left + 24] += random.uniform(-60, 60, 3)
    return np.clip(out + random.normal(0, 3, out.shape), 0, 255).astype(np.uint8)


def as_tensor(pixels: np.ndarray) -> torch.Tensor:
    """(1, 3, h, w) uint8."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of three pictures, large enough for crops of 64."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(3):
        Image.fromarray(picture(160, 200, seed)).save(folder / f"{seed}.png")
    return folder


def config(**changes) -> Config:
    defaults = {"name": "tiny", "steps": 4, "batch": 2, "crop": 64, "warmup": 1, "log_every": 1, "lambda_range": (6e-4, 0.4), "shape": SHAPE}
    return Config(**(defaults | changes))


def busy_codec(seed: int = 0, shape: Shape = SHAPE) -> Codec:
    """A quantised codec whose every weight does something (fresh residual branches are zero) and whose ranges are set."""
    torch.manual_seed(seed)
    model = Codec(shape, (6e-4, 0.4))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("project.weight"):
                weight.normal_(std=0.3 / weight.shape[1] ** 0.5)
            elif name.endswith("mean.weight"):
                weight.mul_(5)
            elif name.endswith("bias"):
                weight.add_(torch.randn_like(weight) * 0.1)
        observe(model, True)
        for step in range(3):
            pictures = torch.cat([as_tensor(picture(64, 64, 10 * step + i)) for i in range(2)])
            for synthesis in SHAPE.syntheses:
                model(pictures, torch.tensor([0.2, 0.9]), synthesis=synthesis)
    observe(model, False)
    enable_quantisation(model)
    return model.eval()


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(picture(130, 150, i)).save(folder / f"{i}.png")
    return [str(folder)]
