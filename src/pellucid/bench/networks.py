"""Whole steps of well-known networks, and what each kernel takes of them.

Every network is measured in a process of its own, so that its peak memory is its own. The machine's limits are
measured in the same process just before.
"""

from __future__ import annotations

import ctypes
import mmap
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import zoo
from pellucid.bench.limits import Limits, probe_limits, seconds
from pellucid.bench.process import in_fresh_process
from pellucid.errors import ConfigError
from pellucid.model import Model
from pellucid.ops import native
from pellucid.plan import Feed, InferencePlan, TrainingPlan
from pellucid.train import training_plan


@dataclass(frozen=True)
class KernelTime:
    """All runs of one kernel in a step: how many, how long, and the rate of each kind of work."""

    kernel: str
    count: int
    ms: float
    gflops: float
    gbytes: float


@dataclass(frozen=True)
class Measurement:
    """One network at work. memory_mb: how much the process grew; planned_mb: what the plan said before it ran."""

    network: str
    work: str
    batch: int
    ms: float
    images_per_s: float
    memory_mb: float
    planned_mb: float
    limits: Limits
    kernels: tuple[KernelTime, ...]


@dataclass(frozen=True)
class Job:
    """What to measure: a network, "train" or "infer", a batch size, and steps to time."""

    network: str
    work: str
    batch: int
    steps: int

    @property
    def key(self) -> str:
        return f"{self.network}/{self.work}/{self.batch}"


QUICK = (
    Job("simple-convnet", "train", 100, 30),
    Job("lenet5", "train", 100, 30),
    Job("cifar-net", "train", 128, 7),
    Job("simple-convnet", "infer", 100, 50),
    Job("lenet5", "infer", 100, 50),
    Job("cifar-net", "infer", 128, 15),
)
FULL = (
    *QUICK[:3],
    Job("alexnet", "train", 16, 3),
    Job("vgg16", "train", 4, 3),
    Job("resnet20", "train", 128, 7),
    Job("resnet18", "train", 16, 3),
    Job("mobilenet-v2", "train", 16, 5),
    *QUICK[3:],
    Job("alexnet", "infer", 16, 5),
    Job("vgg16", "infer", 1, 5),
    Job("vgg16", "infer", 4, 3),
    Job("resnet20", "infer", 128, 15),
    Job("resnet18", "infer", 1, 30),
    Job("resnet18", "infer", 16, 5),
    Job("mobilenet-v2", "infer", 1, 50),
    Job("mobilenet-v2", "infer", 16, 9),
)


def run(job: Job, threads: int | None = None) -> Measurement:
    """Measure in a fresh process.

    Errors: BackendError where there are no compiled kernels, or the process died (of too little memory, most likely).
    """
    return in_fresh_process(f"{job.network} ({job.work}, batch {job.batch})", threads, measure, job)


def measure(job: Job) -> Measurement:
    """Measure in this process; its memory figure counts whatever was there before."""
    limits = probe_limits()
    model = zoo.build(job.network)
    before = _restart_peak()
    parameters = model.parameters
    plan: TrainingPlan | InferencePlan
    if job.work == "train":
        step, plan = _training(model, job.batch)
        moments = sum(slot.nbytes for slot in model.optimizer_state.slots.values())
        kept = parameters.vector.nbytes + parameters.gradients.nbytes + moments
    elif job.work == "infer":
        step, plan = _inference(model, job.batch)
        kept = parameters.vector.nbytes
    else:
        raise ConfigError(f'work must be "train" or "infer", got {job.work!r}')
    for _ in range(2):
        step()
    ms = 1e3 * statistics.median(seconds(step) for _ in range(job.steps))
    return Measurement(
        network=job.network,
        work=job.work,
        batch=job.batch,
        ms=ms,
        images_per_s=1e3 * job.batch / ms,
        memory_mb=(_peak_bytes() - before) / 2**20,
        planned_mb=(plan.memory_bytes + kept) / 2**20,
        limits=limits,
        kernels=kernel_times(plan.steps, job.batch),
    )


def _training(model: Model, batch: int) -> tuple[Callable[[], object], TrainingPlan]:
    model.compile("adam", "categorical_crossentropy")
    shape = model.graph.input_shape
    pictures, labels = _random(shape, model.graph.output_shape[-1], batch)
    scale, offset = model.preprocessing.scale_offset(shape[-1])
    feed = Feed(pictures, labels, None, capacity=batch, picture=shape, scale=scale, offset=offset)
    plan = training_plan(model, feed, seed=0, accuracy="categorical")
    number = iter(range(sys.maxsize))
    return lambda: plan.run(batch, step=next(number), learning_rate=1e-4), plan


def _inference(model: Model, batch: int) -> tuple[Callable[[], object], InferencePlan]:
    plan = InferencePlan(model.graph, model.parameters, capacity=batch)
    pictures, _ = _random(model.graph.input_shape, 1, batch)
    plan.inputs[...] = pictures / np.float32(255)
    return lambda: plan.run(batch), plan


def _random(shape: Sequence[int], classes: int, batch: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (batch, *shape), dtype=np.uint8), rng.integers(0, classes, batch).astype(np.int32)


def kernel_times(steps: Sequence[native.Step], batch: int, repeats: int = 5) -> tuple[KernelTime, ...]:
    """Each kernel of a step by itself, the quickest of a few runs, longest first.

    Steps built for fewer pictures than the batch has run as often as it needs them.
    """
    totals: dict[str, list[float]] = {}
    for step in steps:
        program = native.Program([step])  # keeps its workspace; a single call may give it back
        took = min(seconds(program.run) for _ in range(repeats))
        spent = native.cost(step)
        total = totals.setdefault(step.kernel, [0.0, 0.0, 0.0, 0.0])
        runs = batch / step.batch if step.batch > 0 else 1
        for i, value in enumerate((1.0, runs * took, runs * spent.flops, runs * spent.num_bytes)):
            total[i] += value
    times = [
        KernelTime(kernel, int(count), 1e3 * took, flops / took / 1e9, num_bytes / took / 1e9)
        for kernel, (count, took, flops, num_bytes) in totals.items()
    ]
    return tuple(sorted(times, key=lambda each: -each.ms))


def _restart_peak() -> int:
    """Resident bytes now; on Linux the peak is counted from here on, elsewhere from the start of the process."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return _peak_bytes()
    return pages * mmap.PAGESIZE


def _peak_bytes() -> int:
    if sys.platform == "win32":
        counters = (ctypes.c_size_t * 9)(9 * 8)  # PROCESS_MEMORY_COUNTERS: its size, PeakWorkingSetSize, seven more
        ctypes.windll.kernel32.K32GetProcessMemoryInfo(ctypes.c_void_p(-1), counters, 9 * 8)
        return int(counters[1])
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
