"""Discriminators: which patches of a picture are real, given the latents that it was drawn from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from .codec import PIXEL_UNIT
from .layers import space_to_depth


class PixelDiscriminator(nn.Module):
    """Judges by pixels. Picture (n, 3, H, W) and latents (n, M, H/16, W/16) to two maps of scores, at 1/8 and at 1/16, and its features.

    Spectrally normalised (Miyato et al. 2018) and conditioned on the latents (as HiFiC, Mentzer et al. 2020): one
    that did not see them would accept any sharp texture. The score at 1/8 sees about 50 pixels to a side, that at 1/16
    about 110.
    """

    def __init__(self, latents: int, width: int = 64):
        super().__init__()
        conv = lambda i, o, k, s=1: spectral_norm(nn.Conv2d(i, o, k, s, padding=(k - 1) // 2))  # noqa: E731
        self.hint = nn.Conv2d(latents, width, 1)
        self.stages = nn.ModuleList([
            conv(12, width, 3),
            conv(width, 2 * width, 4, 2),
            conv(2 * width, 4 * width, 4, 2),
            conv(5 * width, 4 * width, 3),
            conv(4 * width, 4 * width, 4, 2),
        ])  # fmt: skip
        self.fine, self.coarse = conv(4 * width, 1, 1), conv(4 * width, 1, 1)

    def forward(self, picture: torch.Tensor, latents: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        x = space_to_depth((picture.float() - 128) / PIXEL_UNIT, 2)
        features = []
        for at, stage in enumerate(self.stages):
            if at == 3:
                hint = F.interpolate(F.leaky_relu(self.hint(latents), 0.2), size=x.shape[2:])
                x = torch.cat([x, hint.to(x.dtype)], 1)
            x = F.leaky_relu(stage(x), 0.2)
            features.append(x)
        return [self.fine(features[3]).float(), self.coarse(features[4]).float()], features


class FeatureDiscriminator(nn.Module):
    """Judges by features that a network for recognition finds, at each scale by itself (as Projected GANs, Sauer et al. 2021).

    Features (n, C, h, w) of some scales and latents (n, M, H/16, W/16) to a map of scores for each scale, and what the
    scores are made from. It learns in a tenth of the steps that one of pixels takes, as what it judges by is known already.
    """

    def __init__(self, channels: Sequence[int], latents: int, width: int = 64):
        super().__init__()
        conv = lambda i, o, k: spectral_norm(nn.Conv2d(i, o, k, padding=k // 2))  # noqa: E731
        self.looks = nn.ModuleList([conv(c, width, 1) for c in channels])
        self.hints = nn.ModuleList([nn.Conv2d(latents, width, 1) for _ in channels])
        self.joins = nn.ModuleList([conv(2 * width, width, 3) for _ in channels])
        self.scores = nn.ModuleList([nn.Conv2d(width, 1, 1) for _ in channels])

    def forward(self, features: list[torch.Tensor], latents: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        scores, found = [], []
        for x, look, hint, join, score in zip(features, self.looks, self.hints, self.joins, self.scores, strict=True):
            # Features are of length 1 at every place: here their mean square is 1.
            seen = F.leaky_relu(look(x * x.shape[1] ** 0.5), 0.2)
            known = F.interpolate(F.leaky_relu(hint(latents), 0.2), size=x.shape[2:])
            found.append(F.leaky_relu(join(torch.cat([seen, known.to(seen.dtype)], 1)), 0.2))
            scores.append(score(found[-1]).float())
        return scores, found


def hinge(real: list[torch.Tensor], drawn: list[torch.Tensor]) -> torch.Tensor:
    """The discriminator's hinge loss (Lim and Ye 2017), mean over scales: 2 where it knows nothing, 0 where it knows all."""
    losses = [F.relu(1 - r).mean() + F.relu(1 + d).mean() for r, d in zip(real, drawn, strict=True)]
    return sum(losses) / len(losses)


def persuasion(drawn: list[torch.Tensor]) -> torch.Tensor:
    """The generator's loss (n,): minus the mean score of what it drew."""
    return -sum(d.mean((1, 2, 3)) for d in drawn) / len(drawn)


def matching(real: list[torch.Tensor], drawn: list[torch.Tensor]) -> torch.Tensor:
    """Feature matching (n,) (Salimans et al. 2016): mean distance of features, in units of their mean magnitude."""
    total = 0.0
    for r, d in zip(real, drawn, strict=True):
        r, d = r.detach().float(), d.float()
        total = total + (r - d).abs().mean((1, 2, 3)) / r.abs().mean().clamp(min=1e-6)
    return total / len(real)
