"""The networks of a sensor model and what they say about a window.

A window of C channels and T samples becomes C times T latents by one linear layer that starts as a discrete cosine
transform (DCT-II, orthonormal): `convolution` applies it to every channel alike, `dense` mixes channels as well. Latents
are coded channel by channel, each in three passes over frequency (every 4th, those between, the odd ones). A context
model, one small network per channel, predicts mean and scale of a pass's latents from all latents decoded before, those
of this window and the magnitudes of the window before.

Everything is an int8 program of the engine; features are integers, made alike by `codec/src/sensor/network/features.rs`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..layers import Grid, Pointwise, ResidualBlock
from .config import SensorConfig

# Step of samples and latents as the transforms see them, in standard deviations.
UNIT = 1 / 256
# First latent and distance of each pass.
PASSES = ((0, 4), (2, 4), (1, 2))
# Latents to either side: of every channel, of the channel itself.
NEAR, OWN = 2, 3
# Learned features of a latent's place.
PLACES = 8
# Features are bytes with zero point 128 and this step.
FEATURE_STEP = 1 / 16
# Magnitudes, in sixteenths of the quantiser's step, that features tell apart.
LARGEST = 4095
SCALES = 64


def feature_count(channels: int) -> int:
    """Inputs of the context model, rounded up to a multiple of four for the engine's kernels."""
    return (2 * (channels * (2 * NEAR + 1) + 2 * OWN + 1) + 5 * channels + PLACES + 1 + len(PASSES) + 3) // 4 * 4


def place_offset(channels: int) -> int:
    """Features before those of places."""
    return 2 * (channels * (2 * NEAR + 1) + 2 * OWN + 1) + 5 * channels


def magnitude_feature(a: torch.Tensor) -> torch.Tensor:
    """round(8 log2(1 + a/16)) for magnitudes in sixteenths: in units of FEATURE_STEP, half an octave is 4."""
    return torch.round(8 * torch.log2(1 + a.clamp(max=LARGEST) / 16))


def scale_of_index(index: torch.Tensor) -> torch.Tensor:
    """Scale (mean magnitude of a Laplace distribution, in quantiser steps) of index 0..63: 1/64 to 64."""
    return torch.exp2(-6 + index * (12 / (SCALES - 1)))


