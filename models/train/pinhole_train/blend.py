"""Weights between those of two checkpoints: some of what a stage has gained for some of what it has cost.

Works where the second stage began at the first (network interpolation, as Wang et al. 2019 for ESRGAN).
"""

from __future__ import annotations

from pathlib import Path

from . import checkpoint
from .config import Config


def blend(first: Path, second: Path, share: float, out: Path) -> str:
    """Write averaged weights that have gone `share` (0 to 1) of the way from `first` to `second`; returns the SHA-256.

    Both are stages of a codec, or both float decoders of one latent space.
    """
    ours, theirs = checkpoint.load(first), checkpoint.load(second)
    shapes = [{name: value.shape for name, value in state["average"].items()} for state in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"{first} and {second}: not of one shape")
    average = {name: value.float().lerp(theirs["average"][name].float(), share) for name, value in ours["average"].items()}
    if isinstance(theirs["config"], Config):
        return checkpoint.save_average(out, theirs, theirs["config"], average)
    if ours["latent_space"] != theirs["latent_space"]:
        raise ValueError(f"{first} and {second}: of different latent spaces")
    kept = ("shape", "base", "latents", "config", "data_hash", "latent_space", "commit", "kmac_per_pixel")
    finished = {key: theirs[key] for key in kept} | {
        "kind": "float decoder",
        "step": theirs["step"],
        "average": {name: value.half().contiguous() for name, value in average.items()},
        "parents": theirs["parents"]
        | {state["config"]["name"]: checkpoint.file_hash(path) for state, path in ((ours, first), (theirs, second))},
        "blend": share,
    }
    return checkpoint.save(out, finished)
