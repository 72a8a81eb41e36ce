"""The static symbol tables of the entropy coder: normal distributions at first, then fitted to what is really coded.

Encoders round each latent by rate and distortion (`codec/src/latent/quantise.rs`), so that symbols are smaller than the
normal distribution of training says, and photographs have heavier tails. Tables counted on training pictures take about
1 % off every file.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch

from .codec import SCALE_COUNT, SYMBOL_STEP, Codec, scale_of_index
from .data import Crops

# Symbols whose predicted deviation is below the scale of this index are not coded: they are zero on both sides.
SKIP_BELOW = 4
# Mass outside a table's range; it is the escape's.
TAIL = 2e-5
# Squared error that one bit is worth, and magnitudes that have a threshold of their own: as in quantise.rs.
BIT_WORTH = 0.08
MAGNITUDES = 8
LARGEST = 1023


def gaussian_table(scale: float) -> np.ndarray:
    """Probabilities of -reach..=reach under a zero-mean normal distribution over unit bins, tails cut at TAIL."""
    cdf = lambda x: 0.5 * math.erfc(-x / (scale * math.sqrt(2)))  # noqa: E731
    reach = 1
    while 2 * cdf(-reach - 0.5) > TAIL and reach < LARGEST:
        reach += 1
    return np.array([max(cdf(s + 0.5) - cdf(s - 0.5), 1e-9) for s in range(-reach, reach + 1)])


def gaussian_tables() -> list[np.ndarray]:
    """The tables that the trained scales mean."""
    return [gaussian_table(scale_of_index(torch.tensor(float(i))).item()) for i in range(SCALE_COUNT)]


class SymbolCoder:
    """Rounds and prices latents as an encoder with these tables does; counts the symbols if asked to."""

    def __init__(self, tables: list[np.ndarray], device: torch.device | str = "cpu"):
        bits = np.zeros((len(tables), LARGEST + 1), dtype=np.float32)
        for row, table in zip(bits, tables, strict=True):
            reach = len(table) // 2
            row[: reach + 1] = -np.log2(table[reach:])
            # An escape, its sign, and Exp-Golomb.
            beyond = np.arange(LARGEST - reach)
            escape = max(1 - table.sum(), TAIL)
            row[reach + 1 :] = -math.log2(escape) + 2 + 2 * np.floor(np.log2(beyond + 1))
        dearer = np.diff(bits[:, : MAGNITUDES + 1], axis=1)
        steps = np.floor(dearer * BIT_WORTH / 2 / SYMBOL_STEP).clip(0, 0.5 / SYMBOL_STEP - 1)
        self.reaches = np.array([len(table) // 2 for table in tables])
        self.bits = torch.tensor(bits, device=device)
        self.beyond_half = torch.tensor(steps * SYMBOL_STEP, dtype=torch.float32, device=device)
        self.counts: np.ndarray | None = None

    def code(self, residual: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Symbols of distances from the mean, and their bits (zero where nothing is coded)."""
        table = index.round().long()
        nearest = torch.floor(residual.abs() + 0.5)
        beyond = self.beyond_half.to(residual)[table, (nearest - 1).clamp(0, MAGNITUDES - 1).long()]
        magnitude = torch.where(nearest > 0, torch.floor(residual.abs() + 0.5 - beyond), nearest).clamp(max=LARGEST)
        magnitude = magnitude.masked_fill(table < SKIP_BELOW, 0)
        if self.counts is not None:
            flat = (table * (LARGEST + 1) + magnitude.long()).flatten().cpu().numpy()
            self.counts += np.bincount(flat, minlength=self.counts.size).reshape(self.counts.shape)
        bits = self.bits.to(residual)[table, magnitude.long()].masked_fill(table < SKIP_BELOW, 0)
        return magnitude * residual.sign(), bits


    @staticmethod
    def new_counts() -> np.ndarray:
        """Counts of every table's magnitudes, none yet."""
        return np.zeros((SCALE_COUNT, LARGEST + 1), dtype=np.int64)

    def counted(self) -> tuple[int, int]:
        """Symbols that were coded since the counts began, and how many of them left their table's range."""
        coded = self.counts[SKIP_BELOW:]
        beyond = np.arange(LARGEST + 1) > self.reaches[SKIP_BELOW:, None]
        return int(coded.sum()), int(coded[beyond].sum())


def read_tables(path: Path) -> SymbolCoder:
    """The coder that an exported `codec.json` describes."""
    return SymbolCoder([np.array(table["pmf"]) for table in json.loads(path.read_text())["latent_tables"]])


def code(model: Codec, picture: torch.Tensor, quality: torch.Tensor) -> dict[str, torch.Tensor]:
    """What `Codec.code` makes of pictures through the first analysis."""
    return model.code(model.analyse(picture, {next(iter(model.shape.analyses)): len(picture)}), quality)


@torch.no_grad()
def fit_tables(model: Codec, crops: Crops, batches: int = 50, rounds: int = 3) -> list[np.ndarray]:
    """Tables counted over `batches` batches of 8 crops at all qualities.

    Rounding follows the tables and the counts follow the rounding; three rounds settle both. The normal distribution
    stays in with the weight of 200 symbols, for what is rare.
    """
    tables = normal = gaussian_tables()
    state = crops.state()
    for _ in range(rounds):
        crops.restore(state)
        model.coder = SymbolCoder(tables)
        model.coder.counts = SymbolCoder.new_counts()
        for batch in range(batches):
            quality = (torch.arange(8) + (batch + 0.5) / batches) / 8
            code(model, crops.batch(8), quality)
        tables = [_mixed(row, table) for row, table in zip(model.coder.counts, normal, strict=True)]
    model.coder = SymbolCoder(tables)
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
