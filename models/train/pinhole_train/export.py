"""Export of a trained codec: seven QDQ ONNX graphs and `codec.json`, the input of `pinhole model pack`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto

from . import checkpoint
from .codec import PIXEL_UNIT, Codec, Compress, kmacs_per_pixel
from .config import Config
from .data import Crops, find_pictures
from .layers import round_for_stage
from .lineage import code_commit
from .onnx_graph import Graph
from .rate import SKIP_BELOW, TAIL
from .reference import reference_statistics
from .tables import coder_for, fit_tables
from .train import remap_gains


def load_codec(path: Path, as_float: bool = False, device: torch.device | str = "cpu") -> tuple[Codec, Config, dict]:
    """The averaged weights of a checkpoint, in evaluation mode, quantised if its stage was (unless `as_float`).

    Its latents are rounded and priced as an encoder does, with the tables of its training.
    """
    state = checkpoint.load(path)
    config: Config = state["config"]
    model = Codec(config.shape, config.lambda_range)
    model.load_state_dict(state["average"])
    if not as_float:
        round_for_stage(model, config.train, config.quantise)
    model = model.to(device).eval()
    model.coder = coder_for(model)
    return model, config, state


def _picture_in(g: Graph) -> str:
    return g.dequantise(g.input("picture", 3, TensorProto.UINT8), 1 / PIXEL_UNIT, 128)


def graph_name(kind: str, name: str) -> str:
    """`analysis` for the default, `analysis_fast` for another; likewise syntheses, whose default is `standard`."""
    return kind if name in ("default", "standard") else f"{kind}_{name}"


def analysis(model: Codec, name: str) -> Graph:
    g, net = Graph(graph_name("analysis", name)), model.analyses[name]
    x = g.pointwise(_picture_in(g), net.patches, block=8)
    for block in net.blocks:
        x = g.block(x, block)
    x = g.pointwise(x, net.down, block=2)
    for block in net.low:
        x = g.block(x, block)
    g.output("latents", x, model.shape.latents)
    return g


def synthesis(model: Codec, name: str) -> Graph:
    g, net = Graph(graph_name("synthesis", name)), model.syntheses[name]
    x = g.input("latents", model.shape.latents)
    for block in net.low:
        x = g.block(x, block)
    x = g.depth_to_space(g.pointwise(x, net.up), 2)
    for block in net.blocks:
        x = g.block(x, block)
    x = g.convolve(x, net.patches, net.patches.weight.detach(), strides=[1, 1])
    x = g.depth_to_space(g.quantise(x, net.patches.grid), 8)
    g.output("picture", x, 3, TensorProto.UINT8)
    return g


def _compress(g: Graph, x: str, table: Compress) -> str:
    limits = [g.constant("limit", np.float32(v / 16)) for v in (table.LOW, table.HIGH)]
    x = g.node("Clip", [x, *limits])
    x = g.node("Asinh", [g.node("Mul", [x, g.constant("slope", np.float32(2))])])
    return g.grid(x, table.grid)


def hyper_analysis(model: Codec) -> Graph:
    g, net = Graph("hyper_analysis"), model.hyper_analysis
    x = g.pointwise(_compress(g, g.input("symbols", model.shape.latents), net.compress), net.reduce)
    x = g.pointwise(g.pointwise(x, net.down1, block=2), net.down2, block=2)
    g.output("hyper", x, model.shape.hyper_latents)
    return g


def hyper_synthesis(model: Codec) -> Graph:
    g, net = Graph("hyper_synthesis"), model.hyper_synthesis
    # Hyper-latents are integers; as uint8 with zero point 128 they are the engine's tensor.
    x = g.dequantise(g.input("hyper", model.shape.hyper_latents, TensorProto.UINT8), 1.0, 128)
    x = g.depthwise(g.depth_to_space(g.pointwise(x, net.up1), 2), net.mix1)
    x = g.depthwise(g.depth_to_space(g.pointwise(x, net.up2), 2), net.mix2)
    g.output("features", x, model.shape.entropy_width)
    return g


def context(model: Codec) -> Graph:
    g, net = Graph("context"), model.context
    x = g.pointwise(_compress(g, g.input("anchors", model.shape.latents), net.compress), net.reduce)
    g.output("context", g.depthwise(x, net.gather), model.shape.entropy_width)
    return g


def parameters(model: Codec, which: str) -> Graph:
    """Predictor of means and scale indices; the second also reads the context features."""
    g, net = Graph(f"parameters_{which}"), getattr(model, which)
    width = model.shape.entropy_width
    # Inputs arrive on the grids of the tensors they come from.
    features = model.hyper_synthesis.mix2.grid
    x = g.dequantise(g.input("features", width, TensorProto.UINT8), features.step.item(), features.zero)
    if which == "second":
        near = model.context.gather.grid
        c = g.dequantise(g.input("context", width, TensorProto.UINT8), near.step.item(), near.zero)
        x = g.node("Concat", [x, c], axis=1)
    x = g.pointwise(x, net.hidden)
    g.output("mean", g.pointwise(x, net.mean), model.shape.latents)
    g.output("scale", g.pointwise(x, net.scale), model.shape.latents)
    return g


@torch.no_grad()
def hyper_tables(model: Codec) -> list[tuple[int, list[float]]]:
    """Per-channel tables of the hyper-latents' prior over the range that carries all but TAIL of it."""
    x = torch.arange(-127, 128, dtype=torch.float64)
    prior = model.prior.double()
    probability = prior.cdf((x + 0.5).expand(len(prior.mean), -1)) - prior.cdf((x - 0.5).expand(len(prior.mean), -1))
    prior.float()
    tables = []
    for row in probability.clamp(min=1e-9).tolist():
        # Tables always list zero.
        kept = [i for i, p in enumerate(row) if p > TAIL / 4 or i == 127]
        low, high = kept[0], kept[-1]
        tables.append((low - 127, row[low : high + 1]))
    return tables


