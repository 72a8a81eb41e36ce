#!/usr/bin/env python3
"""The analysis transform on Pinhole's engine, ONNX Runtime and tract: one thread, medians.

Takes a folder that `python -m pinhole_train export` wrote. The int8 graph is the exported QDQ one; the float graph is
the same without its rounding.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

ROOT = Path(__file__).parents[2]


def without_rounding(model: onnx.ModelProto) -> onnx.ModelProto:
    """The float graph: weights as floats, no activation rounded. Only the 8-bit picture is still dequantised."""
    graph = model.graph
    values = {c.name: numpy_helper.to_array(c) for c in graph.initializer}
    pictures = {i.name for i in graph.input}
    renamed: dict[str, str] = {}
    nodes = []
    for node in graph.node:
        inputs = [renamed.get(name, name) for name in node.input]
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            stored, scale, _ = (values[name] for name in node.input)
            weights = stored.astype(np.float32) * scale.reshape(-1, *[1] * (stored.ndim - 1))
            graph.initializer.append(numpy_helper.from_array(weights, node.output[0]))
        elif node.op_type in ("QuantizeLinear", "Round") or (
            node.op_type == "DequantizeLinear" and node.input[0] not in pictures
        ):
            renamed[node.output[0]] = inputs[0]
        else:
            del node.input[:]
            node.input.extend(inputs)
            nodes.append(node)
    for output in graph.output:
        nodes.append(helper.make_node("Identity", [renamed.get(output.name, output.name)], [f"{output.name}_float"]))
        output.name = f"{output.name}_float"
        output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def onnx_runtime(path: Path, width: int, height: int, runs: int) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(1).integers(0, 256, (1, 3, height, width), dtype=np.uint8)
    feed = {session.get_inputs()[0].name: picture}
    session.run(None, feed)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        session.run(None, feed)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--export", type=Path, required=True, help="folder with analysis.onnx")
    parser.add_argument("--size", type=int, nargs=2, default=(768, 512), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--runs", type=int, default=15)
    given = parser.parse_args()
    width, height = given.size
    with tempfile.TemporaryDirectory() as folder:
        int8, real = given.export / "analysis.onnx", Path(folder) / "float.onnx"
        onnx.save(without_rounding(onnx.load(int8)), real)
        names = {str(int8): "int8 (QDQ)", str(real): "float32"}
        command = ["cargo", "run", "--release", "-q", "-p", "pinhole-pack", "--example", "engines", "--"]
        done = subprocess.run([*command, str(width), str(height), *names], cwd=ROOT, check=True, stdout=subprocess.PIPE)
        rows = [(r["runtime"], names[r["graph"]], r["ms"]) for r in map(json.loads, done.stdout.splitlines())]
        for path, name in names.items():
            milliseconds = onnx_runtime(Path(path), width, height, given.runs)
            rows.append((f"ONNX Runtime {onnxruntime.__version__}", name, milliseconds))
    ours = next(ms for runtime, _, ms in rows if runtime == "pinhole")
    print("| runtime | graph | ms | times Pinhole's |\n|---|---|---:|---:|")
    for runtime, name, milliseconds in sorted(rows, key=lambda row: row[2]):
        print(f"| {runtime} | {name} | {milliseconds:.1f} | {milliseconds / ours:.1f} |")


if __name__ == "__main__":
    main()
