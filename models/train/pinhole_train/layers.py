"""Layers that map one to one onto the engine's operations, with the engine's quantisation simulated on demand.

Every layer ends in a `Grid`: the set of values that the engine can store in its output tensor. In float training a grid
does nothing; once `enable_quantisation` has been called it rounds (straight-through) exactly where the engine rounds.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from . import rounding
from .rounding import weight_steps

WEIGHT_MAX = 127


def round_ste(x: torch.Tensor) -> torch.Tensor:
    """Round half to even, with the gradient of the identity."""
    return x + (torch.round(x) - x).detach()


class LowerBound(torch.autograd.Function):
    """max(x, bound) whose gradient still lets x climb back above the bound (Balle et al. 2018, appendix)."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, bound: float) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp(min=bound)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        (x,) = ctx.saved_tensors
        return gradient * ((x >= ctx.bound) | (gradient < 0)), None


class Quantise(torch.autograd.Function):
    """Round to `step * q`, q in low..high, with the gradient of the identity inside that range and none outside.

    `low` None: the input is bounded below already and must not be clamped again; at the bound, clamp has no gradient.
    The step's gradient is that of learned step sizes (Esser et al. 2020, eq. 3), scaled as there.
    """

    @staticmethod
    def forward(ctx, x: torch.Tensor, step: torch.Tensor, low: int | None, high: int) -> torch.Tensor:
        ctx.save_for_backward(x, step)
        ctx.low, ctx.high = low, high
        return (rounding.quantise_cuda if x.is_cuda else rounding.quantise)(x, step, low, high)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        x, step = ctx.saved_tensors
        backward = rounding.quantise_backward_cuda if x.is_cuda else rounding.quantise_backward
        inside, for_step = backward(gradient, x, step, ctx.low, ctx.high)
        if not ctx.needs_input_grad[1]:
            return inside, None, None, None
        return inside, for_step / (x.numel() * ctx.high) ** 0.5, None, None


class QuantiseWeight(torch.autograd.Function):
    """Round each output channel to 255 integers that span its largest magnitude; the gradient passes as it is."""

    @staticmethod
    def forward(ctx, weight: torch.Tensor) -> torch.Tensor:
        return (rounding.quantise_weight_cuda if weight.is_cuda else rounding.quantise_weight)(weight, WEIGHT_MAX)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        return gradient


