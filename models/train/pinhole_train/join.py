"""Transforms of several checkpoints in one: what stages of one part each have trained, or where the next begin."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import torch

from . import checkpoint

log = logging.getLogger("pinhole_train")


def join(base: Path, parts: dict[str, Path], out: Path) -> str:
    """Write the averaged weights of `base`, with transforms ("analyses.fast") from other checkpoints added or replaced.

    Transforms of another latent space are only a start: it is said in the log.
    """
    state = checkpoint.load(base)
    weights, shape = dict(state["average"]), state["config"].shape
    for part, path in parts.items():
        kind, _, name = part.partition(".")
        other = checkpoint.load(path)
        taken = {k: v for k, v in other["average"].items() if k.startswith(f"{part}.")}
        if kind not in ("analyses", "syntheses") or not taken:
            raise ValueError(f"{path}: has no transform {part!r}")
        shared = [k for k in weights if not k.startswith(("analyses.", "syntheses."))]
        there = other["average"]
        if not all(k in there and torch.equal(weights[k].float(), there[k].float()) for k in shared):
            log.warning("%s: %s is of another latent space: it has to be trained further", path, part)
        weights = {k: v for k, v in weights.items() if not k.startswith(f"{part}.")} | taken
        transforms = getattr(shape, kind) | {name: getattr(other["config"].shape, kind)[name]}
        shape = dataclasses.replace(shape, **{kind: transforms})
    config = dataclasses.replace(state["config"], shape=shape, train=(), split={})
    return checkpoint.save_average(out, state, config, weights)
