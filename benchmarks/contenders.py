"""A worker of peers.py: builds one network in one framework, says "ready", then times rounds of steps it is asked for.

    python benchmarks/contenders.py KIND NETWORK train|infer BATCH THREADS

Training step: forward, softmax cross-entropy, backward, Adam, on fixed random data. Inference: the outputs of a batch.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], Any]
WARM_UPS = 3
SHAPES = {
    "simple-convnet": ((28, 28, 1), 10),
    "lenet5": ((28, 28, 1), 10),
    "cifar-net": ((32, 32, 3), 10),
    "alexnet": ((224, 224, 3), 1000),
    "vgg16": ((224, 224, 3), 1000),
}


def data(network: str, batch: int) -> tuple[Any, Any]:
    """Pictures (N, H, W, C) float32 and class numbers."""
    shape, classes = SHAPES[network]
    rng = np.random.default_rng(0)
    return rng.normal(size=(batch, *shape)).astype(np.float32), rng.integers(0, classes, batch).astype(np.int32)


def pellucid_step(network: str, work: str, batch: int, threads: int) -> Step:
    """Our own plans, as fit and predict run them."""
    from pellucid import ops, zoo
    from pellucid.plan import Feed, InferencePlan, TrainingPlan

    ops.set_num_threads(threads)
    shape, classes = SHAPES[network]
    model = zoo.build(network, input_shape=shape, classes=classes)
    x, y = data(network, batch)
    if work == "infer":
        plan = InferencePlan(model.layers, model.parameters, input_shape=shape, capacity=batch)

        def infer() -> None:
            plan.inputs[...] = x
            plan.run(batch)

        return infer
    model.compile("adam", "categorical_crossentropy")
    model.prepare_slots()
    ones, zeros = np.ones(shape[-1], np.float32), np.zeros(shape[-1], np.float32)
    feed = Feed(x, y, None, capacity=batch, picture=shape, scale=ones, offset=zeros)
    training = TrainingPlan(
        model.layers,
        model.parameters,
        loss=model.loss,
        optimizer=model.optimizer,
        slots=model.slots,
        feed=feed,
        seed=0,
        accuracy="categorical",
    )
    count = iter(range(10**9))
    return lambda: training.run(batch, step=next(count), learning_rate=0.001)


def torch_network(network: str) -> Any:
    """The same network in PyTorch."""
    from torch import nn

    def block(i: int, o: int) -> list[Any]:
        return [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)]

    if network == "simple-convnet":
        head = [nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        return nn.Sequential(*head, nn.Linear(4320, 100), nn.ReLU(), nn.Linear(100, 10))
    if network == "lenet5":
        first = [nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2)]
        second = [nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten()]
        dense = [nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10)]
        return nn.Sequential(*first, *second, *dense)
    if network == "cifar-net":
        head = [nn.Flatten(), nn.Linear(2304, 576), nn.ReLU(), nn.Dropout(0.5), nn.Linear(576, 10)]
        return nn.Sequential(*block(3, 36), *block(36, 72), *block(72, 144), *head)
    classifier = [nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 1000)]
    if network == "alexnet":
        lrn = {"size": 5, "alpha": 5e-4, "beta": 0.75, "k": 2.0}
        layers = [nn.Conv2d(3, 96, 11, 4, 2), nn.ReLU(), nn.LocalResponseNorm(**lrn), nn.MaxPool2d(3, 2)]
        layers += [
            nn.Conv2d(96, 256, 5, padding=2, groups=2),
            nn.ReLU(),
            nn.LocalResponseNorm(**lrn),
            nn.MaxPool2d(3, 2),
        ]
        layers += [nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU()]
        layers += [nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(9216, 4096), *classifier)
    layers, channels = [], 3
    for count, width in zip((2, 2, 3, 3, 3), (64, 128, 256, 512, 512), strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(25088, 4096), *classifier)


def torch_step(network: str, work: str, batch: int, threads: int, mode: str) -> Step:
    """PyTorch in one of its modes."""
    import torch
    import torch.nn.functional as functional

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = torch_network(network)
    pictures, labels = data(network, batch)
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    y = torch.from_numpy(labels).long()
    if mode == "torch-channels-last":
        model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    run = torch.compile(model) if mode == "torch-compile" else model
    if work == "infer":
        model.eval()

        def infer() -> None:
            with torch.inference_mode():
                run(x)

        return infer
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def train() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(run(x), y).backward()
        optimizer.step()

    return train


def exported(network: str, batch: int) -> bytes:
    """The PyTorch network as ONNX."""
    import torch

    pictures, _ = data(network, batch)
    file = io.BytesIO()
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    torch.onnx.export(torch_network(network).eval(), (x,), file, dynamo=False)
    return file.getvalue()


def onnxruntime_step(network: str, batch: int, threads: int) -> Step:
    """ONNX Runtime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(exported(network, batch), options, providers=["CPUExecutionProvider"])
    pictures, _ = data(network, batch)
    feed = {session.get_inputs()[0].name: np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))}
    return lambda: session.run(None, feed)


def openvino_step(network: str, batch: int, threads: int) -> Step:
    """OpenVINO on the CPU, in float32."""
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    model = core.compile_model(core.read_model(exported(network, batch)), "CPU", settings)
    request = model.create_infer_request()
    pictures, _ = data(network, batch)
    x = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    return lambda: request.infer([x])


def probe_step(threads: int) -> Step:
    """A multiply-add loop on all threads: what the machine can do at this moment."""
    from pellucid import ops
    from pellucid.ops import native

    ops.set_num_threads(threads)
    step = native.fma_probe(np.zeros(64, np.float32), 100_000)
    return lambda: native.run(step)


def make(kind: str, network: str, work: str, batch: int, threads: int) -> Step:
    """The step of a contender."""
    if kind == "probe":
        return probe_step(threads)
    if kind == "pellucid":
        return pellucid_step(network, work, batch, threads)
    if kind == "onnxruntime":
        return onnxruntime_step(network, batch, threads)
    if kind == "openvino":
        return openvino_step(network, batch, threads)
    return torch_step(network, work, batch, threads, kind)


def main() -> None:
    kind, network, work, batch, threads = sys.argv[1:]
    step = make(kind, network, work, int(batch), int(threads))
    for _ in range(WARM_UPS):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        print(1e3 * sorted(times)[len(times) // 2], flush=True)


if __name__ == "__main__":
    main()
