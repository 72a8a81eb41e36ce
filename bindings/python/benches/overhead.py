"""What the Python call costs over the Rust call: NumPy array in, bytes out, and back, 768x512 pixels, one thread.

    cargo build --release
    python bindings/python/benches/overhead.py

Rounds of both programs alternate, so that other work on the machine falls on both; each round gives the ratio of the
medians of its runs, and the median of these ratios is the result. Beside it stand the least times of all runs, which
other work disturbs least. A picture of one pixel shows what the call alone costs. Needs the package with Pillow, and
the command line, whose `bench` times the same calls on the same picture in Rust.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import pinhole

ROOT = Path(__file__).resolve().parents[3]
SIZE = (768, 512)


def times(work: Callable[[], object], runs: int) -> list[float]:
    """Milliseconds of each run, after one for warming up."""
    work()
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        found.append((time.perf_counter() - start) * 1e3)
    return found


def compare(picture: Image.Image, program: Path, quality: float, rounds: int, runs: int) -> None:
    """Prints what each way of calling costs on one picture."""
    array = np.asarray(picture)
    encoder, decoder = pinhole.Encoder(), pinhole.Decoder()
    stream = encoder.encode(array, quality=quality)
    out = np.empty_like(array)
    calls: dict[str, dict[str, Callable[[], object]]] = {
        "encode": {
            "Encoder.encode": lambda: encoder.encode(array, quality=quality),
            "pinhole.encode": lambda: pinhole.encode(array, quality=quality),
        },
        "decode": {
            "Decoder.decode": lambda: decoder.decode(stream),
            "Decoder.decode, out": lambda: decoder.decode(stream, out=out),
            "pinhole.decode": lambda: pinhole.decode(stream),
        },
    }
    ratios: dict[str, list[float]] = {}
    medians: dict[str, list[float]] = {}
    least: dict[str, float] = {}
    rust_of: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture.png"
        picture.save(file)
        bench = [str(program), "bench", str(file), "-q", str(quality), "--runs", str(runs), "--json"]
        for _ in range(rounds):
            report = json.loads(subprocess.run(bench, check=True, capture_output=True).stdout)[0]
            assert report["bytes"] == len(stream), "the programs hold different models"
            for direction, ways in calls.items():
                own = f"Rust {direction}"
                rust = report[direction]["median_ms"]
                medians.setdefault(own, []).append(rust)
                least[own] = min(least.get(own, rust), report[direction]["least_ms"])
                for name, work in ways.items():
                    found = times(work, runs)
                    median = statistics.median(found)
                    medians.setdefault(name, []).append(median)
                    ratios.setdefault(name, []).append(median / rust)
                    least[name] = min(least.get(name, median), *found)
                    rust_of[name] = own
    print(f"{picture.width}x{picture.height} pixels")
    for name, values in medians.items():
        line = f"  {name:20} median {statistics.median(values):7.3f} ms, least {least[name]:7.3f} ms"
        if name in ratios:
            by_median = (statistics.median(ratios[name]) - 1) * 100
            by_least = (least[name] - least[rust_of[name]]) * 1e3
            line += f": {by_median:+5.1f} % over Rust in the median, {by_least:+7.1f} us in the least"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pinhole", type=Path, default=ROOT / "target/release/pinhole", help="the command line")
    parser.add_argument("--picture", type=Path, default=ROOT / "samples/astronaut.png", help="is resized")
    parser.add_argument("--quality", type=float, default=50)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runs", type=int, default=10, help="of each program in a round")
    asked = parser.parse_args()
    picture = Image.open(asked.picture).convert("RGB")
    for size, runs in ((SIZE, asked.runs), ((1, 1), 100 * asked.runs)):
        resized = picture.resize(size, Image.Resampling.LANCZOS)
        compare(resized, asked.pinhole, asked.quality, asked.rounds, runs)


if __name__ == "__main__":
    main()
