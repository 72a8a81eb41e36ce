"""Configuration of the stages that train a float decoder on a frozen latent space: one TOML file each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from .config import _checked
from .float_decoder import FloatShape


@dataclass(frozen=True)
class DecoderConfig:
    """One stage. With `adversarial` above 0 it has a discriminator; with a teacher it learns that one's pictures."""

    name: str
    steps: int
    seed: int = 1
    batch: int = 16
    crop: int = 256
    shrinks: tuple[float, ...] = (1.0,)
    learning_rate: float = 5e-4
    # Of the layers that start as fixed bases, relative to the others.
    basis_rate: float = 0.2
    warmup: int = 100
    final_rate: float = 0.02
    # Qualities are drawn as u ** low, u uniform: above 1, low rates are seen more often.
    low: float = 1.0
    # Decoder to start from: a checkpoint, or the name of a stage beside this one's folder; none: the codec's synthesis.
    start: str = ""
    synthesis: str = "standard"
    analysis: str = "default"
    # Weights as in the codec's own stages: lambda * MSE, border errors, worst errors, SSIMULACRA2.
    mse_share: float = 1.0
    border: float = 0.0
    peak: float = 0.0
    perceptual: float = 0.0
    # Distance by features of a network for recognition (`recognition.py`), times (1 - quality)^2.
    features: float = 0.0
    # Fine errors in flat areas (`pattern_error`), times (1 - quality)^2: what the two others and the discriminator overlook.
    pattern: float = 0.0
    # Size of the adversarial gradient on the picture, relative to that of everything above.
    adversarial: float = 0.0
    # Feature matching, relative to the discriminator's score.
    matching: float = 1.0
    # What the discriminator judges by: "pixels", or "features" of the network for recognition.
    discriminator: str = "pixels"
    discriminator_rate: float = 4e-4
    discriminator_width: int = 64
    # Steps in which only the discriminator learns, then as many in which its weight rises.
    head_start: int = 150
    # Checkpoint of a finished stage (`last.ckpt`) whose decoder is the teacher; its discriminator, if any, goes on.
    teacher: str = ""
    ema: float = 0.999
    # Hand the fidelity loss to the compiler: worth it in long runs on a GPU.
    compile: bool = False
    checkpoint_every: int = 2000
    log_every: int = 100
    shape: FloatShape = field(default_factory=FloatShape)

    @staticmethod
    def read(path: Path) -> DecoderConfig:
        """Parse a TOML file; unknown keys are an error."""
        values = tomllib.loads(Path(path).read_text())
        shape = FloatShape(**_checked(FloatShape, values.pop("shape", {}), path))
        values = _checked(DecoderConfig, values, path)
        if "shrinks" in values:
            values["shrinks"] = tuple(values["shrinks"])
        if values.get("discriminator", "pixels") not in ("pixels", "features"):
            raise ValueError(f"{path}: discriminator = {values['discriminator']!r} is neither pixels nor features")
        return DecoderConfig(shape=shape, **values)
