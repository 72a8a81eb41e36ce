"""Watches the training of a float decoder for what goes wrong in it, and says so in words."""

from __future__ import annotations

import math

import torch

# How far above its best the smoothed fidelity loss may rise.
DIVERGED = 2.0
# Share of the errors' energy that all pictures of a batch have in common; independent errors have 1 / batch.
COMMON = 0.5
# A hinge loss below this: the discriminator knows all, and its gradients no longer tell the decoder anything.
BEATEN = 0.05
# One above this knows nothing, 2 being that of a guess: the decoder fools it.
FOOLED = 1.97
# Share of detail (energy of what a 2x2 mean takes away) that drawn pictures may have of that in the originals.
DETAIL = (0.05, 3.0)


@torch.no_grad()
def observe(drawn: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """Two numbers of a batch: `common` (0..1) and `detail` (1: as much as in the originals)."""
    error = drawn - target
    common = error.mean(0).square().mean() / error.square().mean().clamp(min=1e-9)

    def detail(x: torch.Tensor) -> torch.Tensor:
        fine = x - torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(x, 2), scale_factor=2)
        return fine.square().mean()

    return {"common": common, "detail": detail(drawn) / detail(target).clamp(min=1e-9)}


class DecoderHealth:
    """Sees the means of each logged interval."""

    def __init__(self, batch: int):
        self.limit = max(COMMON, 2 / batch)
        self.batch = batch
        self.best = math.inf
        self.told: set[str] = set()

    def complaints(self, means: dict[str, float]) -> list[str]:
        """What is wrong in an interval with these `means` and was not told for the one before."""
        found = {}
        fidelity = means["fidelity"]
        if not math.isfinite(fidelity):
            found["divergence"] = "diverging: the fidelity loss is no number"
        else:
            self.best = min(self.best, fidelity)
            if fidelity > DIVERGED * self.best:
                found["divergence"] = f"diverging: the fidelity loss is {fidelity:.3g}, it was {self.best:.3g}"
        if self.batch > 2 and means["common"] > self.limit:
            found["collapse"] = f"mode collapse: {means['common']:.0%} of the errors is the same in every picture"
        low, high = DETAIL
        if "discriminator" in means:
            if means["discriminator"] < BEATEN:
                found["beaten"] = f"the discriminator knows all (hinge loss {means['discriminator']:.3f}): it teaches nothing"
            if means["discriminator"] > FOOLED:
                found["fooled"] = f"the discriminator knows nothing (hinge loss {means['discriminator']:.3f}): it is no match"
            if not low < means["detail"] < high:
                found["detail"] = f"the pictures have {means['detail']:.2f} of the originals' detail"
        new = [text for kind, text in found.items() if kind not in self.told]
        self.told = set(found)
        return new
