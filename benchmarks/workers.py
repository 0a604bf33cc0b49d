"""Worker processes timed in turn: interleaved rounds, and of them what was timed while the machine was itself.

A round times every worker once. Before each the machine idles for PAUSE_S, because the idle threads of OpenMP, TBB
and ONNX Runtime go on spinning for up to 200 ms and would be timed with the next worker. A multiply-add loop is timed
before and after each worker's turn, the lower speed counts, and a turn below PROBE_FLOOR of the best speed seen is
thrown away: with all of a round judged as one, a round of seven workers would rarely be quiet, and a burst between two
looks would pass. Whoever is timed, the loop too, first runs SETTLE_S untimed: threads that have slept may be woken on
one core, and Linux needs some milliseconds to part them. (Without it the loop found half of its speed half of the time
on two cores that nobody else used: three quarters of the turns were thrown away.)
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
PAUSE_S = 0.3
SETTLE_S = 0.1
PROBE_FLOOR = 0.8
LIMIT_S = 600.0
"""Rounds are repeated until each worker has enough turns kept, or, once as many are made as asked for, this is over."""
START_LIMIT_S = 600.0
KEEP_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "268435456",
}
"""glibc gives no memory back, so that page faults do not slow anybody down."""


def environment(threads: int, *, keep_memory: bool = True) -> dict[str, str]:
    """Environment of a worker: as here, so that it runs the same Pellucid; threads limited, libraries quiet."""
    return {
        **os.environ,
        "PELLUCID_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "1",
        **(KEEP_MEMORY if keep_memory else {}),
    }


@dataclass
class Worker:
    """A process that runs steps when told to, and says how long one took. about: what it said when it was warm."""

    name: str
    process: subprocess.Popen[str]
    log: IO[str]
    about: dict[str, Any] = field(default_factory=dict)
    turns: list[tuple[float, float]] = field(default_factory=list)
    """Of each round: milliseconds a step, and the speed of the probe around it."""

    def ready(self) -> bool:
        """Wait until it is warm; False, with its last words on stderr, where it cannot run here."""
        assert self.process.stdout
        guard = threading.Timer(START_LIMIT_S, self.process.kill)
        guard.start()
        line = self.process.stdout.readline()
        guard.cancel()
        if line:
            self.about = json.loads(line)
            return True
        self.process.wait()
        self.log.seek(0)
        last = [line.strip() for line in self.log if line.strip()][-1:]
        print(f"  {self.name} cannot run this: {''.join(last)[:200]}", file=sys.stderr)
        return False

    def round(self, steps: int, settle_s: float = SETTLE_S, cores: Sequence[int] | None = None) -> float:
        """Milliseconds a step: the median of one round. cores: the only ones to run on, with a thread each."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"steps": steps, "settle_s": settle_s, "cores": cores}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended in the middle of a round; was there enough memory?")
        return float(json.loads(line)["ms"])

    def close(self) -> None:
        """End the process."""
        if self.process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.log.close()


def launch(
    name: str, arguments: Sequence[str], threads: int, *, keep_memory: bool = True, python: str = sys.executable
) -> Worker:
    """A worker that is not yet ready; arguments begin with the script's name in this folder."""
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed with the worker
    process = subprocess.Popen(
        [python, str(HERE / arguments[0]), *arguments[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env=environment(threads, keep_memory=keep_memory),
    )
    return Worker(name, process, log)


def launch_probe(threads: int) -> Worker:
    """A worker that runs the multiply-add loop."""
    probe = launch("probe", ["contenders.py", "probe", "simple-convnet", "infer", "1", str(threads)], threads)
    if not probe.ready():
        raise SystemExit("there are no compiled kernels to measure with; see scripts/build")
    return probe


@dataclass
class Rounds:
    """Interleaved rounds. best: the highest speed of the probe, in loops a second, seen by anybody."""

    best: float = 0.0
    made: int = 0

    def kept(self, worker: Worker) -> list[float]:
        """Milliseconds a step of the turns in which the machine was itself."""
        return [ms for ms, speed in worker.turns if speed >= PROBE_FLOOR * self.best]

    def fewest(self, workers: Sequence[Worker]) -> int:
        """Turns kept of the worker that has fewest."""
        return min((len(self.kept(worker)) for worker in workers), default=0)

    def run(self, probe: Worker, workers: Sequence[Worker], steps: int, wanted: int) -> None:
        """Time all workers in turn until each has `wanted` turns kept, or LIMIT_S and `wanted` rounds are over."""
        before, end = self.look(probe), time.monotonic() + LIMIT_S
        while self.fewest(workers) < wanted and (self.made < wanted or time.monotonic() < end):
            for worker in workers:
                time.sleep(PAUSE_S)
                took = worker.round(steps)
                after = self.look(probe)
                worker.turns.append((took, min(before, after)))
                before = after
            self.made += 1

    def look(self, probe: Worker) -> float:
        """The machine's speed now."""
        time.sleep(PAUSE_S)
        speed = 1e3 / probe.round(3)
        self.best = max(self.best, speed)
        return speed


def quartiles(values: Sequence[float]) -> list[float]:
    """Lower quartile, median, upper quartile; linear between order statistics."""
    ordered = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (place - low) * (ordered[high] - ordered[low])

    return [at(0.25), at(0.5), at(0.75)]
