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


def latents_of(model: Codec, picture: torch.Tensor, analysis: str | None = None) -> torch.Tensor:
    """Latents of a whole picture (1, 3, h, w) of any size, its edges repeated as far as the networks need."""
    height, width = picture.shape[2:]
    padded = F.pad(picture.float(), (0, -width % 64, 0, -height % 64), mode="replicate").byte()
    return model.analyse(padded, {analysis or next(iter(model.shape.analyses)): 1})


def as_shown(drawn: torch.Tensor, picture: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
    """What a decoder drew of `picture` as whole grey levels of its size; its PSNR (dB, RGB) and SSIMULACRA2 (approximate)."""
    height, width = picture.shape[2:]
    shown = drawn[:, :, :height, :width].round().clamp(0, 255)
    mse = (shown - picture.float()).square().mean().item()
    return shown, {"psnr": 10 * math.log10(255**2 / max(mse, 1e-9)), "ssimulacra2": ssimulacra2(picture.float(), shown).item()}


@torch.no_grad()
def measure(
    model: Codec, path: Path, qualities: list[float], analysis: str | None = None, synthesis: str | None = None
) -> list[dict]:
    """One row per quality of one picture: bpp, PSNR and SSIMULACRA2."""
    picture = load_picture(path)
    latents = latents_of(model, picture, analysis)
    rows = []
    for quality in qualities:
        coded = model.code(latents, torch.tensor([quality]))
        drawn = model.draw(coded["decoded"], synthesis or next(iter(model.shape.syntheses)))
        bits = (coded["bits_y"].sum() + coded["bits_z"].sum()).item()
        rows.append({"quality": quality, "bpp": bits / picture[0, 0].numel()} | as_shown(drawn, picture)[1])
    return rows


def evaluate(
    model: Codec, folder: str, qualities: list[float], limit: int | None = None,
    analysis: str | None = None, synthesis: str | None = None,
) -> list[dict]:
    """One row per quality: the means of `measure` over the pictures of a folder."""
    pictures = [measure(model, path, qualities, analysis, synthesis) for path in find_pictures([folder])[:limit]]
    return [{key: sum(row[key] for row in rows) / len(rows) for key in rows[0]} for rows in zip(*pictures, strict=True)]
