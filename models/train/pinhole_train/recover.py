"""Weights out of a bundle: a checkpoint for other stages to start from, where there is no other.

A program has integers, and a scale where the networks have three steps (of what a layer reads, of its weights, of what it
writes). Steps inside of branches can be anything, as long as the next layer reads what the one before wrote.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import torch

from . import checkpoint
from .codec import LATENT_STEP, PIXEL_UNIT, Analysis, Codec, Synthesis
from .config import AnalysisShape, Config, Shape, SynthesisShape
from .layers import QuantisedConv
from .rate import LogisticMixture, prices_of

SIGNATURE = b"\x93PINM\r\n\x1a"
ANALYSES = {"ANLS": "default", "ANLF": "fast"}
SYNTHESES = {"SYNT": "standard", "SYNL": "lite"}
CONV, DEPTHWISE = 1, 2
U8 = 0


@dataclass(frozen=True)
class Convolution:
    """One convolution of a program: `docs/engine.md` has the arithmetic."""

    # (outputs, inputs, side, side)
    weights: np.ndarray
    bias: np.ndarray
    scale: np.ndarray
    # Zero point of what it reads.
    zero: int
    # Whether it writes bytes, not int16.
    writes_bytes: bool


def recover(bundle: Path, out: Path) -> str:
    """Write the weights of the transforms and the entropy model of a bundle as a checkpoint; returns its hash.

    They are the int8 weights, so it is the same model as long as everything is rounded. The prior of the hyper-latents is fitted
    to their tables.
    """
    sections = read_sections(bundle.read_bytes())
    programs = {tag: read_program(content) for tag, content in sections.items() if content[:4] == b"PHIP"}
    if missing := {"SETT", "HYAN", "HYSY", "CTXT", "PAR1", "PAR2"} - set(sections):
        raise ValueError(f"{bundle}: has no {min(missing)}: not a bundle that encodes pictures")
    lineage = json.loads(sections["MANI"]).get("lineage", {})
    shape, gains = _shape(sections, programs)
    low, high = lineage.get("lambda_range", (2e-4, 0.4))
    model = Codec(shape, (low, high))
    with torch.no_grad():
        # The engine's gains turn integers of the latents into integers of the symbols.
        model.gains.log_gain.copy_(torch.tensor(np.log(gains * (2**-shape.fraction / LATENT_STEP))))
        _fill_all(model, programs)
        if shape.dependent:
            model.prices.copy_(torch.tensor(prices_of([table for _, table in read_tables(sections["TBLL"])])))
    _fit_prior(model.prior, read_tables(sections["TBLH"]))
    config = Config(name="recovered", steps=0, quantise=True, lambda_range=(low, high), shape=shape)
    state = {"step": lineage.get("steps", 0), "data_hash": lineage.get("data", ""), "parent": lineage.get("checkpoint", "")}
    return checkpoint.save_average(out, state, config, model.state_dict())


def read_sections(content: bytes) -> dict[str, bytes]:
    """The sections of a bundle by tag (`docs/format.md`, "Bundles"); checks that they are whole."""
    if content[:8] != SIGNATURE:
        raise ValueError("not a bundle: another signature")
    if len(content) < 16:
        raise ValueError("damaged bundle: it ends in its header")
    (count,) = struct.unpack_from("<I", content, 12)
    head = 16 + 16 * count
    if len(content) < head + 4 or struct.unpack_from("<I", content, head) != (crc32c(content[:head]),):
        raise ValueError("damaged bundle: checksum of its directory")
    sections = {}
    for tag, offset, length, checksum in struct.iter_unpack("<4sIII", content[16:head]):
        sections[tag.decode()] = content[offset : offset + length]
        if crc32c(sections[tag.decode()]) != checksum:
            raise ValueError(f"damaged bundle: checksum of section {tag.decode()}")
    return sections


def crc32c(content: bytes) -> int:
    """CRC-32C (Castagnoli) as in RFC 3720."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ (0x82F63B78 * (table & 1))
    return int(_crc32c(np.frombuffer(content, np.uint8), table))


@numba.njit(cache=True)
def _crc32c(content, table):
    crc = np.uint32(0xFFFFFFFF)
    for byte in content:
        crc = np.uint32(table[(crc ^ byte) & 0xFF] ^ (crc >> np.uint32(8)))
    return crc ^ np.uint32(0xFFFFFFFF)


