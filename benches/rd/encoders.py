"""The codecs that are compared: how each is run and at which rates.

Every codec gets the same 8-bit RGB pixels and one thread. Its settings are those that its own
users get for photographs by default, or better ones where they cost nothing (optimised Huffman
tables and progressive scans for JPEG).
"""

import io
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, features

# Pillow has no public name for the version of the AV1 encoder inside.
from PIL import _avif as pillow_avif


@dataclass(frozen=True)
class Peer:
    """A codec to compare with."""

    name: str
    label: str
    """What plots and tables call it."""
    settings: str
    """Versions and every setting but the rate's; part of the cache's key."""
    rates: tuple[float, ...]
    """Values of the rate parameter, from the smallest files to the largest."""
    encode: Callable[[np.ndarray, float], bytes]
    decode: Callable[[bytes], np.ndarray]


def peers() -> list[Peer]:
    """All peers, the traditional baseline first."""
    return [_jpeg(), _webp(), _avif_420(), _avif_444(), _jpegxl()]


def _jpeg() -> Peer:
    version = features.version("libjpeg_turbo")
    return Peer(
        name="jpeg",
        label="JPEG (libjpeg-turbo)",
        settings=f"libjpeg-turbo {version}, progressive, optimised Huffman tables, 4:2:0",
        rates=(8, 15, 23, 31, 40, 50, 60, 70, 78, 85, 91, 95),
        encode=lambda rgb, quality: _pillow_encode(
            rgb, "JPEG", quality=int(quality), progressive=True, optimize=True, subsampling="4:2:0"
        ),
        decode=_pillow_decode,
    )


def _webp() -> Peer:
    return Peer(
        name="webp",
        label="WebP (libwebp m4)",
        settings=f"libwebp {features.version('webp')}, method 4",
        rates=(1, 8, 17, 27, 38, 50, 60, 70, 79, 87, 93, 97),
        encode=lambda rgb, quality: _pillow_encode(rgb, "WEBP", quality=int(quality), method=4),
        decode=_pillow_decode,
    )


def _avif_420() -> Peer:
    return _avif("avif-420", "AVIF (libaom s6, 4:2:0)", "4:2:0")


def _avif_444() -> Peer:
    return _avif("avif-444", "AVIF (libaom s6, 4:4:4)", "4:4:4")


def _avif(name: str, label: str, subsampling: str) -> Peer:
    libaom = re.search(r"aom \[enc\]:([\w.]+)", pillow_avif.codec_versions())
    versions = f"libavif {features.version('avif')}, libaom {libaom[1] if libaom else 'unknown'}"
    return Peer(
        name=name,
        label=label,
        # Since 1.4 libavif tunes libaom for still pictures (tune=iq) by itself.
        settings=f"{versions}, speed 6, tune iq, {subsampling}, 8 bits",
        rates=(8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 87, 93),
        encode=lambda rgb, quality: _pillow_encode(
            rgb,
            "AVIF",
            quality=int(quality),
            speed=6,
            subsampling=subsampling,
            codec="aom",
            max_threads=1,
            advanced={"tune": "iq"},
        ),
        decode=_pillow_decode,
    )


def _jpegxl() -> Peer:
    version = imagecodecs.jpegxl_version().removeprefix("libjxl ")
    return Peer(
        name="jpegxl",
        label="JPEG XL (libjxl e7)",
        settings=f"libjxl {version}, effort 7, VarDCT, distance as rate",
        rates=(12, 8.5, 6.5, 5, 4, 3.2, 2.5, 1.9, 1.4, 1, 0.7, 0.45),
        encode=lambda rgb, distance: imagecodecs.jpegxl_encode(
            rgb, distance=distance, effort=7, lossless=False, numthreads=1
        ),
        decode=lambda data: imagecodecs.jpegxl_decode(data, numthreads=1),
    )


def _pillow_encode(rgb: np.ndarray, kind: str, **settings) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, kind, **settings)
    return file.getvalue()


def _pillow_decode(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def _options(*pairs: tuple[str, object]) -> list[str]:
    return [word for name, value in pairs if value for word in (name, str(value))]


class Pinhole:
    """The `pinhole` program, run on many pictures at a time."""

    name = "pinhole"
    label = "Pinhole"

    def __init__(
        self, program: Path, model: Path | None, qualities: tuple[float, ...],
        effort: str | None = None, decoder: str | None = None, decoder_model: Path | None = None, tune: str | None = None,
    ):  # fmt: skip
        self.program = program
        self.rates = qualities
        self.encode_words = _options(("--model", model), ("--effort", effort), ("--tune", tune))
        self.decode_words = _options(("--model", decoder_model or model), ("--decoder", decoder))
        version = self.run("--version").strip()
        named = {"effort": effort, "tune": tune, "decoder": decoder}
        chosen = [f"{name} {value}" for name, value in named.items() if value]
        self.settings = ", ".join([version, f"model {model.name}" if model else "shipped model", *chosen])

    def encode(self, pictures: list[Path], quality: float, folder: Path) -> None:
        """Writes each picture's `.pin` file into `folder`."""
        self.run("encode", "-f", "-q", str(quality), "-o", f"{folder}/", *self.encode_words, *pictures)

    def decode(self, streams: list[Path], folder: Path) -> None:
        """Writes each stream's `.ppm` picture into `folder`."""
        self.run("decode", "-f", "--format", "ppm", "-o", f"{folder}/", *self.decode_words, *streams)

    def run(self, *words: str | Path, stdin: str = "") -> str:
        """Runs a subcommand and returns its standard output; raises what it says if it fails."""
        command = [str(self.program), *map(str, words)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command[:2])}: {done.stderr.strip()}")
        return done.stdout
