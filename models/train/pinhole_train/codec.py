"""The codec's networks: analysis and synthesis transforms, hyperprior, context in passes, quality gains."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from .bases import haar_step, patch_transform
from .config import AnalysisShape, Shape, SynthesisShape
from .layers import Depthwise, Grid, Pointwise, ResidualBlock, depth_to_space, round_ste, space_to_depth
from .passes import ORDERS, per_picture, put, take
from .rate import SCALE_COUNT, LogisticMixture, gaussian_bits, gaussian_tables, prices_of, scale_of_index

# One unit of the networks is 64 grey levels: DCT coefficients of photographs are then of order one.
PIXEL_UNIT = 64.0
TRUNK_STEP = 1 / 1024
LATENT_STEP = 1 / 512
# What the entropy model reads of latents and symbols has four fractional bits.
SYMBOL_STEP = 1 / 16


class Compress(nn.Module):
    """asinh, the table through which the entropy model sees gained latents."""

    # Table domain in symbol steps (16 per unit); beyond it the table saturates.
    LOW, HIGH = -4096, 4095
    STEP = math.asinh(2 * 4096 / 16) / 127

    def __init__(self):
        super().__init__()
        self.grid = Grid("int8", self.STEP)

    def forward(self, v: torch.Tensor) -> torch.Tensor:
        return self.grid(torch.asinh(2 * v.clamp(self.LOW * SYMBOL_STEP, self.HIGH * SYMBOL_STEP)))


class Analysis(nn.Module):
    """Picture (n, 3, H, W) in [-2, 2) to latents (n, M, H/16, W/16)."""

    def __init__(self, shape: AnalysisShape, latents: int):
        super().__init__()
        width = shape.width
        matrix, labels = patch_transform()
        self.patches = Pointwise(192, width, Grid("int16", TRUNK_STEP), precise=True)
        self.blocks = nn.Sequential(*[ResidualBlock(width, shape.hidden, TRUNK_STEP) for _ in range(shape.blocks)])
        self.down = Pointwise(4 * width, latents, Grid("int16", LATENT_STEP), precise=True)
        self.low = nn.Sequential(
            *[ResidualBlock(latents, shape.low_hidden, LATENT_STEP) for _ in range(shape.low_blocks)]
        )
        with torch.no_grad():
            self.patches.weight.copy_(torch.tensor(matrix[:width, :, None, None]))
            step = haar_step(labels, latents).reshape(latents, 4, 192)[:, :, :width]
            self.down.weight.copy_(torch.tensor(step.reshape(latents, -1, 1, 1)))

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        trunk = self.blocks(self.patches(space_to_depth(picture, 8)))
        return self.low(self.down(space_to_depth(trunk, 2)))


class Synthesis(nn.Module):
    """Latents (n, M, h, w) to picture (n, 3, 16h, 16w)."""

    def __init__(self, shape: SynthesisShape, latents: int):
        super().__init__()
        width = shape.width
        matrix, labels = patch_transform()
        self.low = nn.Sequential(
            *[ResidualBlock(latents, shape.low_hidden, LATENT_STEP) for _ in range(shape.low_blocks)]
        )
        self.up = Pointwise(latents, 4 * width, Grid("int16", TRUNK_STEP), precise=True)
        self.blocks = nn.Sequential(*[ResidualBlock(width, shape.hidden, TRUNK_STEP) for _ in range(shape.blocks)])
        self.patches = Pointwise(width, 192, Grid("int8", 1 / PIXEL_UNIT), precise=True)
        with torch.no_grad():
            self.patches.weight.copy_(torch.tensor(matrix.T[:, :width, None, None]))
            step = haar_step(labels, latents).T.reshape(4, 192, latents)[:, :width]
            self.up.weight.copy_(torch.tensor(step.reshape(-1, latents, 1, 1)))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        trunk = depth_to_space(self.up(self.low(latents)), 2)
        return depth_to_space(self.patches(self.blocks(trunk)), 8)


class HyperAnalysis(nn.Module):
    """Gained latents (n, M, 4a, 4b) to hyper-latents (n, Z, a, b)."""

    def __init__(self, latents: int, width: int, hyper: int):
        super().__init__()
        self.compress = Compress()
        self.reduce = Pointwise(latents, width, Grid("relu8"))
        self.down1 = Pointwise(4 * width, width, Grid("relu8"))
        self.down2 = Pointwise(4 * width, hyper, Grid("int8", 1.0), precise=True)

    def forward(self, v: torch.Tensor) -> torch.Tensor:
        x = self.reduce(self.compress(v))
        return self.down2(space_to_depth(self.down1(space_to_depth(x, 2)), 2))


class HyperSynthesis(nn.Module):
    """Hyper-latents (n, Z, a, b) to features (n, outputs, 4a, 4b)."""

    def __init__(self, width: int, hyper: int, outputs: int, features: Grid):
        super().__init__()
        self.up1 = Pointwise(hyper, 4 * width, Grid("relu8"))
        self.mix1 = Depthwise(width, 3, Grid("int8"))
        self.up2 = Pointwise(width, 4 * outputs, Grid("relu8"))
        self.mix2 = Depthwise(outputs, 3, features)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = self.mix1(depth_to_space(self.up1(z), 2))
        return self.mix2(depth_to_space(self.up2(x), 2))


class Context(nn.Module):
    """Latents decoded so far (zero elsewhere) to features for those of the next pass."""

    def __init__(self, latents: int, width: int, features: Grid):
        super().__init__()
        self.compress = Compress()
        self.reduce = Pointwise(latents, width, Grid("relu8"))
        self.gather = Depthwise(width, 5, features)

    def forward(self, decoded: torch.Tensor) -> torch.Tensor:
        return self.gather(self.reduce(self.compress(decoded)))


class Parameters(nn.Module):
    """Features to the mean (units of a symbol) and the scale index of each latent; position by position."""

    def __init__(self, features: int, width: int, latents: int, fraction: int):
        super().__init__()
        self.hidden = Pointwise(features, width, Grid("relu8"))
        self.mean = Pointwise(width, latents, Grid("int16", 2**-fraction))
        self.scale = Pointwise(width, latents, Grid("index", 1.0))
        with torch.no_grad():
            self.mean.weight.mul_(0.1)
            self.scale.weight.mul_(0.3)
            self.scale.bias.fill_(SCALE_COUNT * 0.35)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.hidden(features)
        return self.mean(x).float(), self.scale(x)


class QualityGains(nn.Module):
    """Per-channel gain of each quality: linear between knots, as the runtime computes it."""

    def __init__(self, latents: int, knots: int, lambda_range: tuple[float, float]):
        super().__init__()
        self.knots = knots
        lambdas = torch.logspace(math.log10(lambda_range[0]), math.log10(lambda_range[1]), knots)
        # High-rate theory: D = step^2 / 12 and dD/dR = -2 ln2 D = -1/lambda give step = 2.94 / sqrt(lambda).
        start = torch.sqrt(lambdas) * PIXEL_UNIT / 2.94
        self.log_gain = nn.Parameter(start.log()[:, None].repeat(1, latents))

    def forward(self, quality: torch.Tensor) -> torch.Tensor:
        """quality (n,) in [0, 1] to gains (n, M, 1, 1)."""
        position = quality.clamp(0, 1) * (self.knots - 1)
        low = position.floor().clamp(max=self.knots - 2).long()
        t = (position - low)[:, None]
        gain = self.log_gain.exp()
        return (gain[low] + (gain[low + 1] - gain[low]) * t)[:, :, None, None]


class Codec(nn.Module):
    """Everything that is trained in the rate-distortion stage: an entropy model, and transforms by name around it."""

    def __init__(self, shape: Shape, lambda_range: tuple[float, float]):
        super().__init__()
        self.shape = shape
        m, f, z, w = shape.latents, shape.entropy_width, shape.hyper_latents, shape.hyper_width
        self.analyses = nn.ModuleDict({name: Analysis(part, m) for name, part in shape.analyses.items()})
        self.syntheses = nn.ModuleDict({name: Synthesis(part, m) for name, part in shape.syntheses.items()})
        self.hyper_analysis = HyperAnalysis(m, w, z)
        # The second predictor reads both side by side: one grid, so that its int8 weights fit both.
        features = Grid("int8")
        self.hyper_synthesis = HyperSynthesis(w, z, f, features)
        self.context = Context(m, f, features)
        self.first = Parameters(f, shape.parameter_width, m, shape.fraction)
        self.second = Parameters(2 * f, shape.parameter_width, m, shape.fraction)
        self.gains = QualityGains(m, shape.gain_knots, lambda_range)
        self.prior = LogisticMixture(z)
        # Gained latents are fixed-point numbers everywhere in the engine; float training skips that rounding.
        self.symbol_grid = Grid("int16", 2**-shape.fraction)
        self.latent_grid = Grid("int16", LATENT_STEP)
        if shape.dependent:
            # Bits of each magnitude by quantiser and scale, which make symbols depend on each other: see trellis.py.
            self.register_buffer("prices", torch.tensor(prices_of(gaussian_tables(dependent=True))))
        # What chooses symbols as an encoder does, a `SymbolCoder` or a `TrellisCoder`; without one, the nearest.
        self.coder = None

    def analyse(self, picture: torch.Tensor, split: dict[str, int]) -> torch.Tensor:
        """Latents of pictures, the first of which go through the first analysis of `split`, and so on."""
        x = (picture.float() - 128) / PIXEL_UNIT
        parts = x.contiguous(memory_format=torch.channels_last).split(list(split.values()))
        return torch.cat([self.analyses[name](part).float() for name, part in zip(split, parts, strict=True)])

    def code(self, latents: torch.Tensor, quality: torch.Tensor) -> dict[str, torch.Tensor]:
        """Through the entropy model: `decoded` latents as a decoder has them, `symbols`, `bits_y` (n, M), `bits_z` (n, Z)."""
        gain = self.gains(quality)
        v = self.symbol_grid(latents * gain)
        z = self.hyper_analysis(self._coarse(v)).float()
        # Noise stands for rounding; where hyper-latents are rounded already, it would be counted twice.
        bits_z = self.prior.bits(z if self.hyper_analysis.down2.grid.enabled else self._noisy(z))
        h = self.hyper_synthesis(round_ste(z))

        symbols, bits_y = torch.zeros_like(v), 0
        for at, part in enumerate(ORDERS[self.shape.passes]):
            features = take(h, part)
            if at:
                near = take(self.context(self._coarse(symbols)), part)
                mean, index = self.second(torch.cat([features, near.to(h.dtype)], 1))
            else:
                mean, index = self.first(features)
            decoded, bits = self._code(take(v, part), mean, index)
            symbols = symbols + put(decoded, part, v)
            bits_y = bits_y + per_picture(bits, len(v))
        return {"decoded": self.latent_grid(symbols / gain), "symbols": symbols, "bits_y": bits_y, "bits_z": bits_z}

    def draw(self, latents: torch.Tensor, synthesis: str) -> torch.Tensor:
        """The picture of decoded latents in grey levels (0..255, not clamped in training)."""
        return self.syntheses[synthesis](latents).float() * PIXEL_UNIT + 128

    def forward(
        self, picture: torch.Tensor, quality: torch.Tensor, analysis: str | None = None, synthesis: str | None = None
    ) -> dict[str, torch.Tensor]:
        """Reconstruction and rates of a batch through one pair of transforms (by default the first of each).

        picture: (n, 3, H, W) uint8, H and W multiples of 64; quality: (n,) in [0, 1].
        Returns `picture` (grey levels), and what `code` does.
        """
        analysis = analysis or next(iter(self.shape.analyses))
        coded = self.code(self.analyse(picture, {analysis: len(picture)}), quality)
        return coded | {"picture": self.draw(coded["decoded"], synthesis or next(iter(self.shape.syntheses)))}

    def _coarse(self, x: torch.Tensor) -> torch.Tensor:
        """Gained latents as the entropy model reads them: in steps of SYMBOL_STEP, ties upwards."""
        if self.shape.fraction == 4 or not self.symbol_grid.enabled:
            return x
        return x + (torch.floor(x / SYMBOL_STEP + 0.5) * SYMBOL_STEP - x).detach()

    def _noisy(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x) - 0.5 if self.training else torch.round(x)

    def _code(self, v: torch.Tensor, mean: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Quantise around the predicted mean: decoded values and bits per channel (n, M)."""
        residual = v - mean
        if self.coder is not None and not self.training:
            symbols, bits = self.coder.code(residual, index)
            return symbols + mean, bits.sum((2, 3))
        if self.coder is None:
            bits = gaussian_bits(self._noisy(residual), scale_of_index(index))
            return round_ste(residual) + mean, bits.sum((2, 3))
        # The bits are those of the chosen symbols, and scales learn from them. That latents and means can learn as well,
        # the gradient of noise in place of rounding is added, without its value.
        symbols, bits = self.coder.learn(residual.detach(), index)
        smooth = gaussian_bits(self._noisy(residual), scale_of_index(index.detach()))
        bits = bits + smooth - smooth.detach()
        return residual + (symbols - residual).detach() + mean, bits.sum((2, 3))


