"""Pellucid beside its peers on this machine: one process a contender, rounds interleaved, medians, ratios.

    python benchmarks/peers.py [--rounds 7] [--only simple-convnet,cifar-net] [--compile] [--json FILE]

Peers are measured where they are installed (torch; onnxruntime and openvino for inference). PyTorch gets its best:
eager, channels_last and (with --compile) torch.compile, fused Adam, and glibc told to keep its memory, so that page
faults do not flatter us. Every contender has two threads. Between rounds a plain multiply-add loop is timed; rounds
in which it is below 80 % of its best are thrown away, and the spread of what remains is printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
THREADS = 2
PROBE_FLOOR = 0.8
KEEP_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "268435456",
}


@dataclass(frozen=True)
class Row:
    """One comparison: a network, training step or inference, at a batch size; steps timed in a round."""

    network: str
    work: str
    batch: int
    steps: int
    floor: float


ROWS = (
    Row("simple-convnet", "train", 100, 20, 3.0),
    Row("lenet5", "train", 100, 20, 3.0),
    Row("cifar-net", "train", 128, 3, 3.0),
    Row("alexnet", "train", 16, 1, 1.8),
    Row("vgg16", "train", 4, 1, 2.0),
    Row("simple-convnet", "infer", 100, 40, 2.2),
    Row("cifar-net", "infer", 128, 6, 2.0),
    Row("alexnet", "infer", 16, 2, 1.5),
    Row("vgg16", "infer", 1, 2, 1.5),
    Row("vgg16", "infer", 4, 1, 2.0),
)


@dataclass
class Contender:
    """A worker process that runs steps when told to, and says how long one took."""

    name: str
    process: subprocess.Popen[str]
    times_ms: list[float] = field(default_factory=list)

    def round(self, steps: int) -> float:
        """Milliseconds a step, over one round."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End the worker."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(timeout=60)


def start(kind: str, row: Row) -> Contender | None:
    """A worker for this kind, warmed up; None where it cannot run here."""
    environment = {**os.environ, "PELLUCID_NUM_THREADS": str(THREADS), "OMP_NUM_THREADS": str(THREADS), **KEEP_MEMORY}
    process = subprocess.Popen(
        [sys.executable, str(HERE / "contenders.py"), kind, row.network, row.work, str(row.batch), str(THREADS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout
    if process.stdout.readline().strip() != "ready":
        process.kill()
        process.wait()
        print(f"  {kind}: cannot run {row.network} {row.work}", file=sys.stderr)
        return None
    return Contender(kind, process)


def kinds(row: Row, *, compile_too: bool) -> list[str]:
    """The contenders for a row that are installed here, Pellucid first."""
    found = ["pellucid"]
    if importlib.util.find_spec("torch"):
        found += ["torch-eager", "torch-channels-last", *(["torch-compile"] if compile_too else [])]
    if row.work == "infer":
        found += [name for name in ("onnxruntime", "openvino") if importlib.util.find_spec(name)]
    return found


def compare(row: Row, rounds: int, *, compile_too: bool) -> dict[str, Any]:
    """All contenders' medians in milliseconds, and the fastest peer's over ours."""
    probe = start("probe", row)
    contenders = [c for kind in kinds(row, compile_too=compile_too) if (c := start(kind, row)) is not None]
    assert probe is not None
    speeds: list[float] = []
    try:
        for _ in range(rounds):
            speeds.append(1 / probe.round(1))
            for contender in contenders:
                contender.times_ms.append(contender.round(row.steps))
    finally:
        for contender in (probe, *contenders):
            contender.close()
    kept = [i for i, speed in enumerate(speeds) if speed >= PROBE_FLOOR * max(speeds)]
    medians = {c.name: statistics.median(c.times_ms[i] for i in kept) for c in contenders}
    spread = {c.name: (min(c.times_ms[i] for i in kept), max(c.times_ms[i] for i in kept)) for c in contenders}
    peers = {name: value for name, value in medians.items() if name != "pellucid"}
    fastest = min(peers, key=peers.__getitem__) if peers else None
    return {
        "network": row.network,
        "work": row.work,
        "batch": row.batch,
        "rounds_kept": len(kept),
        "rounds": rounds,
        "median_ms": medians,
        "spread_ms": spread,
        "fastest_peer": fastest,
        "ratio": peers[fastest] / medians["pellucid"] if fastest else None,
        "floor": row.floor,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="networks, with commas between")
    parser.add_argument("--work", default="", help="train or infer")
    parser.add_argument("--compile", action="store_true", help="torch.compile too (slow to start)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = [
        row
        for row in ROWS
        if (not options.only or row.network in options.only.split(",")) and options.work in ("", row.work)
    ]
    results = []
    print(
        f"{'network':15} {'work':6} {'batch':>5} {'ours ms':>9} {'peer ms':>9}  {'ratio':>5} {'floor':>5}  fastest peer"
    )
    for row in chosen:
        result = compare(row, options.rounds, compile_too=options.compile)
        results.append(result)
        ours, peer = result["median_ms"]["pellucid"], result["fastest_peer"]
        theirs, ratio = (result["median_ms"][peer], result["ratio"]) if peer else (float("nan"), float("nan"))
        low, high = result["spread_ms"]["pellucid"]
        kept = f"{result['rounds_kept']}/{result['rounds']} rounds, ours {low:.2f} to {high:.2f}"
        print(
            f"{row.network:15} {row.work:6} {row.batch:5} {ours:9.2f} {theirs:9.2f}  {ratio:5.2f} {row.floor:5.1f}  "
            f"{peer}  ({kept})",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
