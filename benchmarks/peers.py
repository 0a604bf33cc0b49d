"""Pellucid beside its peers on this machine: one process a contender, rounds interleaved, medians, ratios.

    python benchmarks/peers.py [--rounds 7] [--only simple-convnet,cifar-net] [--work train] [--fresh] [--write]

Peers are measured where they are installed: PyTorch (eager, channels_last, torch.compile), and for inference ONNX
Runtime and OpenVINO. They get their best: channels last, fused Adam, and glibc told to keep its memory. Keras on
TensorFlow and JAX is measured for the record, in rounds of its own; it may live in another environment
(--keras-python). Every contender has two threads; workers.py says how rounds are made and which are kept. A ratio is
the fastest peer's median over ours, and is given only from MINIMUM_ROUNDS kept rounds on.

Rows go to peers.json in the results of the instruction set in use as they are finished; rows that are there are not
measured again unless sources have changed (--fresh: they are). --write makes RESULTS.md of all that was measured.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import machine
from workers import HERE, Rounds, Worker, environment, launch, launch_probe, quartiles

from pellucid.bench import FULL, Job

THREADS = 2
MINIMUM_ROUNDS = 3
RECORD_ROUNDS = 3
RESULTS = machine.RESULTS / "peers.json"
KERAS = ("keras-tensorflow", "keras-tensorflow-xla", "keras-jax")


FLOORS = {
    "simple-convnet/train/100": 3.0,
    "lenet5/train/100": 3.0,
    "cifar-net/train/128": 3.0,
    "alexnet/train/16": 1.8,
    "vgg16/train/4": 2.0,
    "resnet20/train/128": 2.2,
    "resnet18/train/16": 1.6,
    "mobilenet-v2/train/16": 2.0,
    "simple-convnet/infer/100": 2.2,
    "cifar-net/infer/128": 2.0,
    "alexnet/infer/16": 1.5,
    "vgg16/infer/1": 1.5,
    "vgg16/infer/4": 2.0,
    "resnet20/infer/128": 1.7,
    "resnet18/infer/1": 1.25,
    "resnet18/infer/16": 1.5,
    "mobilenet-v2/infer/1": 1.15,
    "mobilenet-v2/infer/16": 1.25,
}
"""How many times as fast as the fastest peer we are to be, at least."""


@dataclass(frozen=True)
class Row(Job):
    """One comparison: a job of `pellucid bench`; steps: timed in a round."""

    floor: float


ROWS = tuple(
    Row(job.network, job.work, job.batch, ceil(job.steps / 2), FLOORS[job.key]) for job in FULL if job.key in FLOORS
)


@dataclass(frozen=True)
class Peers:
    """Who is measured: kinds that count, and kinds for the record; python: the interpreter that has Keras."""

    torch: tuple[str, ...]
    runtimes: tuple[str, ...]
    keras: tuple[str, ...]
    python: str = sys.executable

    def counted(self, row: Row) -> list[str]:
        return ["pellucid", *self.torch, *(self.runtimes if row.work == "infer" else ())]


def find_peers(*, compile_too: bool, keras_python: str, record: bool) -> Peers:
    """Those that are installed."""
    have = machine.versions(sys.executable, ("torch", "onnxruntime", "openvino"))
    torch = (
        ["torch-eager", "torch-channels_last", *(["torch-compile"] if compile_too else [])] if "torch" in have else []
    )
    runtimes = [name for name in ("onnxruntime", "openvino", "openvino-default") if name.partition("-")[0] in have]
    found = machine.versions(keras_python, ("keras", "tensorflow", "jax")) if record else {}
    keras = [kind for kind in KERAS if "keras" in found and kind.split("-")[1] in found]
    return Peers(tuple(torch), tuple(runtimes) if torch else (), tuple(keras), keras_python)


def start(kinds: Sequence[str], row: Row, onnx: str, *, keep_memory: bool = True, python: str = "") -> list[Worker]:
    """Workers for these kinds, those that run here, warm; they start side by side."""
    task = [row.network, row.work, str(row.batch), str(THREADS), *([onnx] if onnx else [])]
    started = [
        launch(kind, ["contenders.py", kind, *task], THREADS, keep_memory=keep_memory, python=python or sys.executable)
        for kind in kinds
    ]
    return [worker for worker in started if worker.ready()]


def close(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.close()


def export(row: Row, folder: str) -> str:
    """The file that ONNX Runtime and OpenVINO read, written by a process of its own; "" where it cannot be."""
    file = f"{folder}/{row.network}-{row.batch}.onnx"
    command = [sys.executable, str(HERE / "torch_contender.py"), row.network, str(row.batch), file]
    done = subprocess.run(command, env=environment(THREADS), capture_output=True, text=True)
    if done.returncode:
        print(f"  {row.network} cannot be exported: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return "" if done.returncode else file


def compare(row: Row, peers: Peers, rounds: int, best: float) -> dict[str, Any]:
    """One row: times and memory of all contenders, the ratio, and how far to trust it."""
    with tempfile.TemporaryDirectory() as folder:
        kinds = peers.counted(row)
        onnx = export(row, folder) if row.work == "infer" and peers.runtimes else ""
        kinds = [kind for kind in kinds if onnx or kind not in peers.runtimes]
        # memory first, with the allocator as it comes: told to keep its memory, it holds more
        plain = start([kind for kind in kinds if kind != "torch-compile"], row, onnx, keep_memory=False)
        memory = {worker.name: worker.about["memory_mb"] for worker in plain}
        close(plain)
        timing = Rounds(best)
        probe, workers = launch_probe(THREADS), start(kinds, row, onnx)
        timing.run(probe, workers, row.steps, rounds)
        close(workers)
        memory = {**{worker.name: worker.about["memory_mb"] for worker in workers}, **memory}
        result = judge(row, workers, timing, rounds)
        for_record = start(peers.keras, row, "", python=peers.python)
        own = Rounds(timing.best)
        if for_record:
            own.run(probe, for_record, row.steps, min(rounds, RECORD_ROUNDS))
        close([*for_record, probe])
    recorded = {
        worker.name: {"ms": rounded(quartiles(times)) if (times := own.kept(worker)) else None, **worker.about}
        for worker in for_record
    }
    return {**result, "memory_mb": memory, "recorded": recorded, "probe_best": own.best}


def judge(row: Row, workers: Sequence[Worker], timing: Rounds, wanted: int) -> dict[str, Any]:
    """Medians and quartiles over the turns kept. Ours is compared with the fastest peer that computes in float32."""
    fewest = timing.fewest(workers)
    spread = {worker.name: rounded(quartiles(timing.kept(worker))) for worker in workers} if fewest else {}
    medians = {name: values[1] for name, values in spread.items()}
    peers = [w.name for w in workers if w.name != "pellucid" and w.about["precision"] == "f32" and w.name in medians]
    fastest = min(peers, key=medians.__getitem__) if peers else None
    enough = fewest >= MINIMUM_ROUNDS and fastest is not None and "pellucid" in medians
    return {
        "network": row.network,
        "work": row.work,
        "batch": row.batch,
        "floor": row.floor,
        "rounds": timing.made,
        "rounds_kept": fewest,
        "rounds_wanted": wanted,
        "quartiles_ms": spread,
        "notes": {w.name: w.about["note"] for w in workers if w.about["note"]},
        "fastest_peer": fastest,
        "ratio": medians[str(fastest)] / medians["pellucid"] if enough else None,
    }


def rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values]


def line(result: dict[str, Any]) -> str:
    """A row of the table on the terminal."""
    ours, peer = result["quartiles_ms"].get("pellucid"), result["fastest_peer"]
    theirs = result["quartiles_ms"].get(peer)
    ratio = f"{result['ratio']:6.2f}" if result["ratio"] else "     -"
    least = least_memory(result)
    memory = f"{result['memory_mb']['pellucid']:7,.0f}{f' / {least:,.0f}' if least else ''}" if least else ""
    return (
        f"{result['network']:15}{result['work']:6}{result['batch']:5}"
        f"{f'{ours[1]:10.2f}' if ours else ' ' * 9 + '-'}{f'{theirs[1]:10.2f}' if theirs else ' ' * 9 + '-'}"
        f"{ratio}{result['floor']:6.2f}  {peer or '-':20} {memory:>16}  "
        f"{result['rounds_kept']}/{result['rounds']} rounds"
    )


def least_memory(result: dict[str, Any]) -> float | None:
    """The least that a peer takes, in MB."""
    peers = [mb for name, mb in result["memory_mb"].items() if name != "pellucid" and mb is not None]
    return min(peers) if peers and result["memory_mb"].get("pellucid") is not None else None


def chosen_rows(only: str, work: str) -> list[Row]:
    """Those of the networks named, with commas between, and of this work; "" for all."""
    return [row for row in ROWS if (not only or row.network in only.split(",")) and work in ("", row.work)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds to keep (default 7)")
    parser.add_argument("--only", default="", help="networks, with commas between")
    parser.add_argument("--work", default="", choices=("", "train", "infer"))
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile, which is slow to start")
    parser.add_argument("--no-record", action="store_true", help="leave out Keras")
    parser.add_argument("--keras-python", default=sys.executable, metavar="PYTHON", help="the interpreter with Keras")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there already")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where rows are kept")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md afterwards")
    options = parser.parse_args()
    peers = find_peers(
        compile_too=not options.no_compile, keras_python=options.keras_python, record=not options.no_record
    )
    stored = machine.Stored(options.json, machine.describe(keras_python=options.keras_python))
    print(
        f"{'network':15}{'work':6}{'batch':>5}{'ours ms':>10}{'peer ms':>10} ratio floor  {'fastest peer':20} memory MB"
    )
    for row in chosen_rows(options.only, options.work):
        result = None if options.fresh else stored.get(row.key)
        if result is None or result["rounds_kept"] < options.rounds:
            result = compare(row, peers, options.rounds, stored.largest("probe_best"))
            stored.put(row.key, result)
        print(line(result), flush=True)
    if options.write:
        import results

        results.write()


if __name__ == "__main__":
    main()
