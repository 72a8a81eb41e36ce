"""Weights brought into another shape."""

import dataclasses

import pytest
import torch

from pinhole_train.codec import Codec
from pinhole_train.transplant import transplant

from conftest import SHAPE

RANGE = (1e-3, 0.1)


def trained(shape) -> Codec:
    """A codec with nothing left at zero, as if it had been trained."""
    torch.manual_seed(1)
    model = Codec(shape, RANGE).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def moved(model: Codec, **changes) -> Codec:
    other = Codec(dataclasses.replace(SHAPE, **changes), RANGE).eval()
    rates = torch.arange(float(model.shape.latents))
    other.load_state_dict(transplant(model.state_dict(), other, rates))
    return other


@pytest.fixture
def batch():
    torch.manual_seed(2)
    return torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8), torch.tensor([0.3, 0.9])


@torch.no_grad()
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"synthesis_hidden": 48, "synthesis_low_blocks": 2, "analysis_blocks": 2},
        {"latent_hidden": 40, "parameter_width": 24, "hyper_width": 20},
    ],
)
def test_growth_changes_nothing(changes, batch):
    model = trained(SHAPE)
    before, after = model(*batch), moved(model, **changes)(*batch)
    for key in ("picture", "bits_y", "bits_z"):
        torch.testing.assert_close(after[key], before[key], rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_units_that_do_nothing_are_the_ones_pruned(batch):
    model = trained(SHAPE)
    for block in model.synthesis.blocks:
        block.project.weight[:, ::2] = 0
    before, after = model(*batch), moved(model, synthesis_hidden=16)(*batch)
    torch.testing.assert_close(after["picture"], before["picture"], rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_dearest_latents_are_kept(batch):
    model = trained(SHAPE)
    smaller = moved(model, latents=24, hyper_width=12, parameter_width=12, latent_hidden=8)
    torch.testing.assert_close(smaller.analysis.down.weight, model.analysis.down.weight[8:])
    torch.testing.assert_close(smaller.gains.log_gain, model.gains.log_gain[:, 8:])
    assert smaller(*batch)["bits_y"].shape == (2, 24)


@torch.no_grad()
def test_narrow_transforms(batch):
    model = trained(SHAPE)
    narrow = moved(model, synthesis_width=64, analysis_width=48)
    assert narrow.analysis.down.weight.shape == (32, 4 * 48, 1, 1)
    wide = moved(narrow, synthesis_width=96, analysis_width=80)
    torch.testing.assert_close(wide(*batch)["picture"], narrow(*batch)["picture"], rtol=1e-3, atol=1e-3)


def test_what_cannot_be_moved_is_an_error():
    with pytest.raises(ValueError, match="no way to bring"):
        moved(trained(SHAPE), entropy_width=24)
