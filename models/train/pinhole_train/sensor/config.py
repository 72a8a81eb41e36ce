"""Configuration of a sensor model: one TOML file."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SensorConfig:
    """What is trained, on what, for how long."""

    name: str
    # `har` or `skab`: how the data folder is read (data.py).
    dataset: str
    # Samples of a window; a multiple of 8.
    window: int
    # `convolution`: one transform for every channel; `dense`: one over all channels, for small windows.
    transform: str = "convolution"
    # Order in which channels are coded; each is predicted from those before.
    order: tuple[int, ...] = ()
    # Hidden units of the synthesis block and of the context model.
    synthesis_hidden: int = 64
    context_hidden: int = 40
    context_second: int = 32
    # Windows to learn from, each at one quality: of more than there are, some are taken again at another quality.
    windows: int = 500
    # Steps for a first context model of each channel, which says what latents are decoded as; 0: there is none, and plain
    # rounding says it.
    first_steps: int = 0
    # Steps for each channel's context model (the first ones without rounding), latents of a step.
    steps: int = 300
    float_steps: int = 210
    batch: int = 1536
    learning_rate: float = 5e-3
    # Steps for the synthesis, the second half with rounding, and windows of a step.
    synthesis_steps: int = 120
    synthesis_batch: int = 48
    # Binary logarithm of the quantiser's step, in standard deviations of an orthonormal coefficient, at qualities 0 and 100.
    step_range: tuple[float, float] = (2.2, -5.8)
    seed: int = 1

    @staticmethod
    def read(path: Path) -> SensorConfig:
        """Parse a TOML file; unknown keys are an error, so that a typo cannot pass for a setting."""
        values = tomllib.loads(Path(path).read_text())
        unknown = set(values) - {f.name for f in dataclasses.fields(SensorConfig)}
        if unknown:
            raise ValueError(f"{path}: unknown settings {', '.join(sorted(unknown))}")
        for key in ("order", "step_range"):
            if key in values:
                values[key] = tuple(values[key])
        config = SensorConfig(**values)
        if config.transform not in ("convolution", "dense"):
            raise ValueError(f"{path}: transform = {config.transform!r} is none of convolution, dense")
        if config.window % 8 or not 8 <= config.window <= 256:
            raise ValueError(f"{path}: window = {config.window} is no multiple of 8 from 8 to 256")
        return config

    def log2_step(self, quality: float) -> float:
        """Binary logarithm of the quantiser's step at `quality`, 0..100."""
        low, high = self.step_range
        return low + (high - low) * quality / 100
