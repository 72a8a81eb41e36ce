"""Dependent quantisation: symbols chosen together, along the cheapest path through eight states.

There are two quantisers of one step; the second has its values other than 0 half a step nearer to 0. Which one a latent
uses follows from the parities of the symbols before it at the same position, channel by channel (trellis-coded
quantisation, Marcellin and Fischer 1990; in this form Schwarz et al. 2019, arXiv:1907.00177). The same as
`codec/src/latent/trellis.rs`, on whole batches.
"""

from __future__ import annotations

import numba
import numpy as np
import torch

from .rate import BIT_WORTH, LARGEST, SKIP_BELOW

# The next state by state and parity of the symbol; odd states use the second quantiser. States 2 i and 2 i + 1 are
# reached from i and i + 4 alone.
NEXT = np.array([[0, 1], [2, 3], [5, 4], [7, 6], [1, 0], [3, 2], [4, 5], [6, 7]])
STATES = len(NEXT)
# By state: the branch (2 * quantiser + parity) from the state that is half of it, and from that plus 4.
REACHED_BY = np.array([[2 * (s % 2) + int(NEXT[s, 1] == to) for to in range(STATES) for s in [to // 2 + upper]] for upper in (0, 4)])

# How much more a bit is worth where a position is busier than others, and how far that goes: as in `codec/src/latent/masking.rs`.
MASKING = 1 / 15
MASKING_LIMIT = 6


class TrellisCoder:
    """Chooses and prices symbols as an encoder does.

    `prices`: bits of each magnitude (its sign included), (2 * scales, LARGEST + 1), all tables of the first quantiser
    before those of the second. `counts`: a `tables.Counts`, if symbols shall be counted.
    """

    def __init__(self, prices: torch.Tensor):
        self.bits = prices
        self.scales = len(prices) // 2
        self.counts = None

    def code(self, residual: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Values for distances from the mean (n, M, ...) in symbols, and their bits (zero where nothing is coded)."""
        scale = index.round().long()
        values, second, magnitude = self._choose(residual, scale)
        if self.counts is not None:
            coded = scale >= SKIP_BELOW
            self.counts.add((second * self.scales + scale)[coded], magnitude[coded])
        return values, self._price(second, scale, magnitude)

    def learn(self, residual: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `code`, with a gradient for the scale index: what the symbol costs half an index above it less half below.

        Taken to one side alone, rounded indices would end half an index too low. Between the last index that is left out
        and the first that is coded, the symbol's error counts as well, or indices would fall below and stay there: what
        is left out has no bits that could bring it back.
        """
        scale = index.detach().round().long()
        values, second, magnitude = self._choose(residual, scale)
        dearer = self._coded_less_left_out(residual.detach().abs())

        def step_from(low: torch.Tensor) -> torch.Tensor:
            row = second * self.scales + low.clamp(SKIP_BELOW, self.scales - 2)
            upward = self.bits[row + 1, magnitude] - self.bits[row, magnitude]
            return torch.where(low >= SKIP_BELOW, upward, dearer.masked_fill(low < SKIP_BELOW - 1, 0))

        below = index.detach().float() - 0.5
        low = below.floor().long()
        part = below - low
        slope = (1 - part) * step_from(low) + part * step_from(low + 1)
        return values, self._price(second, scale, magnitude) + slope * (index - index.detach())

    def _price(self, second: torch.Tensor, scale: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
        """Bits of symbols; none where nothing is coded."""
        return self.bits[second * self.scales + scale, magnitude].masked_fill(scale < SKIP_BELOW, 0)

    def _coded_less_left_out(self, size: torch.Tensor) -> torch.Tensor:
        """What a latent costs in bits, its squared error included, with the smallest scale that is coded, less what it
        costs without a symbol."""
        nearest = (size + 0.5).floor().clamp(max=LARGEST)
        table = self.bits[SKIP_BELOW]
        as_nearest = table[nearest.long()] + ((size - nearest).square() - size.square()) / BIT_WORTH
        return torch.minimum(as_nearest, table[0])

    def _choose(self, residual: torch.Tensor, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values, which quantiser (0 or 1) and magnitudes."""
        first = lambda x: x.detach().movedim(1, -1).reshape(-1, residual.shape[1])  # noqa: E731
        shape = residual.movedim(1, -1).shape
        chosen = search(first(residual).float(), first(scale), self.bits, worth_of(scale).flatten())
        return tuple(x.view(shape).movedim(-1, 1) for x in chosen)


def worth_of(scale: torch.Tensor) -> torch.Tensor:
    """Squared symbols that a bit is worth at each position (n, ...), by scale indices (n, M, ...): errors are seen less where
    more is going on than elsewhere in the picture."""
    own = scale.float().mean(1)
    mean = own.reshape(len(own), -1).mean(1).view(-1, *[1] * (own.dim() - 1))
    return BIT_WORTH * torch.exp2((own - mean).round().clamp(-MASKING_LIMIT, MASKING_LIMIT) * MASKING)


Chosen = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def search(residual: torch.Tensor, scale: torch.Tensor, bits: torch.Tensor, worth: torch.Tensor) -> Chosen:
    """Values, quantisers and magnitudes of positions (rows) of latents (columns), where a bit is worth so many squared symbols."""
    if residual.device.type != "cpu":
        return search_columns(residual, scale, bits, worth)
    rows = (x.contiguous().numpy() for x in (residual, scale, bits, worth))
    return tuple(torch.from_numpy(x) for x in _search_rows(*rows, SKIP_BELOW, REACHED_BY))


def search_columns(residual: torch.Tensor, scale: torch.Tensor, bits: torch.Tensor, worth: torch.Tensor) -> Chosen:
    """`search` with operations on whole columns: for GPUs."""
    worth = worth[:, None]
    device, (count, columns) = residual.device, residual.shape
    size, coded, half = residual.abs(), scale >= SKIP_BELOW, len(bits) // 2
    costs, magnitudes = [], []
    for second in (0, 1):
        priced = lambda k, second=second: (size - k + 0.5 * second * (k > 0)).square() + worth * bits[second * half + scale, k]  # noqa: E731
        lower = (size + 0.5 * second).floor().long().clamp(max=LARGEST - 1)
        even, odd = lower + lower % 2, lower + 1 - lower % 2
        zero = torch.zeros_like(even)
        even = torch.where((even == 2) & (priced(zero) < priced(even)), zero, even)
        costs += [priced(even), priced(odd)]
        magnitudes += [even, odd]
    cost, magnitude = torch.stack(costs, -1), torch.stack(magnitudes, -1)
    reached = torch.from_numpy(REACHED_BY).to(device)
    half_of = torch.arange(STATES, device=device) // 2
    before = torch.full((count, STATES), 1e9, device=device)
    before[:, 0] = 0
    from_upper = torch.zeros(columns, count, STATES, dtype=torch.bool, device=device)
    for at in range(columns):
        lower = before[:, half_of] + cost[:, at, reached[0]]
        upper = before[:, half_of + STATES // 2] + cost[:, at, reached[1]]
        from_upper[at] = upper < lower
        before = torch.where(coded[:, at, None], torch.minimum(lower, upper), before)
    state = before.argmin(1)
    branches = torch.zeros_like(scale)
    for at in range(columns - 1, -1, -1):
        upper = from_upper[at].gather(1, state[:, None])[:, 0].long()
        branches[:, at] = reached[upper, state]
        state = torch.where(coded[:, at], state // 2 + upper * (STATES // 2), state)
    second = (branches // 2).masked_fill(~coded, 0)
    chosen = magnitude.gather(2, branches[..., None])[..., 0].masked_fill(~coded, 0)
    values = (chosen - 0.5 * second * (chosen > 0)) * torch.where(residual < 0, -1.0, 1.0)
    return values, second, chosen


@numba.njit(cache=True)
def _search_rows(residual, scale, bits, worth, skip, reached_by):
    """`search` row by row, in a sixteenth of the time that a processor takes for whole columns."""
    count, columns = residual.shape
    half, largest = len(bits) // 2, bits.shape[1] - 1
    values = np.zeros((count, columns), np.float32)
    second = np.zeros((count, columns), np.int64)
    chosen = np.zeros((count, columns), np.int64)
    from_upper = np.zeros((columns, 8), np.bool_)
    magnitude = np.zeros((columns, 4), np.int64)
    cost = np.zeros(4, np.float32)
    before, after = np.zeros(8, np.float32), np.zeros(8, np.float32)
    for n in range(count):
        before[:] = np.float32(1e9)
        before[0] = 0
        for c in range(columns):
            if scale[n, c] < skip:
                continue
            size = abs(residual[n, c])
            for q in range(2):
                row = bits[q * half + scale[n, c]]
                lower = min(int(size + np.float32(0.5) * q), largest - 1)
                even, odd = lower + lower % 2, lower + 1 - lower % 2
                for k in (even, odd):
                    value = np.float32(k) - (np.float32(0.5) * q if k > 0 else np.float32(0))
                    cost[2 * q + k % 2] = (size - value) ** 2 + worth[n] * row[k]
                    magnitude[c, 2 * q + k % 2] = k
                zero = size**2 + worth[n] * row[0]
                if even == 2 and zero < cost[2 * q]:
                    cost[2 * q], magnitude[c, 2 * q] = zero, 0
            for to in range(8):
                lower_cost = before[to // 2] + cost[reached_by[0, to]]
                upper_cost = before[to // 2 + 4] + cost[reached_by[1, to]]
                from_upper[c, to] = upper_cost < lower_cost
                after[to] = min(lower_cost, upper_cost)
            before[:] = after
        state = np.argmin(before)
        for c in range(columns - 1, -1, -1):
            if scale[n, c] < skip:
                continue
            upper = int(from_upper[c, state])
            branch = reached_by[upper, state]
            state = state // 2 + 4 * upper
            k, q = magnitude[c, branch], branch // 2
            chosen[n, c], second[n, c] = k, q
            value = np.float32(k) - (np.float32(0.5) * q if k > 0 else np.float32(0))
            values[n, c] = -value if residual[n, c] < 0 else value
    return values, second, chosen
