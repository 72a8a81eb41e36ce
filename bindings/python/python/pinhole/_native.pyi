"""The extension module: the codec's calls on buffers. `pinhole` is what users import."""

from collections.abc import Sequence
from typing import Literal, TypedDict, final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

__all__ = [
    "VERSION",
    "DecodeError",
    "Decoder",
    "EncodeError",
    "Encoder",
    "Model",
    "ModelError",
    "PinholeError",
    "SensorDecoder",
    "SensorEncoder",
    "SensorModel",
    "StreamEncoder",
    "header_len",
    "inspect",
    "sensor_scores",
]

VERSION: str

class PinholeError(ValueError): ...
class EncodeError(PinholeError): ...
class DecodeError(PinholeError): ...
class ModelError(PinholeError): ...

_Data = Buffer | npt.NDArray[np.uint8]
_Planes = Sequence[npt.NDArray[np.uint8]]
# Name, bits of deep grey, luma and chroma.
_Format = tuple[str, int, str]
# ICC profile, Exif, XMP.
_Records = tuple[bytes | None, bytes | None, bytes | None]

class _Options(TypedDict):
    quality: float
    target_bytes: int | None
    effort: str
    tune: str
    chunk_rows: int
    icc: bytes | None
    exif: bytes | None
    xmp: bytes | None

@final
class Model:
    """A model: what encoders and decoders compute with.

    Loaded once and shared by them; it may be used by any number of threads. ``Model()`` is the one that comes with the
    package.
    """

    def __new__(cls) -> Model: ...
    @staticmethod
    def from_bytes(data: _Data) -> Model:
        """Loads a bundle (the bytes of a ``.pinm`` file), which is copied.

        Raises `ModelError` for anything else.
        """

    @property
    def latent_space(self) -> str:
        """What streams must have been made for to be decoded with this model, as 16 hexadecimal digits."""

    @property
    def manifest(self) -> str:
        """Name, version, lineage and metrics of the model, as JSON."""

    @property
    def can_encode(self) -> bool:
        """Whether it encodes."""

    @property
    def can_decode(self) -> bool:
        """Whether it decodes; models for devices may leave that out."""

    @property
    def efforts(self) -> list[str]:
        """The efforts it can encode with: of "fast", "default", "best"."""

    @property
    def decoders(self) -> list[str]:
        """The int8 decoders it has: of "standard", "lite"."""

@final
class Encoder:
    def __new__(cls, model: Model, threads: int) -> Encoder: ...
    def encode(self, format: _Format, planes: _Planes, options: _Options) -> bytes: ...

@final
class StreamEncoder:
    def __new__(cls, model: Model, width: int, height: int, format: _Format, options: _Options) -> StreamEncoder: ...
    def push(self, planes: _Planes) -> bytes: ...
    @property
    def rows_pushed(self) -> int: ...
    def finish(self) -> None: ...

@final
class Decoder:
    def __new__(cls, model: Model, threads: int) -> Decoder: ...
    def decode_into(
        self, data: _Data, format: _Format, planes: _Planes, options: tuple[str, int, bool, int]
    ) -> tuple[_Records, list[tuple[int, str]]]: ...

def inspect(
    data: _Data,
) -> tuple[int, int, Literal["gray", "graya", "rgb", "rgba"], float, int, int, str, _Records]: ...
def header_len(data: _Data) -> int: ...

class _SensorOptions(TypedDict):
    promise: Literal["quality", "max_error", "lossless"]
    quality: float
    per_channel: list[float]
    dtype: str
    window: int
    windows_per_frame: int
    key_interval: int
    time_unit: Literal["ticks", "unix_ns", "ns"] | None
    interval: int
    scores: bool
    calibration: int
    names: list[str]

@final
class SensorModel:
    """A model of one kind of sensor, from the bytes of its ``.pinm`` file. Any number of threads may use it."""

    def __new__(cls, data: _Data) -> SensorModel: ...
    @property
    def channels(self) -> int: ...
    @property
    def window(self) -> int: ...
    @property
    def manifest(self) -> str: ...

@final
class SensorEncoder:
    def __new__(
        cls, channels: int, options: _SensorOptions, model: SensorModel | None, false_alarm_rate: float
    ) -> SensorEncoder: ...
    def push(self, times: npt.NDArray[np.int64] | None, samples: npt.NDArray[np.generic]) -> bytes: ...
    def flush(self) -> bytes: ...
    def finish(self) -> bytes: ...

@final
class SensorDecoder:
    def __new__(cls, conceal: bool, model: SensorModel | None) -> SensorDecoder: ...
    def push(self, data: _Data) -> None: ...
    def next_frame(self) -> tuple[int, int, bytearray, bytearray, bytes, bool] | None: ...
    def finish(self) -> None: ...
    def header(
        self,
    ) -> tuple[str, str, list[str], list[float], list[float], int, Literal["ticks", "unix_ns", "ns"] | None, int, int] | None: ...

def sensor_scores(data: _Data) -> tuple[bytes, int]: ...
