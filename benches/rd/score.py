"""Scores of decoded pictures, all by `pinhole compare`, so that every codec is judged alike."""

import json
from dataclasses import dataclass
from pathlib import Path

from encoders import Pinhole

SCORES_VERSION = 2
"""Part of the cache's key: count up when `pinhole compare` changes what a metric means."""


@dataclass(frozen=True)
class Metric:
    name: str
    """The field in the JSON of `pinhole compare`."""
    label: str
    unit: str
    bd_range: tuple[float, float] | None
    """Qualities that the BD-rate is taken over; None for all that both codecs reach."""


METRICS = (
    Metric("psnr", "PSNR", "dB", None),
    Metric("ms_ssim", "MS-SSIM", "dB", None),
    # Below 30 nobody would keep the picture, above 85 the original is hard to tell apart.
    Metric("ssimulacra2", "SSIMULACRA2", "", (30.0, 85.0)),
    Metric("butteraugli", "Butteraugli", "−log2 of the 3-norm", None),
)


def score(program: Pinhole, pairs: list[tuple[Path, Path]], threads: int) -> list[dict]:
    """The metrics of each (original, decoded) pair."""
    listing = "".join(f"{original}\t{decoded}\n" for original, decoded in pairs)
    told = program.run(
        "compare", "--json", "--threads", str(threads), "--pairs", "-", stdin=listing
    )
    found = [json.loads(line) for line in told.splitlines()]
    if len(found) != len(pairs):
        raise RuntimeError(f"{len(found)} scores for {len(pairs)} pairs")
    return [{metric.name: line[metric.name] for metric in METRICS} for line in found]
