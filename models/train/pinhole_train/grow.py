"""A larger transform that begins as a smaller one.

Blocks and hidden units that the smaller one lacks add nothing at first: their last convolutions are zero, as at the start of
any training (T. Chen et al., *Net2Net*, ICLR 2016, has the general idea). So the larger one can only become better.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from . import checkpoint
from .codec import Codec
from .config import Config


def grow(base: Path, config: Config, part: str, model: str, out: Path) -> str:
    """Write the weights of `base` with transform `part` ("analyses.best"), shaped as in `config`, grown out of its
    transform `model` ("analyses.default")."""
    state = checkpoint.load(base)
    kind, name = part.split(".")
    small, large = getattr(state["config"].shape, kind)[model.split(".")[1]], getattr(config.shape, kind)[name]
    if model.split(".")[0] != kind or small.width != large.width:
        raise ValueError(f"{part} cannot grow out of {model}: it must be as wide")
    for key in ("blocks", "hidden", "low_blocks", "low_hidden"):
        if getattr(large, key) < getattr(small, key):
            raise ValueError(f"{part} has a smaller {key} than {model}")
    shape = dataclasses.replace(state["config"].shape, **{kind: getattr(state["config"].shape, kind) | {name: large}})
    torch.manual_seed(config.seed)
    fresh = Codec(shape, state["config"].lambda_range).state_dict()
    weights = {k: v.float() for k, v in state["average"].items() if not k.startswith(f"{part}.")}
    for key, value in fresh.items():
        if key.startswith(f"{part}."):
            weights[key] = _grown(value, key.removeprefix(f"{part}."), model, weights, small)
    grown = dataclasses.replace(state["config"], shape=shape, train=(), split={})
    return checkpoint.save_average(out, state, grown, weights)


def _grown(value: torch.Tensor, key: str, model: str, weights: dict[str, torch.Tensor], small) -> torch.Tensor:
    """One tensor of the larger transform, from its fresh `value` and the smaller one's."""
    stage, *place = key.split(".")
    added = False
    if stage in ("blocks", "low"):
        count = small.blocks if stage == "blocks" else small.low_blocks
        added = int(place[0]) >= count
        # Steps and depthwise convolutions of blocks that are added are those of the last one.
        key = ".".join([stage, str(min(int(place[0]), count - 1)), *place[1:]])
    source = weights[f"{model}.{key}"]
    if key.endswith(("project.weight", "project.bias")):
        value = torch.zeros_like(value)
        if added:
            return value
    elif added and key.endswith("expand.weight"):
        return value * (source.std() / value.std())
    value = value.clone()
    value[tuple(slice(0, n) for n in source.shape)] = source
    return value
