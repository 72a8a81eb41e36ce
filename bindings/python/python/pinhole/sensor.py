"""Sensor streams: time series of several channels to `.pin` bytes and back.

    from pinhole import sensor

    data = sensor.encode(array, max_error=0.01)      # array (times, channels) -> bytes
    decoded = sensor.decode(data)                    # -> decoded.values, decoded.times, decoded.scores
    scores = sensor.scores(data)                     # how odd each window is, without decoding

One of three promises is chosen: `quality` (0 to 100; the default, at 50), `max_error` (no sample is farther off; a
number, or one for each channel) or `relative_error` (the same in parts of each channel's range), or `lossless`. NaN is a
missing sample and stays one. With a `Model` (the bytes of a `.pinm` file) windows of a stream of a quality may go through its
network, and scores are relative to its reference. `Encoder` and `Decoder` take and give streams in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from . import _native
from ._native import SensorModel as Model

__all__ = ["Decoded", "Decoder", "Encoder", "Frame", "Header", "Model", "decode", "encode", "scores"]

Array = npt.NDArray[Any]
TimeUnit = Literal["ticks", "unix_ns", "ns"]

_DTYPES = ("float32", "float64", "int8", "uint8", "int16", "uint16", "int32")
# Score bytes count sixteenths.
_SCORE_UNIT = 16.0


@dataclass(frozen=True)
class Header:
    """What a stream says of itself."""

    promise: str
    dtype: np.dtype[Any]
    names: list[str]
    levels_per_unit: list[float]
    max_error: list[float]
    window: int
    time_unit: TimeUnit | None
    interval: int
    threshold: float


@dataclass(frozen=True)
class Frame:
    """The samples of one frame."""

    first_sample: int
    """Samples of each channel before it; those between frames were lost."""
    values: Array
    """(times, channels), of the stream's type."""
    times: npt.NDArray[np.int64] | None
    scores: npt.NDArray[np.float64]
    """One for each window; empty if the stream has none."""
    last: bool


@dataclass(frozen=True)
class Decoded:
    """The samples of a stream."""

    values: Array
    """(times, channels), of the stream's type."""
    times: npt.NDArray[np.int64] | None
    scores: npt.NDArray[np.float64]
    header: Header


class Encoder:
    """Encodes samples as they come.

    `channels` is their number; what is promised, and what they are, as of `encode`, but that `quality` needs each
    channel's `spread` (its usual standard deviation) and that errors cannot be relative to a range that is not known
    yet. `window` is in samples; a frame of `windows_per_frame` windows is given out at once; decoding can begin at every
    `key_interval`-th frame. `times` names their unit if samples have times, `interval` their usual distance.
    """

    def __init__(
        self,
        channels: int,
        *,
        quality: float | None = None,
        spread: float | Sequence[float] | Array | None = None,
        max_error: float | Sequence[float] | Array | None = None,
        lossless: bool | float | Sequence[float] | Array = False,
        dtype: npt.DTypeLike = np.float32,
        names: Sequence[str] = (),
        window: int = 128,
        windows_per_frame: int = 32,
        key_interval: int = 64,
        times: TimeUnit | None = None,
        interval: int = 0,
        scores: bool = True,
        calibration: int = 0,
        model: Model | None = None,
        false_alarm_rate: float = 0.01,
    ) -> None:
        exact = lossless is not False
        if (quality is not None) + (max_error is not None) + exact > 1:
            raise ValueError("quality, max_error and lossless exclude each other")
        self._dtype = np.dtype(dtype)
        if self._dtype.name not in _DTYPES:
            raise _native.EncodeError(f"samples of type {self._dtype}: one of {', '.join(_DTYPES)}")
        promise: Literal["quality", "max_error", "lossless"]
        numbers: float | Sequence[float] | Array
        if max_error is not None:
            promise, numbers = "max_error", max_error
        elif exact:
            # True: whole numbers have a level each, others are stored as they are.
            levels = 1.0 if self._dtype.kind in "iu" else 0.0
            promise, numbers = "lossless", levels if lossless is True else lossless
        elif spread is None and model is not None:
            promise, numbers = "quality", []
        elif spread is None:
            raise ValueError("a quality needs the spread of each channel")
        else:
            promise, numbers = "quality", spread
        per_channel = np.asarray(numbers, np.float64)
        if per_channel.ndim == 0:
            per_channel = np.full(channels, per_channel)
        self._channels = channels
        self._timed = times is not None
        self._native = _native.SensorEncoder(
            channels,
            {
                "promise": promise,
                "quality": 50.0 if quality is None else quality,
                "per_channel": per_channel.tolist(),
                "dtype": self._dtype.name,
                "window": window,
                "windows_per_frame": windows_per_frame,
                "key_interval": key_interval,
                "time_unit": times,
                "interval": interval,
                "scores": scores,
                "calibration": calibration,
                "names": list(names),
            },
            model,
            false_alarm_rate,
        )

    def push(self, samples: npt.ArrayLike, times: npt.ArrayLike | None = None) -> bytes:
        """Takes samples, (times, channels), and their times; returns what of the stream is ready, often nothing."""
        array = np.asarray(samples)
        if array.ndim == 1 and self._channels == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != self._channels:
            raise _native.EncodeError(f"samples of shape {array.shape} for {self._channels} channels")
        if array.dtype != self._dtype:
            if not np.can_cast(array.dtype, self._dtype, "safe"):
                raise _native.EncodeError(f"samples of type {array.dtype} in a stream of {self._dtype}")
            array = array.astype(self._dtype)
        stamps = None if times is None else np.ascontiguousarray(times, np.int64)
        return self._native.push(stamps, np.ascontiguousarray(array))

    def flush(self) -> bytes:
        """Ends window and frame early, so that all samples so far can be decoded from what was returned."""
        return self._native.flush()

    def finish(self) -> bytes:
        """Ends the stream; returns its last bytes."""
        return self._native.finish()


