"""Pictures a second of training by engine torch on a GPU, beside plain PyTorch with its best settings.

    python benchmarks/gpu.py [--device cuda] [--only NETWORK]... [--precision P]... [--seconds 3] [--json FILE]

Needs nothing but the device, PyTorch and Pellucid; ten minutes, of which torch.compile takes most. Ours is the engine
as `pellucid train` uses it: pictures lie in memory as bytes, each batch is gathered, scaled and brought to the device.
PyTorch gets a random batch that lies on the device already, channels last, fused Adam, cuDNN's search, and is taken at
the better of eager and compiled with CUDA graphs. In float32 the convolutions of both are TF32's. Both take every step
whole: forward, backward, Adam. TFLOP/s counts the multiply-accumulates of convolutions and dense layers, twice, three
passes; utilisation is nvidia-smi's mean.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contenders import SHAPES
from torch.nn import functional
from torch_contender import build

from pellucid import zoo
from pellucid.engines import DEVICES, PRECISIONS, engine_of
from pellucid.errors import ConfigError
from pellucid.plan import Feed
from pellucid.train import training_plan

BATCHES = {"simple-convnet": 100, "cifar-net": 256, "resnet18": 256, "vgg16": 64, "mobilenet-v2": 128}
"""The networks, and pictures in a step on a GPU."""
TURNS = 3
"""Of each contender, one after the other; the median counts."""
STRETCH = 20
"""Steps in a call, where nothing is said."""


class Utilisation:
    """Samples of nvidia-smi while it is entered."""

    def __init__(self, device: str) -> None:
        self.samples: list[float] = []
        self._which = [f"--id=GPU-{torch.cuda.get_device_properties(0).uuid}"] if device == "cuda" else []
        self._over = threading.Event()

    def __enter__(self) -> Utilisation:
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        ask = ["nvidia-smi", *self._which, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self._over.wait(0.5):  # each asks a program
            with suppress(OSError, ValueError, subprocess.SubprocessError):
                told = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=5).stdout
                self.samples.append(float(told.splitlines()[0]))

    @property
    def mean(self) -> float | None:
        return statistics.mean(self.samples) if self.samples else None


def ours(network: str, batch: int, device: str, precision: str, steps: int) -> Callable[[], int]:
    """A stretch of the engine's steps; gives the pictures it took."""
    shape, classes = SHAPES[network]
    model = zoo.build(network, input_shape=shape, classes=classes)
    model.compile("adam")
    rng = np.random.default_rng(0)
    count = batch * steps
    pictures = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    labels = rng.integers(0, classes, count).astype(np.int32)
    scale, offset = model.preprocessing.scale_offset(shape[-1])
    feed = Feed(pictures, labels, None, capacity=batch, picture=shape, scale=scale, offset=offset)
    make = engine_of("torch", device, precision).training
    plan = training_plan(model, feed, seed=0, accuracy="categorical", make=make)

    def stretch() -> int:
        plan.run_steps(batch, position=0, step=0, learning_rates=[1e-4] * steps)
        return count

    return stretch


def plain(network: str, batch: int, device: str, precision: str, steps: int, *, compiled: bool) -> Callable[[], int]:
    """The same number of PyTorch's."""
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    shape, classes = SHAPES[network]
    model = build(network).to(device, memory_format=torch.channels_last)
    x = torch.rand(batch, shape[2], *shape[:2], device=device).contiguous(memory_format=torch.channels_last)
    y = torch.randint(classes, (batch,), device=device)
    run = torch.compile(model, mode="reduce-overhead") if compiled else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, fused=True)
    lower = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bfloat16")

    def stretch() -> int:
        for _ in range(steps):
            optimizer.zero_grad()
            with lower:
                loss = functional.cross_entropy(run(x), y)
            loss.backward()
            optimizer.step()
        return batch * steps

    return stretch


def speed(stretch: Callable[[], int], device: str, seconds: float) -> float:
    """Pictures a second, over at least so long."""
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    wait()
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        done += stretch()
        wait()
    return done / (time.perf_counter() - start)


def measured(
    network: str, batch: int, device: str, precision: str, seconds: float, modes: Sequence[str], steps: int
) -> Any:
    """One row of the table."""
    torch.compiler.reset()  # it counts what it has compiled of one function, and gives up after eight
    made: dict[str, Callable[[], int]] = {"ours": ours(network, batch, device, precision, steps)}
    for mode in modes:
        made[mode] = plain(network, batch, device, precision, steps, compiled=mode == "compiled")
    found: dict[str, list[float]] = {name: [] for name in made}
    for stretch in made.values():  # libraries choose algorithms, compilers compile, graphs are recorded
        stretch()
    used: list[float] = []
    for _ in range(TURNS):
        for name, stretch in made.items():
            with Utilisation(device) as utilisation:
                found[name].append(speed(stretch, device, seconds))
            if name == "ours" and utilisation.mean is not None:
                used.append(utilisation.mean)
    rates = {name: statistics.median(values) for name, values in found.items()}
    shape, classes = SHAPES[network]
    walk = zoo.build(network, input_shape=shape, classes=classes).graph.walk()
    macs = sum(visit.layer.macs(visit.input_shape) for visit in walk)
    best = max(rates[mode] for mode in modes)
    return {
        **{"network": network, "batch": batch, "precision": precision, "rates": rates},
        "ratio": rates["ours"] / best,
        "tflops": rates["ours"] * 6 * macs / 1e12,
        "utilisation": statistics.mean(used) if used else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cuda", choices=DEVICES)
    parser.add_argument("--only", action="append", choices=BATCHES)
    parser.add_argument("--precision", action="append", choices=PRECISIONS)
    parser.add_argument("--batch", type=int, help="pictures in a step, for all")
    parser.add_argument("--steps", type=int, default=STRETCH, help="in a call, as a training takes them")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each turn")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--json", type=Path, help="a file for the rows, too")
    asked = parser.parse_args()
    try:
        engine_of("torch", asked.device)
    except ConfigError as error:
        sys.exit(str(error))
    name = torch.cuda.get_device_name() if asked.device == "cuda" else asked.device
    print(f"PyTorch {torch.__version__} on {name}")
    print(
        f"{'network':16}{'batch':>6} {'precision':10}{'ours/s':>10}{'plain/s':>10}{'ratio':>7}{'TFLOP/s':>9}{'used':>7}"
    )
    rows = []
    modes = ["eager"] if asked.no_compile else ["eager", "compiled"]
    for network in asked.only or BATCHES:
        for precision in asked.precision or ("float32", "bfloat16"):
            batch = asked.batch or BATCHES[network]
            row = measured(network, batch, asked.device, precision, asked.seconds, modes, asked.steps)
            rows.append(row)
            best = max(row["rates"][mode] for mode in modes)
            used = "" if row["utilisation"] is None else f"{row['utilisation']:.0f} %"
            print(
                f"{network:16}{row['batch']:6} {precision:10}{row['rates']['ours']:10,.0f}{best:10,.0f}"
                f"{row['ratio']:7.2f}{row['tflops']:9.2f}{used:>7}",
                flush=True,
            )
            if asked.json:
                asked.json.write_text(json.dumps({"device": name, "torch": torch.__version__, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
