"""Export of a trained float decoder: one ONNX graph, and a description of where it comes from.

Most weights, those inside of branches, are stored as int8 with a step for each output channel; those that the whole
picture passes, and the depthwise ones, as float16. All arithmetic is float32.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from . import checkpoint
from .codec import PIXEL_UNIT
from .decoder_train import decoder_of
from .float_decoder import Bottleneck, DepthwiseBlock, FloatDecoder
from .rounding import quantise_weight, quantise_weight_integers

log = logging.getLogger("pinhole_train")

OPSET = 17
# Grey levels by which a runtime may differ from PyTorch: sums in another order, nothing else.
TOLERANCE = 0.05


def int8_layers(decoder: FloatDecoder) -> list[nn.Conv2d]:
    """The convolutions inside of branches, whose weights may be coarse."""
    fine = decoder.refinement
    layers = [fine.spread, fine.first, fine.second]
    for layer in (*decoder.low, *decoder.trunk_layers()):
        layers += [layer.reduce, layer.mix, layer.project] if isinstance(layer, Bottleneck) else [layer.expand, layer.project]
    return layers


@torch.no_grad()
def round_weights(decoder: FloatDecoder) -> FloatDecoder:
    """Make the weights those that ship."""
    decoder.half().float()
    for layer in int8_layers(decoder):
        layer.weight.copy_(quantise_weight(layer.weight, 127))
    return decoder


class FloatGraph:
    """The graph of a float decoder. Batch, rows and columns of the latents are free.

    Weights are made float32 by nodes of constants, which every runtime computes once when it loads the graph.
    """

    def __init__(self, decoder: FloatDecoder):
        self.nodes: list = []
        self.constants: list = []
        self.coarse = set(int8_layers(decoder))
        x = "latents"
        for block in decoder.low:
            x = self._block(x, block)
        x = self._depth_to_space(self._conv(x, decoder.up), 2)
        for layer in decoder.trunk_layers():
            x = self._bottleneck(x, layer) if isinstance(layer, Bottleneck) else self._block(x, layer)
        # The step from the networks' units to grey levels is part of the last layers.
        picture = self._depth_to_space(self._conv(x, decoder.patches, PIXEL_UNIT, 128.0), 8)
        fine = decoder.refinement
        y = self._depth_to_space(self._relu(self._conv(x, fine.spread)), 4)
        y = self._relu(self._conv(self._relu(self._conv(y, fine.first)), fine.second))
        y = self._depth_to_space(self._conv(y, fine.last, PIXEL_UNIT), 2)
        self.nodes.append(helper.make_node("Add", [picture, y], ["picture"], name="picture"))
        ends = {
            "latents": ["n", decoder.latents, "rows", "columns"],
            "picture": ["n", 3, "16*rows", "16*columns"],
        }
        self.ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in ends.items()]

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "decoder", self.ends[:1], self.ends[1:], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        model.producer_name = "pinhole_train"
        onnx.checker.check_model(model)
        return model

    def _node(self, kind: str, inputs: list[str], **attributes) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def _conv(self, x: str, layer: nn.Conv2d, scale: float = 1.0, shift: float = 0.0) -> str:
        weight = layer.weight.detach().float().cpu() * scale
        bias = layer.bias.detach().float().cpu() * scale + shift
        used = self._int8(weight) if layer in self.coarse else self._float16(weight)
        size = weight.shape[2]
        return self._node(
            "Conv", [x, used, self._constant("bias", bias.numpy())],
            kernel_shape=[size, size], pads=[size // 2] * 4, group=layer.groups,
        )  # fmt: skip

    def _constant(self, kind: str, values: np.ndarray) -> str:
        name = f"{kind}_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def _float16(self, weight: torch.Tensor) -> str:
        if weight.abs().max() > np.finfo(np.float16).max:
            raise ValueError("a weight is beyond float16")
        return self._node("Cast", [self._constant("weight", weight.half().numpy())], to=TensorProto.FLOAT)

    def _int8(self, weight: torch.Tensor) -> str:
        whole, steps = quantise_weight_integers(weight)
        cast = self._node("Cast", [self._constant("weight", whole.numpy())], to=TensorProto.FLOAT)
        return self._node("Mul", [cast, self._constant("steps", steps.numpy())])

    def _relu(self, x: str) -> str:
        return self._node("Relu", [x])

    def _depth_to_space(self, x: str, block: int) -> str:
        return self._node("DepthToSpace", [x], blocksize=block, mode="DCR")

    def _block(self, trunk: str, block: DepthwiseBlock) -> str:
        x = self._relu(self._conv(self._conv(trunk, block.depthwise), block.expand))
        return self._node("Add", [trunk, self._conv(x, block.project)])

    def _bottleneck(self, trunk: str, layer: Bottleneck) -> str:
        x = self._relu(self._conv(self._relu(self._conv(trunk, layer.reduce)), layer.mix))
        return self._node("Add", [trunk, self._conv(x, layer.project)])


@torch.no_grad()
def difference(model: onnx.ModelProto, decoder: FloatDecoder) -> float:
    """Largest difference in grey levels of ONNX Runtime from PyTorch, on latents of usual size, several shapes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    random = torch.Generator().manual_seed(0)
    largest = 0.0
    for batch, rows, columns in ((1, 3, 5), (2, 4, 4), (1, 1, 1)):
        latents = torch.randn(batch, decoder.latents, rows, columns, generator=random).mul(512).round() / 512
        (picture,) = session.run(["picture"], {"latents": latents.numpy()})
        largest = max(largest, float(np.abs(picture - decoder(latents).numpy()).max()))
    return largest


def export_decoder(path: Path, out: Path) -> Path:
    """Write `<stage>.onnx` and `<stage>.json` (lineage and metrics, for the bundle's manifest) into the folder `out`.

    Where ONNX Runtime is installed the graph is run and compared with PyTorch; ValueError if it differs.
    """
    state = checkpoint.load(path)
    decoder = decoder_of(state).eval()
    # What is compared is what ships.
    round_weights(decoder)
    model = FloatGraph(decoder).model()
    name = state["config"]["name"]
    metrics = {
        "kmac_per_pixel": round(state["kmac_per_pixel"], 2),
        "parameters": sum(p.numel() for p in decoder.parameters()),
    }
    try:
        metrics["largest_difference"] = round(difference(model, decoder), 5)
    except ImportError:
        log.warning("ONNX Runtime is not installed: the graph is not checked")
    if metrics.get("largest_difference", 0) > TOLERANCE:
        raise ValueError(f"{path}: the graph differs by {metrics['largest_difference']} grey levels from PyTorch")
    lineage = {
        "checkpoint": checkpoint.file_hash(path),
        "parents": {Path(parent).name: value for parent, value in state["parents"].items()},
        "data": state["data_hash"],
        "commit": state["commit"],
        "stage": name,
        "steps": state["step"],
        "config": {key: Path(v).name if key in ("start", "teacher") else v for key, v in state["config"].items()},
    }
    if "blend" in state:
        lineage["blend"] = state["blend"]
    out.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(out / f"{name}.onnx"))
    (out / f"{name}.json").write_text(json.dumps({"lineage": lineage, "metrics": metrics}, indent=1) + "\n")
    return out / f"{name}.onnx"
