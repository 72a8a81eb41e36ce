"""Wrong arguments and damaged or hostile streams: exceptions, never anything worse."""

import random
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Bytes, psnr

import pinhole


@pytest.fixture(scope="module")
def small(rgba: Bytes) -> Bytes:
    return np.ascontiguousarray(rgba[100:230, 100:200])


@pytest.mark.parametrize(
    "picture",
    [
        None,
        7,
        "text",
        b"bytes",
        [],
        {},
        object(),
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 3), np.int8),
        np.zeros((4, 4, 3), np.uint16),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((4, 4, 0), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((1, 1, 1, 1), np.uint8),
        np.zeros((65536, 1), np.uint8),
        np.zeros((1, 65536), np.uint8),
        np.broadcast_to(np.uint8(0), (1 << 20, 1 << 20, 3)),
        np.array([[None]]),
    ],
    ids=repr,
)
def test_what_is_no_picture(picture: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        pinhole.encode(picture)


@pytest.mark.parametrize(
    "options",
    [
        {"quality": -1},
        {"quality": 101},
        {"quality": float("nan")},
        {"quality": "high"},
        {"target_bytes": -1},
        {"target_bytes": 0},
        {"target_bytes": 1.5},
        {"chunk_rows": 0},
        {"chunk_rows": 100},
        {"chunk_rows": 1 << 17},
        {"format": "rgb"},
        {"format": "cmyk"},
        {"format": "nv12"},
        {"format": "rgba", "size": (100, 131)},
        {"format": "rgba", "size": (-1, -1)},
        {"size": (100, 130)},
        {"yuv": "bt2020"},
        {"icc": "text"},
        {"xmp": b"x" * (1 << 24)},
        {"nonsense": 1},
    ],
    ids=lambda o: repr(o)[:40],
)
def test_wrong_options(small: Bytes, options: Any) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        pinhole.encode(small, **options)


def test_planes_that_do_not_fit() -> None:
    luma, chroma = np.zeros((6, 8), np.uint8), np.zeros((3, 4, 2), np.uint8)
    for planes in ((luma,), (luma, chroma, chroma), (luma, chroma[:2]), (luma, chroma[:, :3]), luma, None, 3):
        with pytest.raises((ValueError, TypeError)):
            pinhole.encode(planes, format="nv12")  # type: ignore[arg-type]
    with pytest.raises(pinhole.EncodeError, match="8 to 16"):
        pinhole.encode(np.zeros((4, 4), np.uint16), bits=7)


def test_outputs_that_do_not_fit(small: Bytes) -> None:
    data = pinhole.encode(small)
    right = np.zeros(small.shape, np.uint8)
    read_only = np.zeros(small.shape, np.uint8)
    read_only.flags.writeable = False
    same = np.zeros((130, 100), np.uint8)
    wrong: list[tuple[pinhole.Format, Any]] = [
        ("rgba", read_only),
        ("rgba", right[1:]),
        ("rgba", right[:, :, :3]),
        ("rgba", right[::-1]),
        ("rgba", right.astype(np.uint16)),
        ("rgba", np.broadcast_to(right[:1], small.shape)),
        ("rgba", right.tolist()),
        ("rgba", bytes(right)),
        ("rgba", 5),
        ("gray", read_only[:, :, 0]),
        ("gray16", same),
        ("nv12", (same, same[:65].reshape(65, 50, 2))),
        ("nv12", same),
    ]
    for format, out in wrong:
        with pytest.raises((ValueError, TypeError)):
            pinhole.decode_all(data, format=format, out=out)


def test_the_stream_is_not_decoded_over_itself(gray: Bytes) -> None:
    data = pinhole.encode(gray[:64, :64])
    memory = np.zeros(64 * 64 + len(data), np.uint8)
    memory[: len(data)] = np.frombuffer(data, np.uint8)
    with pytest.raises(ValueError, match="share memory"):
        pinhole.decode(memory[: len(data)], out=memory[10 : 10 + 4096].reshape(64, 64))
    # Beside it there is room.
    pinhole.decode(memory[: len(data)], out=memory[len(data) :].reshape(64, 64))
    assert np.array_equal(memory[len(data) :].reshape(64, 64), pinhole.decode(data))


@pytest.mark.parametrize("data", [None, 5, "text", [], b"", b"GIF89a", b"\xd0P\r\n", b"\xd0P\r\n" + bytes(60)])
def test_what_is_no_stream(data: Any) -> None:
    for call in (pinhole.decode, pinhole.decode_all, pinhole.info):
        with pytest.raises((pinhole.DecodeError, TypeError, BufferError)):
            call(data)


def test_every_flipped_byte_is_noticed(small: Bytes) -> None:
    data = pinhole.encode(small, chunk_rows=64, exif=b"II*\0")
    chance = random.Random(5)
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << chance.randrange(8)
        with pytest.raises(pinhole.PinholeError):
            pinhole.decode(damaged)
        try:
            found = pinhole.decode_all(damaged, conceal=True)
        except pinhole.PinholeError:
            assert at < 32, "only a header is beyond repair"
        else:
            assert found.pixels.shape == small.shape


@pytest.mark.parametrize("keep", [0, 3, 25, 40, 0.3, 0.9])
def test_cut_streams(small: Bytes, keep: float) -> None:
    data = pinhole.encode(small)
    part = data[: keep if isinstance(keep, int) else int(len(data) * keep)]
    with pytest.raises(pinhole.DecodeError):
        pinhole.decode(part)


def test_lost_chunks_are_concealed(rgb: Bytes) -> None:
    data = bytearray(pinhole.encode(rgb, chunk_rows=64, quality=70))
    whole = pinhole.decode(data)
    for at in range(len(data) // 2, len(data) // 2 + 50):
        data[at] ^= 0xFF
    with pytest.raises(pinhole.DecodeError):
        pinhole.decode(data)
    found = pinhole.decode_all(data, conceal=True)
    assert len(found.damaged) == 1
    (band, kind), *_ = found.damaged
    assert kind == "latents" and 0 < band < 6
    # The synthesis reaches 96 rows; farther from the lost band nothing changes.
    assert band > 2
    assert np.array_equal(found.pixels[: band * 64 - 96], whole[: band * 64 - 96])
    assert 10 < psnr(found.pixels, whole) < 50


def crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 & -(value & 1))
    return value ^ 0xFFFFFFFF


def test_a_large_claim_takes_no_memory(rgb: Bytes) -> None:
    space = bytes.fromhex(pinhole.Model().latent_space)
    for sides in (b"\xff\xff\x03" + b"\xff\xff\x03", b"\xff\xff\x03" + b"\xd0\x0f"):
        head = b"\xd0P\r\n\x01\x01\x88\x13" + space + sides + b"\x04\x00"
        data = head + crc32c(head).to_bytes(4, "little")
        assert pinhole.info(data).width == 65535
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for conceal in (False, True):
            with pytest.raises(pinhole.DecodeError):
                pinhole.decode(data, conceal=conceal)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    with pytest.raises(pinhole.DecodeError, match="240000 pixels are more than the limit of 239999"):
        pinhole.decode(pinhole.encode(rgb), max_pixels=239_999)


def test_models(tmp_path: Path, small: Bytes) -> None:
    for bytes_ in (b"", b"GIF89a", (ROOT / "tests/conformance/toy.pinm").read_bytes()[:-1]):
        with pytest.raises(pinhole.ModelError):
            pinhole.Model.from_bytes(bytes_)
    with pytest.raises(FileNotFoundError):
        pinhole.load_model(tmp_path / "none.pinm")
    toy = pinhole.load_model(ROOT / "tests/conformance/toy.pinm")
    assert toy.can_encode and toy.can_decode and toy.manifest.startswith("{")
    assert toy.latent_space != pinhole.Model().latent_space
    with pytest.raises(pinhole.ModelError, match="made for latent space"):
        pinhole.decode(pinhole.encode(small, model=toy))
