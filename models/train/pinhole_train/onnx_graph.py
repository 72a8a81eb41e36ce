"""Builds ONNX graphs in the standard QDQ int8 form from the layers of `layers.py`, one layer at a time.

Space-to-depth followed by a 1x1 convolution is written as the strided convolution that it equals; int16 grids as
Mul-Round-Clip-Mul with a power-of-two step, which every runtime computes exactly.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from .layers import WEIGHT_MAX, Depthwise, Grid, Pointwise, QuantisedConv, ResidualBlock

OPSET = 13


class Graph:
    """One ONNX graph under construction; tensors are named by strings."""

    def __init__(self, name: str):
        self.name = name
        self.nodes: list = []
        self.constants: list = []
        self.inputs: list = []
        self.outputs: list = []
        self.count = 0

    def _fresh(self, what: str) -> str:
        self.count += 1
        return f"{what}_{self.count}"

    def constant(self, what: str, value: np.ndarray) -> str:
        name = self._fresh(what)
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: list[str], **attributes) -> str:
        out = self._fresh(kind.lower())
        self.nodes.append(helper.make_node(kind, inputs, [out], name=out, **attributes))
        return out

    def input(self, name: str, channels: int, kind: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, [1, channels, f"{name}_h", f"{name}_w"]))
        return name

    def output(self, name: str, tensor: str, channels: int, kind: int = TensorProto.FLOAT) -> None:
        # The graph's own name for a result: the node that makes it is renamed.
        for node in self.nodes:
            node.output[:] = [name if o == tensor else o for o in node.output]
            node.input[:] = [name if i == tensor else i for i in node.input]
        self.outputs.append(helper.make_tensor_value_info(name, kind, [1, channels, f"{name}_h", f"{name}_w"]))

    def quantise(self, x: str, grid: Grid) -> str:
        step = np.float32(grid.step.item())
        zero = np.uint8(grid.zero)
        return self.node("QuantizeLinear", [x, self.constant("step", step), self.constant("zero", zero)])

    def dequantise(self, q: str, step: float, zero: int) -> str:
        scale, point = self.constant("step", np.float32(step)), self.constant("zero", np.uint8(zero))
        return self.node("DequantizeLinear", [q, scale, point])

    def grid(self, x: str, grid: Grid) -> str:
        """Round `x` to what the engine can store."""
        if grid.kind == "int16":
            step = np.float32(grid.step.item())
            inverse = np.float32(1 / step)
            assert inverse * step == 1 and np.log2(inverse) % 1 == 0, "int16 steps are powers of two"
            x = self.node("Mul", [x, self.constant("inverse", inverse)])
            x = self.node("Round", [x])
            limits = [self.constant("limit", np.float32(v)) for v in (grid.lo, grid.hi)]
            x = self.node("Clip", [x, *limits])
            return self.node("Mul", [x, self.constant("step", step)])
        if grid.kind == "relu8":
            x = self.node("Relu", [x])
        elif grid.kind == "index":
            x = self.node("Clip", [x, self.constant("limit", np.float32(0)), self.constant("limit", np.float32(grid.hi))])
        return self.dequantise(self.quantise(x, grid), grid.step.item(), grid.zero)

    def convolve(self, x: str, layer: QuantisedConv, weight: torch.Tensor, **attributes) -> str:
        """Convolution by the layer's int8 weights, given in the layout (out, in/groups, kh, kw)."""
        scale = layer.weight_scale()
        view = (-1, *[1] * (weight.dim() - 1))
        q = torch.round(weight / scale.view(view)).clamp(-WEIGHT_MAX, WEIGHT_MAX).to(torch.int8).numpy()
        stored = self.constant("weight", np.ascontiguousarray(q))
        scales = self.constant("scale", scale.float().numpy())
        zeros = self.constant("zeros", np.zeros(len(scale), np.int8))
        weights = self.node("DequantizeLinear", [stored, scales, zeros], axis=0)
        bias = self.constant("bias", layer.bias.detach().float().numpy())
        return self.node("Conv", [x, weights, bias], kernel_shape=list(q.shape[2:]), **attributes)

    def pointwise(self, x: str, layer: Pointwise, residual: str | None = None, block: int = 1) -> str:
        """1x1 convolution, of space-to-depth(`block`) of x where a block is given."""
        weight = layer.weight.detach()
        if block > 1:
            outputs, inputs = weight.shape[:2]
            weight = weight.view(outputs, block, block, inputs // block**2).permute(0, 3, 1, 2)
        y = self.convolve(x, layer, weight, strides=[block, block])
        if residual is not None:
            y = self.node("Add", [residual, y])
        return self.grid(y, layer.grid)

    def depthwise(self, x: str, layer: Depthwise) -> str:
        pad = layer.size // 2
        y = self.convolve(x, layer, layer.weight.detach(), group=layer.weight.shape[0], pads=[pad] * 4)
        return self.grid(y, layer.grid)

    def block(self, trunk: str, block: ResidualBlock) -> str:
        x = self.pointwise(self.depthwise(trunk, block.depthwise), block.expand)
        return self.pointwise(x, block.project, residual=trunk)

    def depth_to_space(self, x: str, block: int) -> str:
        return self.node("DepthToSpace", [x], blocksize=block, mode="DCR")

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        model.producer_name = "pinhole_train"
        onnx.checker.check_model(model)
        return model
