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


def active(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> Any:
    """MobileNetV2's ConvBNReLU."""
    return nn.Sequential(conv(inputs, outputs, size, stride, groups), nn.BatchNorm2d(outputs), nn.ReLU6())


class Inverted(nn.Module):
    """MobileNetV2's block."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        layers = [active(inputs, wide, 1)] if expansion > 1 else []
        layers += [active(wide, wide, 3, stride, wide), conv(wide, outputs, 1), nn.BatchNorm2d(outputs)]
        self.conv, self.added = nn.Sequential(*layers), stride == 1 and inputs == outputs

    def forward(self, x: Any) -> Any:
        return x + self.conv(x) if self.added else self.conv(x)


def mobilenet_v2(filters: Sequence[int], classes: int) -> Any:
    """filters: of the seven stages."""
    features, inputs = [active(3, 32, 3, 2)], 32
    shape = ((1, 1, 1), (6, 2, 2), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1))
    for outputs, (expansion, blocks, stride) in zip(filters, shape, strict=True):
        for block in range(blocks):
            features.append(Inverted(inputs, outputs, 1 if block else stride, expansion))
            inputs = outputs
    features.append(active(inputs, 1280, 1))
    classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))
    return named(features=nn.Sequential(*features), average=_average(), classifier=classifier)


class Same(nn.Conv2d):
    """A convolution with TensorFlow's padding: the odd row comes last."""

    def forward(self, x: Any) -> Any:
        size, stride = self.kernel_size[0], self.stride[0]
        sides = [max((-(-side // stride) - 1) * stride + size - side, 0) for side in (x.shape[3], x.shape[2])]
        x = F.pad(x, [part for side in sides for part in (side // 2, side - side // 2)])
        return F.conv2d(x, self.weight, None, self.stride, 0, 1, self.groups)


def same(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> Any:
    return Same(inputs, outputs, size, stride, groups=groups, bias=False)


class LiteBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expands, self.added = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = same(inputs, wide, 1), nn.BatchNorm2d(wide, eps=1e-3)
        self._depthwise_conv, self._bn1 = same(wide, wide, size, stride, wide), nn.BatchNorm2d(wide, eps=1e-3)
        self._project_conv, self._bn2 = same(wide, outputs, 1), nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Any) -> Any:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._bn2(self._project_conv(F.relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.added else y


def efficientnet_lite(filters: Sequence[int], blocks: Sequence[int], classes: int) -> Any:
    """filters, blocks: of the seven stages."""
    made, inputs = [], 32
    shape = ((1, 1, 3), (6, 2, 3), (6, 2, 5), (6, 2, 3), (6, 1, 5), (6, 2, 5), (6, 1, 3))
    for outputs, count, (expansion, stride, size) in zip(filters, blocks, shape, strict=True):
        for block in range(count):
            made.append(LiteBlock(inputs, outputs, size, 1 if block else stride, expansion))
            inputs = outputs
    stem = {"_conv_stem": same(3, 32, 3, 2), "_bn0": nn.BatchNorm2d(32, eps=1e-3), "relu0": nn.ReLU6()}
    head = {"_conv_head": same(inputs, 1280, 1), "_bn1": nn.BatchNorm2d(1280, eps=1e-3), "relu1": nn.ReLU6()}
    return named(**stem, _blocks=nn.Sequential(*made), **head, average=_average(), _fc=nn.Linear(1280, classes))


LITES = {
    "efficientnet-lite0": ((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
    "efficientnet-lite1": ((16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1)),
    "efficientnet-lite2": ((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
}
"""Filters and blocks of each stage."""

MOBILE = (16, 24, 32, 64, 96, 160, 320)
