#!/usr/bin/env python3
"""Encode and decode times of Pinhole and its peers on the same pictures, and their sizes at equal SSIMULACRA2.

One thread, in process, from pixels in memory to a file in memory and back; every codec at several rates, its time and
size interpolated at the same score. Run it on a machine that does nothing else.
"""

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import matplotlib
import numpy as np
from PIL import AvifImagePlugin, Image

sys.path.insert(0, str(Path(__file__).parents[1] / "rd"))
from encoders import Pinhole  # noqa: E402

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402


@dataclass(frozen=True)
class Codec:
    label: str
    rates: tuple[float, ...]
    encode: Callable[[np.ndarray, float], bytes]
    decode: Callable[[bytes], np.ndarray]


@dataclass(frozen=True)
class Point:
    """One picture at one rate: bits per pixel, score, median milliseconds."""

    bpp: float
    score: float
    encode: float
    decode: float


def pillow(kind: str, **settings) -> tuple[Callable, Callable]:
    def encode(rgb: np.ndarray, quality: float) -> bytes:
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, kind, quality=int(quality), **settings)
        return file.getvalue()

    def decode(data: bytes) -> np.ndarray:
        with Image.open(io.BytesIO(data)) as picture:
            return np.asarray(picture.convert("RGB"))

    return encode, decode


def avif(speed: int) -> tuple[Callable, Callable]:
    # Decoding has no argument for it; the decoder is dav1d where libavif has it.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return pillow("AVIF", speed=speed, subsampling="4:2:0", codec="aom", max_threads=1, advanced={"tune": "iq"})


def jpegxl(effort: int) -> tuple[Callable, Callable]:
    def encode(rgb: np.ndarray, distance: float) -> bytes:
        return imagecodecs.jpegxl_encode(rgb, distance=distance, effort=effort, lossless=False, numthreads=1)

    return encode, lambda data: imagecodecs.jpegxl_decode(data, numthreads=1)


def peers() -> list[Codec]:
    lossy, distances = (20, 40, 60, 80, 90), (8, 5, 3, 1.8, 1)
    return [
        Codec("libjpeg-turbo, progressive", (25, 45, 65, 82, 91), *pillow("JPEG", progressive=True, optimize=True)),
        Codec("libjpeg-turbo, baseline", (25, 45, 65, 82, 91), *pillow("JPEG")),
        Codec("libwebp, method 4", (10, 35, 60, 80, 92), *pillow("WEBP", method=4)),
        Codec("libavif (libaom), speed 6", lossy, *avif(6)),
        Codec("libavif (libaom), speed 9", lossy, *avif(9)),
        Codec("libjxl, effort 3", distances, *jpegxl(3)),
        Codec("libjxl, effort 7", distances, *jpegxl(7)),
    ]


def timed(work: Callable, runs: int) -> tuple[object, float]:
    """The result and the median milliseconds, after one run for warming up."""
    result = work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return result, statistics.median(times)


def measure(codec: Codec, pictures: list[Path], runs: int, pinhole: Pinhole) -> dict[str, list[Point]]:
    """Points of every picture, from the lowest rate to the highest."""
    rows, pairs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for path in pictures:
            rgb = np.asarray(Image.open(path).convert("RGB"))
            for rate in codec.rates:
                data, encode = timed(lambda rgb=rgb, rate=rate: codec.encode(rgb, rate), runs)
                shown, decode = timed(lambda data=data: codec.decode(data), runs)
                file = Path(folder) / f"{len(rows)}.png"
                Image.fromarray(shown).save(file, compress_level=1)
                pairs.append(f"{path}\t{file}")
                rows.append((path.name, 8 * len(data) / (rgb.shape[0] * rgb.shape[1]), encode, decode))
        scores = score(pinhole, pairs)
    points: dict[str, list[Point]] = {}
    for (name, bpp, encode, decode), value in zip(rows, scores, strict=True):
        points.setdefault(name, []).append(Point(bpp, value, encode, decode))
    return points


