"""The exported graphs compute what the quantised codec was trained to compute."""

import dataclasses
import hashlib
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import SHAPE, as_tensor, busy_codec, config, picture

from pinhole_train import checkpoint
from pinhole_train.codec import LATENT_STEP, PIXEL_UNIT, SYMBOL_STEP
from pinhole_train.export import export, load_codec
from pinhole_train.rate import SCALE_COUNT

GRAPHS = [
    "analysis", "synthesis", "synthesis_lite", "hyper_analysis", "hyper_synthesis", "context", "parameters_first",
    "parameters_second",
]  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory, pictures):
    """A quantised checkpoint and the folder of its export."""
    folder = tmp_path_factory.mktemp("export")
    path = folder / "tiny.ckpt"
    averaged = busy_codec().state_dict()
    state = {"average": averaged, "config": config(quantise=True), "step": 4, "data_hash": "0123"}
    checkpoint.save(path, state)
    export(path, folder / "out", "tiny", "1.2.3", [pictures])
    return path, folder / "out"


@pytest.fixture(scope="module")
def model(exported):
    return load_codec(exported[0])[0]


@pytest.fixture(scope="module")
def run(exported):
    """Runs a graph on named inputs; its definition, not what an optimiser makes of it."""

    def call(name: str, **inputs: torch.Tensor) -> list[torch.Tensor]:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        path = str(exported[1] / f"{name}.onnx")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        results = session.run(None, {key: value.contiguous().numpy() for key, value in inputs.items()})
        return [torch.from_numpy(result) for result in results]

    return call


def assert_close(ours: torch.Tensor, theirs: torch.Tensor, step: float) -> None:
    """Equal but for single roundings that went the other way, and even there within one step."""
    assert ours.shape == theirs.shape
    assert ours.float().std() > 4 * step, "the comparison is between constants"
    apart = (ours.float() - theirs.float()).abs() / step
    print(f"max {apart.max():.2f} steps, {(apart > 0.5).float().mean():.2e} differ")
    assert apart.max() <= 1.001
    assert (apart > 0.5).float().mean() < 0.01


def stored(x: torch.Tensor, step: float, zero: int = 128) -> torch.Tensor:
    """The uint8 tensor that stands for values on a grid."""
    return (x / step + zero).round().to(torch.uint8)


@pytest.fixture(scope="module")
def signals(model):
    """What flows between the networks for one picture."""
    pixels = as_tensor(picture(128, 192, 42))
    with torch.no_grad():
        latents = model.analyses["default"]((pixels.float() - 128) / PIXEL_UNIT)
        symbols = model.symbol_grid(latents * model.gains(torch.tensor([0.6])))
        hyper = model.hyper_analysis(symbols)
        return {
            "picture": pixels,
            "latents": latents,
            "symbols": symbols,
            "hyper": hyper,
            "features": model.hyper_synthesis(hyper),
            "context": model.context(symbols),
        }


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_are_valid(exported, name):
    onnx.checker.check_model(onnx.load(exported[1] / f"{name}.onnx"), full_check=True)


def test_analysis(signals, run):
    (latents,) = run("analysis", picture=signals["picture"])
    assert_close(signals["latents"], latents, LATENT_STEP)


@pytest.mark.parametrize(("graph", "name"), [("synthesis", "standard"), ("synthesis_lite", "lite")])
def test_synthesis(model, signals, run, graph, name):
    (shown,) = run(graph, latents=signals["latents"])
    assert shown.dtype == torch.uint8
    with torch.no_grad():
        ours = model.draw(signals["latents"], name).round().clamp(0, 255)
    assert_close(ours, shown, 1.0)


def test_hyper_analysis(signals, run):
    (hyper,) = run("hyper_analysis", symbols=signals["symbols"])
    assert torch.equal(hyper, hyper.round())
    assert (signals["hyper"] - hyper).abs().max() <= 1
    assert (signals["hyper"] != hyper).float().mean() < 0.05
    assert signals["hyper"].unique().numel() > 3


def test_hyper_synthesis(model, signals, run):
    (features,) = run("hyper_synthesis", hyper=stored(signals["hyper"], 1.0))
    assert_close(signals["features"], features, model.hyper_synthesis.mix2.grid.step.item())


