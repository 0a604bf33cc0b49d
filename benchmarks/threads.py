"""What a second thread gains, and what a busy Python thread costs.

    python benchmarks/threads.py [--rounds 7] [--only simple-convnet] [--write]

Gain: a training step with one thread over one with all cores, beside the same of a loop of multiply-adds, which is what
the machine itself gains; rounds are interleaved and kept as workers.py says.
Busy: the same process runs a Python loop in a thread of its own while training goes on, in stretches of steps as fit
makes them. A kernel thread a core leaves that loop no core, so it takes its share of one; with one kernel thread less
there is room, and what is left is the cost of sharing the interpreter. Both are measured: the first is what a user
sees, the second what the plan is built for. A loop in another process takes its turn too: what that costs is the
machine's, not the interpreter's. Costs are medians over turns, each compared with the one alone just before it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import machine
from contenders import Task, own_stdout, training_plan
from peers import MINIMUM_ROUNDS, ROWS, Row, close, rounded
from workers import Rounds, Worker, launch, launch_probe, quartiles

from pellucid.train.events import STRETCH_S

RESULTS = machine.RESULTS / "threads.json"
BUSY_S, BUSY_ROUNDS = 0.5, 15
ROUGH_STEPS, RATE = 20, 0.001
BUSY_PROCESS = """
print(flush=True)
turns = [0]
while True:
    turns[0] += 1
"""


def gain(row: Row, rounds: int, cores: int) -> dict[str, Any]:
    """Medians with one thread and with all, and the same of the multiply-add loop."""

    def started(kind: str, threads: int) -> Worker:
        task = [row.network, row.work, str(row.batch), str(threads)]
        return launch(f"{kind} {threads}", ["contenders.py", kind, *task], threads)

    workers = [started(kind, threads) for kind in ("pellucid", "probe") for threads in (1, cores)]
    if not all([worker.ready() for worker in workers]):
        raise SystemExit("no benchmark without compiled kernels")
    probe, timing = launch_probe(cores), Rounds()
    timing.run(probe, workers, row.steps, rounds)
    close([*workers, probe])
    fewest = timing.fewest(workers)
    found = {worker.name: rounded(quartiles(timing.kept(worker))) for worker in workers} if fewest else {}
    result = {"network": row.network, "batch": row.batch, "threads": cores, "quartiles_ms": found}
    result |= {"rounds": timing.made, "rounds_kept": fewest, "gain": None, "probe_gain": None}
    if fewest >= MINIMUM_ROUNDS:
        for name, kind in (("gain", "pellucid"), ("probe_gain", "probe")):
            result[name] = found[f"{kind} 1"][1] / found[f"{kind} {cores}"][1]
    return result


def steps_a_second(stretch: Callable[[], int], seconds: float = BUSY_S) -> float:
    start, count = time.perf_counter(), 0
    while time.perf_counter() < start + seconds:
        count += stretch()
    return count / (time.perf_counter() - start)


def stretches(task: Task) -> Callable[[], int]:
    """A function that makes steps for about STRETCH_S in one call, and says how many."""
    rough = training_plan(task)
    start = time.perf_counter()
    for step in range(ROUGH_STEPS):
        rough.run(task.batch, step=step, learning_rate=RATE)
    steps = max(1, int(STRETCH_S * ROUGH_STEPS / (time.perf_counter() - start)))
    plan, count = training_plan(task, steps), iter(range(sys.maxsize))

    def stretch() -> int:
        return plan.run_steps(task.batch, position=0, step=next(count) * steps, learning_rates=[RATE] * steps)[0]

    return stretch


def busy_loop(stop: threading.Event, turns: list[int]) -> None:
    """Nothing but the interpreter; turns counts what it got done."""
    while not stop.is_set():
        for _ in range(1000):
            turns[0] += 1


def busy(network: str, batch: int, threads: int) -> dict[str, Any]:
    """Steps a second alone and beside a busy Python thread, in turn; and what is left of that thread's own speed."""
    stretch = stretches(Task(network, "train", batch, threads))
    steps_a_second(stretch)
    stop, turns = threading.Event(), [0]
    lone = threading.Thread(target=busy_loop, args=(stop, turns))
    lone.start()
    time.sleep(BUSY_S)
    stop.set()
    lone.join()
    alone_turns = turns[0] / BUSY_S
    alone, beside, elsewhere, kept = [], [], [], []
    for _ in range(BUSY_ROUNDS):
        alone.append(steps_a_second(stretch))
        stop, turns = threading.Event(), [0]
        thread = threading.Thread(target=busy_loop, args=(stop, turns))
        thread.start()
        beside.append(steps_a_second(stretch))
        kept.append(turns[0] / BUSY_S / alone_turns)
        stop.set()
        thread.join()
        with subprocess.Popen([sys.executable, "-c", BUSY_PROCESS], stdout=subprocess.PIPE) as other:
            assert other.stdout
            other.stdout.readline()  # it runs
            elsewhere.append(steps_a_second(stretch))
            other.kill()
    return {
        "network": network,
        "batch": batch,
        "threads": threads,
        "rounds": BUSY_ROUNDS,
        "alone_ms": round(1e3 / statistics.median(alone), 4),
        "beside_ms": round(1e3 / statistics.median(beside), 4),
        "cost": round(statistics.median(a / b for a, b in zip(alone, beside, strict=True)) - 1, 4),
        "cost_of_process": round(statistics.median(a / b for a, b in zip(alone, elsewhere, strict=True)) - 1, 4),
        "python_keeps": round(statistics.median(kept), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="networks, with commas between")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there already")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md afterwards")
    parser.add_argument("--busy", nargs=3, metavar=("NETWORK", "BATCH", "THREADS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.busy:
        channel = own_stdout()
        network, batch, threads = options.busy
        print(json.dumps(busy(network, int(batch), int(threads))), file=channel, flush=True)
        return
    about = machine.describe()
    stored, cores = machine.Stored(RESULTS, about), about["processor"]["cores"]
    chosen = [row for row in ROWS if row.work == "train"]
    if options.only:
        chosen = [row for row in chosen if row.network in options.only.split(",")]
    for row in chosen:
        result = None if options.fresh else stored.get(f"gain/{row.network}")
        if result is None or result["rounds_kept"] < options.rounds:
            result = gain(row, options.rounds, cores)
            stored.put(f"gain/{row.network}", result)
        told = f"{result['gain']:.2f}, loop {result['probe_gain']:.2f}" if result["gain"] else "too few quiet rounds"
        print(
            f"{row.network:15} {cores} threads over 1: {told} ({result['rounds_kept']}/{result['rounds']})", flush=True
        )
    for threads in sorted({cores, max(cores - 1, 1)}, reverse=True):
        key = f"busy/{threads}"
        result = None if options.fresh else stored.get(key)
        if result is None:
            worker = launch("busy", ["threads.py", "--busy", "simple-convnet", "100", str(threads)], cores)
            if not worker.ready():
                sys.exit(1)
            result = worker.about
            worker.close()
            stored.put(key, result)
        print(
            f"busy Python thread, {threads} kernel threads on {cores} cores: {result['alone_ms']:.2f} ms alone, "
            f"{result['beside_ms']:.2f} beside it ({result['cost']:+.0%}; a process: "
            f"{result['cost_of_process']:+.0%}); it keeps {result['python_keeps']:.0%} of its speed"
        )
    if options.write:
        import results

        results.write()


if __name__ == "__main__":
    main()
