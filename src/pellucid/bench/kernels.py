"""Every kernel at its row's typical sizes, beside what this machine can do; NumPy's matrix product for comparison.

Sizes are those of well-known networks where a kernel has a place in one, and large enough that the arrays leave the
caches where only memory matters. A kernel without a typical call is found by a test.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pellucid import ops
from pellucid.bench.calls import made, random_block
from pellucid.bench.limits import Limits, probe_flops, probe_limits, seconds
from pellucid.bench.process import in_fresh_process
from pellucid.ops import native
from pellucid.ops.table import TABLE, Call, Op

ENOUGH_S = 0.1
"""Runs of one kernel are repeated for so long, and the quickest counts."""


@dataclass(frozen=True)
class KernelRate:
    """One kernel at one size. share: how near the limit it is nearest to, 1 at the limit; see `Limits.share`."""

    kernel: str
    size: str
    ms: float
    gflops: float
    gbytes: float
    share: float


def measure_kernels(threads: int | None = None) -> tuple[Limits, tuple[KernelRate, ...]]:
    """The machine's limits and every line of the table, measured in a fresh process.

    Errors: BackendError where there are no compiled kernels.
    """
    count = ops.num_threads() if threads is None else threads
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = str(count)  # NumPy's library reads it when it is loaded, in the new process
    try:
        return in_fresh_process("kernels", count, _measure_all)
    finally:
        if before is None:
            del os.environ["OPENBLAS_NUM_THREADS"]
        else:
            os.environ["OPENBLAS_NUM_THREADS"] = before


def _measure_all() -> tuple[Limits, tuple[KernelRate, ...]]:
    limits = probe_limits()
    rates = []
    for op in TABLE.values():
        rates += [measure_call(op, call, limits) for call in op.typical]
        if op.name == "dense":
            rates.append(_numpy_product(limits))
    return limits, tuple(rates)


def measure_call(op: Op, call: Call, limits: Limits) -> KernelRate:
    """One kernel, timed here."""
    step = made(op, call, random_block).step
    spent = native.cost(step)
    flops, num_bytes = spent.flops, spent.num_bytes
    if op.name == "fma_probe":
        flops, num_bytes = probe_flops(call.values["out"][0], call.values["rounds"]), 0.0
    algorithm = native.conv2d_algorithm(step)
    size = call.words if algorithm == "auto" else f"{call.words} ({algorithm})"
    return _rate(op.kernel, size, native.Program([step]).run, flops, num_bytes, limits)


def _numpy_product(limits: Limits) -> KernelRate:
    """What `dense` does, by the matrix product that NumPy brings (OpenBLAS, most often), on as many threads."""
    x, kernel, y = (random_block("", shape) for shape in ((128, 4096), (4096, 4096), (128, 4096)))
    flops, num_bytes = 2.0 * 128 * 4096 * 4096, float(x.nbytes + kernel.nbytes + y.nbytes)
    return _rate("NumPy's matmul", "128 x 4096, 4096", lambda: np.matmul(x, kernel, out=y), flops, num_bytes, limits)


def _rate(
    kernel: str, size: str, work: Callable[[], object], flops: float, num_bytes: float, limits: Limits
) -> KernelRate:
    work()
    times = [seconds(work)]
    while sum(times) < ENOUGH_S or len(times) < 3:
        times.append(seconds(work))
    gflops, gbytes = flops / min(times) / 1e9, num_bytes / min(times) / 1e9
    return KernelRate(kernel, size, 1e3 * min(times), gflops, gbytes, limits.share(gflops, gbytes))
