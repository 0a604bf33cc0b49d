"""What the arrays of a network are called in the state dict of a module with the same layers, and how each lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pellucid._python import identifier
from pellucid.engines.torch.layout import NAMES, Layout, flattened, layout
from pellucid.errors import ConfigError
from pellucid.layers import Layer
from pellucid.layers.graph import Graph
from pellucid.layers.normalization import Norm
from pellucid.ops.geometry import Array

RESERVED = frozenset(
    (
        *("F", "bfloat16", "buffers", "children", "compile", "cpu", "cuda", "double", "eval", "extra_repr", "float"),
        *("apply", "forward", "half", "load", "modules", "nn", "parameters", "scaled", "self", "share_memory"),
        *("state_dict", "to", "torch", "train", "training", "type", "x", "xpu", "zero_grad"),
    )
)
"""Names that a module of PyTorch's, or the text of one that is written, has already."""


class Entry(NamedTuple):
    """An array of a layer's, under `name` there; key: in the state dict. layout: how it lies in it."""

    key: str
    layer: Layer
    name: str
    array: Array
    layout: Layout


def attributes(layers: Sequence[Layer]) -> dict[Layer, str]:
    """What each layer is called as an attribute of the module; those with the same weights are the same there."""
    found: dict[int, str] = {}
    for layer in layers:
        if id(layer.store) not in found:
            found[id(layer.store)] = identifier(layer.name, {*found.values(), *RESERVED})
    return {layer: found[id(layer.store)] for layer in layers}


def values_of(layers: Sequence[Layer]) -> dict[Layer, str]:
    """What the value that each gives is called where the module is written: as the attribute, where none has both."""
    found = attributes(layers)
    taken: set[str] = set()
    for layer, name in found.items():
        found[layer] = name if name not in taken else identifier(layer.name, {*found.values(), *taken, *RESERVED})
        taken.add(found[layer])
    return found


def entries(graph: Graph) -> Iterator[Entry]:
    """The state dict of a network. A norm without scale or shift has ones or zeros there: modules have both or none."""
    names, (pictures, _) = attributes(graph.layers), flattened(graph)
    first: dict[int, int] = {}
    for visit in graph.walk():
        layer, path = visit.layer, names[visit.layer]
        before = first.setdefault(id(layer.store), visit.number)
        if pictures.get(before) != pictures.get(visit.number):
            raise ConfigError(
                f"{layer.place()} reads a flattened picture here and other numbers elsewhere, with the same weights, "
                "which PyTorch would need in two orders; make two layers of it"
            )
        if before != visit.number:
            continue
        own = {**layer.params, **layer.state}
        if isinstance(layer, Norm) and layer.params:
            gamma, beta = layer.gamma_beta(visit.input_shape)
            own = {"gamma": gamma, "beta": beta, **layer.state}
        deep = "depthwise_kernel" in own
        for name, array in own.items():
            part = f"{path}_{'depthwise' if name == 'depthwise_kernel' else 'pointwise'}" if deep else path
            key = f"{part}.{NAMES['kernel' if name.endswith('kernel') else name]}"
            yield Entry(key, layer, name, array, layout(layer, name, array, pictures.get(visit.number)))
