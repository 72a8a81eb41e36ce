"""Many streams at once, on a Ray cluster: a folder or a Parquet column of streams in, pictures out.

    import ray
    import pinhole.ray

    streams = pinhole.ray.read_streams("s3://bucket/captures/")        # rows of path and bytes
    streams = ray.data.read_parquet("captures.parquet")                # or rows of anything
    pictures = pinhole.ray.decode(streams, column="bytes", workers=8)  # + image, error
    pinhole.ray.write_pictures(pictures, "out/")                       # PNG files

Each worker is an actor that loads the model once and keeps its decoder. A stream that does not decode gives a row without
a picture and with the reason, so that one damaged file does not cost the run. Needs `pip install "pinhole[ray]"`.
"""

from __future__ import annotations

import io
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import ray.data
from PIL import Image
from ray.data import Dataset

from ._codec import MAX_PIXELS, Decoder, Scale
from ._native import Model, PinholeError

Batch = dict[str, Any]

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read_streams(paths: str | list[str], *, suffix: str = "pin", **options: Any) -> Dataset:
    """Rows of `path` and `bytes`, one a file; `paths` are files or folders, on disk or wherever Ray Data reads.

    `options` go to `ray.data.read_binary_files`.
    """
    return ray.data.read_binary_files(
        paths, include_paths=True, file_extensions=[suffix] if suffix else None, **options
    )


class _Decode:
    """An actor of the pool: a model and a decoder of its own."""

    def __init__(
        self,
        model: bytes | None,
        column: str,
        scale: Scale,
        conceal: bool,
        max_pixels: int,
        errors: Literal["column", "raise"],
        keep_streams: bool,
    ) -> None:
        self._decoder = Decoder(None if model is None else Model.from_bytes(model), threads=1)
        self._column = column
        self._options: dict[str, Any] = {"scale": scale, "conceal": conceal, "max_pixels": max_pixels}
        self._raise = errors == "raise"
        self._keep = keep_streams

    def __call__(self, batch: Batch) -> Batch:
        streams = batch[self._column]
        # An array of arrays whatever their shapes are: equal ones would otherwise become one array. All have three
        # dimensions: a column of arrays of several ranks is none for Ray.
        images = np.empty(len(streams), dtype=object)
        errors = np.empty(len(streams), dtype=object)
        for row, stream in enumerate(streams):
            images[row], errors[row] = np.empty((0, 0, 1), np.uint8), ""
            try:
                picture = self._decoder.decode(bytes(stream), **self._options)
                images[row] = picture.reshape(*picture.shape[:2], -1)
            except PinholeError as error:
                if self._raise:
                    raise
                errors[row] = str(error)
        # Dropped here: a step of its own would wait for a core that the workers have.
        rest = {name: rows for name, rows in batch.items() if self._keep or name != self._column}
        return {**rest, "image": images, "error": errors}


def decode(
    streams: Dataset,
    *,
    column: str = "bytes",
    model: str | Path | bytes | None = None,
    scale: Scale = 1,
    conceal: bool = False,
    max_pixels: int = MAX_PIXELS,
    errors: Literal["column", "raise"] = "column",
    workers: int | tuple[int, int] = (1, 64),
    batch_size: int = 16,
    keep_streams: bool = False,
) -> Dataset:
    """Adds a column `image` (arrays of `uint8`, (rows, columns, channels), grey with one channel) and a column `error`
    (empty, or why there is no picture; the image then has no pixels) to rows with a column of streams.

    `model` is a bundle, or the path of one on this machine; it is sent to the workers. `workers` is their number, or the
    least and the most. Each takes one core of the cluster, and reading needs at least one more. With `errors="raise"` the first bad stream ends the run.
    """
    content = model if isinstance(model, bytes) or model is None else Path(model).read_bytes()
    concurrency = workers if isinstance(workers, tuple) else (workers, workers)
    return streams.map_batches(
        _Decode,
        fn_constructor_args=(content, column, scale, conceal, max_pixels, errors, keep_streams),
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(min_size=concurrency[0], max_size=concurrency[1]),
        num_cpus=1,
    )


def write_pictures(
    pictures: Dataset, folder: str | Path, *, format: str = "png", path_column: str = "path"
) -> int:
    """Writes each row's `image` to `folder`, under the name that its path has, with the suffix of `format`. How many were
    written; rows with an error are left out. The folder must be one that all workers see.
    """
    target = Path(folder).absolute()
    target.mkdir(parents=True, exist_ok=True)

    def write(batch: Batch) -> Batch:
        written = 0
        for path, image, error in zip(
            batch[path_column], batch["image"], batch["error"], strict=True
        ):
            if error:
                continue
            pixels = np.asarray(image, dtype=np.uint8)
            mode = _MODES[pixels.shape[2]]
            buffer = io.BytesIO()
            Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes()).save(buffer, format)
            name = PurePosixPath(str(path)).with_suffix(f".{format}").name
            # Under another name first: a worker that dies leaves no half file.
            part = target / f".{name}.part"
            part.write_bytes(buffer.getvalue())
            part.replace(target / name)
            written += 1
        return {"written": np.array([written])}

    return int(pictures.map_batches(write, batch_size=16).sum("written") or 0)
