"""A worker of the benchmarks: builds one network in one framework, then times rounds of steps it is asked for.

    python benchmarks/contenders.py KIND NETWORK train|infer BATCH THREADS [ONNX FILE]

Training step: forward, softmax cross-entropy, backward, Adam, on fixed random data. Inference: the outputs of a batch.
It answers in lines of JSON. The first, when warm: how much memory a step takes, in which precision, with what settings.
Then for each line {"settle_s": S, "steps": K, "cores": null or the only ones to run on}: untimed steps for S seconds
(one at least), so that caches are warm for everybody alike, then K timed ones; the answer is their median in
milliseconds.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pellucid.model import Model
    from pellucid.plan import TrainingPlan

WARM_UPS = 3
MEMORY_STEPS = 1
SHAPES = {
    "simple-convnet": ((28, 28, 1), 10),
    "lenet5": ((28, 28, 1), 10),
    "cifar-net": ((32, 32, 3), 10),
    "alexnet": ((224, 224, 3), 1000),
    "vgg16": ((224, 224, 3), 1000),
    "resnet20": ((32, 32, 3), 10),
    "resnet18": ((224, 224, 3), 1000),
    "mobilenet-v2": ((224, 224, 3), 1000),
}
RESNETS = {"resnet20": (((16, 1), (32, 2), (64, 2)), 3), "resnet18": (((64, 1), (128, 2), (256, 2), (512, 2)), 2)}
"""Filters and first stride of each stage, and blocks of a stage: He et al. 2016, section 4.2 and table 1."""
MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, filters, blocks, and stride of the first, of each stage: Sandler et al. 2018, table 2."""
IMPORTS = {
    "probe": "pellucid.plan",
    "pellucid": "pellucid.plan",
    "torch": "torch",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "keras": "keras",
}
"""What is loaded before memory is counted, by the first word of the kind."""
LOADS_LATE = ("pellucid", "torch-eager", "torch-channels_last")
"""Kinds that load more at the first step: they run a small network before memory is counted."""


@dataclass(frozen=True)
class Task:
    """What a contender is to run. network: a key of SHAPES. work: "train" or "infer". onnx: the exported network."""

    network: str
    work: str
    batch: int
    threads: int
    onnx: Path | None = None


@dataclass(frozen=True)
class Made:
    """A step ready to run. precision: "f32", or what the framework chose; note: the settings it reports."""

    step: Callable[[], Any]
    precision: str = "f32"
    note: str = ""


@functools.cache
def data(network: str, batch: int) -> tuple[Any, Any]:
    """Pictures (N, H, W, C) float32 and class numbers (N,) int32."""
    shape, classes = SHAPES[network]
    rng = np.random.default_rng(0)
    return rng.normal(size=(batch, *shape)).astype(np.float32), rng.integers(0, classes, batch).astype(np.int32)


def build(network: str) -> Model:
    """Ours, without the penalties that some recipes add to the loss and no peer has."""
    from pellucid import zoo

    shape, classes = SHAPES[network]
    options = {"decay": 0.0} if "decay" in zoo.options_of(network) else None
    return zoo.build(network, input_shape=shape, classes=classes, options=options)


def training_plan(task: Task, steps: int = 1) -> TrainingPlan:
    """Our training plan, as fit makes it, fed with pictures for so many steps."""
    from pellucid import ops
    from pellucid.plan import Feed
    from pellucid.train import training_plan as plan_of

    ops.set_num_threads(task.threads)
    model, shape = build(task.network), SHAPES[task.network][0]
    x, y = data(task.network, task.batch * steps)
    model.compile("adam", "categorical_crossentropy")
    ones, zeros = np.ones(shape[-1], np.float32), np.zeros(shape[-1], np.float32)
    feed = Feed(x, y, None, capacity=task.batch, picture=shape, scale=ones, offset=zeros)
    return plan_of(model, feed, seed=0, accuracy="categorical")


def make_pellucid(task: Task) -> Made:
    """Ours: `predict` as users call it, and the plan that `fit` runs."""
    if task.work == "infer":
        from pellucid import ops

        ops.set_num_threads(task.threads)
        model = build(task.network)
        x, _ = data(task.network, task.batch)
        return Made(lambda: model.predict(x, verbose=0))
    training = training_plan(task)
    count = iter(range(sys.maxsize))
    return Made(lambda: training.run(task.batch, step=next(count), learning_rate=0.001))


def make_probe(task: Task) -> Made:
    """A multiply-add loop on all threads: what the machine can do at this moment."""
    from pellucid import ops
    from pellucid.ops import native

    ops.set_num_threads(task.threads)
    step = native.fma_probe(np.zeros(64, np.float32), 50_000)
    return Made(lambda: native.run(step))


def make(kind: str, task: Task) -> Made:
    """The contender of this kind; its family is the first word."""
    family, _, mode = kind.partition("-")
    if family == "probe":
        return make_probe(task)
    if family == "pellucid":
        return make_pellucid(task)
    if family == "torch":
        import torch_contender

        return torch_contender.make(task, mode)
    if family == "keras":
        import keras_contender

        return keras_contender.make(task, mode)
    import runtime_contenders

    return runtime_contenders.MAKERS[family](task, mode)


def resident_bytes(field: str = "VmRSS") -> int:
    """Resident memory now ("VmRSS") or at its peak ("VmHWM"); 0 where Linux's /proc is not."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field))


def restart_peak() -> bool:
    """Count the peak from here on; False where that is not allowed."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def memory_of(step: Callable[[], Any], before: int) -> float | None:
    """Peak resident MB of a step in its stride, over what was resident before the network was built."""
    if not before or not restart_peak():
        return None
    for _ in range(MEMORY_STEPS):
        step()
    return (resident_bytes("VmHWM") - before) / 2**20


def median_ms(step: Callable[[], Any], steps: int) -> float:
    """Median of single steps, in milliseconds."""
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def settle(step: Callable[[], Any], seconds: float) -> None:
    """Run untimed: once at least, and until so much time is over."""
    end = time.perf_counter() + seconds
    step()
    while time.perf_counter() < end:
        step()


def stay_on(cores: Sequence[int]) -> None:
    """Run on these cores alone, with one of our threads on each."""
    from pellucid import ops

    os.sched_setaffinity(0, cores)
    ops.set_num_threads(len(cores))


def own_stdout() -> Any:
    """The pipe to the parent; whatever libraries print goes to stderr from here on."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return channel


def main() -> None:
    kind, network, work, batch, threads, *file = sys.argv[1:]
    channel = own_stdout()
    task = Task(network, work, int(batch), int(threads), Path(file[0]) if file else None)

    def tell(**answer: Any) -> None:
        print(json.dumps(answer), file=channel, flush=True)

    family, _, backend = kind.partition("-")
    if family == "keras":
        os.environ["KERAS_BACKEND"] = backend.partition("-")[0]
    importlib.import_module(IMPORTS[family])
    data(network, task.batch)
    if kind in LOADS_LATE:
        make(kind, Task("simple-convnet", work, 2, task.threads)).step()
    before = resident_bytes()
    made = make(kind, task)
    for _ in range(WARM_UPS):
        made.step()
    tell(memory_mb=memory_of(made.step, before), precision=made.precision, note=made.note)
    for line in sys.stdin:
        order = json.loads(line)
        if order["cores"]:
            stay_on(order["cores"])
        settle(made.step, order["settle_s"])
        tell(ms=median_ms(made.step, order["steps"]))


if __name__ == "__main__":
    main()
