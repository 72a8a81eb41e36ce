#!/usr/bin/env python3
"""What a linear detector reaches on SKAB: the yardstick for scores of sensor streams.

Protocol of the benchmark: the first 400 rows of each recording are normal and known, labels of the rows after them are
compared row by row. Windows of L rows (all channels) are whitened by mean and covariance of the known rows' windows,
their first component left out (slow drift); the score is the mean square. A row is anomalous if the window that ends
with it exceeds F times the greatest score of the known rows. L and F here were chosen by looking at the labels, so the
table says what is possible, not what to expect.
"""

import argparse
from pathlib import Path

import numpy as np

KNOWN = 400


def table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = np.loadtxt(path, delimiter=";", skiprows=1, usecols=range(1, 10))
    return rows[:, :8], rows[:, 8] > 0


def scores(x: np.ndarray, floor: np.ndarray, length: int) -> np.ndarray:
    """Scores of the windows of `length` rows, one for each last row."""
    normal = (x - x[:KNOWN].mean(0)) / np.maximum(x[:KNOWN].std(0), floor)
    windows = np.lib.stride_tricks.sliding_window_view(normal, length, axis=0).reshape(len(x) - length + 1, -1)
    known = windows[: KNOWN - length + 1]
    values, vectors = np.linalg.eigh(np.cov((known - known.mean(0)).T))
    parts = (windows - known.mean(0)) @ vectors[:, :-1]
    return (parts**2 / np.maximum(values[:-1], 0.003 * values[-1])).mean(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="SKAB's folder")
    given = parser.parse_args()
    recordings = [table(p) for p in sorted(given.data.glob("[ov]*/*.csv"))]
    floor = 0.02 * np.concatenate([x[:KNOWN] for x, _ in recordings]).std(0)
    print("| rows | factor | F1 | false alarms | missed |\n|---:|---:|---:|---:|---:|")
    for length in (10, 16, 20):
        each = [scores(x, floor, length) for x, _ in recordings]
        for factor in (1.6, 2.0, 2.5, 3.0):
            found, truth = [], []
            for score, (_, label) in zip(each, recordings, strict=True):
                limit = factor * score[: KNOWN - length + 1].max()
                found.append(score[KNOWN - length + 1 :] > limit)
                truth.append(label[KNOWN:])
            f, t = np.concatenate(found), np.concatenate(truth)
            f1 = 2 * (f & t).sum() / (f.sum() + t.sum())
            print(f"| {length} | {factor} | {f1:.3f} | {100 * f[~t].mean():.1f} % | {100 * (~f[t]).mean():.1f} % |")


if __name__ == "__main__":
    main()
