"""Bits against the exact integrals."""

import math

import pytest
import torch

from pinhole_train.rate import SCALE_COUNT, SCALE_MAX, SCALE_MIN, SMALLEST, LogisticMixture, gaussian_bits, scale_of_index


def exact_bits(x: float, scale: float) -> float:
    below, above = ((x + d) / (scale * math.sqrt(2)) for d in (-0.5, 0.5))
    # The tail side, where nothing cancels.
    if x < 0:
        below, above = -above, -below
    mass = (math.erfc(below) - math.erfc(above)) / 2 if below > 0 else (math.erf(above) - math.erf(below)) / 2
    return -math.log2(max(mass, SMALLEST))


@pytest.mark.parametrize("scale", [0.08, 0.3, 1.0, 5.0, 128.0])
@pytest.mark.parametrize("x", [0.0, 0.3, -0.5, 1.0, -4.0, 17.0, 300.0])
def test_gaussian_bits_are_exact(x, scale):
    bits = gaussian_bits(torch.tensor(x), torch.tensor(scale)).item()
    assert bits == pytest.approx(exact_bits(x, scale), rel=1e-3, abs=2e-3)


@pytest.mark.parametrize("scale", [0.1, 1.0, 9.0])
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_probabilities_of_all_symbols_sum_to_one(scale, shift):
    symbols = torch.arange(-100, 101.0) + shift
    # Every symbol beyond the tails counts with the floor.
    assert (2 ** -gaussian_bits(symbols, torch.tensor(scale))).sum().item() == pytest.approx(1, abs=201 * SMALLEST)


def test_scales_cover_their_range_evenly_in_the_logarithm():
    scales = scale_of_index(torch.arange(SCALE_COUNT, dtype=torch.float64))
    assert scales[0].item() == pytest.approx(SCALE_MIN)
    assert scales[-1].item() == pytest.approx(SCALE_MAX)
    ratios = scales[1:] / scales[:-1]
    assert ratios.tolist() == pytest.approx([ratios[0].item()] * (SCALE_COUNT - 1))


def mixture() -> LogisticMixture:
    prior = LogisticMixture(4)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    return prior


def test_mixture_sums_to_one_and_its_cdf_rises():
    prior = mixture().double()
    x = torch.arange(-400, 400.0, dtype=torch.float64).expand(4, -1)
    cdf = prior.cdf(x)
    assert (cdf.diff(dim=1) >= 0).all()
    assert (prior.cdf(x + 0.5) - prior.cdf(x - 0.5)).sum(1).tolist() == pytest.approx([1.0] * 4, abs=1e-9)


def test_mixture_bits_are_per_channel():
    prior = mixture()
    z = torch.randn(2, 4, 3, 5) * 3
    bits = prior.bits(z)
    assert bits.shape == (2, 4)
    expected = torch.zeros(2, 4)
    for n in range(2):
        for c in range(4):
            x = z[n, c].flatten().expand(4, -1)
            mass = (prior.cdf(x + 0.5) - prior.cdf(x - 0.5))[c]
            expected[n, c] = -mass.clamp(min=SMALLEST).log2().sum()
    assert torch.allclose(bits, expected, rtol=1e-4)