def export(
    path: Path, out: Path, name: str, version: str, data: list[str], lambda_range: tuple[float, float] | None = None
) -> None:
    """Write the graphs and `codec.json` of checkpoint `path` into the folder `out`.

    The symbol tables are fitted to crops of the pictures below the folders `data`. `lambda_range` says which Lagrangians
    qualities 0 and 100 stand for, if not those of the training.
    """
    model, config, state = load_codec(path)
    if lambda_range:
        remap_gains(model, config.lambda_range, lambda_range)
    if not config.quantise:
        raise ValueError(f"{path}: not a quantisation-aware checkpoint; run the quantised stage first")
    out.mkdir(parents=True, exist_ok=True)
    graphs = [analysis(model, name) for name in config.shape.analyses]
    graphs += [synthesis(model, name) for name in config.shape.syntheses]
    graphs += [hyper_analysis(model), hyper_synthesis(model), context(model)]
    graphs += [parameters(model, "first"), parameters(model, "second")]
    for graph in graphs:
        onnx.save(graph.model(), str(out / f"{graph.name}.onnx"))
    crops = Crops(find_pictures(data), config.crop, config.shrinks, seed=config.seed)
    tables = fit_tables(model, crops)
    latent_tables = [{"min": -(len(t) // 2), "pmf": t.tolist()} for t in tables]
    description = {
        "name": name,
        "version": version,
        "latent_channels": config.shape.latents,
        "hyper_channels": config.shape.hyper_latents,
        "skip_below": SKIP_BELOW,
        "passes": config.shape.passes,
        "dependent": config.shape.dependent,
        "fraction": config.shape.fraction,
        "gain_knots": model.gains.log_gain.exp().tolist(),
        "latent_tables": latent_tables,
        "hyper_tables": [{"min": low, "pmf": pmf} for low, pmf in hyper_tables(model)],
        "reference": reference_statistics(model, crops, tables),
        "lineage": {
            "checkpoint": checkpoint.file_hash(path),
            "parent": state.get("parent", ""),
            "data": state["data_hash"],
            "commit": code_commit(),
            "stage": config.name,
            "steps": state["step"],
            "lambda_range": list(lambda_range or config.lambda_range),
            # Folders are of no use to others.
            "config": json.loads(json.dumps(dataclasses.asdict(config) | {"start": Path(config.start).name})),
        },
        "metrics": {"kmac_per_pixel": {name: round(cost, 2) for name, cost in kmacs_per_pixel(config.shape).items()}},
    }
    (out / "codec.json").write_text(json.dumps(description))
