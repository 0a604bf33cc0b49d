"""Several processes: equal bits, what a killed one loses, what sharding costs, when more machines pay.

python benchmarks/many.py bits              1, 2, 4 and 8 processes leave the same bits: 4 minutes
python benchmarks/many.py kills             30 random kills of worker, rank 0 and torchrun: 12 minutes
python benchmarks/many.py cost              2 processes of 1 thread beside 1 of 2 threads: 4 minutes
python benchmarks/many.py model             efficiency up to 64 machines, modelled: 3 minutes
python benchmarks/many.py model --limited   and measured in network namespaces of limited bandwidth (root)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

NETWORKS = ("simple-convnet", "cifar-net", "resnet20")
WORLDS = (1, 2, 4, 8)
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--max-restarts", "9")
LINKS = {
    "1 Gbit/s, 100 us": (1e9 / 8, 100e-6),
    "10 Gbit/s, 30 us": (10e9 / 8, 30e-6),
    "WLAN 200 Mbit/s, 2 ms": (25e6, 2e-3),
}
"""Bytes a second, and seconds until a message is there."""


def write_pictures(folder: Path, count: int) -> None:
    """Colour pictures of ten classes, 32 x 32, that a network can tell apart."""
    rng = np.random.default_rng(0)
    means = rng.integers(60, 196, (10, 8, 8, 3)).repeat(4, 1).repeat(4, 2)
    for number in range(count):
        pixels = np.clip(means[number % 10] + rng.normal(0, 60, (32, 32, 3)), 0, 255).astype(np.uint8)
        place = folder / str(number % 10)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number:05d}.png")


def command(world: int, *options: object) -> list[str]:
    """A training by so many processes; by one, without torchrun."""
    launch = [] if world == 1 else [*LAUNCH, "--nproc-per-node", str(world)]
    return [sys.executable, *launch, "-m", "pellucid", "train", *map(str, options), "--quiet", "--no-doctor"]


def run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")


def log_of(folder: Path) -> list[dict[str, Any]]:
    events = map(json.loads, (folder / "log.jsonl").read_text("utf-8").splitlines())
    return [event for event in events if event["event"] == "epoch"]


def bits_of(folder: Path) -> str:
    """A word for the last weights and all losses."""
    losses = [(event["loss"], event.get("val_loss"), event.get("val_accuracy")) for event in log_of(folder)]
    return hashlib.sha256((folder / "last.safetensors").read_bytes() + repr(losses).encode()).hexdigest()[:12]


def bits(data: Path, place: Path) -> bool:
    """Whether any number of processes leaves the same."""
    same = True
    for network in NETWORKS:
        found = {}
        for world in WORLDS:
            out = place / f"{network}-{world}"
            run(command(world, network, "--data", data, "--epochs", 2, "--limit", 300, "--batch-size", 64,
                        "--augment", "standard", "--shards", 8, "--out", out))  # fmt: skip
            found[world] = bits_of(out)
        equal = len(set(found.values())) == 1
        same &= equal
        print(f"{network:15} {'equal' if equal else 'DIFFERENT'}  {found}", flush=True)
    return same


def kills(data: Path, place: Path, times: int, seed: int) -> bool:
    """Whether a training ends as if nothing had happened, whatever is killed and when."""
    options = ("cifar-net", "--data", data, "--epochs", 6, "--batch-size", 64, "--shards", 8)
    run(command(1, *options, "--out", place / "alone"))
    start = time.perf_counter()
    run(command(2, *options, "--out", place / "whole"))
    whole_s, truth = time.perf_counter() - start, bits_of(place / "alone")
    rng, lost = random.Random(seed), 0
    for trial in range(times):
        out, victim, after_s = (
            place / f"run-{trial}",
            rng.choice(["rank 0", "rank 1", "torchrun"]),
            rng.uniform(0, whole_s),
        )
        words, starts, status = command(2, *options, "--out", out), 0, -1
        while status != 0 and starts < 5:
            launched = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if not starts:
                time.sleep(after_s)
                kill(launched.pid, victim)
            status, starts = launched.wait(), starts + 1
        equal = status == 0 and bits_of(out) == truth
        lost += not equal
        went_on = len(json.loads((out / "run.json").read_text("utf-8")).get("resumed", []))
        verdict = f"gone on with {went_on} times: {'equal' if equal else 'LOST'}"
        print(f"{trial + 1:3} {victim:8} after {after_s:5.1f} s, {verdict}", flush=True)
    print(f"{lost} of {times} lost")
    return not lost


def kill(launcher: int, victim: str) -> None:
    """Send SIGKILL to torchrun or to one of its workers, where it has them already."""
    listed = Path(f"/proc/{launcher}/task/{launcher}/children")
    children = [int(word) for word in listed.read_text().split()] if listed.exists() else []
    number = {"rank 0": 0, "rank 1": 1}.get(victim)
    target = launcher if number is None or number >= len(children) else children[number]
    if Path(f"/proc/{target}").exists():
        os.kill(target, signal.SIGKILL)


def cost(data: Path, place: Path, rounds: int) -> bool:
    """What sharding costs on one machine, by the fastest epoch of each."""
    options = ("cifar-net", "--data", data, "--epochs", 4, "--batch-size", 256)
    ways = {"1 process, 2 threads": (1, 2, 1), "2 processes, 2 shards": (2, 1, 2), "2 processes, 8 shards": (2, 1, 8)}
    speeds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds):
        for way, (world, threads, shards) in ways.items():
            out = place / f"{number}-{world}-{shards}"
            run(command(world, *options, "--threads", threads, "--shards", shards, "--out", out))
            speeds[way].append(max(event["images_per_s"] for event in log_of(out)[1:]))
    best = {way: max(found) for way, found in speeds.items()}
    first = next(iter(best.values()))
    for way, speed in best.items():
        print(f"{way:22} {speed:8,.0f} images/s  {speed / first:.2f}")
    return best["2 processes, 2 shards"] >= 0.9 * first


@dataclass(frozen=True)
class Imagined:
    """One of several processes whose others answer at once, and nothing."""

    rank: int
    world: int

    def reduce(self, array: Any) -> None: ...
    def gather(self, text: str) -> list[str]:
        return [text] * self.world

    def share(self, data: bytes) -> bytes:
        return data


def step_seconds(network: str, batch_size: int, shards: int, world: int) -> tuple[float, int]:
    """(seconds of a step of one of so many processes, without the network; numbers that are reduced)."""
    from pellucid import zoo
    from pellucid.model.inputs import make_examples
    from pellucid.train import TrainConfig, Trainer

    shape = {"input_shape": (32, 32, 3), "classes": 10}
    model = zoo.build(network, **shape, seed=0, options={})
    model.compile("adam", "categorical_crossentropy")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (2 * batch_size, 32, 32, 3), np.uint8), rng.integers(0, 10, 2 * batch_size)
    examples, _ = make_examples(model, x, y, None, None)
    ends: list[float] = []

    def clock(event: Any) -> None:
        if type(event).__name__ == "BatchEnded":
            ends.append(time.perf_counter())

    config = TrainConfig(epochs=4, batch_size=batch_size, shards=shards)
    processes = Imagined(0, world) if world > 1 else None
    Trainer(model, examples, config, listeners=[clock], processes=processes).run()
    return float(np.diff(ends).min()), model.parameters.gradients.size


def exchange_seconds(numbers: int, world: int, link: tuple[float, float]) -> float:
    """Recursive doubling: each round sends all of the gradients, then a few sums, and adds what came."""
    bandwidth, latency = link
    array, other = np.zeros(numbers, np.float32), np.zeros(numbers, np.float32)
    start = time.perf_counter()
    for _ in range(5):
        array += other
    adding = (time.perf_counter() - start) / 5
    return float(np.log2(world) * (2 * latency + 4 * numbers / bandwidth + adding))


def model(batch_size: int, shards: int) -> bool:
    """Efficiency of up to 64 machines like this one, of a batch that they share."""
    worlds = [2**i for i in range(7) if 2**i <= shards]
    print(f"batch {batch_size}, {shards} shards; speed-up over one machine without shards")
    for network in (*NETWORKS, "vgg11"):
        alone, _ = step_seconds(network, batch_size, 1, 1)
        each = {world: step_seconds(network, batch_size, shards, world) for world in worlds}
        print(f"{network}: {1e3 * alone:.1f} ms a step, {4e-6 * each[1][1]:.1f} MB of gradients")
        for name, link in LINKS.items():
            times = {
                world: seconds + exchange_seconds(numbers, world, link) for world, (seconds, numbers) in each.items()
            }
            row = "  ".join(f"{world}: {alone / seconds:5.2f}" for world, seconds in times.items())
            print(f"   {name:22} {row}", flush=True)
    return True


@contextmanager
def namespaces(count: int, megabits: int) -> Iterator[list[list[str]]]:
    """So many machines on one switch, each with a link of limited bandwidth: how a command begins on each."""

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
            ip(f"ip netns exec {name} tc qdisc add dev eth0 root tbf rate {megabits}mbit burst 32kb latency 10ms")
        yield [["ip", "netns", "exec", name] for name in names]
    finally:
        for i, name in enumerate(names):
            ip(f"ip link del pv{i}", check=False)
            ip(f"ip netns del {name}", check=False)
        ip("ip link del pellucid-br", check=False)


def limited(data: Path, place: Path) -> bool:
    """Modelled beside measured, for two machines of one thread each on links of 1000 and 100 Mbit/s."""
    from pellucid import ops

    ops.set_num_threads(1)
    near = True
    for network in ("simple-convnet", "cifar-net"):
        seconds, numbers = step_seconds(network, 256, 2, 2)
        for megabits in (1000, 100):
            modelled = seconds + exchange_seconds(numbers, 2, (megabits * 1e6 / 8, 50e-6))
            out = place / f"{network}-{megabits}"
            words = command(1, network, "--data", data, "--epochs", 4, "--batch-size", 256, "--threads", 1,
                            "--shards", 2, "--out", out)  # fmt: skip
            with namespaces(2, megabits) as machines:
                started = []
                for rank, machine in enumerate(machines):
                    place_of = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1,
                                "MASTER_ADDR": "10.77.0.1",
                                "MASTER_PORT": 29555, "GLOO_SOCKET_IFNAME": "eth0"}  # fmt: skip
                    environment = {**os.environ, **{name: str(value) for name, value in place_of.items()}}
                    started.append(subprocess.Popen([*machine, *words], env=environment))
                if any(process.wait() for process in started):
                    sys.exit("a process has failed")
            measured = 256 / max(event["images_per_s"] for event in log_of(out)[1:])
            near &= abs(modelled / measured - 1) <= 0.15
            print(
                f"{network:15} {megabits:5} Mbit/s: modelled {1e3 * modelled:7.1f} ms a step, "
                f"measured {1e3 * measured:7.1f} ms, {modelled / measured:.2f}",
                flush=True,
            )
    return near


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("bits", "kills", "cost", "model"))
    parser.add_argument("--times", type=int, default=30, help="kills")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--rounds", type=int, default=3, help="of cost")
    parser.add_argument("--batch-size", type=int, default=1024, help="of model")
    parser.add_argument("--limited", action="store_true", help="model: measure, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        if given.what == "model" and not given.limited:
            return not model(given.batch_size, 64)
        write_pictures(place / "pictures", 2560 if given.what in ("cost", "model") else 640)
        if given.what == "bits":
            return not bits(place / "pictures", place)
        if given.what == "kills":
            return not kills(place / "pictures", place, given.times, given.seed)
        if given.what == "cost":
            return not cost(place / "pictures", place, given.rounds)
        return not limited(place / "pictures", place)


if __name__ == "__main__":
    sys.exit(main())
