"""`pellucid serve` under load: beside ONNX Runtime behind the same server, and with hostile requests among the others.

    python benchmarks/serve.py compare [--only photo-net,mobilenet-v2] [--rounds 5] [--seconds 4]
    python benchmarks/serve.py hostile [--requests 10000]

compare: 32 clients ask one after another, each for one JPEG of 256 x 256 pixels, a server and the clients in a process
each; rounds in turns, medians. Both servers read pictures, bring those that wait together and answer in the same code;
what computes is our plan, or an ONNX Runtime session on the exported network with two threads.
hostile: half of the requests are broken: no pictures, cut ones, wrong forms and JSON, a size that is not theirs,
connections that end in the middle. Memory before and after, and whether every good one got its own answer.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

CLIENTS = 32
SIDE = 256
ENDED = b"\r\n\r\n"


def jpeg(seed: int) -> bytes:
    """A picture with something in it: soft colours and a little noise."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    soft = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    noise = rng.normal(0, 6, (SIDE, SIDE, 3))
    file = io.BytesIO()
    Image.fromarray((np.asarray(soft) + noise).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()


def post(content: bytes, kind: str = "image/jpeg", length: int | None = None) -> bytes:
    """A request."""
    size = len(content) if length is None else length
    head = f"POST /predict?top=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {size}"
    return head.encode() + ENDED + content


async def answered(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of the next answer."""
    head = (await reader.readuntil(ENDED)).decode().lower()
    size = int(next(line for line in head.split("\r\n") if line.startswith("content-length")).partition(":")[2])
    return int(head.split(" ", 2)[1]), await reader.readexactly(size)


async def load(port: int, seconds: float, pictures: list[bytes]) -> dict[str, float]:
    """What so many clients get in so many seconds."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            begun = time.perf_counter()
            writer.write(post(pictures[number % len(pictures)]))
            status, _ = await answered(reader)
            assert status == 200, status
            times.append(time.perf_counter() - begun)
        writer.close()

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    cut = statistics.quantiles(times, n=100)
    return {"a_second": len(times) / seconds, "median_ms": 1e3 * cut[49], "p99_ms": 1e3 * cut[98]}


class Runtime:
    """An ONNX Runtime session where our plan stands."""

    def __init__(self, model: Any, threads: int) -> None:
        import onnxruntime

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "network.onnx")
            model.save(file)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would take the clients' core
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self._given = self._session.get_inputs()[0]

    def answer(self, pictures: Any) -> Any:
        """The same as our own: probabilities, a row a picture."""
        stacked = np.stack(pictures)
        if self._given.type == "tensor(float)":
            stacked = stacked.astype(np.float32)
        return self._session.run(None, {self._given.name: stacked})[0]


def server(kind: str, network: str, threads: int) -> None:
    """A server's process: prints its port."""
    import uvicorn

    import pellucid
    from pellucid import zoo
    from pellucid._web import Place, listen
    from pellucid.serve import BATCH
    from pellucid.serve.answering import Answerer
    from pellucid.serve.app import make_app

    pellucid.set_num_threads(threads)
    model = zoo.build(network)
    answerer = Answerer(model, top=1, batch_size=BATCH)
    if kind == "onnxruntime":
        answerer.answer = Runtime(model, threads).answer  # type: ignore[method-assign]
    listening = listen("127.0.0.1", 0, first=0)
    print(Place.of("127.0.0.1", listening.getsockname()[1]).port, flush=True)
    uvicorn.Server(uvicorn.Config(make_app(answerer), access_log=False, log_level="critical")).run(sockets=[listening])


def start(kind: str, network: str) -> tuple[subprocess.Popen[str], int]:
    """A server of its own, and its port."""
    command = [sys.executable, __file__, "server", kind, network]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "2"})
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def compare(networks: list[str], rounds: int, seconds: float) -> None:
    """Our server beside ONNX Runtime's."""
    pictures = [jpeg(seed) for seed in range(8)]
    print("network        server       pictures/s   median ms   p99 ms   p99/median")
    for network in networks:
        servers = {kind: start(kind, network) for kind in ("pellucid", "onnxruntime")}
        found: dict[str, list[dict[str, float]]] = {kind: [] for kind in servers}
        for _, port in servers.values():
            asyncio.run(load(port, 1, pictures))
        for turn in range(rounds):
            for kind in sorted(servers, reverse=bool(turn % 2)):
                time.sleep(0.3)
                found[kind].append(asyncio.run(load(servers[kind][1], seconds, pictures)))
        for process, _ in servers.values():
            process.kill()
        for kind, rows in found.items():
            middle = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
            numbers = [middle[name] for name in ("a_second", "median_ms", "p99_ms")]
            print("{:14} {:12} {:10.0f} {:11.1f} {:8.1f}".format(network, kind, *numbers), end="")
            print(f"{middle['p99_ms'] / middle['median_ms']:13.2f}")
        ratios = [a["a_second"] / b["a_second"] for a, b in zip(found["pellucid"], found["onnxruntime"], strict=True)]
        print(f"{network:14} ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def broken(rng: random.Random, good: bytes) -> bytes:
    """A request that cannot be answered."""
    breaks = (
        lambda: post(rng.randbytes(rng.randrange(2000))),
        lambda: post(good[: rng.randrange(1, 400)]),
        lambda: post(good, "application/json"),
        lambda: post(good, "multipart/form-data; boundary=x"),
        lambda: post(b'{"pictures": [' + b'"AAAA",' * 900 + b'"AAAA"]}', "application/json"),
        lambda: post(b"", length=1 << 30),
        lambda: post(good, "text/plain"),
        lambda: rng.randbytes(300) + ENDED,
        lambda: post(good[:100], length=len(good)),  # and no more comes
    )
    return rng.choice(breaks)()


async def besiege(port: int, count: int, pictures: list[bytes], wanted: list[Any]) -> dict[str, int]:
    """`count` requests, every second one broken."""
    rng, told = random.Random(5), {"right": 0, "wrong": 0, "refused": 0, "broken off": 0, "let in": 0}
    left = iter(range(count))

    async def client() -> None:
        for number in left:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            which = rng.randrange(len(pictures))
            good = pictures[which]
            try:
                if number % 2:
                    writer.write(post(good))
                    status, body = await answered(reader)
                    right = status == 200 and json.loads(body)["answers"] == wanted[which]
                    told["right" if right else "wrong"] += 1
                    continue
                writer.write(broken(rng, good))
                if writer.can_write_eof():
                    writer.write_eof()
                try:
                    status, _ = await asyncio.wait_for(answered(reader), 20)
                    told["refused" if status >= 400 else "let in"] += 1
                except (asyncio.IncompleteReadError, ConnectionError, StopIteration):
                    told["broken off"] += 1
            finally:
                writer.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return told


def resident_mb(process: subprocess.Popen[str]) -> float:
    """Of a process."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


async def alone(port: int, content: bytes) -> Any:
    """The answer for one picture."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(post(content))
    _, body = await answered(reader)
    writer.close()
    return json.loads(body)["answers"]


def hostile(requests: int) -> None:
    """Many requests, half of them broken: what came of them, and what the server's memory did."""
    process, port = start("pellucid", "photo-net")
    pictures = [jpeg(seed) for seed in range(16)]
    wanted = [asyncio.run(alone(port, content)) for content in pictures]
    asyncio.run(besiege(port, requests // 10, pictures, wanted))
    before, begun = resident_mb(process), time.perf_counter()
    for part in range(4):
        told = asyncio.run(besiege(port, requests // 4, pictures, wanted))
        print(f"{part + 1} of 4: {told}, {resident_mb(process):.1f} MB for {before:.1f}")
    print(f"{requests} requests in {time.perf_counter() - begun:.1f} s")
    process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("compare", "hostile", "server"))
    parser.add_argument("given", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--only", default="photo-net,mobilenet-v2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--requests", type=int, default=10_000)
    asked = parser.parse_args()
    if asked.what == "server":
        server(*asked.given, threads=2)
    elif asked.what == "compare":
        compare(asked.only.split(","), asked.rounds, asked.seconds)
    else:
        hostile(asked.requests)


if __name__ == "__main__":
    main()
