"""What a second thread gains, and what a busy Python thread costs.

    python benchmarks/threads.py [--rounds 41] [--only simple-convnet] [--write]

Gain: a training step on all cores beside the same on each core alone, before and after: all cores together can make as
many steps a second as each of them alone, added up, and the gain is the number of cores times the share of that which
they reach. A loop of multiply-adds goes through the same, and shows what the machine itself gains.
A neighbour of a virtual machine on the other half of a core slows what needs its caches by 1.45 for a second or so (the
loop of multiply-adds not at all), and two cores meet that twice as often as one: compared in this way both meet it as
often, and many short rounds even it out. A round in which the loop is below PROBE_FLOOR of its best on all cores does
not count. It needs Linux, which lets a process choose its cores.
Busy: the same process runs a Python loop in a thread of its own while training goes on, in stretches of steps as fit
makes them. A kernel thread a core leaves that loop no core, so it takes its share of one; with one kernel thread less
there is room, and what is left is the cost of sharing the interpreter. Both are measured: the first is what a user
sees, the second what the plan is built for. A loop in another process takes its turn too: what that costs is the
machine's, not the interpreter's. Costs are medians over turns, each compared with the one alone just before it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import machine
from contenders import Task, own_stdout, training_plan
from peers import MINIMUM_ROUNDS, ROWS, Row, close, rounded
from workers import PAUSE_S, PROBE_FLOOR, Worker, launch, launch_probe, quartiles

from pellucid.train.events import STRETCH_S

RESULTS = machine.RESULTS / "threads.json"
BUSY_S, BUSY_ROUNDS = 0.5, 15
PROBE_STEPS = 9
GAIN_LIMIT_S = 240.0
ROUGH_STEPS, RATE = 20, 0.001
BUSY_PROCESS = """
print(flush=True)
turns = [0]
while True:
    turns[0] += 1
"""


@dataclass(frozen=True)
class Turns:
    """Milliseconds a step in one round: of each core alone, before and after, and of all together."""

    alone: list[float]
    together: float

    @property
    def gain(self) -> float:
        """What all cores gain over one of them."""
        return statistics.harmonic_mean(self.alone) / self.together


def turns(worker: Worker, cores: Sequence[int], steps: int) -> Turns:
    """One round: each core alone, all together, each core alone again."""

    def alone() -> list[float]:
        return [worker.round(steps, cores=[core]) for core in cores]

    before, together = alone(), worker.round(steps, cores=cores)
    return Turns(before + alone(), together)


def counted(made: Sequence[tuple[Turns, Turns]]) -> list[tuple[Turns, Turns]]:
    """The rounds (ours, loop) in which the machine was itself."""
    best = min(loop.together for _, loop in made)
    return [(ours, loop) for ours, loop in made if best >= PROBE_FLOOR * loop.together]


def gain(row: Row, rounds: int, cores: Sequence[int]) -> dict[str, Any]:
    """What all cores gain over one, and what the multiply-add loop gains."""
    count = len(cores)
    ours = launch("pellucid", ["contenders.py", "pellucid", row.network, row.work, str(row.batch), str(count)], count)
    probe = launch_probe(count)
    if not ours.ready():
        raise SystemExit("no benchmark without compiled kernels")
    made: list[tuple[Turns, Turns]] = []
    end = time.monotonic() + GAIN_LIMIT_S
    while not made or (len(counted(made)) < rounds and time.monotonic() < end):
        time.sleep(PAUSE_S)
        made.append((turns(ours, cores, row.steps), turns(probe, cores, PROBE_STEPS)))
    close([ours, probe])
    kept = counted(made)
    result: dict[str, Any] = {"network": row.network, "batch": row.batch, "threads": count, "rounds": len(made)}
    result |= {"rounds_kept": len(kept), "gain": None, "probe_gain": None}
    if len(kept) >= MINIMUM_ROUNDS:
        for name, column in zip(("gain", "probe_gain"), zip(*kept, strict=True), strict=True):
            spread = quartiles([each.gain for each in column])
            result[name], result[f"{name}_quartiles"] = spread[1], rounded(spread)
        result["alone_ms"] = round(statistics.median(ms for each, _ in kept for ms in each.alone), 4)
        result["together_ms"] = round(statistics.median(each.together for each, _ in kept), 4)
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
    parser.add_argument("--rounds", type=int, default=41)
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
        if result is None:
            result = gain(row, options.rounds, sorted(os.sched_getaffinity(0)))
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
