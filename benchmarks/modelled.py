"""When more machines pay: a step's time modelled for links of stated bandwidth and latency, drawn, and measured.

The computation of one of N processes is measured, by giving it its shards alone. What goes over the network is known,
see `train.distributed.add_up`. Whole trainings are measured in network namespaces of this machine, on slow links.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np

NETWORKS = ("cifar-net", "resnet20", "vgg11")
WORLDS = tuple(2**i for i in range(7))
LINKS = {
    "10 Gbit/s, 30 µs": (10e9 / 8, 30e-6),
    "1 Gbit/s, 100 µs": (1e9 / 8, 100e-6),
    "200 Mbit/s, 2 ms": (200e6 / 8, 2e-3),
}
"""Bytes a second each way, and seconds until a message is there: a cluster's, an office's, a wireless one."""
WAKE_S = 2e-3
"""Until a thread that waits for a message runs, where all cores compute: half a tick of Linux's clock at 250 Hz."""
NEAR_S = 60e-6
"""Of a message between two namespaces on one machine."""
TCP = 0.94
"""Of what a link carries: the rest are headers."""


@dataclass(frozen=True)
class Imagined:
    """One of several processes whose others answer at once, and nothing."""

    rank: int
    world: int
    far: bool = False

    def reduce(self, array: Any) -> None: ...
    def gather(self, text: str) -> list[str]:
        return [text] * self.world

    def share(self, data: bytes) -> bytes:
        return data

    def together(self, work: Callable[[], object]) -> None:
        work()


def step_seconds(network: str, batch_size: int, shards: int, world: int) -> tuple[float, int]:
    """(seconds of a step of one of so many processes, without the network; numbers that are reduced)."""
    from pellucid import zoo
    from pellucid.model.inputs import make_examples
    from pellucid.train import TrainConfig, Trainer

    model = zoo.build(network, input_shape=(32, 32, 3), classes=10, seed=0, options={})
    model.compile("adam", "categorical_crossentropy")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (6 * batch_size, 32, 32, 3), np.uint8), rng.integers(0, 10, 6 * batch_size)
    examples, _ = make_examples(model, x, y, None, None)
    ends: list[float] = []

    def clock(event: Any) -> None:
        if type(event).__name__ == "BatchEnded":
            ends.append(time.perf_counter())

    config = TrainConfig(epochs=1, batch_size=batch_size, shards=shards)
    processes = Imagined(0, world) if world > 1 else None
    Trainer(model, examples, config, listeners=[clock], processes=processes).run()
    return float(np.median(np.diff(ends)[1:])), model.parameters.gradients.size


def exchange_seconds(numbers: int, world: int, link: tuple[float, float], behind_s: float = 0.0) -> float:
    """Of `add_up`: halves are summed, handed back, and then come a few sums.

    behind_s: of the way back of the last shard, while which all parts of the gradients but the last, a quarter, may go.
    """
    bandwidth, latency = link
    array, other = np.zeros(numbers, np.float32), np.zeros(numbers, np.float32)
    start = time.perf_counter()
    for _ in range(5):
        array += other
    adding = (time.perf_counter() - start) / 5
    seconds = float(3 * np.log2(world) * (WAKE_S + latency) + (1 - 1 / world) * (2 * 4 * numbers / bandwidth + adding))
    return seconds - min(behind_s, 0.75 * seconds)


