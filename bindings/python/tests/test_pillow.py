"""Pillow's way to files."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Bytes, psnr
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

import pinhole
import pinhole.pillow


def saved(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "PIN", **options)
    return file.getvalue()


def test_open_and_save(tmp_path: Path, rgb: Bytes) -> None:
    path = tmp_path / "x.pin"
    Image.fromarray(rgb).save(path, quality=60)
    assert path.read_bytes() == pinhole.encode(rgb, quality=60)
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("PIN", "RGB", (600, 400))
        assert image.get_format_mimetype() == "image/x-pinhole"
        assert np.array_equal(np.asarray(image), pinhole.decode(path.read_bytes()))
        image.load()
    with Image.open(path) as image:
        assert image.crop((0, 0, 10, 10)).size == (10, 10)
        assert image.resize((60, 40)).size == (60, 40)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_modes_stay(rgba: Bytes, mode: str) -> None:
    image = Image.fromarray(rgba).convert(mode)
    again = Image.open(io.BytesIO(saved(image, quality=90)))
    assert again.mode == mode and again.size == image.size
    assert psnr(np.asarray(image), np.asarray(again)) > 30
    if "A" in mode:
        assert np.array_equal(np.asarray(again)[..., -1], rgba[..., 3])


@pytest.mark.parametrize(
    ("mode", "becomes"),
    [("1", "L"), ("P", "RGB"), ("YCbCr", "RGB"), ("RGBX", "RGB"), ("RGBa", "RGBA"), ("La", "LA"), ("PA", "RGBA")],
)
def test_other_modes_are_converted(rgba: Bytes, mode: str, becomes: str) -> None:
    image = Image.fromarray(rgba).convert({"PA": "P", "La": "LA", "P": "RGB"}.get(mode, "RGBA" if "a" in mode else "RGB"))
    image = image.convert(mode)
    assert Image.open(io.BytesIO(saved(image))).mode == becomes


def test_deep_gray_is_reduced(gray: Bytes) -> None:
    image = Image.fromarray(gray.astype(np.uint16) * 257)
    assert image.mode == "I;16"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(saved(image)))), pinhole.decode(saved(Image.fromarray(gray))))


@pytest.mark.parametrize("mode", ["CMYK", "I", "F", "LAB", "HSV"])
def test_modes_that_cannot_be(tmp_path: Path, mode: str) -> None:
    with pytest.raises(OSError, match=f"mode {mode} cannot be encoded"):
        Image.new(mode, (8, 8)).save(tmp_path / "x.pin")


def test_transparency_of_a_palette(rgb: Bytes) -> None:
    image = Image.fromarray(rgb).quantize(16)
    image.info["transparency"] = 3
    again = Image.open(io.BytesIO(saved(image)))
    assert again.mode == "RGBA"
    assert np.array_equal(np.asarray(again)[:, :, 3] == 0, np.asarray(image) == 3)


def test_metadata(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = Image.open(ROOT / "samples/rocket.jpg")
    exif = source.getexif()
    exif[0x010E] = "A rocket"
    exif[0x0112] = 6
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF/></x:xmpmeta>"
    source.save(tmp_path / "x.jpg", exif=exif, icc_profile=profile, xmp=xmp)
    with Image.open(tmp_path / "x.jpg") as image:
        image.save(tmp_path / "x.pin", exif=image.info["exif"], xmp=image.info["xmp"])
    with Image.open(tmp_path / "x.pin") as image:
        # Before the pixels are decoded.
        assert image.info["icc_profile"] == profile and image.info["xmp"] == xmp
        assert dict(image.getexif()) == dict(exif)
        image.save(tmp_path / "again.pin", exif=image.getexif())
        image.save(tmp_path / "bare.pin", icc_profile=None)
    about = pinhole.info((tmp_path / "x.pin").read_bytes())
    assert about.exif is not None and about.exif[:2] in (b"II", b"MM")
    with Image.open(tmp_path / "again.pin") as image:
        assert image.getexif()[0x010E] == "A rocket" and image.info["icc_profile"] == profile
        assert "xmp" not in image.info
    with Image.open(tmp_path / "bare.pin") as image:
        assert not {"exif", "icc_profile", "xmp"} & image.info.keys()


def test_options(rgb: Bytes) -> None:
    image = Image.fromarray(rgb)
    assert saved(image) == pinhole.encode(rgb)
    assert len(saved(image, target_bytes=9000)) <= 9000
    assert saved(image, quality=30, chunk_rows=64, threads=2) == pinhole.encode(rgb, quality=30, chunk_rows=64)
    with pytest.raises(OSError, match="quality 101"):
        saved(image, quality=101)


def test_damaged_files(tmp_path: Path, rgb: Bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.pin"
    data = pinhole.encode(rgb, chunk_rows=64)
    path.write_bytes(data[: len(data) * 2 // 3])
    with Image.open(path) as image, pytest.raises(OSError, match="bytes"):
        image.load()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with Image.open(path) as image:
        image.load()
        assert np.array_equal(np.asarray(image)[:64], pinhole.decode(data)[:64])


def test_files_that_are_none_of_ours(tmp_path: Path, rgb: Bytes) -> None:
    data = bytearray(pinhole.encode(rgb))
    data[20] ^= 1
    for name, content in (("header", data), ("short", data[:10]), ("empty", b""), ("text", b"hello")):
        path = tmp_path / f"{name}.pin"
        path.write_bytes(content)
        with pytest.raises(UnidentifiedImageError):
            Image.open(path)


def test_bombs_are_pillows_to_refuse(rgb: Bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600 * 400 // 3)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(pinhole.encode(rgb)))


def test_pillow_is_not_needed_and_not_loaded() -> None:
    program = "import sys, pinhole; assert not any(m.startswith('PIL') for m in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
