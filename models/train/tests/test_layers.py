"""Quantisation as the engine does it, and the gains."""

import dataclasses
import math
import shutil

import pytest
import torch
from conftest import SHAPE
from torch import nn

from pinhole_train import rounding
from pinhole_train.codec import Codec, QualityGains
from pinhole_train.layers import Depthwise, Grid, Pointwise, ResidualBlock, enable_quantisation, equalise_branches
from pinhole_train.objective import lambda_of
from pinhole_train.train import remap_gains


def grid(kind: str, step: float) -> Grid:
    made = Grid(kind, step)
    made.enabled = True
    return made


def test_a_grid_rounds_half_to_even():
    x = torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5, 0.49, 0.51]) * 0.25
    assert (grid("int8", 0.25)(x) / 0.25).tolist() == [0, 2, 2, 0, -2, 0, 1]


def test_a_fixed_step_is_that_of_the_shape_whatever_is_loaded():
    coarse, fine = (Codec(dataclasses.replace(SHAPE, fraction=bits), (1e-3, 1e-1)) for bits in (4, 5))
    fine.load_state_dict(coarse.state_dict())
    assert [p.mean.grid.step.item() for p in (fine.first, fine.second)] == [1 / 32, 1 / 32]
    assert torch.equal(fine.first.mean.weight, coarse.first.mean.weight)


def test_the_entropy_model_reads_sixteenths_with_ties_upwards():
    model = Codec(dataclasses.replace(SHAPE, fraction=5), (1e-3, 1e-1))
    x = torch.tensor([-3.0, -2, -1, 0, 1, 2, 3]) / 32
    assert torch.equal(model._coarse(x), x)
    enable_quantisation(model)
    assert (model._coarse(x) * 16).tolist() == [-1, -1, 0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("relu8", 0, 255), ("int8", -128, 127), ("int16", -32768, 32767), ("index", 0, 63)],
)
def test_a_grid_saturates_at_its_range(kind, low, high):
    x = torch.tensor([-1e6, 1e6])
    assert grid(kind, 1.0)(x).tolist() == [low, high]