def behind(seconds: float, shards: int, world: int) -> float:
    """Of a step's computation, the way back of a process's last shard: two parts of three."""
    return 2 / 3 * seconds / (shards // world)


def speed_ups(networks: Sequence[str], batch_size: int) -> dict[str, Any]:
    """How many times as fast as one machine alone, without shards, so many are, by network and link.

    There are as many shards as machines, and 8 at least.
    """
    found: dict[str, Any] = {"batch": batch_size, "machines": list(WORLDS), "networks": {}}
    for network in networks:
        alone, numbers = step_seconds(network, batch_size, 1, 1)
        each = [(world, step_seconds(network, batch_size, max(8, world), world)[0]) for world in WORLDS]

        def sent(seconds: float, world: int, link: tuple[float, float], numbers: int = numbers) -> float:
            return exchange_seconds(numbers, world, link, behind(seconds, max(8, world), world))

        found["networks"][network] = {
            "step_ms": round(1e3 * alone, 1),
            "gradients_mb": round(4e-6 * numbers, 1),
            "times": {
                name: [round(alone / (s + sent(s, world, link)), 2) for world, s in each]
                for name, link in LINKS.items()
            },
        }
        print(f"{network}: {1e3 * alone:.1f} ms a step, {4e-6 * numbers:.1f} MB of gradients")
        for name, times in found["networks"][network]["times"].items():
            row = "  ".join(f"{world}: {value:5.2f}" for world, value in zip(WORLDS, times, strict=True))
            print(f"   {name:18} {row}", flush=True)
    return found


def model(networks: Sequence[str], batch_size: int) -> bool:
    """Measure, keep and draw the curves."""
    path = machine.RESULTS / "many.json"
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {"networks": {}}
    found = speed_ups(networks, batch_size)
    same = all(known.get(key) == found[key] for key in ("batch", "machines"))
    found["networks"] = {**(known["networks"] if same else {}), **found["networks"]}
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    draw(found, machine.HERE.parent / "docs" / "images" / "many-speedup.svg")
    return True


def draw(found: dict[str, Any], path: Path) -> None:
    """A panel a network, a line a link, beside as many times as there are machines."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": path.stem, "font.size": 9}):
        figure = Figure(figsize=(3.1 * len(found["networks"]), 3.1), layout="constrained")
        for axes, (network, one) in zip(
            np.atleast_1d(figure.subplots(1, len(found["networks"]), sharey=True)),
            found["networks"].items(),
            strict=True,
        ):
            axes.plot(found["machines"], found["machines"], color="0.7", linestyle="--", label="N")
            for (name, times), mark in zip(one["times"].items(), "osv", strict=False):
                axes.plot(found["machines"], times, marker=mark, markersize=4, label=name)
            axes.set_xscale("log", base=2)
            axes.set_yscale("log", base=2)
            axes.set_xticks(found["machines"], map(str, found["machines"]))
            axes.set_yticks(
                [1 / 8, 1 / 4, 1 / 2, *found["machines"]], ["1/8", "1/4", "1/2", *map(str, found["machines"])]
            )
            axes.set_title(f"{network}: {one['step_ms']:.0f} ms, {one['gradients_mb']:g} MB", fontsize=9)
            axes.grid(alpha=0.3)
        figure.axes[0].legend(frameon=False, fontsize=8)
        figure.savefig(path, metadata={"Date": None})


@contextmanager
def namespaces(count: int, megabits: int) -> Iterator[list[list[str]]]:
    """So many machines on one switch, each with a link of limited bandwidth: how a command begins on each.

    They number their processes anew, so that none finds another's memory. TCP is reno: as with cubic, which most
    machines have, nothing but loss slows a connection down. bbr, which some have, halts each for 200 ms every 10 s to
    measure the path anew, and all wait for the slowest of each round.
    """

    def ip(words: str, check: bool = True) -> None:
        subprocess.run(words.split(), check=check, capture_output=not check)

    names = [f"pellucid{i}" for i in range(count)]
    try:
        ip("ip link add pellucid-br type bridge")
        ip("ip link set pellucid-br up")
        for i, name in enumerate(names):
            ip(f"ip netns add {name}")
            ip(f"ip link add pv{i} type veth peer name eth0 netns {name}")
            ip(f"ip link set pv{i} master pellucid-br up")
            ip(f"ip -n {name} addr add 10.77.0.{i + 1}/24 dev eth0")
            for device in ("lo", "eth0"):
                ip(f"ip -n {name} link set {device} up")
            ip(f"ip netns exec {name} sysctl -q net.ipv4.tcp_congestion_control=reno")
            ip(f"ip netns exec {name} tc qdisc add dev eth0 root tbf rate {megabits}mbit burst 256kb latency 400ms")
        yield [["ip", "netns", "exec", name, "unshare", "--pid", "--fork", "--mount-proc"] for name in names]
    finally:
        for i, name in enumerate(names):
            ip(f"ip link del pv{i}", check=False)
            ip(f"ip netns del {name}", check=False)
        ip("ip link del pellucid-br", check=False)


def measured(words: list[str], world: int, megabits: int) -> None:
    """Run a training in so many namespaces."""
    with namespaces(world, megabits) as machines:
        started = []
        for rank, machine_of in enumerate(machines):
            place = {"RANK": rank, "WORLD_SIZE": world, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1,
                     "MASTER_ADDR": "10.77.0.1", "MASTER_PORT": 29555, "GLOO_SOCKET_IFNAME": "eth0"}  # fmt: skip
            environment = {**os.environ, **{name: str(value) for name, value in place.items()}}
            started.append(subprocess.Popen([*machine_of, *words], env=environment, stdout=subprocess.DEVNULL))
        if any([process.wait() for process in started]):
            sys.exit("a process has failed")


def limited(network: str, words: list[str], out: Path, worlds: Sequence[int], speeds: Sequence[int]) -> bool:
    """Modelled beside measured, for machines of one thread each; those that this one has no core for take turns.

    words: a training of 8 shards of batches of 256, which leaves its log in `out`.
    """
    from pellucid import ops

    ops.set_num_threads(1)
    near, cores = True, len(os.sched_getaffinity(0))
    for world in worlds:
        seconds, numbers = step_seconds(network, 256, 8, world)
        for megabits in speeds:
            link = (TCP * megabits * 1e6 / 8, NEAR_S)
            computed = max(1.0, world / cores) * seconds
            free = behind(seconds, 8, world) if world <= cores else 0.0  # else another computes while one waits
            modelled = computed + exchange_seconds(numbers, world, link, free)
            run = out / f"{network}-{world}-{megabits}"
            measured([*words, "--out", str(run)], world, megabits)
            events = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
            step = 256 / max(event["images_per_s"] for event in events if event["event"] == "epoch")
            near &= abs(modelled / step - 1) <= 0.15
            print(
                f"{network:15} {world} at {megabits:5} Mbit/s: modelled {1e3 * modelled:7.1f} ms a step, "
                f"measured {1e3 * step:7.1f} ms, {modelled / step:.2f}",
                flush=True,
            )
    return near
