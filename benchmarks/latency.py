"""How long `predict` takes for one picture: median and tails, alone and beside a library whose threads spin.

    python benchmarks/latency.py [--calls 20000] [--model simple-convnet]

Each line is a process of its own. "beside": before every timed call the other library computes on all cores of the same
process, so that its threads spin on, or sleep, as it lets them: ONNX Runtime's spin; PyTorch's, which are OpenMP's, for
a moment, and "spinning" always (OMP_WAIT_POLICY=active).
The last column counts how often the system took a core away from a thread of the process: a tail of milliseconds that
comes with many of them is the machine's, or the other library's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

SIZE = 256
"""Rows and columns of the other library's product."""
WARM = 300
CASES: dict[str, tuple[str | None, dict[str, str]]] = {
    "alone": (None, {}),
    "alone, one thread": (None, {"PELLUCID_NUM_THREADS": "1"}),
    "beside PyTorch": ("torch", {}),
    "beside PyTorch, spinning": ("torch", {"OMP_WAIT_POLICY": "active"}),
    "beside ONNX Runtime": ("onnxruntime", {}),
}


def field(number: int, value: int | str | bytes) -> bytes:
    """One field of a protocol buffer."""

    def varint(rest: int) -> bytes:
        return bytes([rest]) if rest < 128 else bytes([rest & 127 | 128]) + varint(rest >> 7)

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx_product() -> bytes:
    """y = x . x as an ONNX model."""
    size = field(1, field(1, SIZE))
    kind = field(1, field(1, 1) + field(2, size + size))
    node = field(1, "x") + field(1, "x") + field(2, "y") + field(4, "MatMul")
    ends = field(11, field(1, "x") + field(2, kind)) + field(12, field(1, "y") + field(2, kind))
    return field(1, 8) + field(8, field(2, 13)) + field(7, field(1, node) + field(2, "product") + ends)


def neighbour(library: str | None) -> Callable[[], object] | None:
    """What the other library computes before each call."""
    x = np.ones((SIZE, SIZE), np.float32)
    if library == "torch":
        import torch

        torch.set_num_threads(os.cpu_count() or 1)
        tensor = torch.from_numpy(x)
        return lambda: tensor @ tensor
    if library == "onnxruntime":
        import onnxruntime

        session = onnxruntime.InferenceSession(onnx_product(), providers=["CPUExecutionProvider"])
        return lambda: session.run(None, {"x": x})
    return None


def measure(name: str, library: str | None, calls: int) -> dict[str, float]:
    """Microseconds of this many calls, here and now."""
    from pellucid import zoo

    model, other = zoo.build(name), neighbour(library)
    picture = np.random.default_rng(0).random((1, *model.input_shape), np.float32)
    times = np.empty(calls + WARM)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    for call in range(len(times)):
        if other:
            other()
        start = time.perf_counter_ns()
        model.predict(picture)
        times[call] = time.perf_counter_ns() - start
    switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - before
    quantiles = np.percentile(times[WARM:] / 1000, [0, 50, 99, 99.9])
    return dict(zip(("least", "median", "p99", "p99.9"), quantiles.tolist(), strict=True)) | {"switches": switches}


def main() -> int:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20000)
    parser.add_argument("--model", default="simple-convnet")
    parser.add_argument("--measure", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.model, CASES[options.measure][0], options.calls)))
        return 0
    print(f"{options.model}, one picture, {options.calls:,} calls each, microseconds")
    print(f"{'':26}{'least':>8}{'median':>8}{'p99':>8}{'p99.9':>8}  times the core was taken away")
    for case, (library, variables) in CASES.items():
        if library and not find_spec(library):
            print(f"{case:26}  left out: {library} is not installed")
            continue
        command = [sys.executable, __file__, "--measure", case, "--calls", str(options.calls), "--model", options.model]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables})
        if done.returncode:
            print(f"{case:26}  failed: {done.stderr.strip().splitlines()[-1:]}")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        numbers = "".join(f"{found[key]:8.1f}" for key in ("least", "median", "p99", "p99.9"))
        print(f"{case:26}{numbers}  {found['switches']:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
