#!/usr/bin/env python3
"""How much edges of 8×8 and 16×16 patches show: the error's steps across them against its steps elsewhere.

1 is an error that knows nothing of patches. JPEG's is the measure of what everybody has seen. All codecs at Pinhole's
size or the next below; over whole pictures, and over the flattest square of each, where edges show most.
"""

import argparse
from pathlib import Path

import numpy as np
from borders import blocking
from crops import SIDE, at_size, corners, originals, square, through_pinhole
from encoders import Pinhole, peers
from PIL import Image


def main() -> None:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of originals")
    parser.add_argument("--pinhole", type=Path, default=here.parents[1] / "target/release/pinhole")
    parser.add_argument("--model", type=Path, help="model bundle instead of the shipped one")
    parser.add_argument("--bpp", type=float, nargs="+", default=[0.15, 0.3, 0.6], help="bits per pixel of Pinhole's files")
    given = parser.parse_args()
    pinhole = Pinhole(given.pinhole.resolve(), given.model, ())
    for bpp in given.bpp:
        found: dict[str, list[list[float]]] = {}
        for path in originals(given.pictures):
            original = np.asarray(Image.open(path).convert("RGB"))
            # Squares begin at multiples of 32, so that patches stay where they are. Pictures without one tell too little.
            places = corners(original)
            if not places:
                continue
            decoded, size = through_pinhole(pinhole, path, bpp)
            drawn = {"Pinhole": decoded} | {peer.label: at_size(peer, original, size)[0] for peer in peers()}
            for label, picture in drawn.items():
                parts = ((original, picture), (square(original, places["flattest"]), square(picture, places["flattest"])))
                found.setdefault(label, []).append([blocking(*part, patch) for part in parts for patch in (8, 16)])
        for label, rows in found.items():
            whole8, whole16, flat8, flat16 = np.exp(np.log(np.array(rows)).mean(0))
            print(f"{bpp:g} bpp  {label:24} 8×8 {whole8:5.2f}  16×16 {whole16:5.2f}   flattest {SIDE}²: {flat8:5.2f} {flat16:5.2f}")


if __name__ == "__main__":
    main()
