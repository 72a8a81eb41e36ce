"""Bits of symbols under the entropy model's distributions."""

from __future__ import annotations

import math

import torch
from torch import nn

# A floor on probabilities stands for the escape code: no symbol costs more than about 20 bits.
SMALLEST = 1e-6


def gaussian_bits(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Bits of the unit-wide bin around `x` under a zero-mean normal distribution (Minnen et al. 2018, eq. 5)."""
    # The tail is evaluated on the negative side, where float32 keeps its precision.
    x = x.abs()
    factor = -1 / (math.sqrt(2) * scale)
    upper = torch.erfc((x - 0.5) * -factor)
    lower = torch.erfc((x + 0.5) * -factor)
    return -torch.log2((0.5 * (upper - lower)).clamp(min=SMALLEST))


class LogisticMixture(nn.Module):
    """Factorised prior of the hyper-latents: a mixture of logistics per channel."""

    def __init__(self, channels: int, parts: int = 3):
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(channels, parts))
        self.mean = nn.Parameter(torch.linspace(-1, 1, parts).repeat(channels, 1))
        self.log_scale = nn.Parameter(torch.full((channels, parts), 0.5))

    def cdf(self, x: torch.Tensor) -> torch.Tensor:
        """Cumulative probability at x (channels, ...)."""
        view = (len(self.mean), *[1] * (x.dim() - 1), -1)
        t = (x[..., None] - self.mean.view(view)) * torch.exp(-self.log_scale).view(view)
        return (torch.sigmoid(t) * torch.softmax(self.logit, 1).view(view)).sum(-1)

    def bits(self, z: torch.Tensor) -> torch.Tensor:
        """Bits per channel, shape (n, Z), of (n, Z, a, b)."""
        x = z.transpose(0, 1)
        probability = self.cdf(x + 0.5) - self.cdf(x - 0.5)
        return -torch.log2(probability.clamp(min=SMALLEST)).transpose(0, 1).sum((2, 3))