def kmacs_per_pixel(shape: Shape) -> dict[str, float]:
    """Thousand multiply-accumulates per pixel of encoding or decoding (entropy model included) with each transform."""
    m, f, z, p, w = shape.latents, shape.entropy_width, shape.hyper_latents, shape.parameter_width, shape.hyper_width
    block = lambda c, hidden, area: (2 * c * hidden + 9 * c) / area  # noqa: E731
    hyper_analysis = m * w / 256 + 4 * w * w / 1024 + 4 * w * z / 4096
    shared = z * 4 * w / 4096 + 4 * w * f / 1024 + 9 * w / 1024 + 9 * f / 256
    # Latents are looked at once, all but those of the last pass; gathered for every pass, and predicted without in the first.
    contexts = shape.passes - 1
    alone = 1 / 2**contexts
    shared += (m * f / 2 + contexts * 25 * f) / 256 + (alone * f + (1 - alone) * 2 * f + 2 * m) * p / 256

    def transform(part: AnalysisShape | SynthesisShape) -> float:
        ends = 192 * part.width / 64 + 4 * part.width * m / 256
        blocks = part.blocks * block(part.width, part.hidden, 64) + part.low_blocks * block(m, part.low_hidden, 256)
        return ends + blocks + shared

    totals = {name: transform(part) + hyper_analysis for name, part in shape.analyses.items()}
    totals |= {name: transform(part) for name, part in shape.syntheses.items()}
    return {name: total / 1000 for name, total in totals.items()}


def parameter_count(model: nn.Module) -> int:
    return int(np.sum([p.numel() for p in model.parameters()]))
