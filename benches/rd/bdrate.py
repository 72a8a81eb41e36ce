"""Bjøntegaard delta rate: how many more or fewer bytes one codec needs for the same quality."""

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

Point = tuple[float, float]
"""Rate (any unit, above zero) and quality (more is better)."""

FEWEST_POINTS = 4
"""A cubic through fewer points says more about the points than about the codec."""


def bd_rate(
    anchor: Sequence[Point],
    test: Sequence[Point],
    quality_range: tuple[float, float] | None = None,
) -> float | None:
    """The mean change of rate from `anchor` to `test` at equal quality, in per cent.

    Negative means that `test` is smaller. The logarithm of the rate is interpolated over quality
    by a piecewise cubic that keeps monotony (PCHIP) and averaged over the qualities that both
    curves reach, within `quality_range` if one is given. None if there is no common range or a
    curve has too few points.
    """
    anchor_q, anchor_r = _curve(anchor)
    test_q, test_r = _curve(test)
    if min(len(anchor_q), len(test_q)) < FEWEST_POINTS:
        return None
    low = max(anchor_q[0], test_q[0])
    high = min(anchor_q[-1], test_q[-1])
    if quality_range is not None:
        low, high = max(low, quality_range[0]), min(high, quality_range[1])
    if low >= high:
        return None
    area_anchor = PchipInterpolator(anchor_q, anchor_r).integrate(low, high)
    area_test = PchipInterpolator(test_q, test_r).integrate(low, high)
    return float(100.0 * np.expm1((area_test - area_anchor) / (high - low)))


def _curve(points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
    """Qualities, strictly rising, and the logarithms of their rates.

    A point that costs more than another without being better is one that nobody would choose; it
    is left out, which also makes the curve a function of quality.
    """
    best: list[Point] = []
    for rate, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if rate <= 0 or not np.isfinite(quality):
            raise ValueError(f"no point of a rate-distortion curve: {rate}, {quality}")
        if not best or quality > best[-1][1]:
            best.append((rate, quality))
    return (
        np.array([quality for _, quality in best]),
        np.log([rate for rate, _ in best]),
    )
