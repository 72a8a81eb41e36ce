"""Pictures as decoders draw them, without files between: input of the realism metrics."""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image

from . import checkpoint
from .data import find_pictures
from .decoder_train import decoder_of, latent_space_of
from .evaluate import load_picture
from .export import load_codec
from .perceptual import ssimulacra2


@torch.no_grad()
def draw(
    codec: Path, pictures: str, quality: float, decoders: dict[str, Path | None], out: Path,
    analysis: str = "default", limit: int | None = None,
) -> list[dict]:  # fmt: skip
    """Write PNGs into a folder of each decoder's name below `out`; one row per decoder.

    `decoders`: float decoders by their checkpoint; without one, the codec's synthesis of that name. Rows have the mean
    estimated bits per pixel, PSNR (dB, RGB) and SSIMULACRA2 (approximate).
    """
    model, _, _ = load_codec(codec)
    loaded = {}
    for name, path in decoders.items():
        state = checkpoint.load(path) if path else None
        # Checkpoints from before latent spaces had a name are taken on trust.
        if state and state.get("latent_space", latent_space_of(model)) != latent_space_of(model):
            raise ValueError(f"{path}: was trained on another latent space than this codec's")
        if state is None and name not in model.syntheses:
            raise ValueError(f"{codec}: has no synthesis {name}")
        loaded[name] = decoder_of(state).eval() if state else None
    paths = find_pictures([pictures])[:limit]
    rows = {name: {"name": name, "quality": quality, "pictures": len(paths), "bpp": 0.0, "psnr": 0.0, "ssimulacra2": 0.0} for name in loaded}
    for path in paths:
        picture = load_picture(path)
        height, width = picture.shape[2:]
        padded = F.pad(picture.float(), (0, -width % 64, 0, -height % 64), mode="replicate").byte()
        coded = model.code(model.analyse(padded, {analysis: 1}), torch.tensor([quality]))
        bits = (coded["bits_y"].sum() + coded["bits_z"].sum()).item()
        for name, decoder in loaded.items():
            shown = decoder(coded["decoded"]) if decoder else model.draw(coded["decoded"], name)
            shown = shown[:, :, :height, :width].round().clamp(0, 255)
            mse = (shown - picture.float()).square().mean().item()
            rows[name]["bpp"] += bits / (height * width) / len(paths)
            rows[name]["psnr"] += 10 * math.log10(255**2 / max(mse, 1e-9)) / len(paths)
            rows[name]["ssimulacra2"] += ssimulacra2(picture.float(), shown).item() / len(paths)
            (out / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(shown[0].byte().permute(1, 2, 0).contiguous().numpy()).save(out / name / f"{path.stem}.png")
    return list(rows.values())
