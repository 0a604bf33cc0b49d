"""A class of a hundred at one lab: everybody sees, memory stays, and who stops reading goes without being missed."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from pellucid.lab.protocol import read_bundle

VIEWERS, SECONDS = 100, 2.0
MORE_MB = 24
"""What the server may grow by while they look: buffers of a hundred connections, and no queue."""

PROGRAM = """
from pellucid.lab import hub
from pellucid.lab.launch import make_lab
from pellucid.lab.prepare import prepare

hub.STALLED_S = 1.0
lab = make_lab(prepare, port=0, host="127.0.0.1", lang="en", folder=lambda _: None)
print(lab.url, lab.viewer_url, flush=True)
lab.run()
"""

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")


def memory_mb(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


async def look_on(owner_url: str, viewer_url: str, process: int) -> dict[str, Any]:
    """A hundred viewers watch while the owner trains; one of them stops reading."""
    from websockets.asyncio.client import connect
    from websockets.typing import Origin

    origin = Origin(owner_url.rsplit("/", 2)[0])
    frames = [0] * VIEWERS
    watch = {
        "type": "watch",
        "views": [{"view": "network"}, {"view": "maps", "layer": "conv1"}, {"view": "predictions"}],
    }

    def address(url: str) -> str:
        return f"{url.replace('http', 'ws', 1)}socket"

    async def viewer(number: int, *, reads: bool) -> None:
        made = socket.socket()
        if not reads:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.connect(("127.0.0.1", int(owner_url.split("/")[2].partition(":")[2])))
        async with connect(
            address(viewer_url),
            sock=made,
            origin=origin,
            max_size=None,
            max_queue=1,
            ping_interval=None,
            close_timeout=0.1,
        ) as page:
            await page.send(json.dumps(watch))
            for _ in range(0 if reads else 150):  # answers that nobody takes fill what lies between
                await page.send(json.dumps({"type": "ask", "id": 1, "view": "arithmetic", "layer": "affine1"}))
            while not reads:
                await asyncio.sleep(1)
            async for message in page:
                frames[number] += isinstance(message, bytes)

    async with connect(address(owner_url), origin=origin, max_size=None) as owner:
        states: list[dict[str, Any]] = []

        async def listen() -> None:
            async for message in owner:
                heads = [head for head, _ in read_bundle(message)] if isinstance(message, bytes) else []
                states.extend(head for head in heads if head.get("type") == "state")

        tasks = [asyncio.create_task(listen()), asyncio.create_task(viewer(0, reads=False))]
        tasks += [asyncio.create_task(viewer(number, reads=True)) for number in range(1, VIEWERS)]
        await owner.send(json.dumps({"type": "command", "do": "start"}))
        async with asyncio.timeout(60):
            while min(frames[1:]) < 5 or max(state["viewers"] for state in states) <= VIEWERS:
                await asyncio.sleep(0.05)
            before, step = memory_mb(process), states[-1]["step"]
            await asyncio.sleep(SECONDS)
            while (
                states[-1]["viewers"] > VIEWERS or states[-1]["step"] == step
            ):  # until the one who does not read is gone
                await asyncio.sleep(0.05)
            result = {"grown": memory_mb(process) - before, "viewers": states[-1]["viewers"], "frames": frames[1:]}
            seen = sum(frames)
            while sum(frames) < seen + VIEWERS:
                await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return result


@needs_proc
def test_a_hundred_viewers_see_and_memory_stays() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            owner_url, viewer_url = process.stdout.readline().split()
            found = asyncio.run(look_on(owner_url, viewer_url, process.pid))
        finally:
            process.kill()
    assert found["viewers"] == VIEWERS  # the owner and all who read
    assert found["grown"] < MORE_MB and min(found["frames"]) >= 5
