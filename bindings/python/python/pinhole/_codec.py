"""Encoders and decoders."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, Unpack, overload

import numpy as np
import numpy.typing as npt

from . import _native
from ._native import Model
from ._pictures import (
    Bytes,
    Data,
    Deep,
    Format,
    Interleaved,
    Picture,
    Planar,
    Yuv,
    empty,
    is_pillow,
    planes_of,
    planes_to_fill,
)

Scale = Literal[1, 2, 4, 8]
"""How many of the file's pixels a decoded one stands for along each axis."""

Effort = Literal["fast", "default", "best"]
"""How much work encoding may be; any decoder decodes the files of all."""

Tune = Literal["perceptual", "psnr"]
"""What the bits are spent on; any decoder decodes the files of all."""

Synthesis = Literal["standard", "lite"]
"""Which of the model's synthesis transforms draws the picture."""

MAX_PIXELS = 1 << 27
"""Larger pictures are not decoded unless `max_pixels` says so."""


class EncodeOptions(TypedDict, total=False):
    """What `Encoder.encode` takes beside the picture."""

    quality: float
    target_bytes: int | None
    effort: Effort
    tune: Tune
    chunk_rows: int
    format: Format | None
    size: tuple[int, int] | None
    bits: int
    yuv: Yuv
    icc: bytes | None
    exif: bytes | None
    xmp: bytes | str | None


@dataclass(frozen=True, slots=True)
class Info:
    """What the beginning of a stream tells."""

    width: int
    """Pixels of a row."""
    height: int
    """Rows."""
    format: Literal["gray", "graya", "rgb", "rgba"]
    """What it decodes to unless asked otherwise."""
    quality: float
    """0 to 100."""
    chunk_rows: int
    """Rows of a chunk."""
    chunks: int
    """Chunks of the whole stream."""
    latent_space: str
    """The model's that decodes it; see `Model.latent_space`."""
    icc: bytes | None
    """The ICC profile."""
    exif: bytes | None
    """Exif, from the TIFF header on."""
    xmp: bytes | None
    """The XMP packet."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded stream."""

    pixels: Any
    """The array, or the tuple of planes."""
    icc: bytes | None
    """The ICC profile."""
    exif: bytes | None
    """Exif, from the TIFF header on."""
    xmp: bytes | None
    """The XMP packet."""
    damaged: list[tuple[int, str]]
    """Chunks that were lost and concealed: the number from the top, and "latents" or "alpha"."""


class Encoder:
    """Encodes pictures with one model and keeps its buffers between them.

    `threads` is how many threads may work on one picture; 0 is one for each core. The bytes do not depend on it. An
    encoder that two threads use at once serves one after the other: use one encoder a thread to encode side by side.
    """

    def __init__(self, model: Model | None = None, *, threads: int = 1) -> None:
        self._native = _native.Encoder(model or Model(), threads)

    def encode(
        self,
        picture: Picture,
        *,
        quality: float = 50.0,
        target_bytes: int | None = None,
        effort: Effort = "default",
        tune: Tune = "perceptual",
        chunk_rows: int = 256,
        format: Format | None = None,
        size: tuple[int, int] | None = None,
        bits: int = 16,
        yuv: Yuv = "bt601-full",
        icc: bytes | None = None,
        exif: bytes | None = None,
        xmp: bytes | str | None = None,
    ) -> bytes:
        """Encodes a picture to the bytes of a whole `.pin` file.

        `picture` is one of

        - an array of `uint8`, shape (rows, columns) for grey or (rows, columns, n) with n = 2 grey and alpha, 3 RGB,
          4 RGBA (or BGRA with `format="bgra"`); alpha is not premultiplied;
        - an array of `uint16`, shape (rows, columns): grey of which the lowest `bits` (8 to 16) count;
        - a Pillow image;
        - a tuple of planes with `format` "nv12" (Y, CbCr), "nv21" (Y, CrCb) or "i420" (Y, Cb, Cr), chroma of
          half the width and height, rounded up; `yuv` says which luma and chroma;
        - a buffer without gaps with `format` and `size` = (width, height).

        Rows may be any distance apart; no sample is copied unless the samples of a row are. Each side is 1 to 65535.
        The memory must not be written to before the call returns, as the GIL is released.

        `quality` is 0 (smallest) to 100 (best). `target_bytes` overrides it: the best quality whose file is at most
        so long. `effort` "fast" takes less time and "best" makes smaller files, if the model has them
        (`Model.efforts`). `tune` "perceptual" is for eyes: fewer bits where more is going on. "psnr" is for the least
        squared error. Decoders need to know neither. `chunk_rows` is a multiple of 64. `icc`, `exif` and `xmp` are
        carried along; the profile of a Pillow image is, too, unless `icc` is given (b"" for none).

        Raises `EncodeError`, `ValueError` or `TypeError`.
        """
        if icc is None and is_pillow(picture):
            icc = picture.info.get("icc_profile")  # type: ignore[union-attr]
        name, planes = planes_of(picture, format, size)
        options = _options(quality, target_bytes, effort, tune, chunk_rows, icc, exif, xmp)
        return self._native.encode((name, bits, yuv), planes, options)


