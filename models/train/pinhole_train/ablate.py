"""What each choice buys: short trainings that differ in one setting, compared on pictures that none has seen."""

from __future__ import annotations

import json
import logging
import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from scipy.interpolate import PchipInterpolator

from .codec import Codec, kmacs_per_pixel
from .config import Config
from .data import find_pictures
from .evaluate import measure
from .layers import Grid, ResidualBlock, round_for_stage
from .tables import fit_tables
from .train import Trainer

log = logging.getLogger("pinhole_train")

QUALITIES = [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95]
# Scores between which pictures are looked at in earnest.
SCORES = (30.0, 85.0)


class SiluGrid(Grid):
    """SiLU in place of ReLU: bytes before and after, as by a table of the engine."""

    def __init__(self):
        super().__init__("int8")
        self.after = Grid("int8")

    def forward(self, x):
        return self.after(F.silu(super().forward(x)))


def _silu(model: Codec) -> None:
    for block in model.modules():
        if isinstance(block, ResidualBlock):
            block.expand.grid = SiluGrid()


def _int8_trunk(model: Codec) -> None:
    """Bytes between the blocks of the transforms, too. Latents stay as they are."""
    for net in model.analyses.values():
        for layer in [net.patches, net.down, *(block.project for block in [*net.blocks, *net.low])][:-1]:
            layer.grid = Grid("int8")
    for net in model.syntheses.values():
        for layer in [net.up, *(block.project for block in [*net.low, *net.blocks])]:
            layer.grid = Grid("int8")


# What no setting says, because nothing that ships has it.
ALTERATIONS: dict[str, Callable[[Codec], None]] = {"": lambda model: None, "silu": _silu, "int8 trunk": _int8_trunk}


@dataclass(frozen=True)
class Variant:
    """One training of the comparison."""

    name: str
    config: Config
    # One of ALTERATIONS.
    alter: str = ""

    @property
    def folder(self) -> str:
        return self.name.replace(" ", "-").replace("/", "-")


def read_variants(path: Path) -> list[Variant]:
    """A TOML file: `base`, a config beside it; `common`, settings of all; `variants`, by name the settings of each.

    The first variant is what the others are compared with.
    """
    given = tomllib.loads(path.read_text())
    base = _merged(tomllib.loads((path.parent / given["base"]).read_text()), given.get("common", {}))
    variants = []
    for name, settings in given["variants"].items():
        alter = settings.pop("alter", "")
        if alter not in ALTERATIONS:
            raise ValueError(f"{path}: alter = {alter!r} is none of {', '.join(filter(None, ALTERATIONS))}")
        variants.append(Variant(name, Config.of(_merged(base, settings), path), alter))
    return variants


def _merged(under: dict, over: dict) -> dict:
    both = {k: _merged(under[k], v) if isinstance(v, dict) and isinstance(under.get(k), dict) else v for k, v in over.items()}
    return under | both


class AlteredTrainer(Trainer):
    """A training of networks that are altered before they start."""

    def __init__(self, variant: Variant, folders: list[str], out: Path):
        self.variant = variant
        super().__init__(variant.config, folders, out, "cpu")

    def _build(self) -> Codec:
        model = super()._build()
        ALTERATIONS[self.variant.alter](model)
        return model


def ablate(path: Path, folders: list[str], pictures: str, out: Path, only: list[str], limit: int | None = None) -> list[dict]:
    """Train and measure the variants of a file (or `only` some; none is run twice), and compare all that are there.

    A row a variant: kMAC per pixel, and BD-rates against the first in per cent, means over the pictures, negative where it
    needs fewer bits; rates are estimates. Rounded as the engine rounds, symbol tables fitted as for export.
    """
    variants = read_variants(path)
    strangers = set(only) - {v.name for v in variants}
    if strangers:
        raise ValueError(f"{path}: no variant {', '.join(sorted(strangers))}")
    for variant in variants:
        if variant.name in only or not only:
            _curves(variant, folders, pictures, out / variant.folder, limit)
    return compare([(v, out / v.folder / "curves.json") for v in variants])


def _curves(variant: Variant, folders: list[str], pictures: str, out: Path, limit: int | None) -> None:
    """Rate and distortion of every picture, written to `curves.json`."""
    done = out / "curves.json"
    if done.exists():
        return
    trainer = AlteredTrainer(variant, folders, out)
    trainer.run()
    model = trainer.model
    model.load_state_dict(trainer.average.values)
    round_for_stage(model, (), variant.config.quantise)
    model.eval()
    fit_tables(model, trainer.crops, batches=15, rounds=2)
    curves = {path.name: measure(model, path, QUALITIES) for path in find_pictures([pictures])[:limit]}
    done.write_text(json.dumps(curves))


def compare(runs: list[tuple[Variant, Path]]) -> list[dict]:
    """BD-rates of the runs that have ended, against the first."""
    rows: list[dict] = []
    base: dict[str, list[dict]] = {}
    for variant, path in runs:
        if not path.exists():
            log.info("%s: not run yet", variant.name)
            continue
        curves = json.loads(path.read_text())
        base = base or curves
        costs = kmacs_per_pixel(variant.config.shape)
        rows.append({
            "variant": variant.name,
            "encode": round(costs[next(iter(variant.config.shape.analyses))], 1),
            "decode": round(costs[next(iter(variant.config.shape.syntheses))], 1),
            "psnr": round(_mean_bd_rate(base, curves, "psnr", (-math.inf, math.inf)), 1),
            "ssimulacra2": round(_mean_bd_rate(base, curves, "ssimulacra2", SCORES), 1),
        })  # fmt: skip
    return rows


def _mean_bd_rate(base: dict[str, list[dict]], curves: dict[str, list[dict]], metric: str, bounds: tuple[float, float]) -> float:
    return float(np.mean([bd_rate(base[name], curves[name], metric, bounds) for name in base]))


def bd_rate(anchor: list[dict], test: list[dict], metric: str, bounds: tuple[float, float]) -> float:
    """How many per cent more bits `test` needs than `anchor` for equal quality (Bjøntegaard 2001).

    The logarithm of the rate, interpolated over the metric by monotone cubics, is averaged over what both reach in `bounds`.
    NaN if that is nothing.
    """
    curves = [_curve(rows, metric) for rows in (anchor, test)]
    low = max(bounds[0], *(x[0] for x, _ in curves))
    high = min(bounds[1], *(x[-1] for x, _ in curves))
    if low >= high:
        return math.nan
    first, second = (PchipInterpolator(x, y).integrate(low, high) for x, y in curves)
    return float(100 * np.expm1((second - first) / (high - low)))


def _curve(rows: list[dict], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Rising values of the metric and the logarithms of their rates; points that cost more for less are left out."""
    best: list[tuple[float, float]] = []
    for rate, value in sorted((row["bpp"], row[metric]) for row in rows):
        if not best or value > best[-1][0]:
            best.append((value, np.log(rate)))
    return np.array([x for x, _ in best]), np.array([y for _, y in best])


def as_table(rows: list[dict]) -> str:
    """The rows in Markdown."""
    lines = ["| variant | encode, kMAC | decode, kMAC | PSNR | SSIMULACRA2 |", "|---|---:|---:|---:|---:|"]
    for row in rows:
        # Not a number: on some picture the qualities of both have nothing in common.
        rates = ("–" if math.isnan(row[key]) else f"{row[key]:+.1f} %".replace("-", "−") for key in ("psnr", "ssimulacra2"))
        lines.append(f"| {row['variant']} | {row['encode']} | {row['decode']} | {' | '.join(rates)} |")
    return "\n".join(lines)
