"""Sensor streams: promises kept, streaming, damage, arguments that make no sense."""

import numpy as np
import numpy.typing as npt
import pytest

import pinhole
from pinhole import sensor

Samples = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def samples() -> Samples:
    """An inertial unit, made up: waves, a burst, noise."""
    rng = np.random.default_rng(1)
    t = np.arange(3000)[:, None]
    waves = np.sin(t * (0.05 + 0.02 * np.arange(4))) * np.where(t // 500 % 2, 1.0, 0.1)
    return (waves + 0.01 * rng.standard_normal(waves.shape)).astype(np.float32)


@pytest.mark.parametrize("bound", [0.1, 0.01, 0.001])
def test_bounds_hold(samples: Samples, bound: float) -> None:
    data = sensor.encode(samples, max_error=bound)
    decoded = sensor.decode(data)
    assert decoded.values.dtype == np.float32 and decoded.values.shape == samples.shape
    assert np.abs(decoded.values.astype(np.float64) - samples).max() <= bound
    assert len(data) < samples.nbytes / 3
    assert decoded.header.max_error == [bound] * 4


def test_relative_bounds_and_quality(samples: Samples) -> None:
    decoded = sensor.decode(sensor.encode(samples, relative_error=0.01))
    spans = samples.max(axis=0) - samples.min(axis=0)
    assert np.all(np.abs(decoded.values - samples) <= spans * 0.01)
    sizes = [len(sensor.encode(samples, quality=q)) for q in (10, 50, 90)]
    assert sizes == sorted(sizes) and sizes[0] * 3 < sizes[2]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32"])
def test_whole_numbers_are_lossless(samples: Samples, dtype: str) -> None:
    info = np.iinfo(dtype)
    whole = np.clip(samples * 1000, info.min, info.max).astype(dtype)
    whole[:2] = [info.min, info.max, info.min, info.max]
    decoded = sensor.decode(sensor.encode(whole, lossless=True))
    assert decoded.values.dtype == np.dtype(dtype)
    assert np.array_equal(decoded.values, whole)


def test_decimals_and_missing_samples_are_lossless(samples: Samples) -> None:
    decimals = np.round(samples.astype(np.float64), 3)
    decimals[100:200, 1] = np.nan
    decimals[5] = [np.inf, -np.inf, 1e300, 0.1 + 0.2]
    data = sensor.encode(decimals, lossless=True)
    assert np.array_equal(sensor.decode(data).values, decimals, equal_nan=True)


def test_times(samples: Samples) -> None:
    times = np.datetime64("2020-03-09T10:14:33") + np.arange(3000) * np.timedelta64(20, "ms")
    times[1000:] += np.timedelta64(1, "h")
    decoded = sensor.decode(sensor.encode(samples, max_error=0.01, times=times))
    assert decoded.times is not None and decoded.header.time_unit == "unix_ns"
    assert np.array_equal(decoded.times.astype("datetime64[ns]"), times)


def test_pieces(samples: Samples) -> None:
    encoder = sensor.Encoder(4, max_error=[0.01] * 4, windows_per_frame=2, names=["a", "b", "c", "d"])
    decoder = sensor.Decoder()
    frames: list[sensor.Frame] = []
    for start in range(0, 3000, 77):
        frames += decoder.push(encoder.push(samples[start : start + 77]))
    frames += decoder.push(encoder.flush())
    with pytest.raises(pinhole.DecodeError):
        decoder.finish()
    frames += decoder.push(encoder.finish())
    decoder.finish()
    assert decoder.header is not None and decoder.header.names == ["a", "b", "c", "d"]
    values = np.concatenate([frame.values for frame in frames])
    assert np.abs(values - samples).max() <= 0.0100001
    assert [f.first_sample for f in frames[:3]] == [0, 256, 512]
    with pytest.raises(pinhole.EncodeError):
        encoder.push(samples)


def test_scores_without_decoding(samples: Samples) -> None:
    calm = np.tile(samples[:128], (60, 1))
    calm += np.random.default_rng(2).normal(0, 0.01, calm.shape).astype(np.float32)
    calm[50 * 128 : 51 * 128] += np.random.default_rng(3).normal(0, 1, (128, 4)).astype(np.float32)
    found, threshold = sensor.scores(sensor.encode(calm, max_error=0.01))
    odd = np.flatnonzero(found >= threshold)
    # The predictor needs a while to recover from such a window.
    assert odd[0] == 50 and odd[-1] < 56


def test_scores_against_the_first_windows() -> None:
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((3200, 2)).astype(np.float32)
    noise[2400:2560, 1] += 3
    found, threshold = sensor.scores(sensor.encode(noise, max_error=0.1, window=32, calibration=40))
    odd = np.flatnonzero(found >= threshold)
    assert not found[:40].any() and odd.tolist() == [75, 76, 77, 78, 79]
    with pytest.raises(pinhole.EncodeError, match="calibration"):
        sensor.encode(noise, max_error=0.1, calibration=5)


def test_damage(samples: Samples) -> None:
    data = bytearray(sensor.encode(samples, max_error=0.01, windows_per_frame=4, key_interval=1))
    data[len(data) // 2] ^= 1
    with pytest.raises(pinhole.DecodeError):
        sensor.decode(data)
    decoded = sensor.decode(data, conceal=True)
    lost = np.isnan(decoded.values).all(axis=1)
    assert decoded.values.shape == samples.shape and lost.sum() == 512
    for cut in (0, 3, 60, len(data) - 1):
        with pytest.raises(pinhole.DecodeError):
            sensor.decode(data[:cut])


def test_arguments(samples: Samples) -> None:
    with pytest.raises(pinhole.EncodeError, match="bounds"):
        sensor.encode(samples, max_error=[0.1, 0.1])
    with pytest.raises(ValueError, match="exclude"):
        sensor.encode(samples, max_error=0.1, quality=3)
    with pytest.raises(pinhole.EncodeError):
        sensor.encode(samples, max_error=-1)
    with pytest.raises(pinhole.EncodeError, match="complex"):
        sensor.encode(samples.astype(np.complex64))
    with pytest.raises(pinhole.EncodeError):
        sensor.encode(samples[None], max_error=1)
    encoder = sensor.Encoder(3, max_error=0.1)
    with pytest.raises(pinhole.EncodeError, match="3 channels"):
        encoder.push(samples)
    with pytest.raises(pinhole.EncodeError, match="float64"):
        encoder.push(samples[:, :3].astype(np.float64))
    empty = sensor.decode(sensor.encode(samples[:0], max_error=1))
    assert empty.values.shape == (0, 4)
    one = sensor.decode(sensor.encode(samples[:1, 0], max_error=1e-3))
    assert one.values.shape == (1, 1)