class StreamEncoder:
    """Encodes one picture of known size that arrives in bands of rows.

    The bytes that `push` returns, one after the other, are those of `Encoder.encode`; memory does not grow with the
    height. The arguments are those of `Encoder.encode`. As a context manager it checks at the end that no rows are
    missing. Two threads must not push to the same stream, as the order would be chance.
    """

    def __init__(
        self,
        width: int,
        height: int,
        *,
        format: Format = "rgb",
        quality: float = 50.0,
        effort: Effort = "default",
        tune: Tune = "perceptual",
        chunk_rows: int = 256,
        bits: int = 16,
        yuv: Yuv = "bt601-full",
        icc: bytes | None = None,
        exif: bytes | None = None,
        xmp: bytes | str | None = None,
        model: Model | None = None,
    ) -> None:
        self._format: Format = format
        options = _options(quality, None, effort, tune, chunk_rows, icc, exif, xmp)
        self._native = _native.StreamEncoder(model or Model(), width, height, (format, bits, yuv), options)

    def push(self, rows: Picture) -> bytes:
        """Takes the next rows, any number (even in 4:2:0, but for the last), and returns what of the file is ready.

        Raises `EncodeError` for rows that do not fit, which changes nothing.
        """
        _, planes = planes_of(rows, None if is_pillow(rows) else self._format)
        return self._native.push(planes)

    @property
    def rows_pushed(self) -> int:
        """Rows taken so far."""
        return self._native.rows_pushed

    def finish(self) -> None:
        """Raises `EncodeError` if rows are missing. Nothing else is left to do: the last `push` gave the last bytes."""
        self._native.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()


