#!/usr/bin/env python3
"""Rate-distortion of Pinhole against JPEG, WebP, AVIF and JPEG XL, on a folder of pictures.

Every codec writes real files at a dozen rates; all of their bytes count. Peers' results are kept
in a cache, so that a second run costs only Pinhole's part.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

import plots
import report
from encoders import Peer, Pinhole, peers
from score import METRICS, SCORES_VERSION, score

SUFFIXES = {".png", ".ppm", ".tif", ".tiff", ".bmp", ".webp", ".jpg", ".jpeg"}
QUALITIES = (2, 8, 16, 24, 32, 40, 50, 60, 70, 80, 90, 98)


def main() -> int:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of originals")
    parser.add_argument("--out", type=Path, default=here / "out", help="folder for the results")
    parser.add_argument(
        "--pinhole",
        type=Path,
        default=here.parents[1] / "target/release/pinhole",
        help="the program; it also does the scoring",
    )
    parser.add_argument("--model", type=Path, help="model bundle instead of the shipped one")
    parser.add_argument("--effort", help="analysis to encode with: fast, default, best")
    parser.add_argument("--tune", help="what to encode for: perceptual, psnr")
    parser.add_argument("--decoder", help="standard, lite, or a float decoder")
    parser.add_argument("--decoder-model", type=Path, help="bundle of the float decoder")
    parser.add_argument("--cache", type=Path, help="peers' results (default: peers.json in --out)")
    parser.add_argument(
        "--qualities",
        type=lambda text: tuple(float(word) for word in text.split(",")),
        default=QUALITIES,
        help="Pinhole's -q values, with commas between",
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="plot published curves too; they hold for the 24 Kodak pictures",
    )
    parser.add_argument("--peers-only", action="store_true", help="fill the cache, no Pinhole")
    parser.add_argument("--limit", type=int, help="use only the first so many pictures")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="threads")
    args = parser.parse_args()

    if not args.pinhole.is_file():
        parser.error(f"{args.pinhole}: no such program (cargo build --release, or --pinhole)")
    pinhole = Pinhole(
        args.pinhole.resolve(), args.model, args.qualities, args.effort, args.decoder, args.decoder_model, args.tune
    )
    originals = sorted(p for p in args.pictures.iterdir() if p.suffix.lower() in SUFFIXES)
    originals = originals[: args.limit]
    if not originals:
        parser.error(f"{args.pictures}: no pictures")
    if len({p.stem for p in originals}) != len(originals):
        parser.error(f"{args.pictures}: pictures that differ only in their suffix")
    args.out.mkdir(parents=True, exist_ok=True)
    cache = Cache(args.cache or args.out / "peers.json")

    codecs = peers()
    curves: dict[str, dict[str, list[dict]]] = {}
    with tempfile.TemporaryDirectory(prefix="pinhole-rd-") as scratch:
        work = Path(scratch)
        references = prepare(originals, work)
        for peer in codecs:
            curves[peer.name] = peer_curves(peer, references, cache, pinhole, work, args.jobs)
        if not args.peers_only:
            codecs.append(pinhole)
            curves[pinhole.name] = pinhole_curves(pinhole, references, work, args.jobs)

    results = {
        "pictures": [path.stem for path in references],
        "machine": platform.machine(),
        "codecs": {c.name: {"label": c.label, "settings": c.settings} for c in codecs},
        "metrics": {m.name: {"label": m.label, "bd_range": m.bd_range} for m in METRICS},
        "curves": curves,
        "bd_rate": report.bd_rates(curves),
    }
    write(args.out / "results.json", json.dumps(results, indent=1) + "\n")
    table = report.markdown(results)
    write(args.out / "results.md", table)
    published = json.loads((here / "published.json").read_text())["curves"]
    plots.draw_all(results, args.out, published if args.published else {})
    print(table)
    return 0


def prepare(originals: Iterable[Path], work: Path) -> list[Path]:
    """Each original as 8-bit RGB without metadata: what every codec is given."""
    folder = work / "originals"
    folder.mkdir()
    references = []
    for path in originals:
        with Image.open(path) as picture:
            reference = folder / f"{path.stem}.ppm"
            picture.convert("RGB").save(reference)
            references.append(reference)
    return references


def peer_curves(
    peer: Peer,
    references: list[Path],
    cache: "Cache",
    pinhole: Pinhole,
    work: Path,
    jobs: int,
) -> dict[str, list[dict]]:
    """One curve for each picture; what the cache does not know is encoded and scored."""
    curves = {}
    for number, reference in enumerate(references, 1):
        rgb = load(reference)
        keys = {rate: cache.key(rgb, peer, rate) for rate in peer.rates}
        missing = [rate for rate in peer.rates if keys[rate] not in cache.points]
        if missing:
            progress(f"{peer.name}: picture {number} of {len(references)}")
            folder = work / peer.name
            folder.mkdir(exist_ok=True)

            def make(rate: float) -> tuple[int, Path]:
                file = folder / f"{reference.stem}-{rate}.{peer.name}"
                file.write_bytes(peer.encode(rgb, rate))
                decoded = file.with_suffix(".ppm")
                Image.fromarray(peer.decode(file.read_bytes())).save(decoded)
                return file.stat().st_size, decoded

            with ThreadPoolExecutor(jobs) as pool:
                made = list(pool.map(make, missing))
            scores = score(pinhole, [(reference, decoded) for _, decoded in made], jobs)
            for rate, (size, decoded), scored in zip(missing, made, scores, strict=True):
                cache.points[keys[rate]] = point(rate, size, rgb, scored)
                decoded.unlink()
            cache.save()
        curves[reference.stem] = [cache.points[keys[rate]] for rate in peer.rates]
    return curves


def pinhole_curves(
    pinhole: Pinhole, references: list[Path], work: Path, jobs: int
) -> dict[str, list[dict]]:
    """One curve for each picture; one run of the program for each quality."""
    curves: dict[str, list[dict]] = {reference.stem: [] for reference in references}
    for quality in pinhole.rates:
        progress(f"pinhole: quality {quality}")
        folder = work / "pinhole" / str(quality)
        folder.mkdir(parents=True)
        pinhole.encode(references, quality, folder)
        streams = [folder / f"{reference.stem}.pin" for reference in references]
        pinhole.decode(streams, folder)
        decoded = [stream.with_suffix(".ppm") for stream in streams]
        scores = score(pinhole, list(zip(references, decoded, strict=True)), jobs)
        for reference, stream, picture, scored in zip(
            references, streams, decoded, scores, strict=True
        ):
            rgb = load(reference)
            curves[reference.stem].append(point(quality, stream.stat().st_size, rgb, scored))
            picture.unlink()
    return curves


def point(rate: float, size: int, rgb: np.ndarray, scores: dict) -> dict:
    height, width, _ = rgb.shape
    return {"rate": rate, "bytes": size, "bpp": 8 * size / (width * height), **scores}


def load(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


class Cache:
    """Points of peers' curves, by what they depend on."""

    def __init__(self, path: Path):
        self._path = path
        self.points: dict[str, dict] = {}
        if path.is_file():
            self.points = json.loads(path.read_text())

    @staticmethod
    def key(rgb: np.ndarray, peer: Peer, rate: float) -> str:
        pixels = hashlib.sha256(repr(rgb.shape).encode() + rgb.tobytes()).hexdigest()[:24]
        return f"{pixels} | {peer.settings} | {rate:g} | scores {SCORES_VERSION}"

    def save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write(self._path, json.dumps(self.points, indent=0, sort_keys=True) + "\n")


def write(path: Path, text: str) -> None:
    """Replaces the file in one step, so that an interrupted run spoils nothing."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text)
    draft.replace(path)


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
