"""Estimates of a checkpoint's rate and distortion on whole pictures (entropies, no files)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from .codec import Codec
from .data import find_pictures
from .perceptual import ssimulacra2


def load_picture(path: Path) -> torch.Tensor:
    """(1, 3, h, w) uint8."""
    with Image.open(path) as opened:
        return torch.from_numpy(np.array(opened.convert("RGB"))).permute(2, 0, 1)[None]


@torch.no_grad()
def evaluate(
    model: Codec, folder: str, qualities: list[float], limit: int | None = None,
    analysis: str | None = None, synthesis: str | None = None,
) -> list[dict]:
    """One row per quality: mean bpp, PSNR (dB, RGB) and SSIMULACRA2 (approximate) over the pictures of a folder."""
    rows = [{"quality": q, "bpp": 0.0, "psnr": 0.0, "ssimulacra2": 0.0} for q in qualities]
    paths = find_pictures([folder])[:limit]
    for path in paths:
        picture = load_picture(path)
        height, width = picture.shape[2:]
        padded = F.pad(picture.float(), (0, -width % 64, 0, -height % 64), mode="replicate").byte()
        for row in rows:
            out = model(padded, torch.tensor([row["quality"]]), analysis, synthesis)
            shown = out["picture"][:, :, :height, :width].round().clamp(0, 255)
            mse = (shown - picture.float()).square().mean().item()
            bits = out["bits_y"].sum() + out["bits_z"].sum()
            row["bpp"] += bits.item() / (height * width) / len(paths)
            row["psnr"] += 10 * math.log10(255**2 / max(mse, 1e-9)) / len(paths)
            row["ssimulacra2"] += ssimulacra2(picture.float(), shown).item() / len(paths)
    return rows