class Decoder:
    """Decodes a stream whose bytes come in pieces. With `conceal` damage is passed over."""

    def __init__(self, *, conceal: bool = False, model: Model | None = None) -> None:
        self._native = _native.SensorDecoder(conceal, model)
        self._header: Header | None = None

    @property
    def header(self) -> Header | None:
        """What the stream says of itself, once that is there."""
        if self._header is None:
            found = self._native.header()
            if found is not None:
                promise, dtype, names, levels, bounds, window, unit, interval, threshold = found
                limit = threshold / _SCORE_UNIT
                self._header = Header(
                    promise, np.dtype(dtype), names, levels, bounds, window, unit, interval, limit
                )
        return self._header

    def push(self, data: bytes | bytearray | memoryview) -> Iterator[Frame]:
        """Takes bytes and gives the frames that they complete."""
        self._native.push(data)
        return self._frames()

    def _frames(self) -> Iterator[Frame]:
        while self.header is not None and (found := self._native.next_frame()) is not None:
            first, samples, values, times, scored, last = found
            array = np.frombuffer(values, np.float64).reshape(samples, len(self.header.names))
            yield Frame(
                first,
                array.astype(self.header.dtype),
                np.frombuffer(times, np.int64) if self.header.time_unit else None,
                np.frombuffer(scored, np.uint8) / _SCORE_UNIT,
                last,
            )

    def finish(self) -> None:
        """Checks that the stream was complete."""
        self._native.finish()


