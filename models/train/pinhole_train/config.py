"""Run configuration: one TOML file per stage."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class AnalysisShape:
    """Widths of one analysis transform. See docs/models.md for what each costs and buys."""

    # Channels at 1/8, at most 192, which keep every coefficient of a patch; fewer, the lowest.
    width: int = 192
    blocks: int = 3
    hidden: int = 192
    # Blocks at 1/16, and their hidden units.
    low_blocks: int = 1
    low_hidden: int = 192


@dataclass(frozen=True)
class SynthesisShape:
    """Widths of one synthesis transform, as those of the analysis."""

    width: int = 192
    blocks: int = 4
    hidden: int = 256
    low_blocks: int = 1
    low_hidden: int = 256


@dataclass(frozen=True)
class Shape:
    """Widths of the networks: one latent space, transforms by name around it."""

    latents: int = 288
    hyper_latents: int = 64
    # Width inside the hyper-transforms.
    hyper_width: int = 96
    entropy_width: int = 128
    parameter_width: int = 144
    gain_knots: int = 7
    # In which the latents are coded, 2 or 4: see passes.py.
    passes: int = 4
    # Two quantisers that take turns by the symbols before: see trellis.py.
    dependent: bool = False
    # Fractional bits of gained latents and predicted means, 4 or 5.
    fraction: int = 4
    analyses: dict[str, AnalysisShape] = field(default_factory=lambda: {"default": AnalysisShape()})
    # The first one shapes the latents; the others learn to draw them as they are.
    syntheses: dict[str, SynthesisShape] = field(default_factory=lambda: {"standard": SynthesisShape()})


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
    # "adam", or "muon" for the weights of 1x1 convolutions and Adam for all else.
    optimiser: str = "adam"
    warmup: int = 200
    final_rate: float = 0.02
    lambda_range: tuple[float, float] = (2e-4, 0.4)
    # How much more often qualities in the middle are drawn than those at the ends: 0 (alike) to below 1.
    focus: float = 0.0
    start: str = ""
    # Round weights and activations as the engine does, after this share of the steps without.
    quantise: bool = False
    float_share: float = 0.0
    # Choose symbols by rate and distortion, as encoders do, instead of the nearest. With dependent quantisation they always are.
    choose: bool = False
    # Parts of the codec to train with everything else as it stands ("analyses.fast"); none: all of it.
    train: tuple[str, ...] = ()
    # An analysis whose latents those in training shall come close to, instead of coding and drawing pictures: what a new
    # transform can learn first, in a third of the time.
    follow: str = ""
    # Pictures of a batch that go through each analysis; empty: all through the first.
    split: dict[str, int] = field(default_factory=dict)
    perceptual: float = 0.0
    mse_share: float = 1.0
    # Until this share of the steps, squared error alone is what pictures are judged by.
    score_from: float = 0.0
    border: float = 0.0
    # Of the errors where they are worst, relative to the full weight of squared error.
    peak: float = 0.0
    ema: float = 0.999
    # Fuse many small operations: on a GPU those of the loss, on a processor those of rounding.
    compile: bool = False
    checkpoint_every: int = 500
    log_every: int = 50
    shape: Shape = field(default_factory=Shape)

    @staticmethod
    def read(path: Path) -> Config:
        """Parse a TOML file; unknown keys are an error, so that a typo cannot pass for a setting."""
        return Config.of(tomllib.loads(Path(path).read_text()), path)

    @staticmethod
    def of(values: dict, path: Path) -> Config:
        """What the tables of a TOML file say; `path` is for messages."""
        values = dict(values)
        shape = dict(_checked(Shape, values.pop("shape", {}), path))
        for key, kind in (("analyses", AnalysisShape), ("syntheses", SynthesisShape)):
            if key in shape:
                shape[key] = {name: kind(**_checked(kind, part, path)) for name, part in shape[key].items()}
        values = _checked(Config, values, path)
        for key in ("shrinks", "lambda_range", "train"):
            if key in values:
                values[key] = tuple(values[key])
        config = Config(shape=Shape(**shape), **values)
        if config.split and (sum(config.split.values()) != config.batch or set(config.split) - set(config.shape.analyses)):
            raise ValueError(f"{path}: split {config.split} does not divide a batch of {config.batch} among the analyses")
        if config.optimiser not in ("adam", "muon"):
            raise ValueError(f"{path}: optimiser = {config.optimiser!r} is neither adam nor muon")
        if config.shape.passes not in (2, 4):
            raise ValueError(f"{path}: passes = {config.shape.passes} is neither 2 nor 4")
        followers = bool(config.train) and all(part.startswith("analyses.") for part in config.train)
        if config.follow and (config.follow not in config.shape.analyses or not followers):
            raise ValueError(f"{path}: follow = {config.follow!r} needs such an analysis, and train analyses alone")
        for part in config.train:
            kind, _, name = part.partition(".")
            if name not in getattr(config.shape, kind if kind in ("analyses", "syntheses") else "analyses") or kind not in ("analyses", "syntheses"):
                raise ValueError(f"{path}: train = {part!r} is no transform of the shape")
        return config


def _checked(kind: type, values: dict, path: Path) -> dict:
    unknown = set(values) - {f.name for f in dataclasses.fields(kind)}
    if unknown:
        raise ValueError(f"{path}: unknown settings {', '.join(sorted(unknown))}")
    return values
