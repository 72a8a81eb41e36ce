"""What a network for recognition sees in pictures: a loss, and what a discriminator can judge by.

The network is EfficientNet-Lite1. It is not the one by which `realism` compares pictures (`patch_features.py`), so that
a decoder is not measured by what it was trained on; both have learned from ImageNet.
"""

from __future__ import annotations

import torch
from torch import nn

from .patch_features import pretrained

# Blocks whose outputs are taken: the last ones at 1/2, 1/4, 1/8, 1/16 and 1/32. And how many channels these have.
TAKEN = (0, 3, 6, 14, 20)
CHANNELS = (16, 24, 40, 112, 320)


class Recognition(nn.Module):
    """Pictures (n, 3, h, w) in grey levels to features at five scales, of length 1 at every place. Stands still."""

    def __init__(self):
        super().__init__()
        self.network = pretrained("1")

    def forward(self, picture: torch.Tensor) -> list[torch.Tensor]:
        network = self.network
        x = network._swish(network._bn0(network._conv_stem((picture.float() - 127) / 128)))
        found = []
        for at, block in enumerate(network._blocks[: TAKEN[-1] + 1]):
            x = block(x)
            if at in TAKEN:
                found.append(nn.functional.normalize(x, dim=1))
        return found


def feature_distance(drawn: list[torch.Tensor], target: list[torch.Tensor]) -> torch.Tensor:
    """Distance (n,) of two pictures by their features: 0 where alike, 2 where no feature is in common.

    As LPIPS (Zhang et al. 2018), but with every channel alike.
    """
    distances = [(d - t).square().sum(1).mean((1, 2)) for d, t in zip(drawn, target, strict=True)]
    return sum(distances) / len(distances)
