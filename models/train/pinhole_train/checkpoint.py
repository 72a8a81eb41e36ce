"""Checkpoints: written whole or not at all, carrying their hash, verified when read."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import torch

from .config import AnalysisShape, Config, Shape, SynthesisShape
from .rounding import quantise_weight_integers

MAGIC = b"PINCKPT1"


def save(path: Path, state: dict) -> str:
    """Write `state` atomically; returns the SHA-256 of its content."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + ".partial")
    with open(temporary, "wb") as out:
        out.write(MAGIC + digest.digest() + content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, path)
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a checkpoint's file: what lineage records name it by."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def load(path: Path) -> dict:
    """Read a checkpoint; ValueError if a byte of it has changed."""
    content = Path(path).read_bytes()
    if content[: len(MAGIC)] != MAGIC:
        raise ValueError(f"{path}: not a Pinhole checkpoint")
    head = len(MAGIC) + 32
    if hashlib.sha256(content[head:]).digest() != content[len(MAGIC) : head]:
        raise ValueError(f"{path}: damaged checkpoint (its hash does not match)")
    # Tensors, plain values and the configuration: a checkpoint from elsewhere cannot run code.
    with torch.serialization.safe_globals([AnalysisShape, Config, Shape, SynthesisShape]):
        state = torch.load(io.BytesIO(content[head:]), map_location="cpu", weights_only=True)
    config = state["config"]
    if isinstance(config, Config):
        # What shapes were before they could say so.
        for key, value in (("passes", 2), ("dependent", False), ("fraction", 4)):
            if key not in vars(config.shape):
                object.__setattr__(config.shape, key, value)
    for name, (integers, steps) in state.pop("rounded", {}).items():
        state["average"][name] = integers * steps
    return state


def save_average(out: Path, state: dict, config: Config, average: dict, **more: dict) -> str:
    """Write averaged weights that come from those of `state`: for other stages to start from, not for resuming."""
    kept = {key: state[key] for key in ("step", "data_hash", "parent")}
    return save(out, kept | {"config": config, "average": average} | more)


def shrink(path: Path, out: Path, bits: int = 8) -> str:
    """Write the averaged weights of a stage, convolutions as integers and steps: for other stages to start from.

    With 8 bits, those of a rounded stage are its int8 numbers, a quarter of what float32 takes and the same model. Otherwise they
    are up to half a step away, and the model is only a start.
    """
    state = load(path)
    largest = 2 ** (bits - 1) - 1
    rounded = {k: quantise_weight_integers(v.float(), largest) for k, v in state["average"].items() if v.dim() == 4}
    rest = {k: v for k, v in state["average"].items() if v.dim() != 4}
    return save_average(out, state, state["config"], rest, rounded=rounded)
