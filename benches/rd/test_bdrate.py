"""BD-rate against values known without it."""

import math

import numpy as np
import pytest

from bdrate import bd_rate


def curve(factor: float = 1.0, qualities: np.ndarray = np.linspace(28, 42, 11)) -> list:
    """PSNR rising by 6 dB a bit, with the rate scaled."""
    return [(factor * 2 ** ((q - 30) / 6), float(q)) for q in qualities]


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.7])
def test_a_constant_factor_is_found_exactly(factor):
    assert bd_rate(curve(), curve(factor)) == pytest.approx(100 * (factor - 1), abs=1e-9)


def test_points_at_other_rates_give_the_same():
    shifted = curve(0.8, np.linspace(26.5, 40.2, 9))
    # A straight line in log-rate: PCHIP reproduces it between any points.
    assert bd_rate(curve(), shifted) == pytest.approx(-20, abs=1e-9)


def test_the_mean_is_over_quality_in_log_rate():
    # The factor falls geometrically from 1 to 1/4 over the range: the mean of its logarithm is
    # that of 1/2.
    qualities = np.linspace(30, 40, 21)
    anchor = [(math.exp(q / 5), q) for q in qualities]
    test = [(math.exp(q / 5) * 4 ** -((q - 30) / 10), q) for q in qualities]
    assert bd_rate(anchor, test) == pytest.approx(-50, abs=1e-9)


def test_swapping_the_curves_inverts_the_ratio():
    there, back = bd_rate(curve(), curve(0.7)), bd_rate(curve(0.7), curve())
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1)


def test_only_the_given_range_counts():
    qualities = np.linspace(20, 40, 41)
    anchor = [(math.exp(q / 5), q) for q in qualities]
    test = [(math.exp(q / 5) * (0.5 if q <= 30 else 2), q) for q in qualities]
    assert bd_rate(anchor, test, (20, 29)) == pytest.approx(-50, abs=1e-6)
    assert bd_rate(anchor, test, (31, 40)) == pytest.approx(100, abs=1e-6)


def test_points_that_nobody_would_choose_do_not_matter():
    wasteful = curve(0.8) + [(50.0, 31.0), (3.0, 20.0)]
    assert bd_rate(curve(), wasteful) == pytest.approx(-20, abs=1e-9)


def test_without_overlap_there_is_no_number():
    low, high = curve(1, np.linspace(20, 30, 5)), curve(1, np.linspace(31, 40, 5))
    assert bd_rate(low, high) is None
    assert bd_rate(curve(), curve()[:3]) is None


def test_impossible_points_are_refused():
    with pytest.raises(ValueError):
        bd_rate(curve(), [*curve(), (0.0, 50.0)])
    with pytest.raises(ValueError):
        bd_rate(curve(), [*curve(), (9.0, math.inf)])
