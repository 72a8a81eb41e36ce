"""Pictures written by decoders of one latent space."""

import json

import numpy as np
import pytest
from conftest import config
from PIL import Image

from pinhole_train.__main__ import main
from pinhole_train.decoder_config import DecoderConfig
from pinhole_train.decoder_train import train_decoders
from pinhole_train.draw import draw
from pinhole_train.float_decoder import FloatShape
from pinhole_train.train import Trainer


def test_pictures_of_integer_and_float_decoders(tmp_path, photos, capsys):
    codec = Trainer(config(quantise=True), photos, tmp_path / "codec", "cpu").run()
    tiny = FloatShape(low_hidden=16, bottlenecks=1, bottleneck=16, refinement=8)
    stage = DecoderConfig(name="hq", steps=2, batch=2, crop=64, warmup=1, shrinks=(0.75,), learning_rate=1e-6, shape=tiny)
    (hq,) = train_decoders([stage], codec, photos, tmp_path / "decoders")
    out = tmp_path / "drawn"
    assert main(["draw", str(codec), "lite", "standard", f"hq={hq}", "--pictures", *photos, "--quality", "0.9", "--out", str(out)]) == 0
    lite, standard, fine = (json.loads(line) for line in capsys.readouterr().out.splitlines()[-3:])
    assert lite["bpp"] == standard["bpp"] == fine["bpp"] > 0
    # A decoder that has hardly been trained draws what the synthesis draws that it grew from.
    assert fine["psnr"] == pytest.approx(standard["psnr"], abs=0.5)
    with Image.open(out / "hq/0.png") as drawn, Image.open(f"{photos[0]}/0.png") as original:
        assert drawn.size == original.size
        error = np.asarray(drawn, float) - np.asarray(original, float)
        assert 10 * np.log10(255**2 / np.square(error).mean()) == pytest.approx(fine["psnr"], abs=3)
    with pytest.raises(ValueError, match="no synthesis"):
        draw(codec, photos[0], 0.5, {"nothing": None}, out)
    other = Trainer(config(quantise=True, seed=2), photos, tmp_path / "other", "cpu").run()
    with pytest.raises(ValueError, match="another latent space"):
        draw(other, photos[0], 0.5, {"hq": hq}, out)
