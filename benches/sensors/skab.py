#!/usr/bin/env python3
"""Outlier detection on SKAB with the scores of sensor streams, and with a linear detector as a yardstick.

The first 400 rows of each recording are normal and known; of the rows after them the labels are compared row by row.
A window's score counts for all of its rows. Nothing but the first 400 rows (and the model, trained on such rows) is known
to a detector. For each score three figures: with the threshold that the stream itself has; with the best one threshold
for all recordings that keeps false alarms at 13 % or less, chosen on these labels; and with thresholds chosen so on the
other 26 recordings, for each recording in turn.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

KNOWN = 400
ALARMS = 0.13
CHANNELS = 8


class Recording:
    """One CSV file."""

    def __init__(self, path: Path):
        rows = np.loadtxt(path, delimiter=";", skiprows=1, usecols=range(1, 10))
        self.values, self.odd = rows[:, :CHANNELS], rows[:, CHANNELS] > 0
        self.truth = self.odd[KNOWN:]


def linear(recording: Recording, floor: np.ndarray, length: int) -> np.ndarray:
    """A score for each row after the known ones: windows that end there, whitened by the known rows' mean and covariance
    without the first component (slow drift); mean square over the known rows' greatest."""
    x = recording.values
    normal = (x - x[:KNOWN].mean(0)) / np.maximum(x[:KNOWN].std(0), floor)
    windows = np.lib.stride_tricks.sliding_window_view(normal, length, axis=0).reshape(len(x) - length + 1, -1)
    known = windows[: KNOWN - length + 1]
    values, vectors = np.linalg.eigh(np.cov((known - known.mean(0)).T))
    parts = (windows - known.mean(0)) @ vectors[:, :-1]
    scores = (parts**2 / np.maximum(values[:-1], 0.003 * values[-1])).mean(1)
    return scores[KNOWN - length + 1 :] / scores[: KNOWN - length + 1].max()


class Pinhole:
    """`pinhole sensor score`."""

    def __init__(self, program: Path, folder: Path):
        self.program, self.folder = program, folder

    def scores(self, values: np.ndarray, window: int, options: list[str]) -> tuple[np.ndarray, float]:
        """A score for each row after the known ones, and the stream's threshold."""
        path = self.folder / "recording.npy"
        np.save(path, values)
        words = [str(self.program), "sensor", "score", str(path), "--json", "--window", str(window), *options]
        found = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
        each = np.array([w["score"] for w in found["windows"]])
        return np.repeat(each, window)[KNOWN : len(values)], found["threshold"]


def figures(odd: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """F1, false alarms, missed."""
    return 2 * (odd & truth).sum() / max(1, odd.sum() + truth.sum()), odd[~truth].mean(), (~odd[truth]).mean()


def best(scores: np.ndarray, truth: np.ndarray) -> float:
    """The threshold (a score, or more than the highest) of the best F1 with few enough false alarms."""
    levels = np.unique(scores)[::-1]
    order = np.argsort(-scores, kind="stable")
    place = np.searchsorted(-scores[order], -levels, side="right") - 1
    hits, wrong = np.cumsum(truth[order])[place], np.cumsum(~truth[order])[place]
    f1 = np.where(wrong <= ALARMS * (~truth).sum(), 2 * hits / (hits + wrong + truth.sum()), -1)
    return float(levels[f1.argmax()]) if f1.max() >= 0 else float(levels[0]) + 1


def report(name: str, each: list[np.ndarray], recordings: list[Recording], threshold: float | None) -> None:
    truth = [r.truth for r in recordings]
    flat, labels = np.concatenate(each), np.concatenate(truth)

    def shown(odd: np.ndarray) -> str:
        f1, alarms, missed = figures(odd, labels)
        return f"{f1:.3f} | {100 * alarms:.1f} % | {100 * missed:.1f} %"

    own = shown(flat >= threshold) if threshold is not None else " | | "
    limit = best(flat, labels)
    others = []
    for i in range(len(each)):
        rest = [j for j in range(len(each)) if j != i]
        others.append(each[i] >= best(np.concatenate([each[j] for j in rest]), np.concatenate([truth[j] for j in rest])))
    print(f"| {name} | {own} | {limit:.2f}: {shown(flat >= limit)} | {shown(np.concatenate(others))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="SKAB's folder")
    parser.add_argument("--program", type=Path, default=Path("target/release/pinhole"))
    parser.add_argument("--model", type=Path, default=Path("models/zoo/plant/plant.pinm"))
    given = parser.parse_args()
    recordings = [Recording(p) for p in sorted(given.data.glob("[ov]*/*.csv"))]
    known = np.concatenate([r.values[:KNOWN] for r in recordings])
    print("| score | own threshold: F1 | false alarms | missed | best threshold: F1 | false alarms | missed "
          "| chosen on others: F1 | false alarms | missed |\n|---|" + "---:|" * 9)  # fmt: skip
    report("linear, 20 rows", [linear(r, 0.02 * known.std(0), 20) for r in recordings], recordings, None)
    model = ["--model", str(given.model)]
    with tempfile.TemporaryDirectory() as folder:
        pinhole = Pinhole(given.program, Path(folder))

        def run(name: str, values: list[np.ndarray], window: int, options: list[str]) -> None:
            found = [pinhole.scores(v, window, options) for v in values]
            report(name, [scores for scores, _ in found], recordings, found[0][1])

        raw = [r.values for r in recordings]
        run("windows before, 16 rows", raw, 16, [])
        run("model", raw, 16, model)
        # As the model's training data were: each recording by its own known rows.
        centre, spread = known.mean(0), known.std(0)
        mean = [r.values[:KNOWN].mean(0) for r in recordings]
        deviation = [np.maximum(r.values[:KNOWN].std(0), 0.02 * spread) for r in recordings]
        adjusted = [(v - m) / d * spread + centre for v, m, d in zip(raw, mean, deviation, strict=True)]
        run("model, recordings adjusted before", adjusted, 16, model)
        run("calibration, model, 16 rows", raw, 16, [*model, "--calibration", str(KNOWN // 16)])
        for window in (10, 16, 20, 25, 40):
            run(f"calibration, {window} rows", raw, window, ["--calibration", str(KNOWN // window)])


if __name__ == "__main__":
    main()
