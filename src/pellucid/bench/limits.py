"""What this machine does at best: a loop of multiply-adds on registers, and an addition of long arrays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pellucid.ops import native
from pellucid.ops.memory import aligned_zeros

PROBE_TASKS, PROBE_ROUNDS, PROBE_CHAINS = 64, 40_000, 12
STREAM_FLOATS = 1 << 24
"""64 MB an array: larger than the caches of any machine this is meant for."""


@dataclass(frozen=True)
class Limits:
    """What this machine does at best right now. Units: 1e9 floating-point operations, and 1e9 bytes, a second."""

    gflops: float
    gbytes: float

    def share(self, gflops: float, gbytes: float) -> float:
        """How near a kernel is to the limit it is nearest to: 1 is at the limit.

        Above 1 where the data stay in a cache, or an algorithm needs fewer operations than the direct computation.
        """
        return max(gflops / self.gflops, gbytes / self.gbytes)


def probe_flops(tasks: int, rounds: int) -> float:
    """Floating-point operations of the multiply-add loop."""
    return 2.0 * tasks * rounds * PROBE_CHAINS * native.vector_floats()


def probe_limits(repeats: int = 5) -> Limits:
    """The best of a few runs of a multiply-add loop and of y += x on long arrays, on all threads."""
    arithmetic = native.fma_probe(np.zeros(PROBE_TASKS, np.float32), PROBE_ROUNDS)
    flops = probe_flops(PROBE_TASKS, PROBE_ROUNDS)
    x, y = aligned_zeros((1024, STREAM_FLOATS // 1024)), aligned_zeros((1024, STREAM_FLOATS // 1024))
    stream = native.add(x, y)
    return Limits(
        flops / min(seconds(lambda: native.run(arithmetic)) for _ in range(repeats)) / 1e9,
        3 * x.nbytes / min(seconds(lambda: native.run(stream)) for _ in range(repeats)) / 1e9,
    )


def seconds(work: Callable[[], object]) -> float:
    """How long it takes, once."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
