"""Bits of symbols under the entropy model's distributions."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

# A floor on probabilities stands for the escape code: no symbol costs more than about 20 bits.
SMALLEST = 1e-6
# Symbols whose predicted deviation is below the scale of this index are not coded: they are zero on both sides.
SKIP_BELOW = 4
# Mass outside a table's range; it is the escape's.
TAIL = 2e-5
# Squared error that one bit is worth, in squared symbols: as in `codec/src/latent/quantise.rs`.
BIT_WORTH = 0.08
# The largest magnitude that is priced.
LARGEST = 1023
SCALE_COUNT = 64
SCALE_MIN, SCALE_MAX = 0.08, 128.0


def scale_of_index(index: torch.Tensor) -> torch.Tensor:
    """Standard deviation of scale table `index` (0..63): log-spaced from SCALE_MIN to SCALE_MAX."""
    return SCALE_MIN * torch.exp(index * (math.log(SCALE_MAX / SCALE_MIN) / (SCALE_COUNT - 1)))


def gaussian_bits(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Bits of the unit-wide bin around `x` under a zero-mean normal distribution (Minnen et al. 2018, eq. 5)."""
    # The tail is evaluated on the negative side, where float32 keeps its precision.
    x = x.abs()
    factor = -1 / (math.sqrt(2) * scale)
    upper = torch.erfc((x - 0.5) * -factor)
    lower = torch.erfc((x + 0.5) * -factor)
    return -torch.log2((0.5 * (upper - lower)).clamp(min=SMALLEST))


def gaussian_table(scale: float, second: bool = False) -> np.ndarray:
    """Probabilities of -reach..=reach under a zero-mean normal distribution, tails cut at TAIL.

    Over unit bins, or over those around the values of the second quantiser (`trellis.py`).
    """
    cdf = lambda x: 0.5 * math.erfc(-x / (scale * math.sqrt(2)))  # noqa: E731
    # Where the bin of a magnitude ends.
    end = lambda k: k + 0.5 if not second else max(k, 0.25)  # noqa: E731
    reach = 1
    while 2 * cdf(-end(reach)) > TAIL and reach < LARGEST:
        reach += 1
    upper = [max(cdf(-end(k - 1)) - cdf(-end(k)), 1e-9) for k in range(1, reach + 1)]
    return np.array([*upper[::-1], max(1 - 2 * cdf(-end(0)), 1e-9), *upper])


def gaussian_tables(dependent: bool = False) -> list[np.ndarray]:
    """The tables that the trained scales mean, for each quantiser."""
    scales = scale_of_index(torch.arange(float(SCALE_COUNT))).tolist()
    return [gaussian_table(scale, second) for second in (False, True)[: 1 + dependent] for scale in scales]


def prices_of(tables: list[np.ndarray]) -> np.ndarray:
    """Bits of each magnitude by table, (tables, LARGEST + 1)."""
    bits = np.zeros((len(tables), LARGEST + 1), dtype=np.float32)
    for row, table in zip(bits, tables, strict=True):
        reach = len(table) // 2
        row[: reach + 1] = -np.log2(table[reach:])
        # An escape, its sign, and Exp-Golomb.
        beyond = np.arange(LARGEST - reach)
        escape = max(1 - table.sum(), TAIL)
        row[reach + 1 :] = -math.log2(escape) + 2 + 2 * np.floor(np.log2(beyond + 1))
    return bits


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