def test_a_grid_passes_gradients_inside_its_range_and_stops_them_outside():
    x = torch.tensor([-200.0, -3.3, 0.2, 100.7, 200.0], requires_grad=True)
    grid("int8", 1.0)(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_an_index_below_zero_can_climb_back():
    x = torch.tensor([-1.0, -1.0, 5.0], requires_grad=True)
    # The loss falls as the first rises and as the second falls.
    (grid("index", 1.0)(x) * torch.tensor([-1.0, 1.0, 1.0])).sum().backward()
    assert x.grad.tolist() == [-1, 0, 1]


def test_a_grid_follows_the_range_of_what_it_sees():
    seen = Grid("relu8")
    seen.observing = True
    seen(torch.linspace(-5, 10, 1000))
    assert seen.step.item() == pytest.approx(10 / 255, rel=1e-3)
    for _ in range(100):
        seen(torch.linspace(-5, 3, 1000))
    assert seen.step.item() == pytest.approx(3 / 255, rel=0.02)
    seen.observing = False
    seen(torch.full((1000,), 99.0))
    assert seen.step.item() < 4 / 255


@pytest.mark.parametrize("start", [0.3, 3.0])
def test_a_step_is_learned(start):
    """From too small (clipping) and from too large (coarse), the error of rounding falls."""
    x = torch.randn(4096, generator=torch.Generator().manual_seed(3)) * 20
    learned = Grid("int8")
    with torch.no_grad():
        learned.log_step.fill_(math.log(start * 60 / 127))
    learned.enabled = True
    error = lambda: (learned(x) - x).square().mean()  # noqa: E731
    before = error().item()
    optimiser = torch.optim.Adam([learned.log_step], lr=0.01)
    for _ in range(200):
        optimiser.zero_grad()
        error().backward()
        optimiser.step()
    assert error().item() < 0.7 * before


def test_a_fixed_grid_does_not_move():
    fixed = Grid("int16", 1 / 1024)
    fixed.observing = True
    fixed(torch.full((10,), 5.0))
    assert fixed.step.item() == 1 / 1024


@pytest.mark.parametrize("layer", [Pointwise(24, 40, Grid("int8", 1.0)), Depthwise(24, 5, Grid("int8", 1.0))])
def test_int8_weights_are_within_half_a_step(layer):
    with torch.no_grad():
        layer.weight.normal_()
        # Channels of very different size each get a step of their own.
        layer.weight.mul_(torch.logspace(-3, 3, len(layer.weight)).view(-1, 1, 1, 1))
    assert torch.equal(layer.used_weight(), layer.weight)
    enable_quantisation(layer)
    step = layer.weight_scale().view(-1, 1, 1, 1)
    used = layer.used_weight()
    assert ((used - layer.weight).abs() <= step * 0.5001).all()
    integers = used / step
    assert integers.detach() == pytest.approx(integers.detach().round(), abs=1e-3)
    assert integers.abs().max() <= 127.001


def runtime_gains(knots: list[list[float]], quality: int) -> list[float]:
    """The decoder's rule (docs/format.md), in its own integers: quality 0..10000."""
    segments = len(knots) - 1
    position = min(quality, 10_000) * segments
    low = min(position // 10_000, segments - 1)
    t = (position - low * 10_000) / 10_000
    return [a + (b - a) * t for a, b in zip(knots[low], knots[low + 1], strict=True)]


@pytest.mark.parametrize("knots", [2, 4, 7])
def test_gains_are_those_of_the_runtime(knots):
    gains = QualityGains(5, knots, (1e-3, 0.4))
    with torch.no_grad():
        gains.log_gain.add_(torch.randn(knots, 5, generator=torch.Generator().manual_seed(1)))
    stored = gains.log_gain.exp().tolist()
    for quality in [0, 1, 1999, 3333, 5000, 7501, 9999, 10_000]:
        ours = gains(torch.tensor([quality / 10_000]))
        assert ours.shape == (1, 5, 1, 1)
        assert ours.flatten().tolist() == pytest.approx(runtime_gains(stored, quality), rel=2e-4)


def test_remapped_gains_stay_where_lambda_stays():
    old, new = (6e-4, 0.4), (2e-4, 0.1)
    model = Codec(SHAPE, old)
    with torch.no_grad():
        model.gains.log_gain.add_(torch.randn(SHAPE.gain_knots, SHAPE.latents) * 0.3)
        before = {}
        # The new knots' lambdas, seen from the old range; the first one lies below it.
        for knot in range(SHAPE.gain_knots):
            lam = lambda_of(torch.tensor(knot / (SHAPE.gain_knots - 1)), new).item()
            before[lam] = model.gains(torch.tensor([math.log(lam / old[0]) / math.log(old[1] / old[0])])).flatten()
        remap_gains(model, old, new)
        for knot, (lam, gain) in enumerate(before.items()):
            expected = gain if lam >= old[0] else gain * math.sqrt(lam / old[0])
            assert model.gains.log_gain[knot].exp().tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_remapping_to_the_same_range_changes_nothing():
    model = Codec(SHAPE, (6e-4, 0.4))
    with torch.no_grad():
        model.gains.log_gain.add_(torch.randn(SHAPE.gain_knots, SHAPE.latents) * 0.3)
    before = model.gains.log_gain.detach().clone()
    remap_gains(model, (6e-4, 0.4), (6e-4, 0.4))
    assert torch.allclose(model.gains.log_gain, before, atol=1e-5)


def test_equalised_branches_compute_the_same():
    torch.manual_seed(0)
    block = ResidualBlock(6, 10, 1 / 1024)
    nn.init.normal_(block.project.weight)
    x = torch.randn(1, 6, 8, 8) * torch.logspace(-1, 1, 6).view(1, -1, 1, 1)
    before = block(x).detach()
    equalise_branches(block, lambda: block(x), exponent=1.0, keep_function=True)
    assert torch.allclose(block(x), before, atol=1e-4)
    assert block.depthwise(x).square().mean((0, 2, 3)).sqrt().tolist() == pytest.approx([1.0] * 6, rel=1e-3)


@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_compiled_rounding_is_the_same(monkeypatch):
    for name in ("quantise", "quantise_backward"):
        monkeypatch.setattr(rounding, name, getattr(rounding, name))
    x, gradient, step = torch.randn(2, 8, 5, 5) * 4, torch.randn(2, 8, 5, 5), torch.tensor(0.03)
    plain = rounding.quantise(x, step, -128, 127), *rounding.quantise_backward(gradient, x, step, -128, 127)
    rounding.compile_for_processor()
    compiled = rounding.quantise(x, step, -128, 127), *rounding.quantise_backward(gradient, x, step, -128, 127)
    assert torch.equal(plain[0], compiled[0])
    assert torch.equal(plain[1], compiled[1])
    torch.testing.assert_close(plain[2], compiled[2])
