"""Networks of the zoo, with the weights that `pellucid weights` knows, as Keras's of the same name: layers have Keras's
names, and pictures come in as Keras's own weights take them.

Their forms differ a little from Keras's: convolutions with batch norm have no biases, and paddings are PyTorch's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pellucid import zoo
from pellucid.convert.published import SCALINGS
from pellucid.keras.nesting import Call, within
from pellucid.keras.networks.parts import Top
from pellucid.keras.networks.scaling import MODES
from pellucid.keras.seeds import next_seed
from pellucid.layers import Add, Dropout, Rescaling
from pellucid.layers.graph import INPUT
from pellucid.layers.symbolic import call

Rename = Callable[[re.Match[str]], str]

_BLOCK = r"block(\d+)_(\d+)_"
_RESNET = {"conv": "conv", "conv_norm": "bn", "relu": "relu"}
NAMES: Mapping[str, Mapping[str, str | Rename]] = {
    "vgg": {
        r"conv(\d)_(\d)": r"block\1_conv\2",
        r"pool(\d)": r"block\1_pool",
        r"fc([67])": lambda m: f"fc{int(m[1]) - 5}",
        "fc8": "predictions",
    },
    "resnet": {
        "conv|conv_norm|relu": lambda m: f"conv1_{_RESNET[m[0]]}",
        "pool": "pool1_pool",
        f"{_BLOCK}relu3": lambda m: f"conv{int(m[1]) + 1}_block{m[2]}_out",
        f"{_BLOCK}add": lambda m: f"conv{int(m[1]) + 1}_block{m[2]}_add",
        f"{_BLOCK}shortcut(_norm)?": lambda m: f"conv{int(m[1]) + 1}_block{m[2]}_0_{'bn' if m[3] else 'conv'}",
        rf"{_BLOCK}(conv|relu)(\d)(_norm)?": lambda m: (
            f"conv{int(m[1]) + 1}_block{m[2]}_{m[4]}_{'bn' if m[5] else m[3]}"
        ),
    },
    "densenet": {
        "conv|conv_norm|relu": lambda m: f"conv1_{_RESNET[m[0]]}",
        "pool": "pool1",
        f"{_BLOCK}concat": lambda m: f"conv{int(m[1]) + 1}_block{m[2]}_concat",
        rf"{_BLOCK}conv(\d)": lambda m: f"conv{int(m[1]) + 1}_block{m[2]}_{m[3]}_conv",
        rf"{_BLOCK}(norm|relu)(\d)": lambda m: (
            f"conv{int(m[1]) + 1}_block{m[2]}_{int(m[4]) - 1}_{m[3].replace('norm', 'bn')}"
        ),
        r"transition(\d)_(\w+)": lambda m: f"pool{int(m[1]) + 1}_{m[2].replace('norm', 'bn')}",
        "last_(norm|relu)": lambda m: m[1].replace("norm", "bn"),
    },
    "mobilenet": {
        "conv": "Conv1",
        "conv_norm": "bn_Conv1",
        "conv_relu": "Conv1_relu",
        "last": "Conv_1",
        "last_norm": "Conv_1_bn",
        "last_relu": "out_relu",
        r"block1_(\w+?)(_norm)?": lambda m: f"expanded_conv_{m[1]}{'_BN' if m[2] else ''}",
        r"block(\d+)_(\w+?)(_norm)?": lambda m: f"block_{int(m[1]) - 1}_{m[2]}{'_BN' if m[3] else ''}",
    },
}
"""Of each family the zoo's names of layers and Keras's; average and classes are the same in all."""


def keras_layer(network: str, name: str) -> str:
    """Keras's name for a layer of a network of the zoo.

    >>> keras_layer("resnet50", "block3_6_relu2"), keras_layer("mobilenet-v2", "block2_expand_norm")
    ('conv4_block6_2_relu', 'block_1_expand_BN')
    """
    rules = next(rules for family, rules in NAMES.items() if network.startswith(family))
    for pattern, new in {**rules, "average": "avg_pool", "classes": "predictions"}.items():
        found = re.fullmatch(pattern, name)
        if found:
            return found.expand(new) if isinstance(new, str) else new(found)
    return name


def from_zoo(network: str, mode: str, x: Any, top: Top | None) -> Any:
    """What a network of the zoo with its published weights gives for pictures that `preprocess_input` scaled in Keras's
    way: the scaling is undone, and done as these weights want it. mode: what Keras calls its own."""
    size = tuple(x.sizes) if top else (224, 224, 3)
    made = zoo.build(
        network, input_shape=size, classes=top.classes if top else 1000, weights="imagenet", seed=next_seed()
    )
    theirs, ours = SCALINGS[MODES[mode]], SCALINGS["torchvision"]
    visits = list(made.graph.walk())
    end = len(visits) if top else next(visit.number for visit in visits if visit.ends_maps)
    first = visits[0].layer
    (scale, offset), (given, moved) = (each.preprocessing.scale_offset(3) for each in (ours, theirs))
    back = slice(None, None, -1 if theirs.blue_first else 1)
    if theirs.blue_first:
        kernel, *more = first.get_weights()
        first.set_weights([kernel[:, :, ::-1], *more])
    factor = scale / given
    with within(Call()):  # which Keras's have not
        scaled = Rescaling(factor[back].tolist(), (offset - moved * factor)[back].tolist())(x)
    values: dict[int, Any] = {INPUT: scaled}
    for visit in visits[:end]:
        read = [values[i] for i in visit.inputs]
        if isinstance(visit.layer, Dropout):  # Keras's have none
            values[visit.number] = read[0]
            continue
        visit.layer.name = keras_layer(network, visit.layer.name)
        in_order = read[::-1] if isinstance(visit.layer, Add) else read  # as Keras's descriptions have them
        values[visit.number] = call(visit.layer, in_order)
    return values[max(values)]
