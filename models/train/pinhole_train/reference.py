"""Reference statistics of a latent space: what training pictures look like, for those who watch for drift.

They travel in a bundle's manifest as `reference`; a service compares what arrives with them.
"""

from __future__ import annotations

import numpy as np
import torch

from .codec import Codec
from .data import Crops
from .tables import Counts, code

# Qualities, 0..100, at which the statistics are taken; linear in between.
QUALITIES = (10, 30, 50, 70, 90)


@torch.no_grad()
def reference_statistics(model: Codec, crops: Crops, tables: list[np.ndarray], batches: int = 10) -> dict:
    """Statistics over `batches` batches of 8 crops at each of `QUALITIES`, with the model's own `tables`.

    `mean`, `variance`: of each channel's decoded latents in symbols, [quality][channel]. `bits`: bits per pixel of each
    channel, likewise. `bpp`, `bpp_deviation` (of its binary logarithm, over crops) and `escape_rate` (escaped among
    coded symbols): [quality].
    """
    state = crops.state()
    told: dict[str, list] = {key: [] for key in ("mean", "variance", "bits", "bpp", "bpp_deviation", "escape_rate")}
    for quality in QUALITIES:
        crops.restore(state)
        counts = model.coder.counts = Counts(tables)
        symbols, bits, hyper = [], [], []
        for _ in range(batches):
            coded = code(model, crops.batch(8), torch.full((8,), quality / 100))
            symbols.append(coded["symbols"].transpose(0, 1).flatten(1))
            bits.append(coded["bits_y"])
            hyper.append(coded["bits_z"].sum(1))
        latents = torch.cat(symbols, 1)
        channel_bits = torch.cat(bits) / crops.size**2
        bpp = channel_bits.sum(1) + torch.cat(hyper) / crops.size**2
        coded_symbols, escaped = counts.total()
        told["mean"].append(_rounded(latents.mean(1)))
        told["variance"].append(_rounded(latents.var(1)))
        told["bits"].append(_rounded(channel_bits.mean(0), 6))
        told["bpp"].append(round(bpp.mean().item(), 4))
        told["bpp_deviation"].append(round(bpp.log2().std().item(), 4))
        told["escape_rate"].append(round(escaped / max(1, coded_symbols), 8))
    crops.restore(state)
    model.coder.counts = None
    return {"qualities": list(QUALITIES), "crops": 8 * batches, "crop": crops.size} | told


def _rounded(values: torch.Tensor, digits: int = 4) -> list[float]:
    return [round(v, digits) for v in values.tolist()]
