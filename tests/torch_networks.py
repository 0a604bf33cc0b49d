"""torchvision's VGG and AlexNet in plain torch.nn, with torchvision's names: what the readers of weights are tested on.

torchvision itself is not needed. Its counts of parameters, which it publishes, are compared with these networks' own.
"""

from __future__ import annotations

from typing import Any

COLUMNS = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)

# torchvision.models.*_Weights.IMAGENET1K_V1.meta["num_params"], running means and variances not counted
NUM_PARAMS = {
    "alexnet-owt": 61_100_840,
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
}


def network(name: str, *, maps: tuple[int, int] | None = None, units: int = 4096, classes: int = 1000) -> Any:
    """The torch.nn.Module of this name. maps: height and width before the dense layers, None for those published."""
    from torch import nn

    class Network(nn.Module):
        def __init__(self, features: Any, classifier: Any) -> None:
            super().__init__()
            self.features, self.classifier = features, classifier

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).flatten(1))

    if name == "alexnet-owt":
        down, across = maps or (6, 6)
        features = [
            *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
        ]
        classifier = [
            *(nn.Dropout(), nn.Linear(256 * down * across, units), nn.ReLU()),
            *(nn.Dropout(), nn.Linear(units, units), nn.ReLU(), nn.Linear(units, classes)),
        ]
        return Network(nn.Sequential(*features), nn.Sequential(*classifier))
    down, across = maps or (7, 7)
    features, channels = [], 3
    for count, width in zip(COLUMNS[name.removesuffix("_bn")], WIDTHS, strict=True):
        for _ in range(count):
            features.append(nn.Conv2d(channels, width, 3, padding=1))
            if name.endswith("_bn"):
                features.append(nn.BatchNorm2d(width))
            features.append(nn.ReLU())
            channels = width
        features.append(nn.MaxPool2d(2, 2))
    classifier = [
        *(nn.Linear(512 * down * across, units), nn.ReLU(), nn.Dropout()),
        *(nn.Linear(units, units), nn.ReLU(), nn.Dropout(), nn.Linear(units, classes)),
    ]
    return Network(nn.Sequential(*features), nn.Sequential(*classifier))


def scramble(module: Any, seed: int = 0) -> Any:
    """Weights that keep the size of what passes, so that outputs differ from class to class; any running means."""
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            inputs = layer.weight[0].numel()
            layer.weight.data.normal_(0, (2 / inputs) ** 0.5, generator=generator)
            if layer.bias is not None:
                layer.bias.data.normal_(0, 0.1, generator=generator)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5, generator=generator)
            layer.bias.data.normal_(0, 0.1, generator=generator)
            layer.running_mean.normal_(0, 0.1, generator=generator)
            layer.running_var.uniform_(0.5, 2.0, generator=generator)
    return module.eval()
