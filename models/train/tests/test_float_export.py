"""The ONNX graph of a float decoder is what PyTorch draws, in ONNX Runtime and at any size."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import SHAPE, config

from pinhole_train import checkpoint
from pinhole_train.__main__ import main
from pinhole_train.decoder_config import DecoderConfig
from pinhole_train.decoder_train import decoder_of, train_decoders
from pinhole_train.float_decoder import FloatDecoder, FloatShape
from pinhole_train.float_export import FloatGraph, difference, round_weights
from pinhole_train.rounding import quantise_weight_integers
from pinhole_train.train import Trainer

TINY = FloatShape(low_hidden=16, bottlenecks=2, bottleneck=16, refinement=8)


def busy_decoder() -> FloatDecoder:
    """Every layer has an effect; weights are those that a graph can hold."""
    torch.manual_seed(0)
    decoder = FloatDecoder(TINY, SHAPE.syntheses["standard"], SHAPE.latents)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.03)
    return round_weights(decoder).eval()


def test_onnx_runtime_draws_what_pytorch_draws():
    decoder = busy_decoder()
    model = FloatGraph(decoder).model()
    assert difference(model, decoder) < 1e-2
    # A graph of other weights is told apart.
    with torch.no_grad():
        decoder.refinement.last.bias.add_(0.01)
    assert difference(model, decoder) > 0.5


def test_rounded_weights_stay_as_they_are():
    torch.manual_seed(1)
    weight = torch.randn(5, 3, 3, 3) * torch.tensor([1e-3, 0.0, 1.0, 40.0, 7.0]).view(5, 1, 1, 1)
    whole, steps = quantise_weight_integers(weight)
    assert whole.abs().max() == 127
    assert ((whole * steps - weight).abs() <= steps * 0.501).all()
    again, _ = quantise_weight_integers(whole * steps)
    assert torch.equal(again, whole)
    first = busy_decoder().state_dict()
    second = round_weights(busy_decoder()).state_dict()
    assert all(torch.allclose(first[name], second[name], rtol=1e-6, atol=0) for name in first)


def test_inputs_and_outputs_are_those_of_the_family():
    model = FloatGraph(busy_decoder()).model()
    (latents,), (picture,) = model.graph.input, model.graph.output
    dims = lambda value: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]  # noqa: E731
    assert (latents.name, dims(latents)) == ("latents", ["n", 32, "rows", "columns"])
    assert (picture.name, dims(picture)) == ("picture", ["n", 3, "16*rows", "16*columns"])
    heavy = [c for c in model.graph.initializer if c.name.startswith("weight")]
    assert {c.data_type for c in heavy} == {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (drawn,) = session.run(None, {"latents": np.zeros((2, 32, 5, 3), np.float32)})
    assert drawn.shape == (2, 3, 80, 48)
    assert drawn.dtype == np.float32


def test_a_trained_decoder_is_exported(tmp_path, photos):
    codec = Trainer(config(quantise=True), photos, tmp_path / "codec", "cpu").run()
    stage = DecoderConfig(name="hq", steps=2, batch=2, crop=64, warmup=1, shrinks=(0.75,), shape=TINY)
    (done,) = train_decoders([stage], codec, photos, tmp_path / "out")
    assert main(["export-decoder", str(done), "--out", str(tmp_path / "onnx")]) == 0
    about = json.loads((tmp_path / "onnx/hq.json").read_text())
    assert about["lineage"]["parents"]["codec"] == checkpoint.file_hash(codec)
    assert about["metrics"]["largest_difference"] < 0.05
    latents = torch.randn(1, 32, 2, 3)
    session = onnxruntime.InferenceSession(str(tmp_path / "onnx/hq.onnx"))
    (drawn,) = session.run(None, {"latents": latents.numpy()})
    with torch.no_grad():
        assert np.abs(drawn - round_weights(decoder_of(checkpoint.load(done)))(latents).numpy()).max() < 0.05


def test_other_checkpoints_are_refused(tmp_path, photos):
    codec = Trainer(config(quantise=True), photos, tmp_path / "codec", "cpu").run()
    with pytest.raises(ValueError, match="float decoder"):
        main(["export-decoder", str(codec), "--out", str(tmp_path)])


def test_tract_draws_what_onnx_runtime_draws(tmp_path):
    tract = pytest.importorskip("tract")
    path = tmp_path / "decoder.onnx"
    onnx.save(FloatGraph(busy_decoder()).model(), str(path))
    model = tract.onnx().load(str(path))
    model.set_input_fact(0, "2,32,3,5,f32")
    latents = torch.randn(2, 32, 3, 5).numpy()
    drawn = model.into_model().into_runnable().run([latents])[0].to_numpy()
    (expected,) = onnxruntime.InferenceSession(str(path)).run(None, {"latents": latents})
    assert np.abs(drawn - expected).max() < 1e-2