def read_program(content: bytes) -> list[Convolution]:
    """The convolutions of a program in their order (`codec/src/engine/program/mod.rs` has the layout)."""
    inputs = content[6]
    (operations,) = struct.unpack_from("<H", content, 8)
    tensors = [struct.unpack_from("<BBH", content, 16 + 8 * i) for i in range(inputs)]
    start = 16 + 8 * inputs + 8
    convolutions = []
    for at in range(start, start + 64 * operations, 64):
        code, *out, side, channels = struct.unpack_from("<BBBBH", content, at)
        (source,) = struct.unpack_from("<H", content, at + 8)
        tensors.append((*out, channels))
        if code not in (CONV, DEPTHWISE):
            continue
        weights, bias, scale = struct.unpack_from("<III", content, at + 36)
        kind, zero, read = tensors[source]
        if code == CONV:
            blocks, groups = -(-channels // 16), -(-read // 4)
            stored = np.frombuffer(content, np.int8, blocks * groups * 64, weights).reshape(blocks, groups, 16, 4)
            taps = stored.transpose(0, 2, 1, 3).reshape(16 * blocks, 4 * groups)[:channels, :read, None, None]
        else:
            stored = np.frombuffer(content, np.int8, side * side * channels, weights).reshape(side, side, channels)
            taps = stored.transpose(2, 0, 1)[:, None]
        convolutions.append(Convolution(
            weights=taps.astype(np.float64),
            bias=np.frombuffer(content, "<i4", channels, bias).astype(np.float64),
            scale=np.frombuffer(content, "<f4", channels, scale).astype(np.float64),
            zero=zero if kind == U8 else 0,
            writes_bytes=out[0] == U8,
        ))  # fmt: skip
    return convolutions


def _shape(sections: dict[str, bytes], programs: dict[str, list[Convolution]]) -> tuple[Shape, np.ndarray]:
    """Widths of the networks, and the gains of each knot and channel."""
    latents, hyper_latents, _skip, flags, knots = struct.unpack_from("<IIHHI", sections["SETT"])
    analyses = {name: programs[tag] for tag, name in ANALYSES.items() if tag in programs}
    syntheses = {name: programs[tag] for tag, name in SYNTHESES.items() if tag in programs}
    shape = Shape(
        latents=latents, hyper_latents=hyper_latents, gain_knots=knots, passes=4 if flags & 1 else 2, dependent=bool(flags & 2),
        fraction=5 if flags & 4 else 4,
        hyper_width=len(programs["HYAN"][0].bias), entropy_width=len(programs["CTXT"][-1].bias),
        parameter_width=len(programs["PAR1"][0].bias),
        analyses={name: AnalysisShape(len(net[0].bias), *_blocks(net, 1), *_blocks(net, 2)) for name, net in analyses.items()},
        syntheses={name: SynthesisShape(net[-1].weights.shape[1], *_blocks(net, 1), *_blocks(net, 0)) for name, net in syntheses.items()},
    )  # fmt: skip
    return shape, np.frombuffer(sections["SETT"], "<f4", knots * latents, 16).reshape(knots, latents)


def _blocks(net: list[Convolution], after: int) -> tuple[int, int]:
    """How many residual blocks a transform has after so many convolutions that are in none, and their hidden units."""
    at = plain = count = hidden = 0
    while at < len(net):
        if net[at].weights.shape[1:] == (1, 3, 3):
            if plain == after:
                count, hidden = count + 1, len(net[at + 1].bias)
            at += 3
        else:
            plain, at = plain + 1, at + 1
    return count, hidden


def _layers(net: Analysis | Synthesis) -> list[QuantisedConv]:
    """The convolutions of a transform in the order in which they run."""
    blocks, low = ([c for b in part for c in (b.depthwise, b.expand, b.project)] for part in (net.blocks, net.low))
    if isinstance(net, Analysis):
        return [net.patches, *blocks, net.down, *low]
    return [*low, net.up, *blocks, net.patches]


def _fill_all(model: Codec, programs: dict[str, list[Convolution]]) -> None:
    for tag, name in ANALYSES.items():
        if tag in programs:
            _fill(programs[tag], _layers(model.analyses[name]), 1 / PIXEL_UNIT)
    for tag, name in SYNTHESES.items():
        if tag in programs:
            _fill(programs[tag], _layers(model.syntheses[name]), LATENT_STEP)
    net = model.hyper_analysis
    _fill(programs["HYAN"], [net.reduce, net.down1, net.down2], net.compress.grid.step.item())
    net = model.hyper_synthesis
    _fill(programs["HYSY"], [net.up1, net.mix1, net.up2, net.mix2], 1.0)
    net = model.context
    _fill(programs["CTXT"], [net.reduce, net.gather], net.compress.grid.step.item())
    for tag, net in (("PAR1", model.first), ("PAR2", model.second)):
        hidden, *ends = programs[tag]
        _fill([hidden], [net.hidden], model.context.gather.grid.step.item())
        for end in ends:
            _fill([end], [net.scale if end.writes_bytes else net.mean], net.hidden.grid.step.item())


def _fill(convolutions: list[Convolution], layers: list[QuantisedConv], step: float) -> None:
    """Weights and biases of layers each of which reads what the one before writes; the first reads in units of `step`."""
    for there, layer in zip(convolutions, layers, strict=True):
        if tuple(there.weights.shape) != tuple(layer.weight.shape):
            raise ValueError(f"a convolution of {there.weights.shape} where {tuple(layer.weight.shape)} was expected")
        grid = layer.grid
        # Zero is where steps start; a grid of two layers has one step.
        if not grid.fixed and grid.log_step == 0:
            grid.log_step.fill_(float(np.log(_likely_step(there, layer, step))))
        unit = there.scale * grid.step.item() / step
        bias = (there.bias + there.zero * there.weights.sum((1, 2, 3))) * unit * step
        layer.weight.copy_(torch.tensor(there.weights * unit[:, None, None, None]))
        layer.bias.copy_(torch.tensor(bias))
        step = grid.step.item()


def _likely_step(there: Convolution, layer: QuantisedConv, step: float) -> float:
    """The step of what a layer writes.

    After a ReLU one with which the layer's weights are as large as when a training begins; else, as branches are brought to values
    around 1 (`equalise_branches`), one with which these are far from the ends.
    """
    if layer.grid.kind != "relu8":
        return 0.1
    rows = np.sqrt((there.weights**2).mean((1, 2, 3))) * there.scale / step
    middle = np.median(rows[rows > 0]) if rows.any() else 1.0
    return float((2 / there.weights.shape[1]) ** 0.5 / middle)


def read_tables(content: bytes) -> list[tuple[int, np.ndarray]]:
    """Smallest symbol and probabilities of each table (`docs/entropy.md`, "Table sets")."""
    tables, at = [], 2
    for _ in range(content[1] + 1):
        low, high = struct.unpack_from("<hh", content, at)
        count = high - low + 1
        tables.append((low, np.frombuffer(content, "<u2", count, at + 4) / 2**15))
        at += 4 + 2 * (count + 1)
    return tables


def _fit_prior(prior: LogisticMixture, tables: list[tuple[int, np.ndarray]], steps: int = 600) -> None:
    """Bring the mixtures to the probabilities of the tables, by their cross-entropy."""
    wanted = torch.zeros(len(tables), 255)
    for row, (low, probability) in zip(wanted, tables, strict=True):
        row[127 + low : 127 + low + len(probability)] = torch.tensor(probability)
    wanted /= wanted.sum(1, keepdim=True)
    x = torch.arange(-127.0, 128.0)
    mean = (wanted * x).sum(1)
    deviation = (wanted * (x - mean[:, None]) ** 2).sum(1).clamp(min=0.05).sqrt()
    with torch.no_grad():
        prior.mean.copy_(mean[:, None] + deviation[:, None] * torch.linspace(-1, 1, prior.mean.shape[1]))
        prior.log_scale.copy_((deviation / 3).log()[:, None].expand_as(prior.log_scale))
    optimiser = torch.optim.Adam(prior.parameters(), lr=0.03)
    for _ in range(steps):
        there = prior.cdf(x.expand(len(tables), -1) + 0.5) - prior.cdf(x.expand(len(tables), -1) - 0.5)
        optimiser.zero_grad()
        (-(wanted * there.clamp(min=1e-9).log()).sum()).backward()
        optimiser.step()
