"""Weights between those of two stages."""

import json

import pytest
import torch
from conftest import config
from test_decoder_train import CPU, codec, gan, stage  # noqa: F401

from pinhole_train import checkpoint
from pinhole_train.__main__ import main
from pinhole_train.blend import blend
from pinhole_train.decoder_train import DecoderTrainer, Pictures, decoder_of
from pinhole_train.export import load_codec
from pinhole_train.train import Trainer


@pytest.fixture
def decoders(tmp_path, photos, codec):  # noqa: F811
    """Two stages, the second from the first."""
    configs = [stage(steps=1, learning_rate=1e-2), gan(start="hq", steps=2, head_start=0, learning_rate=1e-2)]
    return [DecoderTrainer(c, codec, Pictures(photos, c, CPU), tmp_path / c.name).run() for c in configs]


def test_a_blend_of_decoders_lies_between_them_and_says_so(tmp_path, decoders):
    first, second = (checkpoint.load(path)["average"] for path in decoders)
    out = tmp_path / "blend.ckpt"
    arguments = [str(path) for path in decoders]
    assert main(["blend", *arguments, "--share", "0.25", "--out", str(out)]) == 0
    blended = checkpoint.load(out)
    moved = 0
    for name, value in decoder_of(blended).state_dict().items():
        a, b = first[name].float(), second[name].float()
        moved += (a != b).sum()
        assert torch.allclose(value, a + 0.25 * (b - a), rtol=1e-3, atol=1e-6)
    assert moved > 0
    assert main(["export-decoder", str(out), "--out", str(tmp_path / "onnx")]) == 0
    lineage = json.loads((tmp_path / "onnx/gan.json").read_text())["lineage"]
    assert lineage["blend"] == 0.25
    assert checkpoint.file_hash(decoders[0]) in lineage["parents"].values()
    with pytest.raises(ValueError, match="not of one shape"):
        blend(decoders[0], tmp_path / "codec/last.ckpt", 0.5, out)


def test_a_blend_of_codecs_is_one(tmp_path, photos):
    first = Trainer(config(steps=1), photos, tmp_path / "first", "cpu").run()
    second = Trainer(config(steps=2, start=str(first)), photos, tmp_path / "second", "cpu").run()
    blend(first, second, 1.0, tmp_path / "all.ckpt")
    blend(first, second, 0.5, tmp_path / "half.ckpt")
    there, half = (load_codec(path)[0].state_dict() for path in (second, tmp_path / "half.ckpt"))
    same = load_codec(tmp_path / "all.ckpt")[0].state_dict()
    assert all(torch.equal(there[name], same[name]) for name in there)
    assert any(not torch.equal(there[name], half[name]) for name in there)