def test_context(model, signals, run):
    (near,) = run("context", anchors=signals["symbols"])
    assert_close(signals["context"], near, model.context.gather.grid.step.item())


def test_parameters_first(model, signals, run):
    step = model.hyper_synthesis.mix2.grid.step.item()
    mean, scale = run("parameters_first", features=stored(signals["features"], step))
    with torch.no_grad():
        our_mean, our_scale = model.first(signals["features"])
    assert_close(our_mean, mean, SYMBOL_STEP)
    assert (our_scale - scale).abs().max() <= 1


def test_parameters_second(model, signals, run):
    step = model.hyper_synthesis.mix2.grid.step.item()
    inputs = {key: stored(signals[key], step) for key in ("features", "context")}
    mean, scale = run("parameters_second", **inputs)
    with torch.no_grad():
        our_mean, our_scale = model.second(torch.cat([signals["features"], signals["context"]], 1))
    assert_close(our_mean, mean, SYMBOL_STEP)
    assert (our_scale - scale).abs().max() <= 1
    assert scale.min() >= 0
    assert scale.max() <= SCALE_COUNT - 1


def test_the_description_is_complete(exported, model):
    path, folder = exported
    told = json.loads((folder / "codec.json").read_text())
    assert {p.name for p in folder.iterdir()} == {f"{name}.onnx" for name in GRAPHS} | {"codec.json"}
    assert (told["name"], told["version"]) == ("tiny", "1.2.3")
    assert (told["latent_channels"], told["hyper_channels"]) == (SHAPE.latents, SHAPE.hyper_latents)
    assert np.shape(told["gain_knots"]) == (SHAPE.gain_knots, SHAPE.latents)
    assert np.min(told["gain_knots"]) > 0
    assert 0 <= told["skip_below"] < SCALE_COUNT
    assert len(told["latent_tables"]) == SCALE_COUNT
    assert len(told["hyper_tables"]) == SHAPE.hyper_latents
    for table in told["latent_tables"] + told["hyper_tables"]:
        assert table["min"] <= 0 < table["min"] + len(table["pmf"])
        assert min(table["pmf"]) > 0
        # The rest is the escape's.
        assert 0.999 < sum(table["pmf"]) < 1 + 1e-6
    lineage = told["lineage"]
    assert lineage["checkpoint"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (lineage["data"], lineage["stage"], lineage["steps"]) == ("0123", "tiny", 4)
    assert lineage["config"]["shape"] == dataclasses.asdict(SHAPE)
    assert set(told["metrics"]["kmac_per_pixel"]) == {"default", "standard", "lite"}


def test_the_reference_says_what_pictures_look_like(exported):
    told = json.loads((exported[1] / "codec.json").read_text())["reference"]
    qualities = len(told["qualities"])
    assert told["qualities"] == sorted(told["qualities"])
    for key in ("mean", "variance", "bits"):
        assert np.shape(told[key]) == (qualities, SHAPE.latents)
    assert told["bpp"] == sorted(told["bpp"])
    assert min(told["bpp_deviation"]) > 0
    assert 0 <= min(told["escape_rate"]) <= max(told["escape_rate"]) < 0.01
    # What the channels cost is nearly all that is spent.
    assert 0.5 < np.sum(told["bits"], 1)[-1] / told["bpp"][-1] <= 1


def test_hyper_tables_are_the_prior(exported, model):
    told = json.loads((exported[1] / "codec.json").read_text())
    with torch.no_grad():
        for channel, table in enumerate(told["hyper_tables"]):
            zero = torch.zeros(1, SHAPE.hyper_latents, 1, 1)
            bits = model.prior.bits(zero)[0, channel].item()
            assert table["pmf"][-table["min"]] == pytest.approx(2**-bits, rel=1e-3)


def test_a_float_checkpoint_is_refused(tmp_path):
    path = tmp_path / "float.ckpt"
    checkpoint.save(path, {"average": busy_codec().state_dict(), "config": config(), "step": 1, "data_hash": ""})
    with pytest.raises(ValueError, match="quantisation"):
        export(path, tmp_path / "out", "tiny", "1", [])
