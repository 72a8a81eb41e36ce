"""The static symbol tables of the entropy coder: normal distributions at first, then fitted to what is really coded.

Encoders round each latent by rate and distortion (`codec/src/latent/quantise.rs`), so that symbols are smaller than the
normal distribution of training says, and photographs have heavier tails. Tables counted on training pictures take about
1 % off every file.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from .codec import SYMBOL_STEP, Codec
from .data import Crops
from .rate import BIT_WORTH, LARGEST, SKIP_BELOW, TAIL, gaussian_bits, gaussian_tables, prices_of, scale_of_index
from .trellis import TrellisCoder

# Magnitudes that have a threshold of their own.
MAGNITUDES = 8


class Counts:
    """Counts of coded symbols, magnitudes by table."""

    def __init__(self, tables: list[np.ndarray]):
        self.reaches = np.array([len(table) // 2 for table in tables])
        self.made = np.zeros((len(tables), LARGEST + 1), dtype=np.int64)

    def add(self, table: torch.Tensor, magnitude: torch.Tensor) -> None:
        flat = (table * (LARGEST + 1) + magnitude).flatten().cpu().numpy()
        self.made += np.bincount(flat, minlength=self.made.size).reshape(self.made.shape)

    def total(self) -> tuple[int, int]:
        """Symbols, and how many of them left their table's range."""
        beyond = np.arange(LARGEST + 1) > self.reaches[:, None]
        return int(self.made.sum()), int(self.made[beyond].sum())


class SymbolCoder:
    """Rounds and prices latents one by one, as an encoder with these tables does."""

    def __init__(self, tables: list[np.ndarray], device: torch.device | str = "cpu"):
        bits = prices_of(tables)
        dearer = np.diff(bits[:, : MAGNITUDES + 1], axis=1)
        steps = np.floor(dearer * BIT_WORTH / 2 / SYMBOL_STEP).clip(0, 0.5 / SYMBOL_STEP - 1)
        self.bits = torch.tensor(bits, device=device)
        self.beyond_half = torch.tensor(steps * SYMBOL_STEP, dtype=torch.float32, device=device)
        self.counts: Counts | None = None

    def code(self, residual: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Symbols of distances from the mean, and their bits (zero where nothing is coded)."""
        table = index.round().long()
        nearest = torch.floor(residual.abs() + 0.5)
        beyond = self.beyond_half.to(residual)[table, (nearest - 1).clamp(0, MAGNITUDES - 1).long()]
        magnitude = torch.where(nearest > 0, torch.floor(residual.abs() + 0.5 - beyond), nearest).clamp(max=LARGEST)
        skipped = table < SKIP_BELOW
        magnitude = magnitude.masked_fill(skipped, 0)
        if self.counts is not None:
            self.counts.add(table[~skipped], magnitude[~skipped].long())
        bits = self.bits.to(residual)[table, magnitude.long()].masked_fill(skipped, 0)
        return magnitude * residual.sign(), bits

    def learn(self, residual: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `code`, with the bits of a normal distribution of the very scale, so that scales can learn."""
        symbols = self.code(residual, index.detach())[0]
        return symbols, gaussian_bits(symbols, scale_of_index(index))


def read_tables(path: Path) -> SymbolCoder | TrellisCoder:
    """The coder that an exported `codec.json` describes."""
    described = json.loads(path.read_text())
    return coder_of([np.array(table["pmf"]) for table in described["latent_tables"]], described.get("dependent", False))


def coder_of(tables: list[np.ndarray], dependent: bool, device: torch.device | str = "cpu") -> SymbolCoder | TrellisCoder:
    """An encoder's choices with these tables."""
    return TrellisCoder(torch.tensor(prices_of(tables), device=device)) if dependent else SymbolCoder(tables, device)


def coder_for(model: Codec) -> SymbolCoder | TrellisCoder:
    """What chooses a model's symbols before its tables are fitted."""
    if model.shape.dependent:
        return TrellisCoder(model.prices)
    return SymbolCoder(gaussian_tables(), model.gains.log_gain.device)


def code(model: Codec, picture: torch.Tensor, quality: torch.Tensor) -> dict[str, torch.Tensor]:
    """What `Codec.code` makes of pictures through the first analysis."""
    return model.code(model.analyse(picture, {next(iter(model.shape.analyses)): len(picture)}), quality)


@torch.no_grad()
def fit_tables(model: Codec, crops: Crops, batches: int = 50, rounds: int = 3) -> list[np.ndarray]:
    """Tables counted over `batches` batches of 8 crops at all qualities.

    Rounding follows the tables and the counts follow the rounding; three rounds settle both. The normal distribution
    stays in with the weight of 200 symbols, for what is rare.
    """
    dependent = model.shape.dependent
    tables = normal = gaussian_tables(dependent)
    state = crops.state()
    for _ in range(rounds):
        crops.restore(state)
        model.coder = coder_of(tables, dependent, model.gains.log_gain.device)
        counts = model.coder.counts = Counts(tables)
        for batch in range(batches):
            quality = (torch.arange(8) + (batch + 0.5) / batches) / 8
            code(model, crops.batch(8), quality.to(model.gains.log_gain.device))
        tables = [_mixed(row, table) for row, table in zip(counts.made, normal, strict=True)]
    crops.restore(state)
    model.coder = coder_of(tables, dependent, model.gains.log_gain.device)
    return tables


def _mixed(counts: np.ndarray, normal: np.ndarray, weight: float = 200) -> np.ndarray:
    """Counts by magnitude, halved between the signs, with `weight` symbols of the normal distribution."""
    # As far as the normal distribution reaches or, where tails are heavier, until TAIL of the symbols are left.
    beyond = counts.sum() - np.cumsum(counts)
    reach = max(len(normal) // 2, int(np.argmax(beyond <= TAIL * counts.sum())))
    normal = np.pad(normal, reach - len(normal) // 2, constant_values=1e-9)
    half = counts[: reach + 1] / 2
    both = np.concatenate([half[:0:-1], [counts[0]], half[1:]])
    mixed = (both + weight * normal) / (counts.sum() + weight)
    return (mixed + mixed[::-1]) / 2
