"""Rounding to a grid and its gradient, as plain tensor operations and as one CUDA kernel each.

A rounded training step passes every activation through these; as separate operations they would read and write it
sixteen times.
"""

from __future__ import annotations

import torch

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None


def _quantise(x: torch.Tensor, step: torch.Tensor, low: int | None, high: int) -> torch.Tensor:
    """`step * round(x / step)`, the integer clamped to low..high, ties to even."""
    return (x.float() / step).round_().clamp_(low, high).mul_(step).to(x.dtype)


def _quantise_backward(
    gradient: torch.Tensor, x: torch.Tensor, step: torch.Tensor, low: int | None, high: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients for `x` (those of values inside the range) and, as a sum, for `step`."""
    scaled = x.float() / step
    outside = scaled > high + 0.5
    if low is not None:
        outside |= scaled < low - 0.5
    rounded = torch.round(scaled).clamp_(low, high)
    for_step = (gradient.float() * (rounded - scaled.masked_fill(outside, 0))).sum()
    return gradient.masked_fill(outside, 0).to(x.dtype), for_step


quantise, quantise_backward = _quantise, _quantise_backward


def weight_steps(weight: torch.Tensor, largest: int) -> torch.Tensor:
    """Step of each output channel (the first dimension) whose integers reach `largest`."""
    return weight.abs().flatten(1).amax(1).clamp(min=1e-8) / largest


def quantise_weight(weight: torch.Tensor, largest: int) -> torch.Tensor:
    """Every output channel rounded to its own step."""
    steps = weight_steps(weight, largest).view(-1, *[1] * (weight.dim() - 1))
    return torch.round(weight / steps) * steps


def quantise_weight_integers(weight: torch.Tensor, largest: int = 127) -> tuple[torch.Tensor, torch.Tensor]:
    """The int8 numbers of `quantise_weight`, and the steps, whose product is the rounded weight."""
    steps = weight_steps(weight, largest).view(-1, *[1] * (weight.dim() - 1))
    return torch.round(weight / steps).to(torch.int8), steps


def compile_for_processor() -> None:
    """From here on one kernel each for `quantise` and its gradient on a processor, too: the gradient takes a twentieth of
    the time. Needs a C++ compiler, and half a minute."""
    global quantise, quantise_backward
    if quantise is _quantise:
        quantise = torch.compile(_quantise, dynamic=True)
        quantise_backward = torch.compile(_quantise_backward, dynamic=True)


BLOCK = 1024

if triton is not None:

    @triton.jit
    def _forward_kernel(x_at, step_at, y_at, count, low, high, BLOCK: tl.constexpr):
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        step = tl.load(step_at)
        scaled = tl.load(x_at + at, mask=at < count, other=0).to(tl.float32) / step
        # Adding and taking off 1.5 * 2^23 rounds to the nearest integer, ties to even.
        integer = (tl.minimum(tl.maximum(scaled, low), high) + 12582912.0) - 12582912.0
        tl.store(y_at + at, (integer * step).to(y_at.dtype.element_ty), mask=at < count)

    @triton.jit
    def _backward_kernel(g_at, x_at, step_at, out_at, sum_at, count, low, high, BLOCK: tl.constexpr):
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        step = tl.load(step_at)
        scaled = tl.load(x_at + at, mask=at < count, other=0).to(tl.float32) / step
        gradient = tl.load(g_at + at, mask=at < count, other=0).to(tl.float32)
        inside = (scaled >= low - 0.5) & (scaled <= high + 0.5)
        integer = (tl.minimum(tl.maximum(scaled, low), high) + 12582912.0) - 12582912.0
        wrong = integer - tl.where(inside, scaled, 0.0)
        tl.atomic_add(sum_at, tl.sum(gradient * wrong, 0))
        tl.store(out_at + at, tl.where(inside, gradient, 0.0).to(out_at.dtype.element_ty), mask=at < count)


    @triton.jit
    def _weight_kernel(w_at, out_at, length, largest, ROW: tl.constexpr):
        at = tl.arange(0, ROW)
        start = tl.program_id(0) * length
        weight = tl.load(w_at + start + at, mask=at < length, other=0)
        step = tl.maximum(tl.max(tl.abs(weight), 0), 1e-8) / largest
        integer = (weight / step + 12582912.0) - 12582912.0
        tl.store(out_at + start + at, integer * step, mask=at < length)


def _dense(x: torch.Tensor) -> torch.Tensor:
    """As it lies, if it lies without gaps."""
    kept = x.is_contiguous() or (x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last))
    return x if kept else x.contiguous()


# Stands for "not bounded below": far from any value, and its half-step neighbours are still exact.
UNBOUNDED = -(2**20)


def quantise_cuda(x: torch.Tensor, step: torch.Tensor, low: int | None, high: int) -> torch.Tensor:
    """`quantise` in one kernel."""
    x = _dense(x)
    out = torch.empty_like(x)
    low = UNBOUNDED if low is None else low
    _forward_kernel[(triton.cdiv(x.numel(), BLOCK),)](x, step, out, x.numel(), float(low), float(high), BLOCK=BLOCK)
    return out


def quantise_weight_cuda(weight: torch.Tensor, largest: int) -> torch.Tensor:
    """`quantise_weight` in one kernel."""
    weight = _dense(weight)
    out, length = torch.empty_like(weight), weight[0].numel()
    _weight_kernel[(len(weight),)](weight, out, length, float(largest), ROW=triton.next_power_of_2(length))
    return out


def quantise_backward_cuda(
    gradient: torch.Tensor, x: torch.Tensor, step: torch.Tensor, low: int | None, high: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """`quantise_backward` in one kernel; the order of its sum, and so its last bits, vary."""
    x = _dense(x)
    if gradient.stride() != x.stride():
        gradient = torch.empty_like(x, dtype=gradient.dtype).copy_(gradient)
    out, total = torch.empty_like(x), torch.zeros((), device=x.device)
    low = UNBOUNDED if low is None else low
    blocks = (triton.cdiv(x.numel(), BLOCK),)
    _backward_kernel[blocks](gradient, x, step, out, total, x.numel(), float(low), float(high), BLOCK=BLOCK)
    return out, total
