"""Weights of a trained codec for one of another shape: a new shape then need not be trained from nothing.

Axes that shrink keep their most important units, axes that grow get new ones whose outgoing weights are zero, so that
growing alone does not change what the networks compute.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import torch

from .codec import Codec

State = dict[str, torch.Tensor]


@dataclass
class Axis:
    """Units that several tensors share: (name, dimension) of those that make them and of those that read them.

    A dimension that holds whole blocks of units (after space-to-depth) is a multiple of the others.
    """

    makers: list[tuple[str, int]] = field(default_factory=list)
    readers: list[tuple[str, int]] = field(default_factory=list)

    def layer(self, name: str) -> None:
        """A layer that makes the units."""
        self.makers += [(f"{name}.weight", 0), (f"{name}.bias", 0)]

    def units(self, state: State) -> int:
        return min(state[name].shape[dim] for name, dim in self.makers + self.readers)


def _axes(state: State) -> list[Axis]:
    """Every axis whose length a `Shape` sets."""
    axes = []
    latents = Axis(readers=[("synthesis.up.weight", 1)], makers=[("gains.log_gain", 1)])
    latents.layer("analysis.down")
    latents.readers += [("hyper_analysis.reduce.weight", 1), ("context.reduce.weight", 1)]
    for name in sorted({m[1] for k in state if (m := re.match(r"(.*)\.expand\.weight", k))}):
        hidden = Axis(readers=[(f"{name}.project.weight", 1)])
        hidden.layer(f"{name}.expand")
        axes.append(hidden)
        if name == "analysis.last" or name.startswith("synthesis.low"):
            latents.layer(f"{name}.depthwise")
            latents.layer(f"{name}.project")
            latents.readers.append((f"{name}.expand.weight", 1))
    for name in ("first", "second"):
        hidden = Axis(readers=[(f"{name}.mean.weight", 1), (f"{name}.scale.weight", 1)])
        hidden.layer(f"{name}.hidden")
        latents.layer(f"{name}.mean")
        latents.layer(f"{name}.scale")
        axes.append(hidden)
    for made, read in (("reduce", "down1"), ("down1", "down2")):
        axis = Axis(readers=[(f"hyper_analysis.{read}.weight", 1)])
        axis.layer(f"hyper_analysis.{made}")
        axes.append(axis)
    for net, first, last in (("analysis", "patches", "down"), ("synthesis", "up", "patches")):
        trunk = Axis(readers=[(f"{net}.{last}.weight", 1)])
        trunk.layer(f"{net}.{first}")
        for name in sorted({m[1] for k in state if (m := re.match(rf"({net}\.blocks\.\d+)\.", k))}):
            trunk.layer(f"{name}.depthwise")
            trunk.layer(f"{name}.project")
            trunk.readers.append((f"{name}.expand.weight", 1))
        axes.append(trunk)
    inner = Axis(readers=[("hyper_synthesis.up2.weight", 1)])
    inner.layer("hyper_synthesis.up1")
    inner.layer("hyper_synthesis.mix1")
    return [latents, *axes, inner]


def _split(tensor: torch.Tensor, dim: int, units: int) -> torch.Tensor:
    """View with dimension `dim` as (blocks, units)."""
    return tensor.unflatten(dim, (-1, units))


def _importance(state: State, axis: Axis, units: int) -> torch.Tensor:
    """Norm of what makes a unit times norm of what reads it."""
    def norm(ends: list[tuple[str, int]]) -> torch.Tensor:
        total = torch.zeros(units)
        for name, dim in ends:
            if name.endswith("weight"):
                total += _split(state[name], dim, units).transpose(0, dim + 1).flatten(1).square().sum(1)
        return total.sqrt()

    return norm(axis.makers) * norm(axis.readers)


def _resize(old: State, new: State, axis: Axis, importance: torch.Tensor | None) -> None:
    """Bring the tensors of one axis in `old` to the length that `new` has."""
    units, wanted = axis.units(old), axis.units(new)
    if units == wanted:
        return
    if importance is None:
        importance = _importance(old, axis, units)
    kept = torch.topk(importance, min(units, wanted)).indices.sort().values
    for ends, fresh in ((axis.makers, True), (axis.readers, False)):
        for name, dim in ends:
            tensor = _split(old[name], dim, units).index_select(dim + 1, kept)
            missing = wanted - len(kept)
            if missing:
                shape = list(tensor.shape)
                shape[dim + 1] = missing
                tail = torch.zeros(shape)
                if fresh and name.endswith("weight"):
                    tail.normal_(std=tensor.std().item())
                tensor = torch.cat([tensor, tail], dim + 1)
            old[name] = tensor.flatten(dim, dim + 1)


def transplant(old: State, model: Codec, latent_rates: torch.Tensor) -> State:
    """A state for `model` from the state of a codec of any shape. Blocks that are not there yet start as the model's.

    `latent_rates`: mean bits of each of the old codec's latent channels; the dearest are kept.
    """
    new = model.state_dict()
    old = {k: v.clone() for k, v in old.items() if k in new}
    latents, *others = _axes(old)
    _resize(old, new, latents, latent_rates)
    for axis in others:
        _resize(old, new, axis, None)
    unfit = [k for k in old if old[k].shape != new[k].shape]
    if unfit:
        raise ValueError(f"no way to bring {', '.join(unfit)} into the new shape")
    return {k: old.get(k, v) for k, v in new.items()}
