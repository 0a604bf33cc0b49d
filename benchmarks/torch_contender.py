"""The networks of the table in PyTorch, each in PyTorch's modes, and as ONNX files.

python benchmarks/torch_contender.py NETWORK BATCH FILE.onnx
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import torch
import torch.nn.functional as functional
from contenders import MOBILENET_V2, RESNETS, SHAPES, Made, Task, data
from torch import nn

MODES = ("eager", "channels_last", "compile")


def relu() -> Any:
    """In place, as torchvision's networks have it: less memory."""
    return nn.ReLU(inplace=True)


def relu6() -> Any:
    return nn.ReLU6(inplace=True)


class Residual(nn.Module):
    """body(x) + shortcut(x), in place, then an activation or none."""

    def __init__(self, body: Any, shortcut: Any = None, after: Any = None) -> None:
        super().__init__()
        self.body, self.shortcut, self.after = body, shortcut or nn.Identity(), after or nn.Identity()

    def forward(self, x: Any) -> Any:
        y = self.body(x)
        y += self.shortcut(x)
        return self.after(y)


def normed(before: int, after: int, size: int, stride: int = 1, groups: int = 1) -> list[Any]:
    """A convolution without bias, and batch norm."""
    conv = nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(after)]


def resnet(network: str) -> Any:
    """A head, stages of blocks of two convolutions 3x3, average, dense."""
    stages, blocks = RESNETS[network]
    channels = stages[0][0]
    small = [*normed(3, channels, 3), relu()]
    large = [*normed(3, channels, 7, 2), relu(), nn.MaxPool2d(3, 2, 1)]
    layers: list[Any] = small if network == "resnet20" else large
    for width, first in stages:
        for block in range(blocks):
            stride = 1 if block else first
            body = [*normed(channels, width, 3, stride), relu(), *normed(width, width, 3)]
            changes = stride > 1 or channels != width
            short = nn.Sequential(*normed(channels, width, 1, stride)) if changes else None
            layers.append(Residual(nn.Sequential(*body), short, relu()))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, SHAPES[network][1]))


def mobilenet_v2() -> Any:
    """Inverted residuals, average, dense."""
    layers, channels = [*normed(3, 32, 3, 2), relu6()], 32
    for expansion, width, blocks, first in MOBILENET_V2:
        for block in range(blocks):
            stride, wide = 1 if block else first, channels * expansion
            body = [*normed(channels, wide, 1), relu6()] if expansion > 1 else []
            body += [*normed(wide, wide, 3, stride, wide), relu6(), *normed(wide, width, 1)]
            whole = nn.Sequential(*body)
            layers.append(Residual(whole) if stride == 1 and channels == width else whole)
            channels = width
    tail = [*normed(channels, 1280, 1), relu6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, *tail, nn.Linear(1280, SHAPES["mobilenet-v2"][1]))


def build(network: str) -> Any:
    """The network in PyTorch."""
    if network in RESNETS:
        return resnet(network)
    if network == "mobilenet-v2":
        return mobilenet_v2()
    if network == "simple-convnet":
        head = [nn.Conv2d(1, 30, 5), relu(), nn.MaxPool2d(2), nn.Flatten()]
        return nn.Sequential(*head, nn.Linear(4320, 100), relu(), nn.Linear(100, 10))
    if network == "lenet5":
        first = [nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2)]
        second = [nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten()]
        dense = [nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10)]
        return nn.Sequential(*first, *second, *dense)
    if network == "cifar-net":
        layers: list[Any] = []
        for before, after in ((3, 36), (36, 72), (72, 144)):
            layers += [nn.Conv2d(before, after, 3, padding=1), relu(), nn.MaxPool2d(2), nn.Dropout(0.25)]
        head = [nn.Flatten(), nn.Linear(2304, 576), relu(), nn.Dropout(0.5), nn.Linear(576, 10)]
        return nn.Sequential(*layers, *head)
    classifier = [
        relu(),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        relu(),
        nn.Dropout(),
        nn.Linear(4096, SHAPES[network][1]),
    ]
    if network == "alexnet":
        norm = {"size": 5, "alpha": 5e-4, "beta": 0.75, "k": 2.0}
        layers = [nn.Conv2d(3, 96, 11, 4, 2), relu(), nn.LocalResponseNorm(**norm), nn.MaxPool2d(3, 2)]
        layers += [nn.Conv2d(96, 256, 5, padding=2, groups=2), relu(), nn.LocalResponseNorm(**norm), nn.MaxPool2d(3, 2)]
        layers += [nn.Conv2d(256, 384, 3, padding=1), relu(), nn.Conv2d(384, 384, 3, padding=1, groups=2), relu()]
        layers += [nn.Conv2d(384, 256, 3, padding=1, groups=2), relu(), nn.MaxPool2d(3, 2), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(9216, 4096), *classifier)
    layers, channels = [], 3
    for count, width in zip((2, 2, 3, 3, 3), (64, 128, 256, 512, 512), strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), relu()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(25088, 4096), *classifier)


def make(task: Task, mode: str) -> Made:
    """PyTorch in one of its modes; compiled code gets channels_last too, and frozen weights for inference."""
    torch.set_num_threads(task.threads)
    torch.manual_seed(0)
    model: Any = build(task.network)
    pictures, labels = data(task.network, task.batch)
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    y = torch.from_numpy(labels).long()
    if mode != "eager":
        model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    if task.work == "infer":
        model.eval()
    run = model
    if mode == "compile":
        from torch._inductor import config

        config.freezing = task.work == "infer"
        run = torch.compile(model)
    if task.work == "infer":

        def infer() -> None:
            with torch.no_grad() if mode == "compile" else torch.inference_mode():  # freezing asks for no_grad
                run(x)

        return Made(infer)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def train() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(run(x), y).backward()
        optimizer.step()

    return Made(train)


def export(network: str, batch: int, file: str) -> None:
    """Write the network as ONNX, for inference on batches of exactly this size."""
    shape, _ = SHAPES[network]
    torch.manual_seed(0)
    x = torch.zeros(batch, shape[2], *shape[:2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package says that there is a newer one
        torch.onnx.export(build(network).eval(), (x,), file, dynamo=False)


if __name__ == "__main__":
    export(sys.argv[1], int(sys.argv[2]), sys.argv[3])
