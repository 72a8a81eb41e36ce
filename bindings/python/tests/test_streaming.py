"""Pictures in bands of rows."""

import numpy as np
import pytest
from conftest import Bytes
from PIL import Image

import pinhole


@pytest.mark.parametrize("rows", [1, 16, 37, 400])
def test_bands_give_the_same_file(rgb: Bytes, rows: int) -> None:
    whole = pinhole.encode(rgb, quality=70, chunk_rows=64, icc=b"profile")
    parts = []
    with pinhole.StreamEncoder(600, 400, quality=70, chunk_rows=64, icc=b"profile") as stream:
        for y in range(0, 400, rows):
            parts.append(stream.push(rgb[y : y + rows]))
            assert stream.rows_pushed == min(y + rows, 400)
    assert b"".join(parts) == whole
    if rows < 64:
        # The first chunks leave before the last rows come.
        assert sum(map(len, parts[: len(parts) // 2])) > len(whole) // 10


def test_planes_and_images_in_bands(rgb: Bytes) -> None:
    y, uv = pinhole.decode(pinhole.encode(rgb), format="nv12")
    whole = pinhole.encode((y, uv), format="nv12")
    with pinhole.StreamEncoder(600, 400, format="nv12") as stream:
        parts = [stream.push((y[i : i + 16], uv[i // 2 : i // 2 + 8])) for i in range(0, 400, 16)]
    assert b"".join(parts) == whole
    image = Image.fromarray(rgb)
    with pinhole.StreamEncoder(600, 400) as stream:
        parts = [stream.push(image.crop((0, i, 600, i + 100))) for i in range(0, 400, 100)]
    assert b"".join(parts) == pinhole.encode(rgb)


def test_wrong_rows_change_nothing(rgb: Bytes) -> None:
    stream = pinhole.StreamEncoder(600, 400)
    parts = [stream.push(rgb[:200])]
    with pytest.raises(pinhole.EncodeError, match="another width"):
        stream.push(rgb[:10, :50])
    with pytest.raises(pinhole.EncodeError, match="401 rows pushed"):
        stream.push(rgb[:201])
    with pytest.raises(ValueError, match="no shape"):
        stream.push(np.zeros((4, 600), np.uint8))
    with pytest.raises(pinhole.EncodeError, match="only 200 rows"):
        stream.finish()
    parts.append(stream.push(rgb[200:]))
    stream.finish()
    assert b"".join(parts) == pinhole.encode(rgb)


def test_odd_rows_of_planes() -> None:
    stream = pinhole.StreamEncoder(8, 6, format="nv12")
    luma, chroma = np.zeros((3, 8), np.uint8), np.zeros((2, 4, 2), np.uint8)
    with pytest.raises(pinhole.EncodeError, match="must be even"):
        stream.push((luma, chroma))


def test_a_stream_that_is_left_early_says_so(rgb: Bytes) -> None:
    with pytest.raises(pinhole.EncodeError, match="only 3 rows"), pinhole.StreamEncoder(600, 400) as stream:
        stream.push(rgb[:3])
    with pytest.raises(KeyError), pinhole.StreamEncoder(600, 400):
        raise KeyError  # Not hidden by the missing rows.


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (65536, 1), (1, 70000)])
def test_sizes_out_of_range(size: tuple[int, int]) -> None:
    with pytest.raises(pinhole.EncodeError, match="must be 1 to 65535"):
        pinhole.StreamEncoder(*size)
