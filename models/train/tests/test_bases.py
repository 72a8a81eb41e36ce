"""The codec at step 0 is a working transform codec."""

import numpy as np
import onnxruntime
import pytest
import torch
from conftest import as_tensor, picture
from onnx import TensorProto, helper

from pinhole_train.bases import colour_matrix, dct_matrix, haar_step, patch_transform
from pinhole_train.config import AnalysisShape, SynthesisShape
from pinhole_train.codec import PIXEL_UNIT, Analysis, Synthesis
from pinhole_train.layers import depth_to_space, space_to_depth


@pytest.mark.parametrize("matrix", [dct_matrix(8), dct_matrix(3), colour_matrix(), patch_transform()[0]])
def test_square_bases_are_orthonormal(matrix):
    assert matrix @ matrix.T == pytest.approx(np.eye(len(matrix)), abs=1e-12)


@pytest.mark.parametrize("keep", [32, 320, 768])
def test_the_haar_step_has_orthonormal_rows(keep):
    matrix = haar_step(patch_transform()[1], keep)
    assert matrix.shape == (keep, 768)
    assert matrix @ matrix.T == pytest.approx(np.eye(keep), abs=1e-12)


def test_rows_go_from_low_to_high_frequency():
    matrix, labels = patch_transform()
    assert labels[0] == (0, 0, 0)
    # A flat grey patch is the first coefficient and nothing else.
    flat = matrix @ np.ones(192)
    assert flat[0] == pytest.approx(192**0.5)
    assert flat[1:] == pytest.approx(0, abs=1e-12)


def reconstruction_psnr(latents: int, width: int = 192) -> float:
    torch.manual_seed(0)
    analysis, synthesis = Analysis(AnalysisShape(width=width), latents), Synthesis(SynthesisShape(width=width), latents)
    original = as_tensor(picture(128, 192)).float()
    with torch.no_grad():
        back = synthesis(analysis((original - 128) / PIXEL_UNIT)) * PIXEL_UNIT + 128
    return 10 * np.log10(255**2 / (back - original).square().mean().item())


def test_an_untrained_codec_with_every_latent_is_lossless():
    assert reconstruction_psnr(768) > 90


def test_an_untrained_codec_with_few_latents_keeps_the_picture():
    # The noise of the test picture alone limits a projection to 32 of 768 dimensions to about 38 dB.
    few, more = reconstruction_psnr(32), reconstruction_psnr(320)
    assert few > 20
    assert more > few + 3


def test_narrow_transforms_keep_the_low_frequencies():
    wide, narrow = reconstruction_psnr(320), reconstruction_psnr(320, width=96)
    assert 20 < narrow < wide


@pytest.mark.parametrize("block", [2, 8])
def test_space_to_depth_and_back(block):
    x = torch.arange(2 * 3 * 16 * 24.0).view(2, 3, 16, 24)
    packed = space_to_depth(x, block)
    assert packed.shape == (2, 3 * block**2, 16 // block, 24 // block)
    assert torch.equal(depth_to_space(packed, block), x)


@pytest.mark.parametrize("kind", ["SpaceToDepth", "DepthToSpace"])
def test_channel_order_is_that_of_onnx(kind):
    x = torch.arange(1 * 12 * 4 * 6.0).view(1, 12, 4, 6)
    attributes = {"mode": "DCR"} if kind == "DepthToSpace" else {}
    node = helper.make_node(kind, ["x"], ["y"], blocksize=2, **attributes)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", "c", "h", "w"]) for n in "xy"]
    graph = helper.make_graph([node], "order", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": x.numpy()})[0]
    ours = {"SpaceToDepth": space_to_depth, "DepthToSpace": depth_to_space}[kind](x, 2)
    assert np.array_equal(ours.numpy(), expected)
