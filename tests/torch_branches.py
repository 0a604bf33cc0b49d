"""torchvision's networks with branches in plain torch.nn, with its names of modules: what the readers are tested on.

torchvision itself is not needed. Its counts of parameters, which it publishes, are compared with ours (test_zoo.py);
for the EfficientNet-Lites names and padding are those of lukemelas/EfficientNet-PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn, F = torch.nn, torch.nn.functional

# torchvision.models.*_Weights.IMAGENET1K_V1.meta["num_params"], running means and variances not counted; of the
# EfficientNet-Lites: counted in the published files
NUM_PARAMS = {
    "efficientnet-lite0": 4_652_008,
    "efficientnet-lite1": 5_416_680,
    "efficientnet-lite2": 6_092_072,
    "mobilenet-v2": 3_504_872,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "densenet121": 7_978_856,
    "googlenet": 13_004_888,  # of the file, with the classifiers at half depth
}


def conv(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> Any:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)


def named(**modules: Any) -> Any:
    """Modules under these names, run in this order."""
    found = nn.Sequential()
    for name, module in modules.items():
        found.add_module(name, module)
    return found


class Residual(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        outputs = 4 * width if bottleneck else width
        sizes = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        if not bottleneck:
            sizes = [(inputs, width, 3, stride), (width, width, 3, 1)]
        self.depth = len(sizes)
        for number, size in enumerate(sizes, start=1):
            setattr(self, f"conv{number}", conv(*size))
            setattr(self, f"bn{number}", nn.BatchNorm2d(size[1]))
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Any) -> Any:
        y = x
        for number in range(1, self.depth + 1):
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
            y = F.relu(y) if number < self.depth else y
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def resnet(blocks: Sequence[int], bottleneck: bool, filters: int, classes: int) -> Any:
    layers: dict[str, Any] = {}
    inputs = filters
    for stage, count in enumerate(blocks):
        width = filters * 2**stage
        made = []
        for block in range(count):
            made.append(Residual(inputs, width, 2 if stage and not block else 1, bottleneck))
            inputs = 4 * width if bottleneck else width
        layers[f"layer{stage + 1}"] = nn.Sequential(*made)
    first = {"conv1": conv(3, filters, 7, 2), "bn1": nn.BatchNorm2d(filters), "relu": nn.ReLU()}
    pool = nn.MaxPool2d(3, 2, 1)
    return named(**first, maxpool=pool, **layers, avgpool=_average(), fc=nn.Linear(inputs, classes))


def _average() -> Any:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Fire(nn.Module):
    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


def squeezenet(filters: int, size: int, pooled: Sequence[int], classes: int) -> Any:
    pool: Callable[[], Any] = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)  # noqa: E731
    features = [nn.Conv2d(3, filters, size, 2), nn.ReLU(), pool()]
    for number, width in enumerate((16, 16, 32, 32, 48, 48, 64, 64), start=2):
        features.append(Fire(filters, width, 4 * width))
        filters = 8 * width
        features += [pool()] if number in pooled else []
    classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, classes, 1), nn.ReLU(), _average())
    return named(features=nn.Sequential(*features), classifier=classifier)


def normed(inputs: int, outputs: int, size: int, stride: int = 1) -> Any:
    """GoogLeNet's BasicConv2d."""
    return named(conv=conv(inputs, outputs, size, stride), bn=nn.BatchNorm2d(outputs, eps=0.001), relu=nn.ReLU())


class Inception(nn.Module):
    def __init__(self, inputs: int, one: int, r3: int, three: int, r5: int, five: int, pool: int) -> None:
        super().__init__()
        self.branch1 = normed(inputs, one, 1)
        self.branch2 = nn.Sequential(normed(inputs, r3, 1), normed(r3, three, 3))
        self.branch3 = nn.Sequential(normed(inputs, r5, 1), normed(r5, five, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), normed(inputs, pool, 1))

    def forward(self, x: Any) -> Any:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


def googlenet(modules: dict[str, Sequence[int]], classes: int) -> Any:
    layers = {
        **{"conv1": normed(3, 64, 7, 2), "maxpool1": nn.MaxPool2d(3, 2, ceil_mode=True)},
        **{"conv2": normed(64, 64, 1), "conv3": normed(64, 192, 3), "maxpool2": nn.MaxPool2d(3, 2, ceil_mode=True)},
    }
    inputs = 192
    for name, widths in modules.items():
        layers[f"inception{name}"] = Inception(inputs, *widths)
        inputs = widths[0] + widths[2] + widths[4] + widths[5]
        if name in ("3b", "4e"):
            layers[f"maxpool{name}"] = nn.MaxPool2d(3 if name == "3b" else 2, 2, ceil_mode=True)
    return named(**layers, avgpool=_average(), dropout=nn.Dropout(0.2), fc=nn.Linear(inputs, classes))


class DenseLayer(nn.Module):
    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, 4 * growth, 1)
        self.norm2, self.conv2 = nn.BatchNorm2d(4 * growth), conv(4 * growth, growth, 3)

    def forward(self, x: Any) -> Any:
        return torch.cat([x, self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))], 1)


def densenet(blocks: Sequence[int], growth: int, classes: int) -> Any:
    maps = 2 * growth
    layers = {"conv0": conv(3, maps, 7, 2), "norm0": nn.BatchNorm2d(maps), "relu0": nn.ReLU()}
    layers["pool0"] = nn.MaxPool2d(3, 2, 1)
    for block, count in enumerate(blocks, start=1):
        made = {f"denselayer{number + 1}": DenseLayer(maps + number * growth, growth) for number in range(count)}
        layers[f"denseblock{block}"] = named(**made)
        maps += count * growth
        if block < len(blocks):
            halved = {"norm": nn.BatchNorm2d(maps), "relu": nn.ReLU(), "conv": conv(maps, maps // 2, 1)}
            layers[f"transition{block}"] = named(**halved, pool=nn.AvgPool2d(2))
            maps //= 2
    layers |= {"norm5": nn.BatchNorm2d(maps), "relu5": nn.ReLU(), "average": _average()}
    return named(features=named(**layers), classifier=nn.Linear(maps, classes))
