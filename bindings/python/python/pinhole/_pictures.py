"""Pictures as planes of bytes, and planes as arrays. Samples are copied only where their layout leaves no choice."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image
    from typing_extensions import Buffer

Interleaved: TypeAlias = Literal["gray", "graya", "rgb", "rgba", "bgra"]
"""Formats of one plane of bytes."""
Deep: TypeAlias = Literal["gray16"]
"""Grey samples of 8 to 16 bits in 16."""
Planar: TypeAlias = Literal["nv12", "nv21", "i420"]
"""Luma, and chroma of half the width and height: (Y, CbCr), (Y, CrCb), (Y, Cb, Cr)."""
Format: TypeAlias = Interleaved | Deep | Planar
"""How samples lie in memory."""
Yuv: TypeAlias = Literal["bt601-full", "bt601-limited", "bt709-full", "bt709-limited"]
"""What luma and chroma mean; the first is that of JPEG files."""

Bytes: TypeAlias = npt.NDArray[np.uint8]
Data: TypeAlias = "Buffer | npt.NDArray[np.uint8]"
"""Anything with contiguous bytes: `bytes`, `bytearray`, `memoryview`, `mmap`, an array."""
Picture: TypeAlias = "npt.NDArray[np.uint8 | np.uint16] | Image.Image | Sequence[npt.NDArray[np.uint8]] | Buffer"

_MAX_SIDE = 65535
# Samples of a pixel; those of deep grey are two bytes.
_SAMPLES: dict[str, int] = {"gray": 1, "graya": 2, "gray16": 2, "rgb": 3, "rgba": 4, "bgra": 4}
_BY_SAMPLES: dict[int, Format] = {1: "gray", 2: "graya", 3: "rgb", 4: "rgba"}
_PLANAR = get_args(Planar)

# Pillow's modes that are encoded as they are, and what others become. Alpha is not premultiplied here.
_MODES: dict[str, Format] = {"L": "gray", "LA": "graya", "RGB": "rgb", "RGBA": "rgba", "I;16": "gray16"}
_CONVERTED = {
    "1": "L",
    "La": "LA",
    "RGBa": "RGBA",
    "RGBX": "RGB",
    "YCbCr": "RGB",
    "P": "RGB",
    "PA": "RGBA",
    "I;16L": "I;16",
    "I;16B": "I;16",
}


def is_pillow(picture: object) -> bool:
    """Whether this is a `PIL.Image.Image`. Pillow is not imported for it."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(picture, module.Image)


def planes_of(
    picture: Picture, format: Format | None = None, size: tuple[int, int] | None = None
) -> tuple[Format, list[Bytes]]:
    """The picture's format and its planes, each of shape (rows, columns) or (rows, columns, bytes of a pixel).

    `format` says what shapes and types leave open; `size` is (width, height) of a buffer without a shape.
    Raises `TypeError` for what is no picture and `ValueError` for shapes that do not fit.
    """
    if is_pillow(picture):
        if format is not None or size is not None:
            raise ValueError("a Pillow image has its own format and size")
        name, array = _from_pillow(picture)  # type: ignore[arg-type]
        return name, [_plane(array, name)]
    if format is not None and format in _PLANAR:
        planes = _split(picture, format, size) if size is not None else picture
        if isinstance(planes, np.ndarray) or not isinstance(planes, Sequence):
            raise TypeError(f"{format}: a tuple of planes is needed, or a flat buffer and its size")
        return format, [_dense(_bytes(plane)) for plane in planes]
    if size is not None:
        if format is None or format not in _SAMPLES:
            raise ValueError("a buffer with a size needs a format")
        return format, [_shaped(_flat(picture), size, _SAMPLES[format])]
    array = np.asarray(picture)
    guessed = format or _guess(array)
    return guessed, [_plane(array, guessed)]


def empty(format: Format, width: int, height: int) -> tuple[Any, list[Bytes]]:
    """Memory for a picture: as the caller gets it (an array, or a tuple of them for planar formats) and as planes."""
    if format in _PLANAR:
        total = sum(map(math.prod, _plane_shapes(format, width, height)))
        planes = tuple(_split(np.empty(total, np.uint8), format, (width, height)))
        return planes, list(planes)
    if format == "gray16":
        deep = np.empty((height, width), "<u2")
        return deep, [_plane(deep, format)]
    samples = _SAMPLES.get(format)
    if samples is None:
        raise ValueError(f"no sample format '{format}'")
    array = np.empty((height, width) if samples == 1 else (height, width, samples), np.uint8)
    return array, [array]


