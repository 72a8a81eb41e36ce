"""Run configuration: one TOML file per stage."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """Widths of the networks. See docs/models.md for what each costs and buys."""

    latents: int = 320
    # Hidden units of the analysis block at 1/16; 0: as many as latents.
    latent_hidden: int = 0
    hyper_latents: int = 64
    # Width inside the hyper-transforms; 0: as `entropy_width`.
    hyper_width: int = 0
    entropy_width: int = 192
    parameter_width: int = 256
    # Channels of the transforms at 1/8, at most 192, which keep every coefficient of a patch; fewer, the lowest.
    analysis_width: int = 192
    synthesis_width: int = 192
    analysis_hidden: int = 192
    analysis_blocks: int = 3
    # Blocks of the synthesis at 1/16, and their hidden units (0: as many as latents).
    synthesis_low_blocks: int = 1
    synthesis_low_hidden: int = 0
    synthesis_hidden: int = 256
    synthesis_blocks: int = 4
    gain_knots: int = 7


@dataclass(frozen=True)
class Config:
    """One training stage."""

    name: str
    steps: int
    seed: int = 1
    batch: int = 8
    crop: int = 192
    shrinks: tuple[float, ...] = (0.75, 0.5)
    learning_rate: float = 6e-4
    basis_rate: float = 0.2
    warmup: int = 200
    final_rate: float = 0.02
    lambda_range: tuple[float, float] = (6e-4, 0.4)
    # How much more often qualities in the middle are drawn than those at the ends: 0 (alike) to below 1.
    focus: float = 0.0
    start: str = ""
    quantise: bool = False
    # What is trained: "all", or one transform ("analysis", "synthesis") with everything else as it stands.
    train: str = "all"
    perceptual: float = 0.0
    mse_share: float = 1.0
    border: float = 0.0
    ema: float = 0.999
    checkpoint_every: int = 500
    log_every: int = 50
    shape: Shape = field(default_factory=Shape)

    @staticmethod
    def read(path: Path) -> Config:
        """Parse a TOML file; unknown keys are an error, so that a typo cannot pass for a setting."""
        values = tomllib.loads(Path(path).read_text())
        shape = Shape(**_checked(Shape, values.pop("shape", {}), path))
        values = _checked(Config, values, path)
        for key in ("shrinks", "lambda_range"):
            if key in values:
                values[key] = tuple(values[key])
        if values.get("train", "all") not in ("all", "analysis", "synthesis"):
            raise ValueError(f"{path}: train = {values['train']!r} is none of all, analysis, synthesis")
        return Config(shape=shape, **values)


def _checked(kind: type, values: dict, path: Path) -> dict:
    unknown = set(values) - {f.name for f in dataclasses.fields(kind)}
    if unknown:
        raise ValueError(f"{path}: unknown settings {', '.join(sorted(unknown))}")
    return values
