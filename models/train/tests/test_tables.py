"""Symbol tables, and the rounding that goes with them."""

import math

import numpy as np
import pytest
import torch
from conftest import as_tensor, busy_codec, picture

from pinhole_train.data import Crops, find_pictures
from pinhole_train.rate import BIT_WORTH, SCALE_COUNT, SKIP_BELOW, SMALLEST, TAIL, gaussian_bits, gaussian_table, gaussian_tables
from pinhole_train.tables import SymbolCoder, fit_tables


@pytest.mark.parametrize("scale", [0.08, 0.6, 3.0, 128.0])
def test_normal_tables_are_the_trained_distribution(scale):
    table = gaussian_table(scale)
    reach = len(table) // 2
    assert table.sum() == pytest.approx(1, abs=TAIL + 1e-6)
    for symbol in range(-min(3, reach), min(3, reach) + 1):
        trained = 2 ** -gaussian_bits(torch.tensor(float(symbol)), torch.tensor(scale)).item()
        assert table[reach + symbol] == pytest.approx(trained, rel=1e-3, abs=2 * SMALLEST)


def test_the_cheaper_of_two_neighbours_is_chosen():
    coder = SymbolCoder(gaussian_tables())
    # The grid of the runtime, 1/16.
    residual = torch.arange(-80, 81) / 16
    for index in (8, 20, 40, 60):
        symbols, bits = coder.code(residual, torch.full_like(residual, index))
        assert torch.equal(symbols, -symbols.flip(0))
        for x, symbol, price in zip(residual.tolist(), symbols.tolist(), bits.tolist(), strict=True):
            assert price == pytest.approx(coder.bits[index, abs(int(symbol))].item())
            cost = lambda s, x=x, index=index: (x - s) ** 2 + BIT_WORTH * coder.bits[index, abs(s)].item()  # noqa: E731
            # Thresholds lie on the grid too.
            assert cost(int(symbol)) <= min(cost(math.floor(x)), cost(math.ceil(x))) + 0.13


def test_what_is_skipped_is_zero_and_free():
    symbols, bits = SymbolCoder(gaussian_tables()).code(torch.tensor([3.0, -1.0]), torch.tensor([0.0, SKIP_BELOW - 1.0]))
    assert symbols.abs().tolist() == bits.tolist() == [0, 0]


def test_fitted_tables_price_pictures_lower(pictures):
    model = busy_codec()
    crops = Crops(find_pictures([pictures]), 64, (1.0,), seed=5)
    tables = fit_tables(model, crops, batches=2)
    assert len(tables) == SCALE_COUNT
    for table in tables:
        assert np.array_equal(table, table[::-1])
        # The rest is the escape's.
        assert 0.999 < table.sum() < 1 + 1e-6

    def price(of: list[np.ndarray]) -> float:
        model.coder = SymbolCoder(of)
        with torch.no_grad():
            return model(crops.batch(8), torch.linspace(0, 1, 8))["bits_y"].sum().item()

    state = crops.state()
    fitted = price(tables)
    crops.restore(state)
    assert fitted < price(gaussian_tables())


def test_training_sees_the_symbols_that_an_encoder_chooses():
    model = busy_codec()
    photo, quality = as_tensor(picture(128, 128)), torch.tensor([0.6])
    model.coder = SymbolCoder(gaussian_tables())
    with torch.no_grad():
        shipped = model(photo, quality)
        model.train()
        trained = model(photo, quality)
    assert torch.equal(trained["decoded"], shipped["decoded"])
    # The prices of a normal distribution; those of the tails, which the tables cut off, end at 20 bits.
    torch.testing.assert_close(trained["bits_y"].sum(), shipped["bits_y"].sum(), rtol=0.1, atol=0)
    # Latents and scales learn from the price nevertheless.
    model(photo, quality)["bits_y"].sum().backward()
    assert model.second.scale.weight.grad.abs().sum() > 0
    assert next(iter(model.analyses.values())).down.weight.grad.abs().sum() > 0
