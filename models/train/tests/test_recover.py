"""Weights out of bundles that ship."""

import math
from pathlib import Path

import pytest
import torch

from pinhole_train.config import Config
from pinhole_train.export import hyper_tables, load_codec
from pinhole_train.recover import crc32c, read_sections, read_tables, recover

MODELS = Path(__file__).parents[2]
PHOTO = MODELS / "zoo/photo/photo.pinm"


@pytest.fixture(scope="module")
def recovered(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("recovered") / "photo.ckpt"
    recover(PHOTO, out)
    return out


def test_the_shape_is_that_of_the_config(recovered):
    _, config, state = load_codec(recovered)
    trained = Config.read(MODELS / "train/configs/photo-standard.toml")
    assert config.shape == trained.shape
    assert config.lambda_range == trained.lambda_range
    assert state["step"] > 0 and len(state["data_hash"]) == 64


def test_latents_are_drawn_as_the_picture_they_come_from(recovered):
    """Every analysis and synthesis, without coding between them."""
    model, config, _ = load_codec(recovered)
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    picture = torch.stack([128 + 80 * torch.sin(x / a) * torch.cos(y / b) for a, b in ((9, 14), (20, 8), (13, 30))])[None]
    for analysis in config.shape.analyses:
        for synthesis in config.shape.syntheses:
            with torch.no_grad():
                drawn = model.draw(model.analyse(picture, {analysis: 1}), synthesis)
            error = (drawn - picture).square().mean()
            assert error < 12, f"{analysis}, {synthesis}"


def test_the_prior_prices_hyper_latents_as_the_tables_do(recovered):
    model, _, _ = load_codec(recovered)
    packed = read_tables(read_sections(PHOTO.read_bytes())["TBLH"])
    for channel, ((low, made), (packed_low, wanted)) in enumerate(zip(hyper_tables(model), packed, strict=True)):
        excess = 0.0
        for symbol, probability in enumerate(wanted, packed_low):
            there = made[symbol - low] if 0 <= symbol - low < len(made) else 1e-6
            excess += probability * math.log2(probability / there)
        assert abs(excess) < 0.005, f"channel {channel}"


def test_what_is_no_codec_of_pictures_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no"):
        recover(MODELS / "zoo/imu/imu.pinm", tmp_path / "imu.ckpt")
    (tmp_path / "text.pinm").write_bytes(b"not a bundle at all, but long enough to be one")
    with pytest.raises(ValueError, match="signature"):
        recover(tmp_path / "text.pinm", tmp_path / "text.ckpt")


def test_damage_is_seen():
    assert crc32c(b"123456789") == 0xE3069283
    content = PHOTO.read_bytes()
    for at, what in ((20, "directory"), (len(content) - 1, "section")):
        broken = bytearray(content)
        broken[at] ^= 1
        with pytest.raises(ValueError, match=what):
            read_sections(bytes(broken))
    for cut, what in ((12, "header"), (40, "directory"), (len(content) - 1, "section")):
        with pytest.raises(ValueError, match=what):
            read_sections(content[:cut])
