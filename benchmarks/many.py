"""Several processes: equal bits, what a killed one loses, what sharding costs, when more machines pay.

python benchmarks/many.py bits              1, 2, 4 and 8 processes leave the same bits: 4 minutes
python benchmarks/many.py kills             30 random kills of a worker, rank 0, torchrun, a machine: 12 minutes
python benchmarks/many.py cost              2 processes of 1 thread beside 1 of 2 threads: 4 minutes
python benchmarks/many.py model             speed-up by up to 64 machines, modelled and drawn: 2 minutes
python benchmarks/many.py model --limited   modelled beside measured, on links of limited bandwidth (Linux, root)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import modelled
import numpy as np
from PIL import Image

NETWORKS = ("simple-convnet", "cifar-net", "resnet20")
WORLDS = (1, 2, 4, 8)
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--max-restarts", "9")
VICTIMS = ("rank 0", "rank 1", "torchrun", "torchrun, 1 left", "machine")
"""What is killed of two processes; after the fourth one process is started, after the last one goes on alone."""
RESTART_S = 15.0
"""From a kill until the training goes on."""
STOOD_S = 2.0


def write_pictures(folder: Path, count: int) -> None:
    """Colour pictures of ten classes, 32 x 32, that a network can tell apart."""
    rng = np.random.default_rng(0)
    means = rng.integers(60, 196, (10, 8, 8, 3)).repeat(4, 1).repeat(4, 2)
    for number in range(count):
        pixels = np.clip(means[number % 10] + rng.normal(0, 60, (32, 32, 3)), 0, 255).astype(np.uint8)
        place = folder / str(number % 10)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number:05d}.png")


def command(world: int, *options: object, launch: Sequence[str] | None = None) -> list[str]:
    """A training by so many processes; by one, without torchrun unless it is said how that is launched."""
    launch = launch or (() if world == 1 else LAUNCH)
    launched = [*launch, "--nproc-per-node", str(world)] if launch else []
    return [sys.executable, *launched, "-m", "pellucid", "train", *map(str, options), "--quiet", "--no-doctor"]


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


def kills(data: Path, place: Path, times: int, seed: int, victims: Sequence[str]) -> bool:
    """Whether a training ends as if nothing had happened, whatever is killed and when, and goes on soon."""
    options = ("cifar-net", "--data", data, "--epochs", 6, "--batch-size", 64, "--shards", 8)
    run(command(1, *options, "--out", place / "alone"))
    start = time.perf_counter()
    run(command(2, *options, "--out", place / "whole"))
    whole_s, truth = time.perf_counter() - start, bits_of(place / "alone")
    rng, lost, waits = random.Random(seed), 0, [0.0]
    for trial in range(times):
        out, victim, after_s = place / f"run-{trial}", victims[trial % len(victims)], rng.uniform(0, whole_s)
        words = command(2, *options, "--out", out)
        if victim == "machine":
            words = command(1, *options, "--out", out, launch=launch_of_machine())
        launched = [start_silent(words) for _ in range(2 if victim == "machine" else 1)]
        time.sleep(after_s)
        before, killed_s = starts_of(out), time.perf_counter()
        kill(launched[-1].pid, victim)
        if victim == "torchrun, 1 left":
            words = command(1, *options, "--out", out, launch=LAUNCH)
        went_on_s, status = watched(launched[0], out, before)
        for _ in range(3):
            if status != 0:
                later_s, status = watched(start_silent(words), out, before)
                went_on_s = went_on_s or later_s
        equal = status == 0 and bits_of(out) == truth
        lost += not equal
        if went_on_s is not None:
            waits.append(went_on_s - killed_s)
        told = "had ended" if went_on_s is None else f"went on {waits[-1]:.1f} s later"
        print(f"{trial + 1:3} {victim:16} after {after_s:5.1f} s, {told}: {'equal' if equal else 'LOST'}", flush=True)
    print(
        f"{lost} of {times} lost; the training went on {np.median(waits[1:]):.1f} s later, at most {max(waits):.1f} s"
    )
    return not lost and max(waits) <= RESTART_S


def launch_of_machine() -> tuple[str, ...]:
    """As docs/many.md starts each of two machines."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return (
        *("-m", "torch.distributed.run", "--nnodes", "1:2", "--max-restarts", "100", "--shutdown-timeout", "5"),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", "kills"),
        *("--rdzv-conf", "last_call_timeout=3,keep_alive_interval=1,keep_alive_max_attempt=3"),
    )


def start_silent(words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def starts_of(out: Path) -> int:
    """How often the training in a folder has begun or gone on: written right before its next step."""
    try:
        return 1 + len(json.loads((out / "run.json").read_text("utf-8")).get("resumed", []))
    except (OSError, ValueError):
        return 0


def watched(launched: subprocess.Popen[bytes], out: Path, before: int) -> tuple[float | None, int]:
    """(when the training in a folder began or went on for the last time, or None; exit status).

    Seconds in which this machine did not run at all, asleep say, are not counted.
    """
    went_on_s, stood_s, looked_s = None, 0.0, time.perf_counter()
    while launched.poll() is None:
        now_s = time.perf_counter()
        stood_s += now_s - looked_s if now_s - looked_s > STOOD_S else 0.0
        looked_s = now_s
        if (starts := starts_of(out)) > before:
            before, went_on_s = starts, now_s - stood_s
        time.sleep(0.02)
    return went_on_s, launched.returncode


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("bits", "kills", "cost", "model"))
    parser.add_argument("--times", type=int, default=30, help="kills")
    parser.add_argument("--victim", action="append", choices=VICTIMS, help="kills: all in turn")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--rounds", type=int, default=3, help="of cost")
    parser.add_argument("--network", action="append", help="model: some of those that it takes")
    parser.add_argument("--limited", action="store_true", help="model: beside measured")
    parser.add_argument("--machines", type=int, action="append", help="model --limited: 2, 4 and 8")
    parser.add_argument("--megabits", type=int, action="append", help="model --limited: 1000 and 100 a second")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        if given.what == "model" and not given.limited:
            return not modelled.model(given.network or modelled.NETWORKS, 1024)
        data = place / "pictures"
        write_pictures(data, {"cost": 7680, "model": 2560}.get(given.what, 640))
        if given.what == "bits":
            return not bits(data, place)
        if given.what == "kills":
            return not kills(data, place, given.times, given.seed, given.victim or VICTIMS)
        if given.what == "cost":
            return not cost(data, place, given.rounds)
        near = True
        for network in given.network or ("simple-convnet", "cifar-net"):
            words = command(
                1, network, "--data", data, "--epochs", 2, "--batch-size", 256, "--threads", 1, "--shards", 8
            )
            near &= modelled.limited(network, words, place, given.machines or (2, 4, 8), given.megabits or (1000, 100))
        return not near


if __name__ == "__main__":
    sys.exit(main())
