"""A loss by what a network for recognition sees, in the manner of LPIPS (Zhang et al. 2018) but with every channel alike.

The network is EfficientNet-Lite1. It is not the one by which `realism` compares pictures (`patch_features.py`), so that
a decoder is not measured by what it was trained on; both have learned from ImageNet.
"""

from __future__ import annotations

import torch
from torch import nn

from .patch_features import pretrained

# Blocks whose outputs are compared: the last ones at 1/2, 1/4, 1/8 and 1/16.
COMPARED = (0, 3, 6, 14)


class FeatureDistance(nn.Module):
    """Two pictures (n, 3, h, w) in grey levels to their distance (n,): 0 where alike, 2 where no feature is in common."""

    def __init__(self):
        super().__init__()
        self.network = pretrained("1")

    def features(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """Features at four scales, of length 1 at every place."""
        network = self.network
        x = network._swish(network._bn0(network._conv_stem((picture.float() - 127) / 128)))
        found = []
        for at, block in enumerate(network._blocks[: COMPARED[-1] + 1]):
            x = block(x)
            if at in COMPARED:
                found.append(nn.functional.normalize(x, dim=1))
        return found

    def forward(self, drawn: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            wanted = self.features(target)
        distances = [(d - w).square().sum(1).mean((1, 2)) for d, w in zip(self.features(drawn), wanted, strict=True)]
        return sum(distances) / len(distances)