def boxes(a: torch.Tensor, size: int) -> torch.Tensor:
    """floor of the mean of `size` magnitudes, from size/2 below each latent to size/2 - 1 above; 0 beyond the ends."""
    padded = F.pad(a, (size // 2, size // 2 - 1))
    return torch.floor(padded.unfold(2, size, 1).sum(-1) / size)


def dct(size: int) -> torch.Tensor:
    """Orthonormal DCT-II, (frequency, sample)."""
    k, t = np.arange(size)[:, None], np.arange(size)[None]
    basis = np.sqrt(2 / size) * np.cos(np.pi * (2 * t + 1) * k / (2 * size))
    basis[0] /= np.sqrt(2)
    return torch.tensor(basis, dtype=torch.float32)


class ContextModel(nn.Module):
    """One channel's predictor: features to mean (in quantiser steps) and scale index."""

    def __init__(self, inputs: int, hidden: int, second: int):
        super().__init__()
        self.hidden = Pointwise(inputs, hidden, Grid("relu8"))
        self.second = Pointwise(hidden, second, Grid("relu8"))
        self.mean = Pointwise(second, 1, Grid("int16", 1 / 16))
        self.scale = Pointwise(second, 1, Grid("index", 1.0))
        with torch.no_grad():
            self.mean.weight.mul_(0.1)
            self.scale.weight.mul_(0.1)
            self.scale.bias.fill_(SCALES / 2)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, D, 1, k) to mean and scale index, (n, k) each."""
        x = self.second(self.hidden(features))
        # The scale's layer works in eighths of an octave or so: gradients as large as the mean's.
        return self.mean(x)[:, 0, 0], self.scale(x)[:, 0, 0]


@dataclasses.dataclass
class Planes:
    """Features of a batch of windows as far as they are decoded, each (n, C, T), in units of FEATURE_STEP."""

    signed: torch.Tensor
    plain: torch.Tensor
    wide: torch.Tensor
    narrow: torch.Tensor
    memory: list[torch.Tensor]
    quality: torch.Tensor

    @torch.no_grad()
    def put(self, channel: int, levels: torch.Tensor) -> None:
        """Takes a channel's latents in sixteenths, (n, T), 0 where not decoded yet."""
        magnitude = levels.abs()
        self.plain[:, channel] = magnitude_feature(magnitude)
        self.signed[:, channel] = self.plain[:, channel] * levels.sign()
        self.wide[:, channel] = magnitude_feature(boxes(magnitude[:, None], 16))[:, 0]
        self.narrow[:, channel] = magnitude_feature(boxes(magnitude[:, None], 4))[:, 0]


class SensorModel(nn.Module):
    """Transforms and context models of one domain."""

    def __init__(self, config: SensorConfig, channels: int):
        super().__init__()
        self.config, self.channels, self.window = config, channels, config.window
        self.dense = config.transform == "dense"
        size = config.window * channels if self.dense else config.window
        basis = dct(config.window)
        if self.dense:
            basis = torch.block_diag(*[basis] * channels)
        self.analysis = Pointwise(size, size, Grid("int16", UNIT), precise=True)
        self.synthesis = Pointwise(size, size, Grid("int16", UNIT), precise=True)
        self.refine = ResidualBlock(size, config.synthesis_hidden, UNIT)
        with torch.no_grad():
            self.analysis.weight.copy_(basis[:, :, None, None])
            self.synthesis.weight.copy_(basis.T[:, :, None, None])
        self.place = nn.Parameter(torch.randn(channels, config.window, PLACES) * 0.3)
        inputs = feature_count(channels)
        self.context = nn.ModuleList(
            ContextModel(inputs, config.context_hidden, config.context_second) for _ in range(channels)
        )
        order = config.order or tuple(range(channels))
        if sorted(order) != list(range(channels)):
            raise ValueError(f"order {order} does not name each of {channels} channels once")
        self.order = order

    def _rows(self, x: torch.Tensor) -> torch.Tensor:
        """(n, C, T) to the transforms' input: channels as positions, or all in one."""
        n = len(x)
        return x.reshape(n, -1, 1, 1) if self.dense else x.transpose(1, 2)[:, :, None]

    def _windows(self, x: torch.Tensor) -> torch.Tensor:
        n = len(x)
        return x.reshape(n, self.channels, self.window) if self.dense else x[:, :, 0].transpose(1, 2)

    def analyse(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised samples (n, C, T) to latents (n, C, T)."""
        x = (x / UNIT).round().clamp(-32768, 32767) * UNIT
        return self._windows(self.analysis(self._rows(x)))

    def synthesise(self, latents: torch.Tensor) -> torch.Tensor:
        """Decoded latents to normalised samples."""
        return self._windows(self.synthesis(self.refine(self._rows(latents))))

    def start(self, previous: torch.Tensor, quality: torch.Tensor) -> Planes:
        """Features before anything is decoded. `previous`: magnitudes of the window before in sixteenths;
        `quality`: the feature of the quantiser's step, (n,)."""
        memory = [magnitude_feature(m) for m in (previous, boxes(previous, 16), boxes(previous, 4))]
        zeros = torch.zeros_like(previous)
        return Planes(zeros.clone(), zeros.clone(), zeros.clone(), zeros.clone(), memory, quality)

    def features(self, planes: Planes, channel: int, turn: int) -> torch.Tensor:
        """Features of one pass but for those of places, (n, D - PLACES, k), in units of FEATURE_STEP."""
        n, channels, _ = planes.signed.shape
        first, stride = PASSES[turn]
        parts = []
        for plane in (planes.signed, planes.plain):
            near = F.pad(plane, (NEAR, NEAR)).unfold(2, 2 * NEAR + 1, 1)[:, :, first::stride]
            count = near.shape[2]
            own = F.pad(plane[:, channel], (OWN, OWN)).unfold(1, 2 * OWN + 1, 1)[:, first::stride]
            parts += [near.permute(0, 1, 3, 2).reshape(n, -1, count), own.transpose(1, 2)]
        parts += [p[:, :, first::stride] for p in (planes.wide, planes.narrow, *planes.memory)]
        made = sum(p.shape[1] for p in parts)
        extra = torch.zeros(n, feature_count(channels) - made - PLACES, count)
        extra[:, 0] = planes.quality[:, None]
        extra[:, 1 + turn] = 1 / FEATURE_STEP
        return torch.cat([*parts, extra], 1)

    def evaluate(self, features: torch.Tensor, places: torch.Tensor, channel: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and scale index, (n, k), from features (n, D - PLACES, k) and features of places (n, PLACES, k)."""
        if self.context[channel].hidden.quantise_weights:
            places = places + ((places / FEATURE_STEP).round().clamp(-128, 127) * FEATURE_STEP - places).detach()
        at = features.shape[1] - (feature_count(self.channels) - PLACES - place_offset(self.channels))
        x = torch.cat([features[:, :at] * FEATURE_STEP, places, features[:, at:] * FEATURE_STEP], 1)
        return self.context[channel](x[:, :, None])

    def predict(self, planes: Planes, channel: int, turn: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and scale index of the latents of one pass, (n, k)."""
        first, stride = PASSES[turn]
        with torch.no_grad():
            features = self.features(planes, channel, turn)
        places = self.place[channel, first::stride].T.expand(len(features), -1, -1)
        return self.evaluate(features, places, channel)


def quality_feature(log2_step: torch.Tensor) -> torch.Tensor:
    """The quantiser's step as an integer feature."""
    return torch.round(8 * log2_step).clamp(-127, 127)
