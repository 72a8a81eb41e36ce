#!/usr/bin/env python3
"""A page of crops side by side: the original, Pinhole, and every peer at no more than Pinhole's size.

Two crops of each picture: its busiest square, where codecs lose texture, and its flattest, where patterns show.
"""

import argparse
import html
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from encoders import Peer, Pinhole, peers

SIDE = 192
ZOOM = 2
STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem; background: #1b1b1b; color: #ddd }
h2 { font-weight: 500; margin: 2.5rem 0 .5rem } figure { margin: 0 } figcaption { color: #aaa }
.row { display: flex; flex-wrap: wrap; gap: 12px; margin-bottom: 12px }
img { image-rendering: pixelated; display: block }
"""


def main() -> None:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of originals")
    parser.add_argument("--out", type=Path, default=here / "out/crops", help="folder for the page")
    parser.add_argument("--pinhole", type=Path, default=here.parents[1] / "target/release/pinhole")
    parser.add_argument("--model", type=Path, help="model bundle instead of the shipped one")
    parser.add_argument("--bpp", type=float, default=0.25, help="bits per pixel of Pinhole's files")
    parser.add_argument("--sheet", type=Path, help="also write the flattest squares of all pictures as one PNG")
    parser.add_argument("--limit", type=int, help="use only the first so many pictures")
    given = parser.parse_args()
    pinhole = Pinhole(given.pinhole.resolve(), given.model, ())
    given.out.mkdir(parents=True, exist_ok=True)
    rows, flat = [], []
    for path in originals(given.pictures)[: given.limit]:
        original = np.asarray(Image.open(path).convert("RGB"))
        shown = {"Original": (original, original.nbytes)}
        shown["Pinhole"] = through_pinhole(pinhole, path, given.bpp)
        for peer in peers():
            shown[peer.label] = at_size(peer, original, shown["Pinhole"][1])
        places = corners(original)
        rows.append(picture_row(path.stem, shown, places, given.out))
        if places:
            flat.append({label: square(pixels, places["flattest"]) for label, (pixels, _) in shown.items()})
    page = f"<!doctype html><meta charset=utf-8><title>Crops at equal size</title><style>{STYLE}</style>"
    page += f"<h1>Crops at {given.bpp:g} bits per pixel, {ZOOM} times</h1>{''.join(rows)}"
    (given.out / "index.html").write_text(page)
    print(given.out / "index.html")
    if given.sheet and flat:
        sheet(flat).save(given.sheet, optimize=True)


def originals(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in {".png", ".ppm", ".jpg"})


def through_pinhole(pinhole: Pinhole, path: Path, bpp: float) -> tuple[np.ndarray, int]:
    with tempfile.TemporaryDirectory() as folder:
        stream, decoded = Path(folder) / "a.pin", Path(folder) / "a.ppm"
        pinhole.run("encode", path, "-o", stream, "--target-bpp", str(bpp), *pinhole.encode_words)
        pinhole.run("decode", stream, "-o", decoded, *pinhole.decode_words)
        return np.asarray(Image.open(decoded)), stream.stat().st_size


def at_size(peer: Peer, original: np.ndarray, limit: int) -> tuple[np.ndarray, int]:
    """The best of a peer's rates within a size; its smallest file if none is."""
    low, high = sorted((peer.rates[0], peer.rates[-1]))
    # JPEG XL's rate is a distance and falls; all others rise with the size.
    rising = peer.rates[0] < peer.rates[-1]
    best = peer.encode(original, low if rising else high)
    for _ in range(8):
        middle = (low + high) / 2
        data = peer.encode(original, middle if peer.name == "jpegxl" else round(middle))
        fits = len(data) <= limit
        if fits:
            best = data
        if fits == rising:
            low = middle
        else:
            high = middle
    return peer.decode(best), len(best)


def corners(original: np.ndarray) -> dict[str, tuple[int, int]]:
    """Top left corners of the busiest and the flattest square, by the mean step between neighbours."""
    grey = original.astype(np.float32).mean(2)
    step = np.zeros_like(grey)
    step[:-1] += np.abs(np.diff(grey, axis=0))
    step[:, :-1] += np.abs(np.diff(grey, axis=1))
    places = [
        (step[y : y + SIDE, x : x + SIDE].mean(), (y, x))
        for y in range(0, grey.shape[0] - SIDE + 1, 32)
        for x in range(0, grey.shape[1] - SIDE + 1, 32)
    ]
    return {"busiest": max(places)[1], "flattest": min(places)[1]} if places else {}


def square(pixels: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    y, x = corner
    return pixels[y : y + SIDE, x : x + SIDE]


def sheet(rows: list[dict[str, np.ndarray]]) -> Image.Image:
    """A row of squares for each picture, one pixel for one, under the names of their columns."""
    gap, head = 6, 16
    labels = list(rows[0])
    out = Image.new("RGB", (len(labels) * (SIDE + gap) - gap, head + len(rows) * (SIDE + gap) - gap), "white")
    draw = ImageDraw.Draw(out)
    for column, label in enumerate(labels):
        draw.text((column * (SIDE + gap) + 2, 2), label, fill="black")
        for row, squares in enumerate(rows):
            out.paste(Image.fromarray(squares[label]), (column * (SIDE + gap), head + row * (SIDE + gap)))
    return out


def picture_row(name: str, shown: dict[str, tuple[np.ndarray, int]], places: dict[str, tuple[int, int]], out: Path) -> str:
    text = f"<h2>{html.escape(name)}</h2>"
    for kind, corner in places.items():
        text += "<div class=row>"
        for number, (label, (pixels, size)) in enumerate(shown.items()):
            file = f"{name}-{kind}-{number}.png"
            Image.fromarray(square(pixels, corner)).save(out / file)
            text += f'<figure><img src="{html.escape(file)}" width={SIDE * ZOOM} height={SIDE * ZOOM} alt="">'
            text += f"<figcaption>{html.escape(label)}, {size:,} bytes</figcaption></figure>"
        text += "</div>"
    return text


if __name__ == "__main__":
    main()