def measure_pinhole(pinhole: Pinhole, pictures: list[Path], runs: int) -> dict[str, list[Point]]:
    points: dict[str, list[Point]] = {path.name: [] for path in pictures}
    with tempfile.TemporaryDirectory() as folder:
        for quality in (20, 35, 50, 65, 80):
            # Both name the model.
            words = dict.fromkeys((*pinhole.encode_words, *pinhole.decode_words))
            options = ("-q", str(quality), "--runs", str(runs), "--json", *words)
            reports = json.loads(pinhole.run("bench", *options, *pictures))
            pinhole.encode(pictures, quality, Path(folder))
            streams = [Path(folder) / f"{path.stem}.pin" for path in pictures]
            pinhole.decode(streams, Path(folder))
            pairs = [f"{path}\t{stream.with_suffix('.ppm')}" for path, stream in zip(pictures, streams, strict=True)]
            for path, report, value in zip(pictures, reports, score(pinhole, pairs), strict=True):
                times = (report[what]["median_ms"] for what in ("encode", "decode"))
                points[path.name].append(Point(report["bpp"], value, *times))
    return points


def score(pinhole: Pinhole, pairs: list[str]) -> list[float]:
    lines = pinhole.run("compare", "--json", "--metric", "ssimulacra2", "--pairs", "-", stdin="\n".join(pairs) + "\n")
    return [json.loads(line)["ssimulacra2"] for line in lines.splitlines()]


def at_score(points: dict[str, list[Point]], wanted: float) -> tuple[float, float, float]:
    """Geometric means over the pictures of bits per pixel, encode and decode milliseconds at a score."""
    logs = []
    for curve in points.values():
        curve = sorted(curve, key=lambda point: point.score)
        scores = [point.score for point in curve]
        values = ([point.bpp for point in curve], [point.encode for point in curve], [point.decode for point in curve])
        logs.append([np.interp(wanted, scores, np.log(value)) for value in values])
    bpp, encode, decode = np.exp(np.mean(logs, axis=0))
    return float(bpp), float(encode), float(decode)


def draw(rows: list[tuple], wanted: float, path: Path) -> None:
    """Encode time against size, both at the same score."""
    plt.rcParams.update({"svg.hashsalt": "pinhole", "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(figsize=(6.4, 4.4))
    for label, bpp, encode, _ in rows:
        ours = label.startswith("Pinhole")
        axes.scatter(encode, bpp, color="#d1243a" if ours else "#555555", zorder=3)
        axes.annotate(label, (encode, bpp), xytext=(6, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("encode, ms a picture (one thread)")
    axes.set_ylabel(f"bits per pixel at SSIMULACRA2 {wanted:g}")
    axes.margins(x=0.25, y=0.15)
    axes.grid(color="#e3e3e3")
    axes.set_axisbelow(True)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of originals")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results")
    parser.add_argument("--pinhole", type=Path, default=Path("target/release/pinhole"))
    parser.add_argument("--model", type=Path, help="model bundle instead of the shipped one")
    parser.add_argument("--limit", type=int, help="use only the first so many pictures")
    parser.add_argument("--runs", type=int, default=5, help="times each is done")
    parser.add_argument("--score", type=float, default=65, help="SSIMULACRA2 at which all are compared")
    given = parser.parse_args()
    pictures = sorted(p for p in given.pictures.iterdir() if p.suffix.lower() in {".png", ".jpg", ".ppm"})[: given.limit]
    pixels = statistics.mean(float(np.prod(Image.open(path).size)) for path in pictures)
    rows = []
    for effort, decoder in (("default", "standard"), ("default", "lite"), ("fast", "lite"), ("best", "standard")):
        pinhole = Pinhole(given.pinhole, given.model, (), effort, decoder)
        points = measure_pinhole(pinhole, pictures, given.runs)
        rows.append((f"Pinhole, {effort}, {decoder}", *at_score(points, given.score)))
    for codec in peers():
        rows.append((codec.label, *at_score(measure(codec, pictures, given.runs, pinhole), given.score)))
    given.out.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{len(pictures)} pictures of {pixels / 1e6:.2f} Mpixel, SSIMULACRA2 {given.score:g}, one thread, medians of {given.runs}:",
        "",
        "| codec | bits per pixel | encode, ms | Mpixel/s | times the first | decode, ms | times the first |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for label, bpp, encode, decode in rows:
        lines.append(
            f"| {label} | {bpp:.3f} | {encode:.1f} | {pixels / 1e3 / encode:.1f} | {encode / rows[0][2]:.2f} "
            f"| {decode:.1f} | {decode / rows[0][3]:.2f} |"
        )
    (given.out / "peers.md").write_text("\n".join(lines) + "\n")
    draw(rows, given.score, given.out / "peers.svg")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
