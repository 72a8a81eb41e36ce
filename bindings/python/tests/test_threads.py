"""The GIL, threads and processes."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from conftest import Bytes

import pinhole


def test_other_threads_run_meanwhile(rgb: Bytes) -> None:
    picture = np.tile(rgb, (5, 5, 1))
    data = pinhole.encode(picture)
    slots: dict[str, float] = {}

    def code() -> None:
        start = time.perf_counter()
        pinhole.encode(picture)
        middle = time.perf_counter()
        pinhole.decode(data)
        slots.update(start=start, middle=middle, end=time.perf_counter())

    worker = threading.Thread(target=code)
    ticks = []
    worker.start()
    while worker.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.001)
    for start, end in (("start", "middle"), ("middle", "end")):
        # In how many tenths of the call this thread came to run. With the GIL held it would be the first or the last.
        length = slots[end] - slots[start]
        tenths = {int(10 * (t - slots[start]) / length) for t in ticks if slots[start] < t < slots[end]}
        assert len(tenths) >= 5, f"{length:.3f} s, {sorted(tenths)}"


def test_one_encoder_for_many_threads(rgb: Bytes) -> None:
    encoder, decoder = pinhole.Encoder(threads=2), pinhole.Decoder(threads=2)
    pictures = [np.ascontiguousarray(rgb[: 40 + 16 * i, : 300 - 20 * i]) for i in range(8)]
    expected = [pinhole.encode(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(encoder.encode, pictures * 3)) == expected * 3
        decoded = list(pool.map(decoder.decode, expected * 3))
        assert list(pool.map(pinhole.encode, pictures)) == expected
    for pixels, stream in zip(decoded, expected * 3, strict=True):
        assert np.array_equal(pixels, pinhole.decode(stream))


def test_a_fork_has_threads_of_its_own() -> None:
    program = """
import os, sys
import numpy as np
import pinhole
picture = np.arange(300 * 200 * 3, dtype=np.uint32).astype(np.uint8).reshape(300, 200, 3)
encoder = pinhole.Encoder(threads=2)
data = encoder.encode(picture, chunk_rows=64)
pinhole.encode(picture)
child = os.fork()
if child == 0:
    same = encoder.encode(picture, chunk_rows=64) == data == pinhole.encode(picture, chunk_rows=64)
    os._exit(0 if same else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=120)
