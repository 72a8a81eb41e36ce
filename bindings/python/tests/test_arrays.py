"""Arrays of every format and layout, in and out."""

import mmap
from pathlib import Path

import numpy as np
import pytest
from conftest import Bytes, psnr
from PIL import Image

import pinhole


def test_colour(rgb: Bytes) -> None:
    data = pinhole.encode(rgb, quality=80)
    pixels = pinhole.decode(data)
    assert isinstance(data, bytes)
    assert pixels.shape == rgb.shape and pixels.dtype == np.uint8 and pixels.flags.writeable
    assert psnr(rgb, pixels) > 32
    assert len(pinhole.encode(rgb, quality=30)) < len(data) < rgb.nbytes / 10


def test_gray(gray: Bytes) -> None:
    data = pinhole.encode(gray, quality=80)
    assert pinhole.info(data).format == "gray"
    assert pinhole.decode(data).shape == gray.shape
    assert psnr(gray, pinhole.decode(data)) > 32
    assert pinhole.encode(gray[:, :, np.newaxis], quality=80) == data


def test_alpha_is_lossless(rgba: Bytes, gray: Bytes) -> None:
    pixels = pinhole.decode(pinhole.encode(rgba, quality=20))
    assert np.array_equal(pixels[:, :, 3], rgba[:, :, 3])
    both = np.dstack([gray, gray[::-1]])
    data = pinhole.encode(both)
    assert pinhole.info(data).format == "graya"
    assert np.array_equal(pinhole.decode(data)[:, :, 1], gray[::-1])


