"""Throughput, latency and overload of the service; see README.md."""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ["astronaut.png", "chelsea.png", "coffee.png", "coffee-cup.png", "rocket.jpg"]
RAW, PNG = "application/octet-stream", "image/png"


@dataclass
class Server:
    process: subprocess.Popen
    host: str
    port: int

    def resident(self) -> float:
        """MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextlib.contextmanager
def serving(options: argparse.Namespace, folder: Path, limits: str) -> Iterator[Server]:
    """A server without cache."""
    config = folder / "serve.toml"
    config.write_text(
        f'listen = "127.0.0.1:0"\nrepository = "{options.model}"\nthreads = {options.threads}\ncache_bytes = 0\n'
        f'[limits]\n{limits}\n[telemetry]\nlog = "warn"\n'
    )
    process = subprocess.Popen([options.bin / "pinhole-serve", config], stdout=subprocess.PIPE, text=True)
    try:
        host, port = process.stdout.readline().split("//")[1].strip().rsplit(":", 1)
        yield Server(process, host, int(port))
    finally:
        process.terminate()
        process.wait()


@dataclass
class Answer:
    status: int
    code: str
    """Of a refusal."""
    seconds: float
    """Since the request was due."""


async def ask(server: Server, request: bytes) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection(server.host, server.port, limit=1 << 20)
    writer.write(request)
    answer = await reader.read(-1)
    writer.close()
    return int(answer[9:12]), answer[answer.index(b"\r\n\r\n") + 4 :]


def post(path: str, body: bytes, accept: str) -> bytes:
    head = (f"POST {path} HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\nconnection: close\r\n"
            f"content-type: {RAW}\r\ncontent-length: {len(body)}\r\n\r\n")
    return head.encode() + body


async def arrivals(server: Server, streams: list[bytes], rate: float, seconds: float) -> tuple[list[Answer], list[float], float]:
    """Answers to requests that come as they come, whether or not others have been answered; beside them seconds that
    `/healthz` took, and the most memory."""
    random.seed(1)
    results: list[Answer] = []
    probes: list[float] = []
    memory = server.resident()
    requests = [post("/v1/decode", stream, RAW) for stream in streams]
    health = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"

    async def one(due: float, request: bytes) -> None:
        status, body = await ask(server, request)
        code = "" if status == 200 else json.loads(body)["code"]
        results.append(Answer(status, code, time.perf_counter() - due))

    async def probe() -> None:
        nonlocal memory
        while True:
            await asyncio.sleep(0.2)
            start = time.perf_counter()
            await ask(server, health)
            probes.append(time.perf_counter() - start)
            memory = max(memory, server.resident())

    probing = asyncio.create_task(probe())
    tasks, due, number = [], time.perf_counter() + 0.1, 0
    end = due + seconds
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due, requests[number % len(requests)])))
        due += random.expovariate(rate)
        number += 1
    await asyncio.gather(*tasks)
    probing.cancel()
    return results, probes, memory


def quantile(values: list[float], q: float) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def spread(values: list[float]) -> str:
    parts = {"median": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return ", ".join(f"{name} {1e3 * quantile(values, q):.1f}" for name, q in parts.items()) + " ms"


def last_json(text: str) -> dict:
    return json.loads(text.strip().splitlines()[-1])


def write_streams(server: Server, folder: Path) -> list[Path]:
    from PIL import Image, ImageOps

    paths = []
    for sample in SAMPLES:
        picture = ImageOps.fit(Image.open(ROOT / "samples" / sample).convert("RGB"), (768, 512))
        request = post("/v1/encode?width=768&height=512", picture.tobytes(), "*/*")
        status, stream = asyncio.run(ask(server, request))
        assert status == 200, stream[:300]
        path = folder / f"{Path(sample).stem}.pin"
        path.write_bytes(stream)
        paths.append(path)
    return paths


def throughput(options: argparse.Namespace, server: Server, paths: list[Path], accept: str) -> float:
    """Library and service in turns; the service's median."""
    name = {RAW: "raw", PNG: "png"}[accept]

    def library() -> float:
        command = [options.bin / "examples/library", options.model, str(options.threads), str(options.seconds), name, *paths]
        return last_json(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["pictures_per_second"]

    def service() -> float:
        command = ["wrk", "-t1", f"-c{options.threads + 2}", f"-d{options.seconds:g}s", "--timeout", "30s",
                   "-s", ROOT / "benches/service/streams.lua", f"http://{server.host}:{server.port}"]
        environment = {**os.environ, "STREAMS": ":".join(map(str, paths)), "ACCEPT": accept}
        result = last_json(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)
        assert result["failed"] == 0, result
        return result["pictures_per_second"]

    rates = []
    for number in range(options.rounds):
        # Who goes first changes, so that a machine that gets busier favours neither.
        if number % 2 == 0:
            alone, served = library(), service()
        else:
            served, alone = service(), library()
        rates.append((alone, served))
        print(f"{name}, round {number + 1}: library {alone:.1f}/s, service {served:.1f}/s: {100 * served / alone:.0f} %", flush=True)
    alone, served = (statistics.median(side) for side in zip(*rates))
    ratio = statistics.median(served / alone for alone, served in rates)
    print(f"{name}, medians: library {alone:.1f}/s, service {served:.1f}/s, ratio of a round {100 * ratio:.0f} %", flush=True)
    return served


def overload(options: argparse.Namespace, server: Server, streams: list[bytes], rate: float, words: str) -> None:
    before = server.resident()
    results, probes, most = asyncio.run(arrivals(server, streams, 3 * rate, options.seconds))
    counts = Counter(f"{result.status} {result.code}".strip() for result in results)
    refused = [r.seconds for r in results if r.status in (429, 503) and r.code != "deadline"]
    answered = [r.seconds for r in results if r.status == 200]
    print(f"300 % load, {words}: {len(results)} requests, {dict(sorted(counts.items()))}\n"
          f"  refusals: {spread(refused)}; in 50 ms {100 * sum(s <= 0.05 for s in refused) / max(1, len(refused)):.1f} %\n"
          f"  /healthz beside them: {spread(probes)}\n"
          f"  answers: {spread(answered)}\n"
          f"  memory {before:.0f} MiB before, {most:.0f} at most, {server.resident():.0f} after", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--model", type=Path, default=ROOT / "models/zoo/photo/photo.pinm")
    parser.add_argument("--bin", type=Path, default=ROOT / "target/release")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
          f"nice {os.nice(0)}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving(options, folder, "queue = 8") as server:
            paths = write_streams(server, folder)
            streams = [path.read_bytes() for path in paths]
            rate = throughput(options, server, paths, RAW)
            throughput(options, server, paths, PNG)
            results, _, _ = asyncio.run(arrivals(server, streams, 0.8 * rate, options.seconds))
            times = [result.seconds for result in results if result.status == 200]
            median, p95 = quantile(times, 0.5), quantile(times, 0.95)
            print(f"80 % load: {len(results)} requests, {len(results) - len(times)} refused, median {1e3 * median:.0f} ms, "
                  f"p95 {1e3 * p95:.0f} ms: {p95 / median:.1f} times", flush=True)
            overload(options, server, streams, rate, "a queue of 8")
        with serving(options, folder, "queue = 1000\nmax_wait_ms = 500") as server:
            overload(options, server, streams, rate, "a wait of 500 ms")


if __name__ == "__main__":
    sys.exit(main())
