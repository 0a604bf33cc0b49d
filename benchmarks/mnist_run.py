"""End to end: the usual MNIST run by Pellucid's command, and the same run in PyTorch; whole processes, wall time.

    python benchmarks/mnist_run.py [--epochs 20] [--repeats 1] [--write]

Ours: pellucid train simple-convnet --data mnist --epochs 20 --batch-size 100 --optimizer adam --lr 0.001
Theirs: mnist_torch.py. Both read the same files, start from the same kind of weights, judge the test pictures after
each epoch and write the best network; ours also writes a log, snapshots and pictures. They run in turn, ours first,
with a probe of the machine before, between and after: a run with slow probes on both sides is named in the results.
Needs PyTorch, and MNIST where Pellucid finds it (PELLUCID_DATA).
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
from workers import HERE, PAUSE_S, PROBE_FLOOR, environment, launch_probe

THREADS = 2
FLOOR = 3.0
RESULTS = machine.RESULTS / "mnist_run.json"
SETTINGS = ["--batch-size", "100", "--optimizer", "adam", "--lr", "0.001"]


def find_mnist() -> Path:
    """The folder with MNIST's files."""
    from pellucid.datasets import locate

    found = locate("mnist")
    if found is None:
        raise SystemExit("MNIST is not on this machine; `pellucid data fetch mnist` brings it")
    return found


def timed(command: list[str]) -> tuple[float, float]:
    """(seconds from start to end, test accuracy it prints last)."""
    start = time.perf_counter()
    done = subprocess.run(command, env=environment(THREADS), capture_output=True, text=True)
    elapsed_s = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    found = re.findall(r"test\D*([\d.]+) ?(%?)", done.stdout)
    if not found:
        raise SystemExit(f"no test accuracy in what it printed:\n{done.stdout}")
    value, sign = found[-1]
    return elapsed_s, float(value) / (100 if sign else 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=1, help="pairs of runs; medians are compared")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there already")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md afterwards")
    options = parser.parse_args()
    stored = machine.Stored(RESULTS, machine.describe())
    key = f"{options.epochs} epochs"
    result = None if options.fresh else stored.get(key)
    if result is None or len(result["ours_s"]) < options.repeats:
        result = compare(options.epochs, options.repeats)
        stored.put(key, result)
    ours, theirs = statistics.median(result["ours_s"]), statistics.median(result["theirs_s"])
    print(
        f"{options.epochs} epochs of MNIST: ours {ours:.1f} s (test {result['ours_accuracy']:.4f}), "
        f"PyTorch {theirs:.1f} s (test {result['theirs_accuracy']:.4f}): {theirs / ours:.2f} times"
    )
    if options.write:
        import results

        results.write()


def compare(epochs: int, repeats: int) -> dict[str, Any]:
    """Pairs of whole runs, in turn."""
    data = find_mnist()
    found: dict[str, Any] = {"epochs": epochs, "floor": FLOOR, "ours_s": [], "theirs_s": []}
    probe = launch_probe(THREADS)
    speeds = [1e3 / probe.round(5)]
    for _ in range(repeats):
        folder = tempfile.mkdtemp()
        words = ["train", "simple-convnet", "--data", "mnist", "--epochs", str(epochs), *SETTINGS]
        ours = [sys.executable, "-m", "pellucid", *words, "--out", f"{folder}/run", "--quiet"]
        theirs = [sys.executable, str(HERE / "mnist_torch.py"), "--epochs", str(epochs), "--data", str(data)]
        for name, command in (("ours", ours), ("theirs", theirs)):
            elapsed_s, accuracy = timed(command)
            found[f"{name}_s"].append(round(elapsed_s, 2))
            found[f"{name}_accuracy"] = accuracy
            print(f"  {name}: {elapsed_s:.1f} s", flush=True)
            time.sleep(PAUSE_S)
            speeds.append(1e3 / probe.round(5))
        shutil.rmtree(folder, ignore_errors=True)
    probe.close()
    found["slowest_probe"] = round(min(speeds) / max(speeds), 3)
    found["quiet"] = min(speeds) >= PROBE_FLOOR * max(speeds)
    return found


if __name__ == "__main__":
    main()
