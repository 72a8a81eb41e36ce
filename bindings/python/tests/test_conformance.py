"""The files and the pixels of tests/conformance, through Python: the same hashes as everywhere."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from conftest import ROOT, Bytes

import pinhole

FOLDER = ROOT / "tests/conformance"
MODELS = {"v1.txt": FOLDER / "toy.pinm", "photo.txt": ROOT / "models/zoo/photo/photo.pinm"}
YUV: dict[str, pinhole.Yuv] = {"jpeg": "bt601-full", "video": "bt709-limited"}
PLANES = {"nv12": 2, "nv21": 2, "i420": 3}
CHANNELS = {"gray8": 1, "graya8": 2, "gray16": 2, "rgb8": 3, "rgba8": 4, "bgra8": 4}
NAMES: dict[str, pinhole.Format] = {
    "gray8": "gray",
    "graya8": "graya",
    "gray16": "gray16",
    "rgb8": "rgb",
    "rgba8": "rgba",
    "bgra8": "bgra",
}


def lines(name: str) -> list[str]:
    return [line for line in (FOLDER / name).read_text().splitlines() if not line.startswith("#")]


def fnv(data: bytes) -> str:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def picture(kind: str, width: int, height: int) -> bytes:
    """The picture of `cases.rs`, planes behind each other."""
    planes = PLANES.get(kind, 1)
    noise = width * 31 + height
    out = bytearray()
    for plane in range(planes):
        half = -(-width // 2)
        row = width * CHANNELS.get(kind, 1) if plane == 0 else half * (2 if planes == 2 else 1)
        channels = CHANNELS.get(kind, 1)
        for y in range(height if plane == 0 else -(-height // 2)):
            for at in range(row):
                x, c = at // channels, at % channels + plane
                noise = (noise * 1664525 + 1013904223) & 0xFFFFFFFF
                wave = (x * (3 + c) + y * 2) // 3 % 256
                wave = wave if wave < 128 else 255 - wave
                match (x // 32 + y // 48) % 4:
                    case 0:
                        value = 40 + 50 * c
                    case 1:
                        value = 60 + wave
                    case 2:
                        value = wave + (noise >> 25)
                    case _:
                        value = 230 if (x + 2 * y) % 50 < 20 else 12 * c
                out.append(value & 0xFF)
    return bytes(out)


def flat(pixels: Any) -> bytes:
    planes = pixels if isinstance(pixels, tuple) else (pixels,)
    return b"".join(cast(Bytes, plane).tobytes() for plane in planes)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("threads", [1, 2])
def test_files_and_pixels(name: str, threads: int) -> None:
    model = pinhole.load_model(MODELS[name])
    encoder = pinhole.Encoder(model, threads=threads)
    decoder = pinhole.Decoder(model, threads=threads)
    checked = 0
    for line in lines(name):
        case, found = line.split(" "), []
        kind, _, space = case[0].partition("-")
        width, height = map(int, case[1].split("x"))
        yuv = YUV.get(space, "bt601-full")
        format = NAMES.get(kind, cast(pinhole.Format, kind))
        data = picture(kind, width, height)
        buffer = np.frombuffer(data, "<u2").reshape(height, width) if kind == "gray16" else data
        file = encoder.encode(
            buffer,
            format=format,
            size=None if kind == "gray16" else (width, height),
            yuv=yuv,
            quality=float(case[2][1:]),
            chunk_rows=int(case[3][1:]),
        )
        pixels = decoder.decode_all(file, format=format, yuv=yuv).pixels
        found = [*case[:4], str(len(file)), fnv(file), fnv(flat(pixels))]
        assert found == case
        checked += 1
    assert checked >= 11


@pytest.mark.parametrize("line", lines("frozen.txt"))
def test_old_files_decode_for_ever(line: str) -> None:
    name, expected = line.split(" ")
    model = pinhole.load_model(MODELS["v1.txt"])
    pixels = pinhole.decode(Path(FOLDER / "frozen" / name).read_bytes(), model=model)
    assert fnv(pixels.tobytes()) == expected
