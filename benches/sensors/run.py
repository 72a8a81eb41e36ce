#!/usr/bin/env python3
"""Ratio and speed of sensor streams beside SZ3, ZFP, Pcodec and zstd; see README.md."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from peers import LABELS, PEERS, Peer  # noqa: E402

BOUNDS = (0.04, 0.01, 0.001)
LEVELS = (0.02, 0.05, 0.1)
# Bounds in standard deviations, and qualities, that the curves of NRMSE go through.
SWEEP = (0.02, 0.03, 0.05, 0.075, 0.11, 0.16, 0.23, 0.33)
QUALITIES = (15, 25, 35, 45, 55, 65, 75, 85)


class Pinhole:
    """The command line program, on real files."""

    def __init__(self, program: Path, model: Path | None, folder: Path):
        self.program, self.folder = program, folder
        self.model = ["--model", str(model)] if model else []

    def code(self, windows: np.ndarray, options: list[str]) -> tuple[int, np.ndarray, float, float]:
        """Bytes, decoded windows, seconds to encode and to decode."""
        source, stream, back = (self.folder / n for n in ("in.npy", "out.pin", "back.npy"))
        np.save(source, windows)
        started = time.perf_counter()
        self.run(["encode", str(source), "-o", str(stream), "-f", *options, *self.model])
        middle = time.perf_counter()
        self.run(["decode", str(stream), "-o", str(back), "-f", *self.model])
        ended = time.perf_counter()
        decoded = np.load(back)
        if decoded.ndim == 2:
            n, c, t = windows.shape
            decoded = decoded.reshape(n, t, c).transpose(0, 2, 1)
        return stream.stat().st_size, decoded.astype(np.float32), middle - started, ended - middle

    def run(self, words: list[str]) -> None:
        subprocess.run([str(self.program), "sensor", *words], check=True, stdout=subprocess.DEVNULL)


def signal(windows: np.ndarray) -> np.ndarray:
    """(windows, channels, samples) to (channels, time)."""
    return np.ascontiguousarray(windows.transpose(1, 0, 2).reshape(windows.shape[1], -1))


def at_level(points: list[tuple[float, float]], level: float) -> float:
    """Ratio at an NRMSE, between points of (nrmse, ratio)."""
    points = sorted(points)
    x, y = np.log([p[0] for p in points]), np.log([p[1] for p in points])
    return float(np.exp(np.interp(np.log(level), x, y))) if x[0] <= np.log(level) <= x[-1] else float("nan")


def peer_point(peer: Peer, x: np.ndarray, bound: float) -> tuple[float, float, float]:
    """Ratio, NRMSE and greatest error on a signal whose NRMSE is its root mean square error."""
    blobs = peer.encode(x, bound)
    error = peer.decode(blobs, x.shape, bound) - x
    return x.nbytes / sum(len(b) for b in blobs), float((error**2).mean() ** 0.5), float(np.abs(error).max())


def measure_bounds(windows: np.ndarray, pinhole: Pinhole) -> list[dict]:
    x = signal(windows)
    span = (x.max(1) - x.min(1))[:, None]
    rows = []
    for bound in BOUNDS:
        row: dict = {"bound": bound}
        for label in LABELS:
            found = []
            for peer in (p for p in PEERS if p.label == label):
                ratio, _, worst = peer_point(peer, (x / span).astype(np.float32), bound)
                if worst <= bound * (1 + 1e-4):
                    found.append((ratio, peer.way))
            row[label], row[f"{label} way"] = max(found)
        size, decoded, *_ = pinhole.code(windows, ["-e", f"{bound * 100:g}%"])
        worst = np.abs(signal(decoded).astype(np.float64) - x) / (span * bound)
        assert worst.max() <= 1 + 1e-6, f"bound broken: {worst.max()}"
        row["Pinhole"] = windows.nbytes / size
        rows.append(row)
    return rows


def measure_nrmse(windows: np.ndarray, pinhole: Pinhole) -> tuple[list[dict], dict]:
    x = signal(windows)
    deviation = x.std(1, keepdims=True)
    normal = (x / deviation).astype(np.float32)
    curves: dict[str, dict[str, list]] = {label: {} for label in LABELS}
    for peer in PEERS:
        curves[peer.label][peer.way] = [peer_point(peer, normal, b)[1::-1] for b in SWEEP]
    points = []
    for quality in QUALITIES:
        size, decoded, *_ = pinhole.code(windows, ["-q", str(quality)])
        error = (signal(decoded) - x) / deviation
        points.append((float((error**2).mean() ** 0.5), windows.nbytes / size))
    rows = []
    for level in LEVELS:
        row: dict = {"nrmse": level, "Pinhole": at_level(points, level)}
        for label in LABELS:
            ratios = {way: at_level(curve, level) for way, curve in curves[label].items()}
            ratios = {way: r for way, r in ratios.items() if r == r}
            row[f"{label} way"] = max(ratios, key=ratios.get, default="")
            row[label] = max(ratios.values(), default=float("nan"))
        rows.append(row)
    return rows, {"Pinhole": {"": points}, **curves}


def measure_speed(windows: np.ndarray, pinhole: Pinhole) -> list[dict]:
    x = signal(windows)
    normal = (x / x.std(1, keepdims=True)).astype(np.float32)
    rows = []
    best = {"SZ3": "INTERP, one signal", "ZFP": "by channel", "Pcodec": "level 12, by channel", "zstd": "19, on differences"}
    for peer in (p for p in PEERS if best[p.label] == p.way):
        bound = 0.09
        times = []
        for _ in range(3):
            started = time.perf_counter()
            blobs = peer.encode(normal, bound)
            middle = time.perf_counter()
            peer.decode(blobs, x.shape, bound)
            times.append((middle - started, time.perf_counter() - middle))
        encode, decode = (min(t) for t in zip(*times, strict=True))
        rows.append({"codec": peer.label, "encode": x.size / encode / 1e6, "decode": x.size / decode / 1e6})
    for name, options in (("Pinhole, quality 50", ["-q", "50"]), ("Pinhole, ±1 %", ["-e", "1%"])):
        times = [pinhole.code(windows, options)[2:] for _ in range(3)]
        encode, decode = (min(t) for t in zip(*times, strict=True))
        rows.append({"codec": name, "encode": x.size / encode / 1e6, "decode": x.size / decode / 1e6})
    return rows


def report(results: dict) -> str:
    names = ("Pinhole", *LABELS)
    lines = ["| greatest error, of the range | " + " | ".join(names) + " | against the best peer |", "|---|" + "---:|" * 6]
    for key, text in (("bounds", "bound"), ("nrmse", "nrmse")):
        if key == "nrmse":
            lines += ["", "| NRMSE | " + " | ".join(names) + " | against the best peer |", "|---|" + "---:|" * 6]
        for row in results[key]:
            best = max(row[label] for label in LABELS if row[label] == row[label])
            cells = [f"{row[n]:.2f}" if row[n] == row[n] else "" for n in names]
            sign = "±" if key == "bounds" else ""
            lines.append(f"| {sign}{row[text] * 100:g} % | " + " | ".join(cells) + f" | {row['Pinhole'] / best:.2f} |")
    lines += ["", "| codec | encode, Msamples/s | decode, Msamples/s |", "|---|---:|---:|"]
    lines += [f"| {r['codec']} | {r['encode']:.1f} | {r['decode']:.1f} |" for r in results["speed"]]
    return "\n".join(lines) + "\n"


def draw(curves: dict, path: Path) -> None:
    plt.rcParams.update({"svg.hashsalt": "pinhole", "axes.grid": True, "grid.color": "#e3e3e3"})
    colours = {"Pinhole": "#d1243a", "SZ3": "#7b5ea7", "ZFP": "#2a9d8f", "Pcodec": "#e08e1b", "zstd": "#8a8a8a"}
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for label, ways in curves.items():
        levels = np.geomspace(0.012, 0.13, 40)
        best = [max((at_level(c, v) for c in ways.values() if at_level(c, v) == at_level(c, v)), default=np.nan) for v in levels]
        axes.plot(levels * 100, best, label=label, color=colours[label], linewidth=2.4 if label == "Pinhole" else 1.6)
    axes.set(xscale="log", yscale="log", xlabel="NRMSE, %", ylabel="ratio to float32")
    axes.set_xticks([2, 5, 10], ["2", "5", "10"])
    axes.set_yticks([5, 10, 20, 40], ["5", "10", "20", "40"])
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="array of windows for the ratios")
    parser.add_argument("--speed", type=Path, help="array of windows for the speeds")
    parser.add_argument("--program", type=Path, default=Path("target/release/pinhole"))
    parser.add_argument("--model", type=Path, help="sensor bundle; the program's own choice without it")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    windows = np.ascontiguousarray(np.load(given.data)[::2], np.float32)
    with tempfile.TemporaryDirectory() as folder:
        pinhole = Pinhole(given.program, given.model, Path(folder))
        results: dict = {"windows": len(windows), "bounds": measure_bounds(windows, pinhole)}
        results["nrmse"], curves = measure_nrmse(windows, pinhole)
        results["speed"] = measure_speed(np.load(given.speed).astype(np.float32), pinhole) if given.speed else []
    text = report(results)
    (given.out / "sensors.md").write_text(text)
    (given.out / "sensors.json").write_text(json.dumps(results | {"curves": curves}, indent=1))
    draw(curves, given.out / "sensors.svg")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
