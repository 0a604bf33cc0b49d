"""What PyTorch calls the modules that our networks' layers are: the tables of published networks with branches.

Source: torchvision/models/{resnet,mobilenetv2,squeezenet,googlenet,densenet}.py; for the EfficientNet-Lites the names
of lukemelas/EfficientNet-PyTorch, which the published files have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Rule(NamedTuple):
    """The layers whose names fit `ours`, in a regular expression, and the paths of their modules.

    In theirs and norm, {0} is what the first group found, {below[0]} the number before it, for those who count from 0.
    norm: of the batch norm behind such a layer, which we call NAME_norm.
    """

    ours: str
    theirs: str
    norm: str = ""


_BLOCK = r"block(\d+)_(\d+)"


def _squeezenet(places: Iterable[int]) -> tuple[Rule, ...]:
    """places: of fire2, fire3, ... among the modules of `features`, in which poolings count."""
    fires = (Rule(rf"fire{number}_(\w+)", f"features.{place}.{{0}}") for number, place in enumerate(places, start=2))
    return Rule("conv1", "features.0"), *fires, Rule("conv10", "classifier.1")


FAMILIES = {
    "resnet": (
        Rule("conv", "conv1", "bn1"),
        Rule(_BLOCK + r"_conv(\d)", "layer{0}.{below[1]}.conv{2}", "layer{0}.{below[1]}.bn{2}"),
        Rule(_BLOCK + "_shortcut", "layer{0}.{below[1]}.downsample.0", "layer{0}.{below[1]}.downsample.1"),
        Rule("classes", "fc"),
    ),
    "densenet": (
        Rule("conv", "features.conv0", "features.norm0"),
        Rule(_BLOCK + r"_(conv\d|norm\d)", "features.denseblock{0}.denselayer{1}.{2}"),
        Rule(r"transition(\d)_(conv|norm)", "features.transition{0}.{1}"),
        Rule("last_norm", "features.norm5"),
        Rule("classes", "classifier"),
    ),
    "googlenet": (
        Rule("conv1", "conv1.conv", "conv1.bn"),
        Rule("conv2_reduce", "conv2.conv", "conv2.bn"),
        Rule("conv2", "conv3.conv", "conv3.bn"),
        *(
            Rule(rf"(inception\d\w)_{ours}", f"{{0}}.branch{theirs}.conv", f"{{0}}.branch{theirs}.bn")
            for ours, theirs in (
                *(("1x1", "1"), ("3x3_reduce", "2.0"), ("3x3", "2.1")),
                *(("5x5_reduce", "3.0"), ("5x5", "3.1"), ("pool_proj", "4.1")),
            )
        ),
        Rule("classes", "fc"),
    ),
    "squeezenet1_0": _squeezenet((3, 4, 5, 7, 8, 9, 10, 12)),
    "squeezenet1_1": _squeezenet((3, 4, 6, 7, 9, 10, 11, 12)),
    "mobilenet-v2": (
        Rule("conv", "features.0.0", "features.0.1"),
        Rule("block1_depthwise", "features.1.conv.0.0", "features.1.conv.0.1"),
        Rule("block1_project", "features.1.conv.1", "features.1.conv.2"),
        Rule(r"block(\d+)_expand", "features.{0}.conv.0.0", "features.{0}.conv.0.1"),
        Rule(r"block(\d+)_depthwise", "features.{0}.conv.1.0", "features.{0}.conv.1.1"),
        Rule(r"block(\d+)_project", "features.{0}.conv.2", "features.{0}.conv.3"),
        Rule("last", "features.18.0", "features.18.1"),
        Rule("classes", "classifier.1"),
    ),
    "efficientnet-lite": (
        Rule("conv", "_conv_stem", "_bn0"),
        Rule(r"block(\d+)_expand", "_blocks.{below[0]}._expand_conv", "_blocks.{below[0]}._bn0"),
        Rule(r"block(\d+)_depthwise", "_blocks.{below[0]}._depthwise_conv", "_blocks.{below[0]}._bn1"),
        Rule(r"block(\d+)_project", "_blocks.{below[0]}._project_conv", "_blocks.{below[0]}._bn2"),
        Rule("last", "_conv_head", "_bn1"),
        Rule("classes", "_fc"),
    ),
}
"""The rules of each network, or of those whose names begin so."""


def family(network: str) -> tuple[Rule, ...]:
    """The rules of a network; none for one that is not known here."""
    return next((rules for name, rules in FAMILIES.items() if network.startswith(name)), ())


def module_path(layer: str, rules: Iterable[Rule]) -> str | None:
    """The path of the module that is this layer; None where no rule knows it.

    >>> module_path("block2_1_conv1", FAMILIES["resnet"]), module_path("block2_1_shortcut_norm", FAMILIES["resnet"])
    ('layer2.0.conv1', 'layer2.0.downsample.1')
    """
    for rule in rules:
        for pattern, path in ((rule.ours, rule.theirs), (f"{rule.ours}_norm", rule.norm)):
            found = re.fullmatch(pattern, layer) if path else None
            if found:
                groups = found.groups()
                below = [int(group) - 1 if group.isdigit() else 0 for group in groups]
                return path.format(*groups, below=below)
    return None