class Decoder:
    """Decodes streams with one model and keeps its buffers between them. About threads see `Encoder`."""

    def __init__(self, model: Model | None = None, *, threads: int = 1) -> None:
        self._native = _native.Decoder(model or Model(), threads)

    def decode_all(
        self,
        data: Data,
        *,
        format: Format | None = None,
        out: Any = None,
        bits: int = 16,
        yuv: Yuv = "bt601-full",
        decoder: Synthesis = "standard",
        scale: Scale = 1,
        conceal: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> Decoded:
        """Decodes a whole file: the pixels, what came with them, and what was damaged.

        The pixels are a new array (a tuple of planes for 4:2:0 formats) in the stream's own format, or in `format`;
        shapes and types are those of `Encoder.encode`. They go into `out` instead if that is given: a writable array
        (a tuple of them) of exactly that shape, whose rows may be any distance apart.

        `decoder` "lite" takes less time, if the model has it (`Model.decoders`).

        `scale` 2, 4 or 8 decodes to a half, a quarter or an eighth of the size, each side rounded up.

        `conceal` decodes what is left of a damaged file and fills in the rest. Pictures of more than `max_pixels` are
        refused before memory is taken; decoding takes up to about 12 bytes a pixel.

        Neither `data` nor `out` may be used by other threads before the call returns, as the GIL is released.
        Raises `DecodeError`, or `ModelError` if the stream was made for another model. Then `out` holds anything.
        """
        if scale not in (1, 2, 4, 8):
            raise ValueError(f"{scale=} is none of 1, 2, 4, 8")
        about = info(data)
        if about.width * about.height > max_pixels:
            pixels = about.width * about.height
            raise _native.DecodeError(f"{pixels} pixels are more than the limit of {max_pixels}")
        name = format or about.format
        if out is None:
            out, planes = empty(name, -(-about.width // scale), -(-about.height // scale))
        else:
            planes = planes_to_fill(out, name)
        (icc, exif, xmp), damaged = self._native.decode_into(data, (name, bits, yuv), planes, (decoder, scale, conceal, max_pixels))
        return Decoded(out, icc, exif, xmp, damaged)

    @overload
    def decode(self, data: Data, *, format: Interleaved | None = None, **options: Unpack[DecodeOptions]) -> Bytes: ...
    @overload
    def decode(self, data: Data, *, format: Deep, **options: Unpack[DecodeOptions]) -> npt.NDArray[np.uint16]: ...
    @overload
    def decode(self, data: Data, *, format: Planar, **options: Unpack[DecodeOptions]) -> tuple[Bytes, ...]: ...
    def decode(self, data: Data, *, format: Format | None = None, **options: Unpack[DecodeOptions]) -> Any:
        """The pixels of `decode_all`."""
        return self.decode_all(data, format=format, **options).pixels


class DecodeOptions(TypedDict, total=False):
    """What `Decoder.decode_all` takes beside the stream and the format."""

    out: Any
    bits: int
    yuv: Yuv
    decoder: Synthesis
    scale: Scale
    conceal: bool
    max_pixels: int


def encode(
    picture: Picture, *, model: Model | None = None, threads: int = 1, **options: Unpack[EncodeOptions]
) -> bytes:
    """Encodes a picture to the bytes of a `.pin` file; see `Encoder.encode`."""
    return _encoder(model, threads).encode(picture, **options)


@overload
def decode(
    data: Data,
    *,
    format: Interleaved | None = None,
    model: Model | None = None,
    threads: int = 1,
    **options: Unpack[DecodeOptions],
) -> Bytes: ...
@overload
def decode(
    data: Data, *, format: Deep, model: Model | None = None, threads: int = 1, **options: Unpack[DecodeOptions]
) -> npt.NDArray[np.uint16]: ...
@overload
def decode(
    data: Data, *, format: Planar, model: Model | None = None, threads: int = 1, **options: Unpack[DecodeOptions]
) -> tuple[Bytes, ...]: ...
def decode(
    data: Data,
    *,
    format: Format | None = None,
    model: Model | None = None,
    threads: int = 1,
    **options: Unpack[DecodeOptions],
) -> Any:
    """Decodes the bytes of a `.pin` file to an array; see `Decoder.decode_all`."""
    return _decoder(model, threads).decode_all(data, format=format, **options).pixels


def decode_all(
    data: Data,
    *,
    format: Format | None = None,
    model: Model | None = None,
    threads: int = 1,
    **options: Unpack[DecodeOptions],
) -> Decoded:
    """Decodes the bytes of a `.pin` file, with metadata and damage; see `Decoder.decode_all`."""
    return _decoder(model, threads).decode_all(data, format=format, **options)


def info(data: Data) -> Info:
    """What header and metadata of a stream say; its beginning will do. Damaged metadata counts as none.

    Raises `DecodeError` if it does not begin like a stream.
    """
    about = _native.inspect(data)
    return Info(*about[:-1], *about[-1])


def load_model(path: str | os.PathLike[str]) -> Model:
    """Loads a model from a `.pinm` file.

    Raises `OSError` if it cannot be read and `ModelError` if it is none.
    """
    with open(path, "rb") as file:
        return Model.from_bytes(file.read())


class _Own(threading.local):
    """A thread's own encoder and decoder of the package's model.

    A decoder without warm buffers takes 7 % longer for a photograph, and an encoder derives the first layer for grey
    and for 4:2:0 pictures once.
    """

    encoder: Encoder | None = None
    decoder: Decoder | None = None


_own = _Own()


def _encoder(model: Model | None, threads: int) -> Encoder:
    if model is not None or threads != 1:
        return Encoder(model, threads=threads)
    if _own.encoder is None:
        _own.encoder = Encoder()
    return _own.encoder


def _decoder(model: Model | None, threads: int) -> Decoder:
    if model is not None or threads != 1:
        return Decoder(model, threads=threads)
    if _own.decoder is None:
        _own.decoder = Decoder()
    return _own.decoder


def _options(
    quality: float,
    target_bytes: int | None,
    effort: Effort,
    tune: Tune,
    chunk_rows: int,
    icc: bytes | None,
    exif: bytes | None,
    xmp: bytes | str | None,
) -> _native._Options:
    if target_bytes is not None and target_bytes < 0:
        raise ValueError("target_bytes is negative")
    if isinstance(xmp, str):
        xmp = xmp.encode()
    return {
        "quality": quality,
        "target_bytes": target_bytes,
        "effort": effort,
        "tune": tune,
        "chunk_rows": chunk_rows,
        "icc": icc or None,
        # JPEG puts this before the TIFF header, where streams start.
        "exif": (exif or b"").removeprefix(b"Exif\0\0") or None,
        "xmp": xmp or None,
    }
