"""Windows of sensor data as float32 arrays (windows, channels, samples)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Windows:
    """Normal windows, normalised, and what normalised them: `x = centre + spread * normalised`."""

    values: np.ndarray
    # Windows to train on and to count symbols in, and those that scores refer to. No two of both share a sample; what is
    # in neither lies across the seam.
    trained: np.ndarray
    held_out: np.ndarray
    # Index of the window whose end is where this one begins, or -1.
    before: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    range: np.ndarray
    data_hash: str


# This share of each recording, its end, is held out.
HELD_OUT = 0.1


def skab_table(path: Path) -> np.ndarray:
    """The eight sensors of one SKAB file, float32 (rows, 8); labels, where there are any, are left out."""
    return np.loadtxt(path, delimiter=";", skiprows=1, usecols=range(1, 9), dtype=np.float32)


def load(dataset: str, folder: Path, window: int) -> Windows:
    """Read training data: HAR's `train.npy`, or SKAB's anomaly-free recording and the normal beginnings (400 rows, as
    the benchmark's protocol has it) of the others."""
    if dataset == "har":
        raw = np.load(Path(folder) / "train.npy").astype(np.float32)
        if window != raw.shape[2]:
            raise ValueError(f"HAR windows have {raw.shape[2]} samples, not {window}")
        # Neighbours overlap by half where they belong together: two apart, one begins where the other ends.
        before = np.arange(len(raw)) - 2
        centre, spread = statistics(raw)
        values = (raw - centre[:, None]) / spread[:, None]
        span = raw.max((0, 2)) - raw.min((0, 2))
        # The last windows are of people whom the others are not of, but for one. A window overlaps with the next.
        seam = round(len(raw) * (1 - HELD_OUT))
        trained, held_out = np.arange(len(raw)) < seam - 1, np.arange(len(raw)) >= seam
    elif dataset == "skab":
        values, before, trained, held_out, centre, spread, span = _skab(Path(folder), window)
    else:
        raise ValueError(f"no dataset {dataset!r}: har or skab")
    before = np.where(before < 0, -1, before)
    digest = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
    return Windows(values.astype(np.float32), trained, held_out, before, centre, spread, span, digest)


def _skab(folder: Path, window: int) -> tuple[np.ndarray, ...]:
    tables = [skab_table(folder / "anomaly-free" / "anomaly-free.csv")]
    tables += [skab_table(p)[:400] for p in sorted(folder.glob("*/*.csv")) if p.parent.name != "anomaly-free"]
    whole = np.concatenate(tables)
    centre, spread = whole.mean(0), whole.std(0)
    values, before, trained, held_out = [], [], [], []
    for table in tables:
        # Machines differ from day to day: each recording is normalised by its own normal part, as a device is calibrated.
        mean, deviation = calibration(table, spread)
        normal = ((table - mean) / deviation).T
        # Windows at all quarter offsets: four times as many, of which each follows the one four before.
        hop = max(1, window // 4)
        starts = range(0, normal.shape[1] - window + 1, hop)
        first = len(values)
        seam = round(normal.shape[1] * (1 - HELD_OUT))
        for number, start in enumerate(starts):
            values.append(normal[:, start : start + window])
            before.append(first + number - 4 if number >= 4 and window % 4 == 0 else -1)
            trained.append(start + window <= seam)
            held_out.append(start >= seam)
    return np.stack(values), np.array(before), np.array(trained), np.array(held_out), centre, spread, whole.max(0) - whole.min(0)


def calibration(normal: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and spread of one installation from its normal rows; no spread falls below 2 % of the fleet's."""
    return normal.mean(0), np.maximum(normal.std(0), 0.02 * spread)


def statistics(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel of (windows, channels, samples)."""
    return raw.mean((0, 2)), raw.std((0, 2))
