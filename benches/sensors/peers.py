"""The other codecs: each takes float32 (channels, samples) and one absolute bound, and gives bytes and samples back.

Signals come normalised, so that one bound suits all channels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pcodec
import zfpy
import zstandard
from pcodec import standalone
from pysz import sz, szAlgorithm, szConfig, szErrorBoundMode


@dataclass(frozen=True)
class Peer:
    """One way to use a codec; those of one `label` compete, and the best counts."""

    label: str
    way: str
    encode: Callable[[np.ndarray, float], list[bytes]]
    decode: Callable[[list[bytes], tuple[int, int], float], np.ndarray]


def _sz(algorithm: int, joined: bool) -> Peer:
    def config(bound: float) -> szConfig:
        made = szConfig()
        made.errorBoundMode = szErrorBoundMode.ABS
        made.absErrorBound = bound
        made.cmprAlgo = algorithm
        return made

    def encode(x: np.ndarray, bound: float) -> list[bytes]:
        rows = [x.ravel()] if joined else x
        return [sz.compress(np.ascontiguousarray(row), config(bound))[0] for row in rows]

    def decode(blobs: list[bytes], shape: tuple[int, int], bound: float) -> np.ndarray:
        size = shape[0] * shape[1] if joined else shape[1]
        return np.concatenate([sz.decompress(b, np.float32, (size,))[0] for b in blobs]).reshape(shape)

    names = {szAlgorithm.INTERP: "INTERP", szAlgorithm.INTERP_LORENZO: "INTERP_LORENZO", szAlgorithm.LORENZO_REG: "LORENZO_REG"}
    return Peer("SZ3", f"{names[algorithm]}, {'one signal' if joined else 'by channel'}", encode, decode)


def _zfp(flat: bool) -> Peer:
    def encode(x: np.ndarray, bound: float) -> list[bytes]:
        rows = x if flat else [x]
        return [zfpy.compress_numpy(np.ascontiguousarray(r), tolerance=bound) for r in rows]

    def decode(blobs: list[bytes], shape: tuple[int, int], bound: float) -> np.ndarray:
        return np.stack([zfpy.decompress_numpy(b) for b in blobs]).reshape(shape)

    return Peer("ZFP", "by channel" if flat else "channels × time", encode, decode)


def _quantised(x: np.ndarray, bound: float) -> np.ndarray:
    # A hair less than two bounds, as float32 rounds.
    return np.round(x / (2 * bound * 0.9999)).astype(np.int32)


def _pco() -> Peer:
    config = pcodec.ChunkConfig(compression_level=12)

    def encode(x: np.ndarray, bound: float) -> list[bytes]:
        return [standalone.simple_compress(np.ascontiguousarray(r), config) for r in _quantised(x, bound)]

    def decode(blobs: list[bytes], shape: tuple[int, int], bound: float) -> np.ndarray:
        return np.stack([standalone.simple_decompress(b) for b in blobs]).astype(np.float32) * np.float32(2 * bound * 0.9999)

    return Peer("Pcodec", "level 12, by channel", encode, decode)


def _zstd(delta: bool) -> Peer:
    def encode(x: np.ndarray, bound: float) -> list[bytes]:
        q = _quantised(x, bound)
        d = np.diff(q, axis=1, prepend=0) if delta else q
        kind = next(k for k in (np.int8, np.int16, np.int32) if np.iinfo(k).min <= d.min() and d.max() <= np.iinfo(k).max)
        return [bytes([np.dtype(kind).itemsize]) + zstandard.ZstdCompressor(19).compress(d.astype(kind).tobytes())]

    def decode(blobs: list[bytes], shape: tuple[int, int], bound: float) -> np.ndarray:
        kind = {1: np.int8, 2: np.int16, 4: np.int32}[blobs[0][0]]
        d = np.frombuffer(zstandard.ZstdDecompressor().decompress(blobs[0][1:]), kind).reshape(shape).astype(np.int32)
        q = np.cumsum(d, axis=1) if delta else d
        return q.astype(np.float32) * np.float32(2 * bound * 0.9999)

    return Peer("zstd", "19, on differences" if delta else "19, on values", encode, decode)


ALGORITHMS = (szAlgorithm.INTERP, szAlgorithm.INTERP_LORENZO, szAlgorithm.LORENZO_REG)
PEERS = [_sz(a, j) for a in ALGORITHMS for j in (False, True)] + [_zfp(True), _zfp(False), _pco(), _zstd(True), _zstd(False)]
LABELS = ("SZ3", "ZFP", "Pcodec", "zstd")
