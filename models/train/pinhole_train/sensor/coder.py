"""What an encoder does with a trained model, vectorised over windows: dependent quantisation, bits, decoded samples.

Dependent quantisation (trellis-coded quantisation, Marcellin and Fischer 1990, with the four states of H.266): two
quantisers of one step, the second with its values other than 0 half a step nearer to 0. Which one a latent
uses follows from the parities of the symbols before; the encoder finds the cheapest path through the four states
(Viterbi), in each pass with that pass's means and scales.
"""

from __future__ import annotations

import numpy as np
import torch

from ..tables import _mixed
from .model import PASSES, SCALES, SensorModel, quality_feature, scale_of_index

# From state and parity of the symbol to the next state; states 2 and 3 use the second quantiser.
NEXT = np.array([[0, 2], [2, 0], [1, 3], [3, 1]])
LARGEST = 1023
# Squared error, in squared steps, that one bit is worth.
BIT_WORTH = 0.065
TAIL = 2e-5


def laplace_tables() -> list[np.ndarray]:
    """Symbol distributions by quantiser and scale index, before they are fitted."""
    out = []
    for second in (False, True):
        for index in range(SCALES):
            scale = scale_of_index(torch.tensor(float(index))).item()
            reach = int(min(LARGEST, max(1, np.ceil(scale * np.log(1 / TAIL)))))
            k = np.arange(-reach, reach + 1)
            # A symbol's bin is half a step around its value; the second quantiser's 0 is narrower.
            value = k - np.sign(k) * (0.5 if second else 0.0)
            p = np.exp(-np.abs(value) / scale)
            p[reach] = max(1e-9, 1 - np.exp(-(0.35 if second else 0.5) / scale)) / max(1e-9, 1 - np.exp(-0.5 / scale)) * 1.0
            out.append(p / p.sum() * (1 - TAIL))
    return out


class WindowCoder:
    """Codes batches of windows with a model and tables."""

    def __init__(self, model: SensorModel, tables: list[np.ndarray] | None = None, worth: float = BIT_WORTH):
        self.model, self.worth = model, worth
        self.use(tables or laplace_tables())
        self.counts: np.ndarray | None = None

    def use(self, tables: list[np.ndarray]) -> None:
        """Take these tables, 64 of the first quantiser and 64 of the second."""
        self.tables = tables
        bits = np.zeros((2 * SCALES, LARGEST + 1), np.float32)
        for row, table in zip(bits, tables, strict=True):
            reach = len(table) // 2
            row[: reach + 1] = -np.log2(np.maximum(table[reach:], 1e-9))
            beyond = np.arange(LARGEST - reach)
            row[reach + 1 :] = -np.log2(max(1 - table.sum(), TAIL / 2)) + 2 + 2 * np.floor(np.log2(beyond + 1))
        self.bits = bits

    def _pass(self, target: np.ndarray, index: np.ndarray, state: np.ndarray):
        """Symbols (n, k), values in steps relative to the mean, bits (n,), and states after, for one pass."""
        n, count = target.shape
        cost = np.full((n, 4), np.inf, np.float32)
        cost[np.arange(n), state] = 0
        back = np.zeros((count, n, 4), np.int8)
        chosen = np.zeros((count, n, 4), np.int16)
        rows = np.arange(n)
        for at in range(count):
            x = np.abs(target[:, at])
            table = index[:, at]
            new = np.full((n, 4), np.inf, np.float32)
            for second in (0, 1):
                top = np.floor(x + (1.0 if second else 0.5)).astype(np.int64).clip(0, LARGEST)
                price = self.bits[second * SCALES + table]
                for k in (top, np.maximum(top - 1, 0), np.zeros_like(top)):
                    value = k - 0.5 * second * (k > 0)
                    local = (x - value) ** 2 + self.worth * price[rows, k]
                    for state_from in (2 * second, 2 * second + 1):
                        to = NEXT[state_from][k & 1]
                        total = cost[:, state_from] + local
                        better = total < new[rows, to]
                        new[rows, to] = np.where(better, total, new[rows, to])
                        back[at, rows, to] = np.where(better, state_from, back[at, rows, to])
                        chosen[at, rows, to] = np.where(better, k, chosen[at, rows, to])
            cost = new
        last = cost.argmin(1)
        symbols = np.zeros((n, count), np.int64)
        seconds = np.zeros((n, count), np.int64)
        now = last
        for at in range(count - 1, -1, -1):
            symbols[:, at] = chosen[at, rows, now]
            now = back[at, rows, now]
            seconds[:, at] = now >= 2
        price = self.bits[seconds * SCALES + index, symbols]
        if self.counts is not None:
            flat = ((seconds * SCALES + index) * (LARGEST + 1) + symbols).ravel()
            self.counts += np.bincount(flat, minlength=self.counts.size).reshape(self.counts.shape)
        values = (symbols - 0.5 * seconds * (symbols > 0)) * np.sign(target)
        return values, price.sum(1), last

    @torch.no_grad()
    def code(self, x: np.ndarray, previous: torch.Tensor, log2_step: float):
        """Normalised windows (n, C, T), magnitudes before (sixteenths): decoded windows, bits (n,), decoded latents
        in sixteenths."""
        model = self.model
        step = 2.0**log2_step
        latents = model.analyse(torch.tensor(x))
        scaled = torch.round(latents * (16 / step)).clamp(-32768, 32767)
        decoded = torch.zeros_like(scaled)
        quality = quality_feature(torch.full((len(x),), log2_step))
        planes = model.start(previous, quality)
        bits = np.zeros(len(x))
        state = np.zeros(len(x), np.int64)
        for channel in model.order:
            for turn, (first, stride) in enumerate(PASSES):
                mean, index = model.predict(planes, channel, turn)
                mean = torch.round(mean * 16)
                target = (scaled[:, channel, first::stride] - mean).numpy() / 16
                values, cost, state = self._pass(target, index.round().long().numpy(), state)
                bits += cost
                decoded[:, channel, first::stride] = (mean + torch.tensor(values * 16)).float()
                planes.put(channel, decoded[:, channel])
        samples = model.synthesise(torch.round(decoded * (step / 16 * 256)) / 256)
        return samples.numpy(), bits, decoded

    def chain(self, x: np.ndarray, before: np.ndarray, log2_step: float):
        """As `code`, with the magnitudes of the windows named by `before` (-1: none) as plain rounding leaves them."""
        with torch.no_grad():
            all_latents = self.model.analyse(torch.tensor(x))
        magnitude = 16 * torch.round(all_latents / 2.0**log2_step).abs()
        previous = magnitude[torch.tensor(np.maximum(before, 0))] * torch.tensor(before >= 0).view(-1, 1, 1)
        return self.code(x, previous, log2_step)


def fit_tables(coder: WindowCoder, x: np.ndarray, before: np.ndarray, log2_steps: list[float], rounds: int = 2) -> None:
    """Count symbols on training windows and code with those counts; decisions follow tables and counts decisions."""
    first = laplace_tables()
    for _ in range(rounds):
        coder.counts = np.zeros((2 * SCALES, LARGEST + 1), np.int64)
        for log2_step in log2_steps:
            coder.chain(x, before, log2_step)
        tables = [_mixed(row, table, 60) for row, table in zip(coder.counts, first, strict=True)]
        coder.use(tables)
    coder.counts = None
