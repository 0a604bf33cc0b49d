"""What the arrays of a network are called in the state dict of a module with the same layers, and how each lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pellucid._python import identifier
from pellucid.engines.torch.layout import NAMES, Layout, flattened, layout
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
    """What each layer is called as an attribute of the module."""
    found: dict[Layer, str] = {}
    for layer in layers:
        found[layer] = identifier(layer.name, {*found.values(), *RESERVED})
    return found


def entries(graph: Graph) -> Iterator[Entry]:
    """The state dict of a network. A norm without scale or shift has ones or zeros there: modules have both or none."""
    names, (pictures, _) = attributes(graph.layers), flattened(graph)
    for visit in graph.walk():
        layer, path = visit.layer, names[visit.layer]
        own = {**layer.params, **layer.state}
        if isinstance(layer, Norm) and layer.params:
            gamma, beta = layer.gamma_beta(visit.input_shape)
            own = {"gamma": gamma, "beta": beta, **layer.state}
        deep = "depthwise_kernel" in own
        for name, array in own.items():
            part = f"{path}_{'depthwise' if name == 'depthwise_kernel' else 'pointwise'}" if deep else path
            key = f"{part}.{NAMES['kernel' if name.endswith('kernel') else name]}"
            yield Entry(key, layer, name, array, layout(layer, name, array, pictures.get(visit.number)))
