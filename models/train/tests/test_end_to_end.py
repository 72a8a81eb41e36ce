"""From pictures to a decoded file: both training stages, export, packing, encoding and decoding.

Needs the command line program: `cargo build --release -p pinhole-cli --features pack`, or PINHOLE=/path/to/pinhole.
Run with `pytest -m e2e`.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[3]
PINHOLE = Path(os.environ.get("PINHOLE", ROOT / "target/release/pinhole")).absolute()

FLOAT_STAGE = """
name = "tiny-float"
steps = 20
batch = 2
crop = 64
warmup = 5
learning_rate = 2e-4
ema = 0.8
checkpoint_every = 10
log_every = 5
"""
SHAPE = """
[shape]
latents = 64
hyper_latents = 16
hyper_width = 32
entropy_width = 32
parameter_width = 32
gain_knots = 4
[shape.analyses]
default = { blocks = 1, hidden = 32, low_hidden = 32 }
[shape.syntheses]
standard = { blocks = 1, hidden = 32, low_hidden = 32 }
"""
# As the bundles that ship or will; the float stage is without, so that the next one has to take that over, too.
DEPENDENT = SHAPE.replace("gain_knots", "dependent = true\nfraction = 5\ngain_knots")
QUANTISED_STAGE = FLOAT_STAGE.replace("tiny-float", "tiny-int8") + "quantise = true\nmse_share = 0.5\nperceptual = 0.01\nborder = 0.1\n"

SAMPLE = ROOT / "samples" / "chelsea.png"

pytestmark = pytest.mark.e2e


def call(*command: object) -> str:
    # Layers this small are slower on several threads.
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, env=alone)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def train(*arguments: object) -> str:
    return call(sys.executable, "-m", "pinhole_train", *arguments)


def psnr(a: Path, b: Path) -> float:
    with Image.open(a) as x, Image.open(b) as y:
        apart = np.asarray(x.convert("RGB"), dtype=float) - np.asarray(y.convert("RGB"), dtype=float)
    return 10 * math.log10(255**2 / np.mean(apart**2))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, pictures) -> Path:
    """A packed model of 40 training steps; its checkpoint is beside it."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "float.toml").write_text(FLOAT_STAGE + SHAPE)
    (folder / "int8.toml").write_text(QUANTISED_STAGE + DEPENDENT)
    train("train", folder / "float.toml", "--data", pictures, "--out", folder / "float")
    last = folder / "float" / "last.ckpt"
    train("train", folder / "int8.toml", "--data", pictures, "--out", folder / "int8", "--start", last)
    train("export", folder / "int8" / "last.ckpt", "--data", pictures, "--out", folder / "onnx", "--name", "tiny")
    call(PINHOLE, "model", "pack", folder / "onnx", "-o", folder / "tiny.pinm", "--check", SAMPLE)
    return folder / "tiny.pinm"


def test_training_logs_finite_losses(bundle):
    for stage in ("float", "int8"):
        rows = [json.loads(line) for line in (bundle.parent / stage / "log.jsonl").read_text().splitlines()]
        assert [row["step"] for row in rows] == [5, 10, 15, 20]
        assert all(math.isfinite(row["loss"]) and row["skipped"] == 0 for row in rows)


def test_a_file_is_what_training_expects(bundle, tmp_path):
    """Size and quality of real files against the estimates that the losses are made of."""
    original = tmp_path / "pictures" / "crop.png"
    original.parent.mkdir()
    with Image.open(SAMPLE) as opened:
        # Whole blocks of 64, for the estimate pays for padding, and no metadata.
        pixels = np.asarray(opened.convert("RGB"))[:256, :448]
    Image.fromarray(pixels).save(original)
    checkpoint = bundle.parent / "int8" / "last.ckpt"
    rows = train("evaluate", checkpoint, "--pictures", original.parent, "--tables", bundle.parent / "onnx" / "codec.json",
                 "--qualities", 0.1, 0.8)
    sizes = []
    for row in map(json.loads, rows.splitlines()):
        coded, shown = tmp_path / "out.pinh", tmp_path / "out.png"
        call(PINHOLE, "encode", original, "--model", bundle, "-q", row["quality"] * 100, "-o", coded)
        call(PINHOLE, "decode", coded, "--model", bundle, "-o", shown)
        quality, rate = psnr(original, shown), coded.stat().st_size * 8 / (256 * 448)
        print(f"{row}: file {rate:.3f} bpp, {quality:.2f} dB")
        assert quality > 20
        assert quality == pytest.approx(row["psnr"], abs=0.1)
        # After so few steps many symbols are escapes, which the estimate caps at 20 bits and the file does not.
        assert 0.97 * row["bpp"] < rate < 1.15 * row["bpp"]
        sizes.append(rate)
    assert sizes[1] > 1.5 * sizes[0]


