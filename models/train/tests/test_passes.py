"""The order of the latents: every position once, with neighbours where the context looks for them."""

import dataclasses

import pytest
import torch
from conftest import SHAPE, as_tensor, config, picture

from pinhole_train import checkpoint
from pinhole_train.codec import Codec, kmacs_per_pixel
from pinhole_train.passes import ORDERS, put, take


def rule(passes: int, row: int, column: int) -> int:
    """The pass of a position, as docs/format.md has it."""
    if passes == 2 or (row + column) % 2:
        return passes - 1 if (row + column) % 2 else 0
    return 2 if row % 2 else (row + column) // 2 % 2


@pytest.mark.parametrize("passes", list(ORDERS))
def test_every_position_is_in_the_pass_that_the_format_says(passes):
    x = torch.arange(1, 2 * 3 * 8 * 12 + 1.0).view(2, 3, 8, 12)
    whole = torch.zeros_like(x)
    for at, part in enumerate(ORDERS[passes]):
        there = torch.tensor([[rule(passes, row, column) == at for column in range(12)] for row in range(8)])
        assert torch.equal(put(take(x, part), part, x), x * there)
        whole += put(take(x, part), part, x)
    assert torch.equal(whole, x)


def test_each_pass_finds_its_neighbours_at_other_distances():
    seen: set[tuple[int, int]] = set()
    for at in range(1, 4):
        offsets = {
            (down, right)
            for row, column in [(r, c) for r in range(8, 16) for c in range(8, 16) if rule(4, r, c) == at]
            for down in range(-2, 3)
            for right in range(-2, 3)
            if rule(4, row + down, column + right) < at
        }
        assert offsets
        assert not offsets & seen
        seen |= offsets


@pytest.mark.parametrize("passes", list(ORDERS))
def test_a_pass_sees_only_those_before(passes):
    torch.manual_seed(3)
    model = Codec(dataclasses.replace(SHAPE, passes=passes), (6e-4, 0.4)).eval()
    with torch.no_grad():
        latents = model.analyse(as_tensor(picture(128, 128)), {"default": 1})
        inputs: list[torch.Tensor] = []
        model.context.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
        coded = model.code(latents, torch.tensor([0.8]))
    assert len(inputs) == passes - 1
    for at, given in enumerate(inputs):
        known = sum(put(take(coded["symbols"], part), part, given) for part in ORDERS[passes][: at + 1])
        assert torch.equal(given, known)


def test_checkpoints_from_before_there_were_four_have_two(tmp_path):
    before = config(shape=dataclasses.replace(SHAPE))
    object.__delattr__(before.shape, "passes")
    checkpoint.save(tmp_path / "old.ckpt", {"config": before, "average": {}})
    assert checkpoint.load(tmp_path / "old.ckpt")["config"].shape.passes == 2
    checkpoint.save(tmp_path / "new.ckpt", {"config": config(), "average": {}})
    assert checkpoint.load(tmp_path / "new.ckpt")["config"].shape.passes == 4


def test_four_passes_gather_twice_more():
    two, four = (kmacs_per_pixel(dataclasses.replace(SHAPE, passes=passes)) for passes in (2, 4))
    more = 2 * 25 * SHAPE.entropy_width + (1 / 2 - 1 / 8) * SHAPE.entropy_width * SHAPE.parameter_width
    assert (four["default"] - two["default"]) * 1000 == pytest.approx(more / 256)
