"""Batches on a real local Ray cluster of two workers."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import pinhole

ray = pytest.importorskip("ray", reason="ray is not installed")
pa = pytest.importorskip("pyarrow")

pytestmark = pytest.mark.filterwarnings("default")

Bytes = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Room for two workers in processes of their own, and for reading and writing beside them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, configure_logging=False)
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def streams(rgb: Bytes, gray: Bytes) -> dict[str, bytes]:
    """Streams of several sizes, one of them damaged."""
    pictures = {f"p{i}": rgb[: 48 + 16 * (i % 3), : 64 + i] for i in range(8)}
    named = {name: pinhole.encode(picture) for name, picture in pictures.items()}
    named["gray"] = pinhole.encode(gray[:40, :50])
    named["broken"] = named["p0"][:60]
    return named


def shaped(picture: Bytes) -> Bytes:
    """With the one channel of grey."""
    return picture.reshape(*picture.shape[:2], -1)


def test_a_folder_becomes_pictures(
    cluster: None, streams: dict[str, bytes], tmp_path: Path
) -> None:
    import pinhole.ray

    source = tmp_path / "in"
    source.mkdir()
    for name, stream in streams.items():
        (source / f"{name}.pin").write_bytes(stream)
    (source / "notes.txt").write_text("not a stream")
    read = pinhole.ray.read_streams(str(source))
    pictures = pinhole.ray.decode(read, workers=2, batch_size=3).materialize()
    rows = {Path(row["path"]).stem: row for row in pictures.take_all()}
    assert rows.keys() == streams.keys()
    for name, stream in streams.items():
        if name == "broken":
            assert rows[name]["error"] and np.asarray(rows[name]["image"]).size == 0
        else:
            assert rows[name]["error"] == ""
            assert np.array_equal(np.asarray(rows[name]["image"]), shaped(pinhole.decode(stream)))
    target = tmp_path / "out"
    assert pinhole.ray.write_pictures(pictures, target) == len(streams) - 1
    again = np.asarray(Image.open(target / "p3.png"))
    assert np.array_equal(again, pinhole.decode(streams["p3"]))
    assert sorted(p.stem for p in target.iterdir()) == sorted(streams.keys() - {"broken"})


def test_a_parquet_column_becomes_pictures(
    cluster: None, streams: dict[str, bytes], tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    import pinhole.ray

    good = [stream for name, stream in streams.items() if name != "broken"]
    table = pa.table({"id": range(len(good)), "frame": pa.array(good, pa.binary())})
    pq.write_table(table, tmp_path / "frames.parquet")
    read = ray.data.read_parquet(str(tmp_path / "frames.parquet"))
    pictures = pinhole.ray.decode(read, column="frame", workers=2, scale=2, errors="raise")
    rows = pictures.take_all()
    assert len(rows) == len(good)
    for row in rows:
        assert "frame" not in row
        expected = shaped(pinhole.decode(good[row["id"]], scale=2))
        assert np.array_equal(np.asarray(row["image"]), expected)
