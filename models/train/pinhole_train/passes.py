"""The order in which latent positions are coded: some from the hyperprior alone, then the rest from those before.

Two passes are a checkerboard (He et al. 2021). Four double the decoded positions each: every second row and column in a
checkerboard of its own, the middles between four of those, then the checkerboard's other half. An eighth of the positions has to do
without neighbours instead of a half. Each pass finds its neighbours at other distances than those before, so that
one 5x5 filter serves them all.
"""

from __future__ import annotations

import torch

# By number of passes: (offset of rows and columns, stride, half of the checkerboard in there or None for all) of each.
ORDERS: dict[int, list[tuple[int, int, int | None]]] = {
    2: [(0, 1, 0), (0, 1, 1)],
    4: [(0, 2, 0), (0, 2, 1), (1, 2, None), (0, 1, 1)],
}


def take(x: torch.Tensor, part: tuple[int, int, int | None]) -> torch.Tensor:
    """The positions of a pass, packed: (n, c, h, w) to (n or 2n, c, ...). h and w are multiples of 4."""
    offset, stride, half = part
    x = x[:, :, offset::stride, offset::stride]
    if half is None:
        return x
    return torch.cat([x[:, :, 0::2, half::2], x[:, :, 1::2, 1 - half :: 2]])


def put(packed: torch.Tensor, part: tuple[int, int, int | None], like: torch.Tensor) -> torch.Tensor:
    """Inverse of `take` to the rows and columns of `like`; other positions are zero."""
    offset, stride, half = part
    n, (h, w) = len(like), like.shape[2:]
    out = packed.new_zeros(n, packed.shape[1], h, w).contiguous(memory_format=torch.channels_last)
    there = out[:, :, offset::stride, offset::stride]
    if half is None:
        there.copy_(packed)
    else:
        top, bottom = packed.chunk(2)
        there[:, :, 0::2, half::2] = top
        there[:, :, 1::2, 1 - half :: 2] = bottom
    return out


def per_picture(values: torch.Tensor, pictures: int) -> torch.Tensor:
    """Sums (n, c) of what was measured of packed pictures, (n or 2n, c)."""
    return values if len(values) == pictures else sum(values.chunk(2))
