"""What being looked at costs a training in the lab: images a second alone, before one page and before a hundred.

    python benchmarks/lab.py [--model convnetjs-cifar10 --data cifar10 --batch-size 64] [--seconds 2] [--rounds 8]

--data noise: pictures in the shape of CIFAR-10.
The server is a process of its own. Alone, one page with all layers, and a hundred viewers take turns, so that a machine
that becomes slower meanwhile does so for all of them; the best round of each counts. Two shares are printed:

    measured: images a second, against those of nobody looking.
    without the viewers: the viewers are programs on the same cores here, and sit at other computers in a class. The
        processor time that their process took, as the system counts it, is time that this machine's cores would have
        had: images a second divided by the share of the cores that is left without it. What the system does
        for them outside their process (the network between two programs on one machine) stays counted against the lab.

Beside them stand the processor time of the server's own threads (all but training and kernels), in percent of one core,
and the server's memory: at the end of each round of a hundred viewers, who come at its beginning and go at its end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from pellucid.lab.protocol import read_bundle

PROGRAM = """
import sys
import threading
import numpy as np
from pellucid.lab.launch import make_lab
from pellucid.lab.prepare import prepare
from pellucid.lab.session import Command

model, data, size = sys.argv[1:]
if data == "noise":  # in the shape of CIFAR-10, where that is not at hand
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (6000, 32, 32, 3), np.uint8), np.arange(6000) % 10
lab = make_lab(lambda: prepare(model, data), port=0, host="127.0.0.1", lang="en", folder=lambda _: None)
lab.session.obey(Command("set", "batch_size", int(size)))
print(lab.url, lab.viewer_url, len(lab.session.dataset.train), flush=True)

def say():
    for _ in sys.stdin:  # which threads serve
        print(*(thread.native_id for thread in threading.enumerate() if "training" not in thread.name), flush=True)

threading.Thread(target=say, daemon=True).start()
lab.run()
"""


@dataclass(frozen=True)
class Measured:
    """What a stretch of time came to. Units: a second; shares of one core; MB."""

    images: float
    messages: float
    viewers: float
    server: float
    memory_mb: float

    @property
    def without_viewers(self) -> float:
        """Images a second, had the viewers' process taken nothing of this machine."""
        return self.images / (1 - self.viewers / len(os.sched_getaffinity(0)))


class Server:
    """The process that serves and trains. url: of the owner; viewer: of those who look; epoch: its images."""

    def __init__(self, model: str, data: str, batch_size: int) -> None:
        command = [sys.executable, "-c", PROGRAM, model, data, str(batch_size)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url, self.viewer, epoch = self._line()
        self.epoch = int(epoch)

    def _line(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def serving_s(self) -> float:
        """Processor time so far of all threads but those that train and compute."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        total = 0
        for thread in self._line():
            fields = Path(f"/proc/{self.process.pid}/task/{thread}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """What it holds of the machine's memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


class Pages:
    """Connections to a lab, which watch as its page does and count the messages they get."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.messages, self.done = 0, (0.0, 0)
        """Messages to those who look; when the last state came, in seconds, and how many images it told of."""

    def _connect(self, url: str, **more: Any) -> Any:
        from websockets.asyncio.client import connect
        from websockets.typing import Origin

        origin = Origin(url.rsplit("/", 2)[0])
        return connect(f"{url.replace('http', 'ws', 1)}socket", origin=origin, max_size=None, **more)

    async def steer(self, begun: asyncio.Event) -> None:
        """The owner, who looks at nothing."""
        async with self._connect(self._server.url) as page:
            await page.send(json.dumps({"type": "command", "do": "start"}))
            async for message in page:
                heads = [head for head, _ in read_bundle(message)] if isinstance(message, bytes) else []
                for head in heads:
                    if head.get("type") == "state":
                        images = head["epoch"] * self._server.epoch + head["pictures"]
                        self.done = asyncio.get_running_loop().time(), images
                        begun.set()

    async def look(self, views: list[dict[str, Any]]) -> None:
        """One page; without views those of every layer."""
        async with self._connect(self._server.viewer, close_timeout=0.1) as page:
            layers = [layer["name"] for layer in json.loads(await page.recv())["network"]["layers"]]
            every = [{"view": "network"}, {"view": "predictions"}, {"view": "confusion"}]
            every += [{"view": "maps", "layer": name} for name in layers[:13]]
            await page.send(json.dumps({"type": "watch", "views": views or every}))
            async for _ in page:
                self.messages += 1

    async def measure(self, looking: int, views: list[dict[str, Any]], seconds: float) -> Measured:
        """With so many looking on."""
        tasks = [asyncio.create_task(self.look(views)) for _ in range(looking)]
        await asyncio.sleep(1.5)
        loop = asyncio.get_running_loop()

        def now() -> tuple[float, float, float, float, float, float]:
            own, clock = os.times(), loop.time()
            return *self.done, clock, self.messages, own.user + own.system, self._server.serving_s()

        before = now()
        await asyncio.sleep(seconds)
        trained_s, images, took_s, *grown = (b - a for a, b in zip(before, now(), strict=True))
        result = Measured(images / trained_s, *(each / took_s for each in grown), self._server.memory_mb())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return result


CASES: dict[str, tuple[int, list[dict[str, Any]]]] = {
    "alone": (0, []),
    "one page, all layers": (1, []),
    "100 viewers": (100, [{"view": "network"}, {"view": "maps", "layer": "conv1"}, {"view": "predictions"}]),
}


async def measure(server: Server, seconds: float, rounds: int) -> None:
    """Print a line for each case, and the memory."""
    pages, begun = Pages(server), asyncio.Event()
    steering = asyncio.create_task(pages.steer(begun))
    await begun.wait()
    await asyncio.sleep(2)
    found: dict[str, list[Measured]] = {name: [] for name in CASES}
    for _ in range(rounds):
        for name, (looking, views) in CASES.items():
            found[name].append(await pages.measure(looking, views, seconds))
    steering.cancel()
    best = {name: max(results, key=astuple) for name, results in found.items()}  # what else runs only makes it slower
    alone = best["alone"].images
    print(f"{'':22} images/s  measured  without viewers  messages/s  server  viewers (of one core)")
    for name, case in best.items():
        shares = f"{case.images / alone:9.1%} {case.without_viewers / alone:16.1%}"
        print(f"{name:22} {case.images:8,.0f} {shares} {case.messages:11,.0f} {case.server:7.1%} {case.viewers:8.1%}")
    memory = " ".join(f"{case.memory_mb:.0f}" for case in found["100 viewers"])
    print(f"the server's memory at the end of each round of a hundred who came and went, MB: {memory}")


def main() -> None:
    """Start a server, measure, end it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="simple-convnet")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=8)
    given = parser.parse_args()
    server = Server(given.model, given.data, given.batch_size)
    try:
        asyncio.run(measure(server, given.seconds, given.rounds))
    finally:
        server.process.kill()


if __name__ == "__main__":
    main()