class Grid(nn.Module):
    """Values `step * (q - zero)` for integers lo <= q <= hi.

    kinds: `relu8` (0..255, zero point 0), `int8` (0..255, zero point 128), `int16` (-32768..32767), `index` (0..63, the
    scale tables, bounded in float training too).
    A fixed step belongs to tensors whose unit is part of the format. The others start at the largest magnitude seen
    while `observing` and are then learned with the weights.
    """

    KINDS = {"relu8": (0, 255, 0), "int8": (0, 255, 128), "int16": (-32768, 32767, 0), "index": (0, 63, 0)}

    def __init__(self, kind: str, step: float | None = None):
        super().__init__()
        self.kind = kind
        self.lo, self.hi, self.zero = self.KINDS[kind]
        self.fixed = step is not None
        self.enabled = False
        self.observing = False
        if self.fixed:
            self.register_buffer("fixed_step", torch.tensor(step))
        else:
            self.log_step = nn.Parameter(torch.tensor(0.0))

    def _load_from_state_dict(self, state_dict, prefix, *arguments):
        # A fixed step is the shape's to say, not that of the weights: a stage may have finer ones than its start.
        if self.fixed:
            state_dict[f"{prefix}fixed_step"] = self.fixed_step.clone()
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    @property
    def step(self) -> torch.Tensor:
        """What one integer stands for."""
        return self.fixed_step if self.fixed else self.log_step.exp()

    @property
    def span(self) -> int:
        return self.hi - self.zero

    @torch.no_grad()
    def _observe(self, x: torch.Tensor) -> None:
        # The maximum of a sample is a high quantile of the whole: one outlier must not coarsen the tensor.
        sample = x.detach().flatten()
        top = (sample[:: max(1, sample.numel() // 65536)].abs().amax().float().clamp(min=1e-4) / self.span).log()
        first = self.log_step == 0
        self.log_step.copy_(torch.where(first, top, self.log_step * 0.9 + top * 0.1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "relu8":
            x = F.relu(x)
        elif self.kind == "index":
            x = LowerBound.apply(x.float(), 0.0).clamp(max=self.hi)
        if self.observing and not self.fixed:
            self._observe(x)
        if not self.enabled:
            return x
        # 256 values are exact enough in bfloat16.
        x = x if self.kind in ("relu8", "int8") else x.float()
        low = None if self.kind in ("relu8", "index") else self.lo - self.zero
        return Quantise.apply(x, self.step, low, self.hi - self.zero)


class QuantisedConv(nn.Module):
    """What the convolutions share: per-channel int8 weights and an output grid."""

    def __init__(self, shape: tuple[int, ...], grid: Grid, precise: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0]))
        self.grid = grid
        self.precise = precise
        self.quantise_weights = False

    def weight_scale(self) -> torch.Tensor:
        """Step of each output channel's int8 weights, shape (out,)."""
        return weight_steps(self.weight.detach(), WEIGHT_MAX)

    def used_weight(self) -> torch.Tensor:
        return QuantiseWeight.apply(self.weight) if self.quantise_weights else self.weight

    def convolve(self, x: torch.Tensor, **how) -> torch.Tensor:
        weight = self.used_weight()
        if self.precise:
            with torch.autocast(x.device.type, enabled=False):
                return F.conv2d(x.float(), weight, self.bias, **how)
        return F.conv2d(x, weight, self.bias, **how)


class Pointwise(QuantisedConv):
    """1x1 convolution. `precise` ones read int16 (or the picture) and are kept out of autocast."""

    def __init__(self, inputs: int, outputs: int, grid: Grid, precise: bool = False, zero: bool = False):
        super().__init__((outputs, inputs, 1, 1), grid, precise)
        if zero:
            nn.init.zeros_(self.weight)
        else:
            nn.init.kaiming_normal_(self.weight, nonlinearity="relu" if grid.kind == "relu8" else "linear")

    def forward(self, x: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        y = self.convolve(x)
        return self.grid(y if residual is None else residual + y)


class Depthwise(QuantisedConv):
    """Depthwise k x k convolution, stride 1, zero padding; starts near the identity."""

    def __init__(self, channels: int, size: int, grid: Grid):
        super().__init__((channels, 1, size, size), grid, precise=False)
        nn.init.normal_(self.weight, std=0.3 / size**2)
        with torch.no_grad():
            self.weight[:, 0, size // 2, size // 2] += 1.0
        self.size = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.grid(self.convolve(x, padding=self.size // 2, groups=self.weight.shape[0]))


def space_to_depth(x: torch.Tensor, block: int) -> torch.Tensor:
    """(n, c, h, w) to (n, block*block*c, h/block, w/block), channels ordered (dy, dx, c) as ONNX SpaceToDepth."""
    n, c, h, w = x.shape
    x = x.view(n, c, h // block, block, w // block, block)
    x = x.permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, block * block * c, h // block, w // block).contiguous(memory_format=torch.channels_last)


def depth_to_space(x: torch.Tensor, block: int) -> torch.Tensor:
    """The inverse of `space_to_depth` (ONNX DepthToSpace, mode DCR)."""
    n, c, h, w = x.shape
    x = x.view(n, block, block, c // block**2, h, w)
    x = x.permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, c // block**2, h * block, w * block).contiguous(memory_format=torch.channels_last)


class ResidualBlock(nn.Module):
    """trunk + 1x1(ReLU(1x1(depthwise 3x3(trunk)))): the trunk is int16, the branch int8."""

    def __init__(self, channels: int, hidden: int, trunk_step: float):
        super().__init__()
        self.depthwise = Depthwise(channels, 3, Grid("int8"))
        self.expand = Pointwise(channels, hidden, Grid("relu8"))
        self.project = Pointwise(hidden, channels, Grid("int16", trunk_step), zero=True)

    def forward(self, trunk: torch.Tensor) -> torch.Tensor:
        return self.project(self.expand(self.depthwise(trunk)), residual=trunk)


def grids(model: nn.Module) -> list[Grid]:
    return [m for m in model.modules() if isinstance(m, Grid)]


def observe(model: nn.Module, on: bool) -> None:
    """Let activation grids follow the range of what passes through them."""
    for grid in grids(model):
        grid.observing = on


def enable_quantisation(model: nn.Module, on: bool = True) -> None:
    """From here on every weight and activation is rounded as the engine rounds it, or none is."""
    for module in model.modules():
        if isinstance(module, Grid):
            module.enabled = on
        elif isinstance(module, QuantisedConv):
            module.quantise_weights = on


def round_for_stage(model: nn.Module, trained: tuple[str, ...], quantise: bool) -> None:
    """Rounding as a stage has it that trains the parts `trained` (none: all, or those with everything else as it stands).

    What stands still is what ships: rounded, whether the parts themselves are or not yet.
    """
    enable_quantisation(model, quantise or bool(trained))
    for part in trained:
        enable_quantisation(model.get_submodule(part), quantise)


@torch.no_grad()
def equalise_branches(model: nn.Module, run, exponent: float, keep_function: bool) -> None:
    """Bring the channels that a block's branch reads to like magnitudes, so that one int8 step suits them all.

    `run` calls the model once. Each channel of a depthwise output is divided by rms**exponent; with `keep_function` the
    following convolution is multiplied by the same, otherwise the branch is simply left normalised (at initialisation).
    """
    seen: dict[ResidualBlock, torch.Tensor] = {}
    blocks = [m for m in model.modules() if isinstance(m, ResidualBlock)]

    def measure(block: ResidualBlock):
        def hook(_module, _inputs, out):
            seen[block] = out.float().square().mean((0, 2, 3)).sqrt()
        return hook

    hooks = [b.depthwise.register_forward_hook(measure(b)) for b in blocks]
    run()
    for hook in hooks:
        hook.remove()
    for block, rms in seen.items():
        # The floor (3 grey levels of a coefficient) keeps channels that are empty at first from being blown up.
        factor = rms.clamp(min=0.05) ** exponent
        block.depthwise.weight.div_(factor[:, None, None, None])
        block.depthwise.bias.div_(factor)
        if keep_function:
            block.expand.weight.mul_(factor[None, :, None, None])
