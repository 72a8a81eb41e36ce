"""Throughput, latency and overload of the service; see README.md."""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ["astronaut.png", "chelsea.png", "coffee.png", "coffee-cup.png", "rocket.jpg"]


def start(binary: Path, folder: Path, model: Path, threads: int) -> tuple[subprocess.Popen, str, int]:
    """A server without cache; its process, host and port."""
    config = folder / "serve.toml"
    config.write_text(
        f'listen = "127.0.0.1:0"\nrepository = "{model}"\nthreads = {threads}\ncache_bytes = 0\n'
        '[limits]\nqueue = 8\n[telemetry]\nlog = "warn"\n'
    )
    server = subprocess.Popen([binary, config], stdout=subprocess.PIPE, text=True)
    host, port = server.stdout.readline().split("//")[1].strip().rsplit(":", 1)
    return server, host, int(port)


async def ask(host: str, port: int, path: str, body: bytes, accept: str) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\naccept: {accept}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.read(-1)
    writer.close()
    return int(answer[9:12]), answer[answer.index(b"\r\n\r\n") + 4 :]


async def arrivals(host: str, port: int, streams: list[bytes], rate: float, seconds: float) -> list[tuple[int, float]]:
    """Status and seconds of requests that come as they come, whether or not others have been answered."""
    random.seed(1)
    results: list[tuple[int, float]] = []

    async def one(due: float, stream: bytes) -> None:
        status, _ = await ask(host, port, "/v1/decode", stream, "application/octet-stream")
        results.append((status, time.perf_counter() - due))

    tasks, due, number = [], time.perf_counter() + 0.1, 0
    end = due + seconds
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due, streams[number % len(streams)])))
        due += random.expovariate(rate)
        number += 1
    await asyncio.gather(*tasks)
    return results


def resident(process: subprocess.Popen) -> float:
    """MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def quantile(values: list[float], q: float) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def last_json(text: str) -> dict:
    return json.loads(text.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--model", type=Path, default=ROOT / "models/zoo/photo/photo.pinm")
    parser.add_argument("--bin", type=Path, default=ROOT / "target/release")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, host, port = start(options.bin / "pinhole-serve", folder, options.model, options.threads)
        try:
            measure(options, folder, server, host, port)
        finally:
            server.terminate()
            server.wait()


def measure(options: argparse.Namespace, folder: Path, server: subprocess.Popen, host: str, port: int) -> None:
    from PIL import Image, ImageOps

    paths = []
    for sample in SAMPLES:
        picture = ImageOps.fit(Image.open(ROOT / "samples" / sample).convert("RGB"), (768, 512))
        path = folder / f"{Path(sample).stem}.pin"
        body = picture.tobytes()
        raw = "/v1/encode?width=768&height=512"
        head = f"POST {raw} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/octet-stream\r\ncontent-length: {len(body)}\r\n\r\n"

        async def encode() -> bytes:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(head.encode() + body)
            answer = await reader.read(-1)
            assert answer[9:12] == b"200", answer[:300]
            return answer[answer.index(b"\r\n\r\n") + 4 :]

        path.write_bytes(asyncio.run(encode()))
        paths.append(path)
    streams = [path.read_bytes() for path in paths]

    def library() -> float:
        command = [options.bin / "examples/library", options.model, str(options.threads), str(options.seconds), *paths]
        return last_json(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["pictures_per_second"]

    def service() -> float:
        command = ["wrk", "-t1", f"-c{options.threads + 2}", f"-d{options.seconds:g}s", "--timeout", "10s",
                   "-s", ROOT / "benches/service/streams.lua", f"http://{host}:{port}"]
        environment = {**os.environ, "STREAMS": ":".join(map(str, paths))}
        result = last_json(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)
        assert result["failed"] == 0, result
        return result["pictures_per_second"]

    rates = [(library(), service()) for _ in range(options.rounds)]
    own = statistics.median(rate for _, rate in rates)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for round_, (alone, served) in enumerate(rates, 1):
        print(f"round {round_}: library {alone:.1f}/s, service {served:.1f}/s: {100 * served / alone:.0f} %")
    before = resident(server)
    results = asyncio.run(arrivals(host, port, streams, 0.8 * own, options.seconds))
    times = [seconds for status, seconds in results if status == 200]
    median, p95 = quantile(times, 0.5), quantile(times, 0.95)
    print(f"80 % load: {len(results)} requests, {len(results) - len(times)} refused, median {1e3 * median:.0f} ms, "
          f"p95 {1e3 * p95:.0f} ms: {p95 / median:.1f} times")
    results = asyncio.run(arrivals(host, port, streams, 3 * own, options.seconds))
    refused = [seconds for status, seconds in results if status in (429, 503)]
    other = {status for status, _ in results} - {200, 429, 503}
    print(f"300 % load: {len(results)} requests, {len(refused)} refused: median {1e3 * quantile(refused, 0.5):.0f} ms, "
          f"p95 {1e3 * quantile(refused, 0.95):.0f} ms, p99 {1e3 * quantile(refused, 0.99):.0f} ms; other statuses: {sorted(other)}; "
          f"memory {before:.0f} MiB, then {resident(server):.0f} MiB")


if __name__ == "__main__":
    sys.exit(main())
