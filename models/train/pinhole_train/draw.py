"""Pictures as decoders draw them, without files between: input of the realism metrics."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from . import checkpoint
from .data import find_pictures
from .decoder_train import decoder_of, latent_space_of
from .evaluate import as_shown, latents_of, load_picture
from .export import load_codec


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
        coded = model.code(latents_of(model, picture, analysis), torch.tensor([quality]))
        bits = (coded["bits_y"].sum() + coded["bits_z"].sum()).item()
        for name, decoder in loaded.items():
            drawn = decoder(coded["decoded"]) if decoder else model.draw(coded["decoded"], name)
            shown, metrics = as_shown(drawn, picture)
            for key, value in ({"bpp": bits / picture[0, 0].numel()} | metrics).items():
                rows[name][key] += value / len(paths)
            (out / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(shown[0].byte().permute(1, 2, 0).contiguous().numpy()).save(out / name / f"{path.stem}.png")
    return list(rows.values())