def test_a_bundle_is_a_checkpoint_again(bundle, tmp_path):
    """Rates and qualities of the weights taken out of a bundle are those of the checkpoint that went in."""
    shown = []
    train("recover", bundle, "--out", tmp_path / "recovered.ckpt")
    for checkpoint in (bundle.parent / "int8" / "last.ckpt", tmp_path / "recovered.ckpt"):
        rows = train("evaluate", checkpoint, "--pictures", SAMPLE.parent, "--limit", 1, "--tables",
                     bundle.parent / "onnx" / "codec.json", "--qualities", 0.1, 0.8)
        shown.append([json.loads(row) for row in rows.splitlines()])
    for before, after in zip(*shown, strict=True):
        assert after["bpp"] == pytest.approx(before["bpp"], rel=0.01)
        assert after["psnr"] == pytest.approx(before["psnr"], abs=0.05)


def test_a_picture_of_odd_size_comes_back_whole(bundle, tmp_path):
    coded, shown = tmp_path / "out.pinh", tmp_path / "out.png"
    call(PINHOLE, "encode", SAMPLE, "--model", bundle, "-q", 60, "-o", coded)
    call(PINHOLE, "decode", coded, "--model", bundle, "-o", shown)
    with Image.open(SAMPLE) as a, Image.open(shown) as b:
        assert a.size == b.size
    assert psnr(SAMPLE, shown) > 20


def test_a_model_decodes_the_same_on_any_number_of_threads(bundle, tmp_path):
    coded = tmp_path / "a.pinh"
    call(PINHOLE, "encode", SAMPLE, "--model", bundle, "-o", coded, "--chunk-rows", 64)
    shown = []
    for threads in (1, 3):
        call(PINHOLE, "decode", coded, "--model", bundle, "--threads", threads, "-o", tmp_path / f"{threads}.png")
        shown.append((tmp_path / f"{threads}.png").read_bytes())
    assert shown[0] == shown[1]


def test_decoders_are_replaced_and_streams_stay_what_they_are(bundle, tmp_path):
    parts = '\ntrain = ["syntheses.standard"]\n'
    (tmp_path / "again.toml").write_text(QUANTISED_STAGE.replace("tiny-int8", "tiny-again") + parts + DEPENDENT)
    start = bundle.parent / "int8" / "last.ckpt"
    train("train", tmp_path / "again.toml", "--data", SAMPLE.parent, "--out", tmp_path / "again", "--start", start)
    train("export", tmp_path / "again" / "last.ckpt", "--data", SAMPLE.parent, "--out", tmp_path / "onnx", "--name", "tiny", "--version", "0.2.0")
    renewed = tmp_path / "renewed.pinm"
    call(PINHOLE, "model", "pack", tmp_path / "onnx", "--base", bundle, "-o", renewed, "--check", SAMPLE)
    made = {}
    for name, model in (("old", bundle), ("new", renewed)):
        coded, shown = tmp_path / f"{name}.pin", tmp_path / f"{name}.png"
        call(PINHOLE, "encode", SAMPLE, "--model", model, "-o", coded)
        call(PINHOLE, "decode", coded, "--model", model, "-o", shown)
        made[name] = (coded.read_bytes(), shown.read_bytes())
    assert made["old"][0] == made["new"][0]
    assert made["old"][1] != made["new"][1]
    # A stream of the old bundle opens with the new one, to the new one's picture.
    call(PINHOLE, "decode", tmp_path / "old.pin", "--model", renewed, "-o", tmp_path / "across.png")
    assert (tmp_path / "across.png").read_bytes() == made["new"][1]
    told = json.loads(call(PINHOLE, "model", "info", renewed, "--json"))
    assert (told["name"], told["version"]) == ("tiny", "0.2.0")
