"""Export of a sensor model: QDQ ONNX graphs and `sensor.json`, the input of `pinhole model pack`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto

from ..lineage import code_commit
from ..onnx_graph import Graph
from .coder import WindowCoder, fit_tables
from .data import Windows, load
from .model import FEATURE_STEP, LARGEST, SensorModel, feature_count, magnitude_feature, quality_feature
from .train import read

# Qualities at which symbols are counted for the tables.
FIT_AT = (42, 58)
FIT_WINDOWS = 160
QUANTILES = 256
# Windows that the reference distribution is measured on, at most about so many.
REFERENCE_WINDOWS = 300


def analysis(model: SensorModel) -> Graph:
    """Normalised samples to latents, both in 1/256 of a spread."""
    g = Graph("analysis")
    size = model.analysis.weight.shape[0]
    g.output("latents", g.pointwise(g.input("samples", size), model.analysis), size)
    return g


def synthesis(model: SensorModel) -> Graph:
    """Latents to normalised samples."""
    g = Graph("synthesis")
    size = model.synthesis.weight.shape[0]
    x = g.block(g.input("latents", size), model.refine)
    g.output("samples", g.pointwise(x, model.synthesis), size)
    return g


def context(model: SensorModel, channel: int) -> Graph:
    """Features of a channel's latents to their means and scale indices."""
    g, net = Graph(f"context_{channel:02}"), model.context[channel]
    x = g.input("features", feature_count(model.channels), TensorProto.UINT8)
    x = g.pointwise(g.pointwise(g.dequantise(x, FEATURE_STEP, 128), net.hidden), net.second)
    g.output("mean", g.pointwise(x, net.mean), 1)
    g.output("scale", g.pointwise(x, net.scale), 1)
    return g


def fitted(model: SensorModel, windows: Windows, seed: int = 0) -> WindowCoder:
    """The coder with tables counted on training windows."""
    coder = WindowCoder(model)
    available = np.flatnonzero(windows.trained)
    count = min(FIT_WINDOWS, len(available))
    chosen = np.random.default_rng(seed).choice(available, count, replace=False)
    before = windows.before[chosen]
    x = np.concatenate([windows.values[chosen], windows.values[np.maximum(before, 0)]])
    # The windows before stand behind them, alone.
    index = np.concatenate([np.where(before >= 0, np.arange(count) + count, -1), np.full(count, -1)])
    fit_tables(coder, x, index, [model.config.log2_step(q) for q in FIT_AT])
    return coder


def reference(coder: WindowCoder, windows: Windows, quality: int) -> dict:
    """Quantiles of error and bits at a quality, of normal windows that the model was not trained on."""
    log2_step = coder.model.config.log2_step(quality)
    # Spread over all recordings; those before them come along.
    held_out = np.flatnonzero(windows.held_out)
    chosen = held_out[:: max(1, len(held_out) // REFERENCE_WINDOWS)]
    before = windows.before[chosen]
    x = np.concatenate([windows.values[chosen], windows.values[np.maximum(before, 0)]])
    index = np.concatenate([np.where(before >= 0, np.arange(len(chosen)) + len(chosen), -1), np.full(len(chosen), -1)])
    decoded, bits, _ = coder.chain(x, index, log2_step)
    error = ((decoded - x) ** 2).mean((1, 2))[: len(chosen)]
    bits = bits[: len(chosen)]
    at = (np.arange(QUANTILES) + 0.5) / QUANTILES
    return {
        "quality": quality * 100,
        "error": np.quantile(error, at).tolist(),
        "bits": np.quantile(bits, at).tolist(),
    }


@torch.no_grad()
def export(path: Path, folder: Path, out: Path, name: str, version: str, reference_quality: int = 50) -> None:
    """Write the graphs and `sensor.json` of a trained model to `out`; `folder` has its training data."""
    torch.set_num_threads(1)
    model = read(path)
    config = model.config
    windows = load(config.dataset, folder, config.window)
    coder = fitted(model, windows)
    out.mkdir(parents=True, exist_ok=True)
    graphs = [analysis(model), synthesis(model), *(context(model, c) for c in range(model.channels))]
    for graph in graphs:
        onnx.save(graph.model(), str(out / f"{graph.name}.onnx"))
    steps = [config.log2_step(q) for q in range(101)]
    places = (model.place / FEATURE_STEP).round().clamp(-128, 127).int() + 128
    description = {
        "kind": "sensor",
        "name": name,
        "version": version,
        "channels": model.channels,
        "window": model.window,
        "dense": model.dense,
        "order": list(model.order),
        "centre": windows.centre.tolist(),
        "spread": windows.spread.tolist(),
        "range": windows.range.tolist(),
        "steps": [2.0**s for s in steps],
        "step_features": [int(v) for v in quality_feature(torch.tensor(steps))],
        "places": places.flatten().tolist(),
        "magnitudes": [int(v) for v in magnitude_feature(torch.arange(LARGEST + 1).double())],
        "tables": [{"min": -(len(t) // 2), "pmf": t.tolist()} for t in coder.tables],
        "reference": reference(coder, windows, reference_quality),
        "input_steps": {"samples": 1 / 256, "latents": 1 / 256},
        "lineage": {
            "weights": hashlib.sha256(Path(path).read_bytes()).hexdigest(),
            "data": windows.data_hash,
            "commit": code_commit(),
            "stage": config.name,
            "steps": config.steps,
            "config": json.loads(json.dumps(dataclasses.asdict(config))),
        },
        "metrics": {},
    }
    (out / "sensor.json").write_text(json.dumps(description))