def planes_to_fill(out: Any, format: Format) -> list[Bytes]:
    """The planes of memory that a caller gives to decode into; raises `ValueError` if they cannot be used in place."""
    wholes = list(out) if format in _PLANAR else [out]
    arrays = [np.asarray(whole) for whole in wholes]
    planes = [_plane(array, format) for array in arrays]
    for whole, array, plane in zip(wholes, arrays, planes, strict=True):
        if not np.may_share_memory(array, plane) or not isinstance(whole, np.ndarray | memoryview):
            raise ValueError("out: rows must be dense, from the top, in an array or a memoryview")
    return planes


def _from_pillow(image: Image.Image) -> tuple[Format, npt.NDArray[Any]]:
    mode = _CONVERTED.get(image.mode, image.mode)
    if mode not in _MODES:
        raise ValueError(f"Pillow's mode {image.mode} cannot be encoded: convert it first")
    if image.has_transparency_data and mode in ("L", "RGB"):
        mode += "A"
    if mode != image.mode:
        image = image.convert(mode)
    return _MODES[mode], np.asarray(image)


def _guess(array: npt.NDArray[Any]) -> Format:
    if array.ndim == 2 and array.dtype.kind == "u" and array.itemsize == 2:
        return "gray16"
    samples = 1 if array.ndim == 2 else array.shape[2] if array.ndim == 3 else 0
    if samples not in _BY_SAMPLES:
        raise ValueError(f"an array of shape {array.shape} is no picture: (rows, columns[, 1 to 4]) is")
    return _BY_SAMPLES[samples]


def _plane(array: npt.NDArray[Any], format: Format) -> Bytes:
    """A single plane's array as bytes."""
    if format != "gray16":
        return _dense(_bytes(array))
    if array.dtype.kind != "u" or array.itemsize != 2:
        raise TypeError(f"gray16: samples must be uint16, not {array.dtype}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    # Little-endian, whatever the machine.
    array = _dense(array.astype("<u2", copy=False))
    return array[:, :, np.newaxis].view(np.uint8)


def _bytes(samples: Any) -> Bytes:
    array: npt.NDArray[Any] = np.asarray(samples)
    if array.dtype != np.uint8:
        raise TypeError(f"samples must be uint8, not {array.dtype}")
    return array


def _dense(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array itself if each row is one run of memory and rows follow each other from the top, else a copy."""
    if array.ndim not in (2, 3):
        raise ValueError(f"an array of shape {array.shape} is no picture: (rows, columns[, samples]) is")
    if array.size == 0:
        raise ValueError(f"an array of shape {array.shape} is empty")
    if max(array.shape[:2]) > _MAX_SIDE:
        # Before it is copied: a broadcast array may have any shape and no memory.
        raise ValueError(f"an array of shape {array.shape} is too large: each side must be 1 to {_MAX_SIDE}")
    row = array[0]
    if row.flags.c_contiguous and (len(array) == 1 or array.strides[0] >= row.nbytes):
        return array
    return np.ascontiguousarray(array)


def _flat(buffer: Any) -> Bytes:
    """All bytes of a buffer."""
    if isinstance(buffer, np.ndarray):
        buffer = np.ascontiguousarray(buffer)
    view = memoryview(buffer)
    if not view.c_contiguous:
        raise ValueError("a buffer with a size must be contiguous")
    return np.frombuffer(view.cast("B") if view.nbytes else b"", np.uint8)


def _shaped(flat: Bytes, size: tuple[int, int], samples: int) -> Bytes:
    width, height = size
    if width < 1 or height < 1 or flat.size != width * height * samples:
        raise ValueError(f"{flat.size} bytes are no {width}x{height} pixels of {samples} bytes")
    return flat.reshape(height, width, samples)


def _plane_shapes(format: Format, width: int, height: int) -> list[tuple[int, ...]]:
    half = (-(-height // 2), -(-width // 2))
    return [(height, width), *([half, half] if format == "i420" else [(*half, 2)])]


def _split(buffer: Any, format: Format, size: tuple[int, int]) -> list[Bytes]:
    """The planes of a 4:2:0 picture that follow each other in a buffer."""
    flat = _flat(buffer)
    shapes = _plane_shapes(format, *size)
    lengths = list(map(math.prod, shapes))
    if min(size) < 1 or flat.size != sum(lengths):
        raise ValueError(f"{flat.size} bytes are no {size[0]}x{size[1]} pixels of {format}")
    parts = np.split(flat, np.cumsum(lengths)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
