"""Our matrix product beside OpenBLAS's (NumPy's `@`) on the shapes of dense layers, and beside what the machine allows.

    python benchmarks/matrix_product.py [--rounds 9] [--threads 1,2] [--only 16x9216x4096]

One process for each number of threads, since OpenBLAS reads its own once. Rounds are interleaved, medians printed. The
limit is the longer of two times: all multiplications at the rate of a loop on registers, all bytes (each array once)
at the rate of y += x on long arrays, both measured in the same process. It can be beaten where the arrays fit in the
caches, or where reading alone is quicker than reading and writing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

# (examples, inputs, units): SimpleConvNet, cifar-net, AlexNet and VGG-16 as they train and predict, then long batches
SHAPES = (
    (100, 4320, 100),
    (128, 2304, 576),
    (16, 9216, 4096),
    (16, 4096, 1000),
    (1, 25088, 4096),
    (4, 25088, 4096),
    (64, 4096, 4096),
    (512, 784, 256),
    (512, 4096, 1000),
)
PAUSE_S = 0.1
"""Before each: threads of OpenBLAS spin for a while after their work."""
LEAST_SECONDS = 0.005
"""What is quicker is repeated within a round."""


def measure(shapes: list[tuple[int, int, int]], rounds: int) -> None:
    """Print one line for each shape and direction."""
    from pellucid.bench import probe_limits
    from pellucid.ops import native
    from pellucid.ops.memory import aligned_zeros

    limits = probe_limits()
    print(f"{native.num_threads()} threads, {limits.gflops:.0f} GFLOP/s, {limits.gbytes:.1f} GB/s")
    print(f"{'op':8} {'shape':16} {'ours':>9} {'OpenBLAS':>9} {'limit':>9} {'GFLOP/s':>8} {'of OpenBLAS':>11}")
    rng = np.random.default_rng(0)
    for n, inputs, units in shapes:
        x, kernel, y = aligned_zeros((n, inputs)), aligned_zeros((inputs, units)), aligned_zeros((n, units))
        for array in (x, kernel, y):
            rng.random(out=array, dtype=np.float32)
        pairs = {
            "forward": (native.dense(x, kernel, None, y), partial(np.matmul, x, kernel, out=y)),
            "to x": (native.dense_backward_input(y, kernel, x), partial(np.matmul, y, kernel.T, out=x)),
            "to W": (native.dense_backward_kernel(x, y, kernel), partial(np.matmul, x.T, y, out=kernel)),
        }
        flops, moved = 2.0 * n * inputs * units, 4.0 * (x.size + kernel.size + y.size)
        for op, (step, blas) in pairs.items():
            ours, theirs = _medians([partial(native.run, step), blas], rounds)
            limit = max(flops / limits.gflops, moved / limits.gbytes) / 1e9
            times = " ".join(f"{1e3 * seconds:6.3f} ms" for seconds in (ours, theirs, limit))
            rates = f"{flops / ours / 1e9:8.1f} {theirs / ours:11.2f}"
            print(f"{op:8} {f'{n}x{inputs}x{units}':16} {times} {rates}", flush=True)


def _medians(works: list[Callable[[], object]], rounds: int) -> list[float]:
    """Seconds of each, in turn in every round."""
    repeats = []
    for work in works:
        work()
        repeats.append(max(1, round(LEAST_SECONDS / _seconds(work, 1))))
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, count, found in zip(works, repeats, times, strict=True):
            time.sleep(PAUSE_S)
            found.append(_seconds(work, count))
    return [statistics.median(found) for found in times]


def _seconds(work: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) / count


def main() -> None:
    """Measure, in one process for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", default="1,2", help="numbers of threads, with commas")
    parser.add_argument("--only", default="", help="shapes as examples x inputs x units, with commas")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        only = [shape.split("x") for shape in arguments.only.split(",") if shape]
        measure([(int(n), int(i), int(u)) for n, i, u in only] or list(SHAPES), arguments.rounds)
        return
    for threads in arguments.threads.split(","):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "PELLUCID_NUM_THREADS": threads}
        command = [sys.executable, __file__, "--here", "--rounds", str(arguments.rounds), "--only", arguments.only]
        subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main()
