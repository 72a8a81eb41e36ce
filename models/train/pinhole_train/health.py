"""Watches a run for the ways in which training goes wrong, and says so in words."""

from __future__ import annotations

import math

import torch

# A latent channel that costs less than this, in bits a position, where every channel should carry something.
DEAD_BITS = 1e-3
# Qualities from which on every channel should carry something.
RICH = 0.75
# How far above its best the smoothed loss may rise.
DIVERGED = 2.0


class Health:
    """Running statistics of the latent channels and of the loss."""

    def __init__(self, channels: int):
        self.bits = torch.zeros(channels)
        self.variance = torch.zeros(channels)
        self.weight = 0.0
        self.loss = math.nan
        self.best = math.inf
        self.told: set[str] = set()

    @torch.no_grad()
    def see(self, quality: torch.Tensor, bits: torch.Tensor, latents: torch.Tensor, loss: float) -> None:
        """One batch: quality (n,), bits of each picture and channel (n, M), decoded latents (n, M, h, w)."""
        if math.isfinite(loss):
            self.loss = loss if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * loss
            self.best = min(self.best, self.loss)
        rich = quality > RICH
        if not rich.any():
            return
        positions = latents.shape[2] * latents.shape[3]
        self.bits.mul_(0.98).add_(bits[rich].mean(0).float().cpu() / positions, alpha=0.02)
        self.variance.mul_(0.98).add_(latents[rich].float().var((0, 2, 3)).cpu(), alpha=0.02)
        self.weight = 0.98 * self.weight + 0.02

    def channel_bits(self) -> torch.Tensor:
        """Bits a position of each channel at high quality."""
        return self.bits / max(self.weight, 1e-9)

    def channel_variance(self) -> torch.Tensor:
        """Variance of each channel's decoded latents at high quality."""
        return self.variance / max(self.weight, 1e-9)

    def metrics(self) -> dict[str, float]:
        """Numbers for the log."""
        return {"dead_channels": float((self.channel_bits() < DEAD_BITS).sum()), "loss_smoothed": self.loss}

    def complaints(self) -> list[str]:
        """What is wrong and was not told before."""
        found = {}
        dead = int((self.channel_bits() < DEAD_BITS).sum())
        if self.weight > 0.5 and dead > len(self.bits) // 4:
            found["collapse"] = f"posterior collapse: {dead} of {len(self.bits)} latent channels carry nothing"
        if self.loss > DIVERGED * self.best:
            found["divergence"] = f"diverging: the loss is {self.loss:.3g}, it was {self.best:.3g}"
        new = [text for kind, text in found.items() if kind not in self.told]
        # What has passed may come again.
        self.told = set(found)
        return new
