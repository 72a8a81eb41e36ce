"""What is minimised: the rate and the weighted distortion of pictures at all qualities."""

from __future__ import annotations

import math

import torch

from .config import Config
from .decoder_config import DecoderConfig
from .perceptual import border_error, peak_error, ssimulacra2


def lambda_of(quality: torch.Tensor, bounds: tuple[float, float]) -> torch.Tensor:
    """The Lagrangian of a quality in [0, 1]."""
    return bounds[0] * (bounds[1] / bounds[0]) ** quality


def focused(uniform: torch.Tensor, focus: float) -> torch.Tensor:
    """Numbers in [0, 1] drawn uniformly, moved towards the middle: there they are 1 / (1 - focus) times as dense."""
    return uniform + focus / (2 * math.pi) * torch.sin(2 * math.pi * uniform)


def distortion(
    config: Config | DecoderConfig, bounds: tuple[float, float], drawn: torch.Tensor, target: torch.Tensor, quality: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Per picture (n,): the weighted `distortion` divided by sqrt(lambda), and what it consists of."""
    lam = lambda_of(quality, bounds)
    mse = (drawn - target).square().mean((1, 2, 3))
    # Towards the top of the range fidelity counts fully: there the eye sees no difference any more.
    total = (config.mse_share + (1 - config.mse_share) * quality**8) * lam * mse
    parts = {"mse": mse}
    if config.border:
        total = total + config.border * lam * border_error(drawn, target)
    if config.peak:
        total = total + config.peak * lam * peak_error(drawn, target)
    if config.perceptual:
        score = ssimulacra2(target, drawn, whole=False)
        total = total + config.perceptual * (lam / 0.01) ** 0.6 * (100 - score)
        parts["ssimulacra2"] = score
    return parts | {"distortion": total / lam.sqrt()}