def encode(
    samples: npt.ArrayLike,
    *,
    quality: float | None = None,
    max_error: float | Sequence[float] | Array | None = None,
    relative_error: float | None = None,
    lossless: bool = False,
    times: npt.ArrayLike | None = None,
    time_unit: TimeUnit = "ticks",
    names: Sequence[str] = (),
    window: int | None = None,
    windows_per_frame: int = 32,
    key_interval: int = 64,
    scores: bool = True,
    calibration: int = 0,
    model: Model | None = None,
    false_alarm_rate: float = 0.01,
) -> bytes:
    """Encodes an array (times, channels), or (times,), to a whole stream.

    `relative_error` is a bound in parts of each channel's range in `samples`. `times` are whole numbers; an array of
    `datetime64` is taken as nanoseconds since 1970. Lossless numbers with few decimals are found out. `calibration`
    counts windows at the start that are known to be normal: scores are then relative to them.
    """
    array = np.asarray(samples)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise _native.EncodeError(f"an array of shape {array.shape}: (times, channels) is needed")
    if array.dtype.name not in _DTYPES:
        raise _native.EncodeError(f"samples of type {array.dtype}: one of {', '.join(_DTYPES)}")
    wide = array.astype(np.float64)
    finite = np.where(np.isfinite(wide), wide, np.nan)
    if relative_error is not None:
        if max_error is not None:
            raise ValueError("max_error and relative_error exclude each other")
        max_error = [_range(column) * relative_error for column in finite.T]
    exact: bool | list[float] = False
    if lossless:
        exact = [_levels(column, array.dtype) for column in wide.T]
    spread = None
    if max_error is None and not lossless and model is None:
        spread = [float(np.nanstd(c)) if not np.isnan(c).all() else 0.0 for c in finite.T]
    stamps = None
    if times is not None:
        stamps = np.asarray(times)
        if stamps.dtype.kind == "M":
            stamps, time_unit = stamps.astype("datetime64[ns]").astype(np.int64), "unix_ns"
        stamps = stamps.astype(np.int64, casting="safe")
    steps = np.diff(stamps) if stamps is not None and len(stamps) > 1 else np.zeros(1, np.int64)
    encoder = Encoder(
        array.shape[1],
        quality=quality,
        spread=spread,
        max_error=max_error,
        lossless=exact,
        dtype=array.dtype,
        names=names,
        window=window or (model.window if model is not None else 128),
        windows_per_frame=windows_per_frame,
        key_interval=key_interval,
        times=None if stamps is None else time_unit,
        interval=max(0, int(np.median(steps))),
        scores=scores,
        calibration=calibration,
        model=model,
        false_alarm_rate=false_alarm_rate,
    )
    return encoder.push(array, stamps) + encoder.finish()


def _range(column: Array) -> float:
    return 0.0 if np.isnan(column).all() else float(np.nanmax(column) - np.nanmin(column))


def _levels(column: Array, dtype: np.dtype[Any]) -> float:
    """The least power of ten whose multiples nearly all numbers are (others are stored as they are); 0 if there is none."""
    numbers = column[np.isfinite(column)]
    numbers = numbers[np.abs(numbers) <= 2**30]
    for decimals in range(13):
        scale = 10.0**decimals
        levels = np.round(numbers * scale)
        odd = (np.abs(levels) > 2**30) | ((levels / scale).astype(dtype) != numbers)
        if odd.sum() * 50 <= len(numbers):
            return scale
    return 0.0


def decode(
    data: bytes | bytearray | memoryview, *, conceal: bool = False, model: Model | None = None
) -> Decoded:
    """Decodes a whole stream. With `conceal` lost samples are NaN (0 in streams of whole numbers)."""
    decoder = Decoder(conceal=conceal, model=model)
    values: list[Array] = []
    times: list[Array] = []
    scored: list[Array] = []
    at = 0
    for frame in decoder.push(data):
        header = decoder.header
        assert header is not None
        missing = frame.first_sample - at
        if missing > len(data) * 4096:
            raise _native.DecodeError(f"{missing} samples are missing")
        if missing:
            fill = np.nan if header.dtype.kind == "f" else 0
            values.append(np.full((missing, len(header.names)), fill, header.dtype))
            if frame.times is not None:
                back = np.arange(missing, 0, -1, dtype=np.int64) * header.interval
                start = frame.times[0] if len(frame.times) else 0
                times.append(start - back)
        values.append(frame.values)
        if frame.times is not None:
            times.append(frame.times)
        scored.append(frame.scores)
        at = frame.first_sample + len(frame.values)
    header = decoder.header
    if header is None:
        raise _native.DecodeError("the header is cut off")
    decoder.finish()
    empty = np.zeros((0, len(header.names)), header.dtype)
    return Decoded(
        np.concatenate([empty, *values]),
        np.concatenate([np.zeros(0, np.int64), *times]) if header.time_unit else None,
        np.concatenate([np.zeros(0), *scored]),
        header,
    )


def scores(data: bytes | bytearray | memoryview) -> tuple[npt.NDArray[np.float64], float]:
    """How odd each window is, read without decoding, and the threshold from which on a window is odd."""
    found, threshold = _native.sensor_scores(data)
    return np.frombuffer(found, np.uint8) / _SCORE_UNIT, threshold / _SCORE_UNIT