def test_bgra_is_rgba_in_another_order(rgba: Bytes) -> None:
    bgra = np.ascontiguousarray(rgba[:, :, [2, 1, 0, 3]])
    data = pinhole.encode(rgba)
    assert pinhole.encode(bgra, format="bgra") == data
    assert np.array_equal(pinhole.decode(data, format="bgra"), pinhole.decode(data)[:, :, [2, 1, 0, 3]])


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_deep_gray(gray: Bytes, bits: int) -> None:
    deep = (gray.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    data = pinhole.encode(deep, bits=bits, quality=85)
    # A stream of eight bits; the reduction may round some samples differently.
    assert psnr(gray, pinhole.decode(data)) > 33
    back = pinhole.decode(data, format="gray16", bits=bits)
    assert back.dtype == np.uint16 and back.max() <= 2**bits - 1
    assert np.array_equal((back.astype(np.uint32) * 255 + (2**bits - 1) // 2) // (2**bits - 1), pinhole.decode(data))
    swapped = deep.astype(">u2")
    assert pinhole.encode(swapped, bits=bits, quality=85) == data
    wide = np.zeros((deep.shape[0], deep.shape[1] + 3), np.uint16)
    wide[:, :-3] = deep
    assert pinhole.encode(wide[:, :-3], bits=bits, quality=85) == data


@pytest.mark.parametrize("format", ["nv12", "nv21", "i420"])
@pytest.mark.parametrize("size", [(600, 400), (77, 51)])
def test_planes(rgb: Bytes, format: pinhole.Format, size: tuple[int, int]) -> None:
    width, height = size
    stream = pinhole.encode(np.ascontiguousarray(rgb[:height, :width]), quality=90)
    planes = pinhole.Decoder().decode_all(stream, format=format, yuv="bt709-limited").pixels
    half = (-(-height // 2), -(-width // 2))
    assert [p.shape for p in planes[1:]] == ([half, half] if format == "i420" else [(*half, 2)])
    data = pinhole.encode(planes, format=format, yuv="bt709-limited", quality=90)
    assert psnr(pinhole.decode(data), pinhole.decode(stream)) > 28
    buffer = b"".join(plane.tobytes() for plane in planes)
    assert pinhole.encode(buffer, format=format, size=size, yuv="bt709-limited", quality=90) == data
    # Cameras have gaps between rows.
    padded = [np.zeros((p.shape[0], p.shape[1] + 5, *p.shape[2:]), np.uint8) for p in planes]
    for to, plane in zip(padded, planes, strict=True):
        to[:, :-5] = plane
    views = tuple(to[:, :-5] for to in padded)
    assert pinhole.encode(views, format=format, yuv="bt709-limited", quality=90) == data


def test_layouts_give_the_same_bytes(rgb: Bytes) -> None:
    part = rgb[40:140, 30:160]
    expected = pinhole.encode(part.copy())
    assert pinhole.encode(part) == expected
    assert pinhole.encode(np.asfortranarray(part)) == expected
    assert pinhole.encode(part[::-1].copy()[::-1]) == expected
    assert pinhole.encode(part[:, ::-1].copy()[:, ::-1]) == expected
    assert pinhole.encode(np.repeat(part, 2, axis=0)[::2]) == expected
    read_only = part.copy()
    read_only.flags.writeable = False
    assert pinhole.encode(read_only) == expected
    assert pinhole.encode(part.copy().data) == expected
    assert pinhole.encode(bytearray(part.tobytes()), format="rgb", size=(130, 100)) == expected
    column = rgb[:, :1]
    assert pinhole.encode(column) == pinhole.encode(column.copy())
    assert pinhole.encode(rgb[:1]) == pinhole.encode(rgb[:1].copy())


def test_pillow_images_are_pictures(rgb: Bytes, rgba: Bytes, gray: Bytes) -> None:
    for array in (rgb, rgba, gray):
        assert pinhole.encode(Image.fromarray(array), quality=70) == pinhole.encode(array, quality=70)
    palette = Image.fromarray(rgb).quantize(64)
    assert pinhole.encode(palette) == pinhole.encode(palette.convert("RGB"))
    deep = gray.astype(np.uint16) * 257
    assert pinhole.encode(Image.fromarray(deep)) == pinhole.encode(deep)


def test_decoding_in_place(rgb: Bytes) -> None:
    data = pinhole.encode(rgb)
    expected = pinhole.decode(data)
    whole = np.full((rgb.shape[0], rgb.shape[1] + 7, 3), 99, np.uint8)
    inside = whole[:, :-7]
    assert pinhole.decode(data, out=inside) is inside
    assert np.array_equal(inside, expected) and (whole[:, -7:] == 99).all()
    memory = bytearray(rgb.nbytes)
    pinhole.decode(data, out=memoryview(memory).cast("B", rgb.shape))
    assert memory == expected.tobytes()
    deep = np.zeros((rgb.shape[0], rgb.shape[1] + 1), np.uint16)
    pinhole.decode(data, format="gray16", out=deep[:, :-1])
    assert np.array_equal(deep[:, :-1], pinhole.decode(data, format="gray16")) and not deep[:, -1].any()
    planes = tuple(np.zeros_like(p) for p in pinhole.decode(data, format="i420"))
    pinhole.decode(data, format="i420", out=planes)
    assert all(map(np.array_equal, planes, pinhole.decode(data, format="i420")))


def test_streams_may_be_any_buffer(rgb: Bytes, tmp_path: Path) -> None:
    data = pinhole.encode(rgb)
    expected = pinhole.decode(data)
    for kind in (bytearray, memoryview, lambda d: np.frombuffer(d, np.uint8)):
        assert np.array_equal(pinhole.decode(kind(data)), expected)
    path = tmp_path / "x.pin"
    path.write_bytes(data)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert np.array_equal(pinhole.decode(mapped), expected)


def test_target_size(rgb: Bytes) -> None:
    for target in (4000, 20000):
        length = len(pinhole.encode(rgb, target_bytes=target))
        assert 0.9 * target < length <= target
    with pytest.raises(pinhole.EncodeError, match="cannot reach 10 bytes"):
        pinhole.encode(rgb, target_bytes=10)


def test_threads_change_nothing(rgb: Bytes) -> None:
    data = pinhole.encode(rgb, chunk_rows=64)
    for threads in (0, 2, 5):
        assert pinhole.encode(rgb, chunk_rows=64, threads=threads) == data
        assert np.array_equal(pinhole.decode(data, threads=threads), pinhole.decode(data))


def test_info_and_metadata(rgb: Bytes) -> None:
    data = pinhole.encode(rgb, quality=42.5, chunk_rows=128, icc=b"profile", exif=b"Exif\0\0II*\0", xmp="<x>é</x>")
    about = pinhole.info(data)
    assert (about.width, about.height, about.format) == (600, 400, "rgb")
    assert (about.quality, about.chunk_rows, about.chunks) == (42.5, 128, 4)
    assert about.latent_space == pinhole.Model().latent_space
    decoded = pinhole.decode_all(data)
    for carried in (about, decoded):
        assert (carried.icc, carried.exif, carried.xmp) == (b"profile", b"II*\0", "<x>é</x>".encode())
    assert decoded.damaged == []
    assert pinhole.info(data[:200]) == about
    plain = pinhole.decode_all(pinhole.encode(rgb))
    assert (plain.icc, plain.exif, plain.xmp) == (None, None, None)


def test_smaller_pictures(rgb: Bytes) -> None:
    data = pinhole.encode(rgb)
    whole = pinhole.decode(data).astype(float)
    half = pinhole.decode(data, scale=2)
    height, width = (-(-side // 2) for side in rgb.shape[:2])
    assert half.shape == (height, width, 3)
    even = whole[: whole.shape[0] // 2 * 2, : whole.shape[1] // 2 * 2]
    means = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    assert np.abs(half[: means.shape[0], : means.shape[1]] - means).mean() < 1.5
    assert pinhole.decode(data, scale=8, format="nv12")[0].shape == tuple(-(-side // 8) for side in rgb.shape[:2])
    for wrong in (0, 3, 16):
        with pytest.raises(ValueError, match="scale"):
            pinhole.decode(data, scale=wrong)  # type: ignore[call-overload]


def test_efforts_and_decoders() -> None:
    model = pinhole.Model()
    assert model.efforts == ["fast", "default", "best"] and model.decoders == ["standard", "lite"]
    grey = np.full((20, 30), 90, np.uint8)
    data = pinhole.encode(grey, effort="default")
    assert data == pinhole.encode(grey)
    assert np.array_equal(pinhole.decode(data, decoder="standard"), pinhole.decode(data))
    assert pinhole.decode(pinhole.encode(grey, effort="fast"), decoder="lite").shape == grey.shape
    toy = pinhole.load_model(Path(__file__).parents[3] / "tests/conformance/toy.pinm")
    assert (toy.efforts, toy.decoders) == (["default", "best"], ["standard"])
    with pytest.raises(pinhole.EncodeError, match="effort fast"):
        pinhole.encode(grey, model=toy, effort="fast")
    data = pinhole.encode(grey, model=toy)
    with pytest.raises(pinhole.DecodeError, match="decoder lite"):
        pinhole.decode(data, model=toy, decoder="lite")
    with pytest.raises(ValueError, match="effort"):
        pinhole.encode(grey, effort="most")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="decoder"):
        pinhole.decode(data, decoder="large")  # type: ignore[call-overload]


def test_tunes(rgb: Bytes) -> None:
    data = pinhole.encode(rgb, tune="perceptual")
    assert data == pinhole.encode(rgb)
    other = pinhole.encode(rgb, tune="psnr")
    assert other != data and pinhole.decode(other).shape == rgb.shape
    height, width, _ = rgb.shape
    with pinhole.StreamEncoder(width, height, tune="psnr") as stream:
        assert stream.push(rgb) == other
    with pytest.raises(ValueError, match="tune"):
        pinhole.encode(rgb, tune="film")  # type: ignore[arg-type]
