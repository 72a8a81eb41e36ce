"""Pinhole: a learned picture codec that runs on integers alone.

    import pinhole

    data = pinhole.encode(array, quality=60)   # NumPy array or Pillow image -> bytes of a .pin file
    array = pinhole.decode(data)               # -> NumPy array
    pinhole.info(data)                         # what the header says, without decoding

`import pinhole.pillow` teaches Pillow to open and save `.pin` files. `Encoder`, `Decoder` and `StreamEncoder` keep their
buffers between pictures, use several threads, other models, or bands of rows.

The GIL is released while coding. Memory given to a call must not change before it returns.
"""

from . import _native
from ._codec import (
    MAX_PIXELS,
    Decoded,
    DecodeOptions,
    Decoder,
    Effort,
    EncodeOptions,
    Encoder,
    Info,
    StreamEncoder,
    Synthesis,
    Tune,
    decode,
    decode_all,
    encode,
    info,
    load_model,
)
from ._native import DecodeError, EncodeError, Model, ModelError, PinholeError
from ._pictures import Format, Yuv

__version__ = _native.VERSION

__all__ = [
    "MAX_PIXELS",
    "DecodeError",
    "DecodeOptions",
    "Decoded",
    "Decoder",
    "Effort",
    "EncodeError",
    "EncodeOptions",
    "Encoder",
    "Format",
    "Info",
    "Model",
    "ModelError",
    "PinholeError",
    "StreamEncoder",
    "Synthesis",
    "Tune",
    "Yuv",
    "decode",
    "decode_all",
    "encode",
    "info",
    "load_model",
]
