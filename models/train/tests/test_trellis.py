"""Dependent quantisation: the cheapest path, and what training makes of it."""

import dataclasses
import itertools

import pytest
import torch
from conftest import SHAPE, as_tensor, busy_codec, config, picture

from pinhole_train import checkpoint
from pinhole_train.data import Crops, find_pictures
from pinhole_train.export import load_codec
from pinhole_train.layers import round_ste
from pinhole_train.rate import BIT_WORTH, SCALE_COUNT, SKIP_BELOW, gaussian_tables, prices_of, scale_of_index
from pinhole_train.tables import coder_of, fit_tables
from pinhole_train.train import Trainer
from pinhole_train.trellis import NEXT, TrellisCoder, search, search_columns, worth_of

PRICES = torch.tensor(prices_of(gaussian_tables(dependent=True)))
DEPENDENT = dataclasses.replace(SHAPE, dependent=True)


def follow(magnitudes: list[int], signs: list[int], coded: list[bool]) -> tuple[list[float], list[int]]:
    """Values and quantisers that a decoder finds."""
    state, values, second = 0, [], []
    for k, sign, on in zip(magnitudes, signs, coded, strict=True):
        second.append(state % 2 if on else 0)
        values.append(sign * (k - 0.5 * second[-1] * (k > 0)) if on else 0.0)
        state = int(NEXT[state, k % 2]) if on else state
    return values, second


