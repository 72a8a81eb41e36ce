"""Short trainings that differ in one setting."""

import json
import math
from pathlib import Path

import pytest
import torch
from conftest import SHAPE

from pinhole_train import checkpoint
from pinhole_train.__main__ import main
from pinhole_train.ablate import ALTERATIONS, SiluGrid, ablate, as_table, bd_rate, read_variants
from pinhole_train.codec import Codec
from pinhole_train.layers import enable_quantisation, observe

ALL = (-math.inf, math.inf)
BASE = """
name = "tiny"
steps = 40
batch = 2
crop = 64
warmup = 1
lambda_range = [2e-4, 0.4]
quantise = true
[shape]
latents = 32
hyper_latents = 8
hyper_width = 16
entropy_width = 16
parameter_width = 16
analyses.default = { blocks = 1, hidden = 32, low_hidden = 32 }
syntheses.standard = { blocks = 1, hidden = 32, low_hidden = 32 }
"""
VARIANTS = """
base = "base.toml"
common.steps = 2
[variants."as it is"]
[variants."fewer latents"]
shape.latents = 24
shape.analyses.default = { blocks = 4 }
[variants.SiLU]
alter = "silu"
"""


@pytest.fixture
def variants(tmp_path):
    (tmp_path / "base.toml").write_text(BASE)
    path = tmp_path / "variants.toml"
    path.write_text(VARIANTS)
    return path


def test_variants_are_trained_once_and_compared(tmp_path, variants, photos, capsys):
    command = ["ablate", str(variants), "--data", *photos, "--pictures", *photos, "--limit", "2", "--out", str(tmp_path / "out")]
    assert main([*command, "--only", "as it is"]) == 0
    first = capsys.readouterr().out
    assert first.count("\n|") == 2 and "| as it is |" in first and "+0.0 % | +0.0 %" in first
    curves = tmp_path / "out/as-it-is/curves.json"
    written = curves.stat().st_mtime_ns
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert curves.stat().st_mtime_ns == written
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| as it is", "| fewer latents", "| SiLU"]
    base, fewer = (json.loads((tmp_path / f"out/{name}/curves.json").read_text()) for name in ("as-it-is", "fewer-latents"))
    rates = [bd_rate(base[name], fewer[name], "psnr", ALL) for name in base]
    cells = lines[3].split(" | ")
    assert len(rates) == 2 and cells[3] == f"{sum(rates) / 2:+.1f} %".replace("-", "−") != "+0.0 %"
    assert float(cells[1]) > float(lines[2].split(" | ")[1])
    assert checkpoint.load(tmp_path / "out/fewer-latents/last.ckpt")["config"].shape.latents == 24
    with pytest.raises(ValueError, match="no variant wide"):
        ablate(variants, photos, photos[0], tmp_path / "out", ["wide"])


def test_where_qualities_have_nothing_in_common_there_is_no_rate():
    row = {"variant": "coarse", "encode": 6.2, "decode": 10.1, "psnr": math.nan, "ssimulacra2": -1.5}
    assert as_table([row]).splitlines()[-1] == "| coarse | 6.2 | 10.1 | – | −1.5 % |"


def test_settings_are_checked(variants):
    read = read_variants(variants)
    assert [v.config.steps for v in read] == [2, 2, 2]
    assert [v.config.shape.latents for v in read] == [32, 24, 32]
    assert [v.config.shape.analyses["default"].blocks for v in read] == [1, 4, 1]
    assert all(v.config.shape.analyses["default"].hidden == 32 for v in read)
    variants.write_text(VARIANTS.replace("silu", "gelu"))
    with pytest.raises(ValueError, match="alter = 'gelu' is none of silu, int8 trunk"):
        read_variants(variants)
    variants.write_text(VARIANTS.replace("blocks = 4", "breadth = 4"))
    with pytest.raises(ValueError, match="unknown settings breadth"):
        read_variants(variants)


def test_no_two_shipped_variants_are_alike():
    read = read_variants(Path(__file__).parent.parent / "configs/ablations/photo.toml")
    seen = {(repr(v.config), v.alter) for v in read}
    assert len(seen) == len(read) > 10
    assert len({v.folder for v in read}) == len(read)
    assert all(Path(v.folder).name == v.folder for v in read)
    assert read[0].config.quantise and not read[0].alter


@pytest.mark.parametrize("alter", ["silu", "int8 trunk"])
def test_altered_networks_round_where_they_say(alter):
    torch.manual_seed(0)
    model = Codec(SHAPE, (2e-4, 0.4)).eval()
    ALTERATIONS[alter](model)
    net = model.syntheses["standard"]
    layer = net.blocks[0].expand if alter == "silu" else net.blocks[-1].project
    seen = {}
    layer.grid.register_forward_hook(lambda _module, _inputs, out: seen.update(out=out))
    picture, quality = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8), torch.tensor([0.9])
    with torch.no_grad():
        observe(model, True)
        model(picture, quality)
        observe(model, False)
        assert seen["out"].unique().numel() > 256
        enable_quantisation(model)
        rounded = model(picture, quality)
    assert 16 < seen["out"].unique().numel() <= 256
    assert isinstance(layer.grid, SiluGrid) == (alter == "silu")
    # Latents keep their fine grid.
    assert rounded["decoded"].unique().numel() > 256


def test_bd_rate_of_curves_that_are_known():
    rows = [{"bpp": 0.1 * 1.5**i, "psnr": 28.0 + 2 * i} for i in range(6)]
    half = [{**row, "bpp": row["bpp"] / 2} for row in rows]
    better = [{**row, "psnr": row["psnr"] + 2} for row in rows]
    assert bd_rate(rows, rows, "psnr", ALL) == 0
    assert bd_rate(rows, half, "psnr", ALL) == pytest.approx(-50)
    assert bd_rate(half, rows, "psnr", ALL) == pytest.approx(100)
    assert bd_rate(rows, better, "psnr", (31, 36)) == pytest.approx(100 * (1 / 1.5 - 1))
    # A point that costs more and is worse is one that nobody would choose.
    assert bd_rate(rows, [*rows, {"bpp": 1.0, "psnr": 20.0}], "psnr", ALL) == pytest.approx(0)
    assert math.isnan(bd_rate(rows, rows, "psnr", (50, 60)))
