"""Float decoder of the latent space: the trained integer synthesis without its rounding, and more layers on top.

`hq` and `gan` share this shape. Every added layer starts without effect, so that training begins at the quality of the
synthesis that it grew from.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from .codec import PIXEL_UNIT, Synthesis
from .config import SynthesisShape
from .layers import QuantisedConv, ResidualBlock, depth_to_space


@dataclass(frozen=True)
class FloatShape:
    """Widths of what a float decoder has beyond the synthesis that it grows from."""

    # More blocks at 1/16, and their hidden units.
    low_blocks: int = 1
    low_hidden: int = 512
    # Bottlenecks with a full 3x3 convolution at 1/8, and the channels that it sees.
    bottlenecks: int = 6
    bottleneck: int = 128
    # Channels of the refinement at half resolution.
    refinement: int = 32


def _conv(inputs: int, outputs: int, size: int = 1, zero: bool = False, groups: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, size, padding=size // 2, groups=groups)
    if zero:
        nn.init.zeros_(layer.weight)
    else:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


class DepthwiseBlock(nn.Module):
    """The integer synthesis' residual block in float: depthwise 3x3, 1x1, ReLU, 1x1."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.depthwise = _conv(channels, channels, 3, groups=channels)
        self.expand = _conv(channels, hidden)
        self.project = _conv(hidden, channels, zero=True)
        with torch.no_grad():
            self.depthwise.weight.mul_(0.1)[:, 0, 1, 1] += 1

    def forward(self, trunk: torch.Tensor) -> torch.Tensor:
        # The sum stays in float32: sixteen bits of the trunk matter at high rates.
        return trunk + self.project(F.relu(self.expand(self.depthwise(trunk)))).float()


class Bottleneck(nn.Module):
    """Residual 1x1, 3x3, 1x1: the only place at 1/8 where channels of neighbouring patches mix freely."""

    def __init__(self, channels: int, inner: int):
        super().__init__()
        self.reduce = _conv(channels, inner)
        self.mix = _conv(inner, inner, 3)
        self.project = _conv(inner, channels, zero=True)

    def forward(self, trunk: torch.Tensor) -> torch.Tensor:
        return trunk + self.project(F.relu(self.mix(F.relu(self.reduce(trunk))))).float()


class Refinement(nn.Module):
    """What is added to the picture at half resolution, across the borders of patches."""

    def __init__(self, width: int, channels: int):
        super().__init__()
        self.spread = _conv(width, 16 * channels)
        self.first = _conv(channels, channels, 3)
        self.second = _conv(channels, channels, 3)
        self.last = _conv(channels, 12, 3, zero=True)

    def forward(self, trunk: torch.Tensor) -> torch.Tensor:
        x = depth_to_space(F.relu(self.spread(trunk)), 4)
        x = self.last(F.relu(self.second(F.relu(self.first(x)))))
        return depth_to_space(x.float(), 2)


class FloatDecoder(nn.Module):
    """Latents (n, M, h, w), float32 in units of the latent space, to a picture (n, 3, 16h, 16w) in grey levels."""

    def __init__(self, shape: FloatShape, base: SynthesisShape, latents: int):
        super().__init__()
        self.shape, self.base, self.latents = shape, base, latents
        width = base.width
        low = [base.low_hidden] * base.low_blocks + [shape.low_hidden] * shape.low_blocks
        self.low = nn.ModuleList([DepthwiseBlock(latents, hidden) for hidden in low])
        self.up = _conv(latents, 4 * width)
        self.blocks = nn.ModuleList([DepthwiseBlock(width, base.hidden) for _ in range(base.blocks)])
        self.bottlenecks = nn.ModuleList([Bottleneck(width, shape.bottleneck) for _ in range(shape.bottlenecks)])
        self.refinement = Refinement(width, shape.refinement)
        self.patches = _conv(width, 192)

    def trunk_layers(self) -> list[nn.Module]:
        """The layers at 1/8 in their order: a bottleneck after each block as long as there are any of either."""
        longest = max(len(self.blocks), len(self.bottlenecks))
        return [layer for at in range(longest) for layer in (*self.blocks[at : at + 1], *self.bottlenecks[at : at + 1])]

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        x = latents.float()
        for block in self.low:
            x = block(x)
        # The ends are linear maps of large values: bfloat16 would cost them grey levels.
        with torch.autocast(x.device.type, enabled=False):
            x = depth_to_space(self.up(x), 2)
        for layer in self.trunk_layers():
            x = layer(x)
        with torch.autocast(x.device.type, enabled=False):
            picture = depth_to_space(self.patches(x), 8)
        return (picture + self.refinement(x)) * PIXEL_UNIT + 128

    @torch.no_grad()
    def grow_from(self, synthesis: Synthesis) -> FloatDecoder:
        """Take over a trained synthesis; its int8 weights as they are, if it is rounded."""
        for mine, its in zip(self.low, synthesis.low):
            _take_block(mine, its)
        for mine, its in zip(self.blocks, synthesis.blocks):
            _take_block(mine, its)
        _take(self.up, synthesis.up)
        _take(self.patches, synthesis.patches)
        return self


def _take(mine: nn.Conv2d, its: QuantisedConv) -> None:
    mine.weight.copy_(its.used_weight())
    mine.bias.copy_(its.bias)


def _take_block(mine: DepthwiseBlock, its: ResidualBlock) -> None:
    for name in ("depthwise", "expand", "project"):
        _take(getattr(mine, name), getattr(its, name))


def kmacs_per_pixel(decoder: FloatDecoder) -> float:
    """Thousand multiply-accumulates per pixel of the decoder, without the entropy model."""

    def weights(*modules: nn.Module) -> int:
        return sum(p.numel() for m in modules for p in m.parameters() if p.dim() == 4)

    fine = weights(decoder.refinement.first, decoder.refinement.second, decoder.refinement.last)
    low = weights(decoder.low, decoder.up)
    return (low / 256 + (weights(decoder) - low - fine) / 64 + fine / 4) / 1000