def drawn(rows: int, columns: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    scale = torch.randint(0, 40, (rows, columns), generator=random)
    # On the grid of the runtime.
    return (torch.randn(rows, columns, generator=random) * 0.1 * 1.1**scale * 16).round() / 16, scale


def test_no_path_is_cheaper():
    residual, scale = drawn(40, 4, 1)
    scale = scale.clamp(min=SKIP_BELOW)
    worth = torch.linspace(0.5, 2, len(residual)) * BIT_WORTH
    values, second, magnitude = search(residual, scale, PRICES, worth)
    for row in range(len(residual)):
        x, index = residual[row].tolist(), scale[row]
        signs = [-1 if v < 0 else 1 for v in x]

        def cost(magnitudes: tuple[int, ...], x=x, index=index, signs=signs, worth=worth[row].item()) -> float:
            decoded, quantiser = follow(list(magnitudes), signs, [True] * 4)
            bits = PRICES[torch.tensor(quantiser) * SCALE_COUNT + index, torch.tensor(magnitudes)]
            return sum((a - b) ** 2 for a, b in zip(x, decoded, strict=True)) + worth * bits.sum().item()

        found = tuple(magnitude[row].tolist())
        assert follow(list(found), signs, [True] * 4) == (values[row].tolist(), second[row].tolist())
        ranges = [range(max(0, int(abs(v)) - 1), int(abs(v)) + 3) for v in x]
        assert cost(found) <= min(cost(other) for other in itertools.product(*ranges)) + 1e-4


def test_rows_and_columns_find_the_same():
    residual, scale = drawn(200, 60, 2)
    worth = torch.linspace(0.5, 2, len(residual)) * BIT_WORTH
    for rows, columns in zip(search(residual, scale, PRICES, worth), search_columns(residual, scale, PRICES, worth), strict=True):
        assert torch.equal(rows.float(), columns.float())


def test_what_is_skipped_is_zero_free_and_leaves_the_state():
    residual, scale = drawn(50, 30, 3)
    values, second, magnitude = search(residual, scale, PRICES, torch.full((50,), BIT_WORTH))
    for row in range(len(residual)):
        coded = (scale[row] >= SKIP_BELOW).tolist()
        signs = [-1 if v < 0 else 1 for v in residual[row].tolist()]
        assert follow(magnitude[row].tolist(), signs, coded) == (values[row].tolist(), second[row].tolist())
    bits = TrellisCoder(PRICES).code(residual, scale.float())[1]
    assert torch.equal(bits == 0, scale < SKIP_BELOW)


def test_a_bit_is_worth_more_where_more_is_going_on():
    scale = torch.zeros(2, 16, 4, 4, dtype=torch.long)
    scale[0, :, 0] = 8
    scale[1] = 30
    worth = worth_of(scale)
    assert worth.shape == (2, 4, 4)
    busy, calm = 2 ** (6 / 15), 2 ** (-2 / 15)
    torch.testing.assert_close(worth[0, 0], torch.full((4,), BIT_WORTH * busy))
    torch.testing.assert_close(worth[0, 1:], torch.full((3, 4), BIT_WORTH * calm))
    torch.testing.assert_close(worth[1], torch.full((4, 4), BIT_WORTH))
    # And so gets fewer of them than beside one that is as busy.
    residual = torch.randn(1, 288, 1, 2, generator=torch.Generator().manual_seed(6))

    def bits_beside(other: int) -> float:
        index = torch.tensor([20.0, other]).expand(1, 288, 1, 2)
        return TrellisCoder(PRICES).code(residual, index)[1][..., 0].sum().item()

    assert bits_beside(0) < 0.99 * bits_beside(20)


def test_it_beats_the_nearest_symbols():
    # A normal distribution of a deviation of two symbols: 1.5 dB are all that there is to gain, 8 states gain most of them.
    index = 31.0
    scale = 0.08 * 1600 ** (index / 63)
    residual = torch.randn(300, 288, generator=torch.Generator().manual_seed(4)) * scale
    costs = {}
    for dependent in (False, True):
        values, bits = coder_of(gaussian_tables(dependent), dependent).code(residual, torch.full_like(residual, index))
        costs[dependent] = (residual - values).square().mean() + BIT_WORTH * bits.mean()
    assert costs[True] < 0.98 * costs[False]


def test_scales_learn_from_the_tables_to_both_sides():
    residual, scale = drawn(20, 32, 5)
    coder = TrellisCoder(PRICES)
    index = scale.float().requires_grad_()
    values, bits = coder.learn(residual, index)
    priced = coder.code(residual, scale.float())
    assert torch.equal(values, priced[0]) and torch.equal(bits, priced[1])
    bits.sum().backward()
    _, second, magnitude = coder._choose(residual, scale)
    inside = (scale > SKIP_BELOW) & (scale < SCALE_COUNT - 1)
    row = second * SCALE_COUNT + scale
    both = (PRICES[(row + 1).clamp(max=len(PRICES) - 1), magnitude] - PRICES[row - 1, magnitude]) / 2
    torch.testing.assert_close(index.grad[inside], both[inside])
    assert (index.grad[scale < SKIP_BELOW - 1] == 0).all()


@pytest.mark.parametrize("start", [SKIP_BELOW - 0.6, 8.0, 30.0])
@pytest.mark.parametrize("rounded", [False, True])
def test_a_scale_is_found_from_both_sides(start, rounded):
    deviation = scale_of_index(torch.tensor(16.0))
    residual = torch.randn(400, 16, generator=torch.Generator().manual_seed(3)) * deviation
    coder = TrellisCoder(PRICES)
    index = torch.tensor(start, requires_grad=True)
    for _ in range(300):
        used = round_ste(index) if rounded else index
        bits = coder.learn(residual, used.expand(residual.shape))[1].mean()
        with torch.no_grad():
            index -= 2 * torch.autograd.grad(bits, index)[0].clamp(-0.25, 0.25)

    def cost(k: int) -> float:
        values, bits = coder.code(residual, torch.full_like(residual, k))
        return ((residual - values).square() / BIT_WORTH + bits).mean().item()

    assert abs(index.item() - min(range(40), key=cost)) <= 1


def test_what_is_nearly_zero_comes_to_be_left_out():
    residual = torch.randn(100, 16, generator=torch.Generator().manual_seed(3)) * 0.05
    index = torch.tensor(12.0, requires_grad=True)
    for _ in range(300):
        bits = TrellisCoder(PRICES).learn(residual, round_ste(index).expand(residual.shape))[1].mean()
        with torch.no_grad():
            index -= 100 * torch.autograd.grad(bits, index)[0].clamp(-0.01, 0.01)
    assert SKIP_BELOW - 2 < index < SKIP_BELOW


def test_fitted_tables_price_pictures_lower(pictures):
    model = busy_codec(shape=DEPENDENT)
    crops = Crops(find_pictures([pictures]), 64, (1.0,), seed=5)
    tables = fit_tables(model, crops, batches=2)
    assert len(tables) == 2 * SCALE_COUNT

    def price(of) -> float:
        model.coder = coder_of(of, dependent=True)
        state = crops.state()
        with torch.no_grad():
            bits = model(crops.batch(8), torch.linspace(0, 1, 8))["bits_y"].sum().item()
        crops.restore(state)
        return bits

    assert price(tables) < price(gaussian_tables(dependent=True))


@pytest.mark.parametrize("quantise", [False, True])
def test_a_stage_takes_over_a_codec_without(tmp_path, photos, quantise):
    before = Trainer(config(quantise=True, choose=True), photos, tmp_path / "before", "cpu").run()
    stage = config(start=str(before), shape=DEPENDENT, quantise=quantise)
    after = Trainer(stage, photos, tmp_path / "after", "cpu").run()
    model, _, state = load_codec(after)
    prices = state["average"]["prices"]
    # They are those of this model's symbols, are counted anew when it is trained on, and stay as they are while it stands still.
    assert not torch.equal(prices, PRICES)

    def prices_after(out: str, **changes) -> torch.Tensor:
        stage = config(start=str(after), shape=DEPENDENT, quantise=quantise, **changes)
        return checkpoint.load(Trainer(stage, photos, tmp_path / out, "cpu").run())["average"]["prices"]

    assert not torch.equal(prices_after("on"), prices)
    if quantise:
        assert torch.equal(prices_after("still", train=("syntheses.standard",)), prices)
    coded = model(as_tensor(picture(64, 64)), torch.tensor([0.6]))
    residual = coded["symbols"] * 16
    assert torch.isfinite(coded["bits_y"]).all() and torch.isfinite(residual).all()
