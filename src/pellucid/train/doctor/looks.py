"""A look inside: a few pictures through the layers, of which only counts are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.layers import Layer
from pellucid.layers.graph import Graph
from pellucid.ops import recomputed
from pellucid.ops.geometry import Array

SATURATED = 0.98
"""|2 y - 1| of a sigmoid, |y| of a tanh: beyond, less than a twenty-fifth of the slope in the middle is left."""


@dataclass(frozen=True)
class Output:
    """What one layer gave for `count` pictures. A unit of a convolution is a map, at all of its places.

    dead: the share of a ReLU's units that were 0 throughout. saturated: the share of a sigmoid's or tanh's values
    beyond SATURATED; stuck: of its units that were so throughout, on one side. None for other layers, and dead and
    stuck for a single unit. recomputed: how many of the pictures the kernels computed again, directly, because of
    their range.
    """

    layer: Layer
    count: int
    dead: float | None = None
    saturated: float | None = None
    stuck: float | None = None
    recomputed: int = 0


def through(graph: Graph, x: Array, *, own_statistics: bool = True) -> tuple[list[Output], Array | None]:
    """Run pictures through a graph, as in use, but (own_statistics) with the batch's own numbers in batch norm.

    It ends, with None for the last output, before a layer that is not of this package: what that one does in `forward`
    may leave traces.
    """
    outputs: list[Output] = []

    def each(number: int, layer: Layer, read: Any) -> Array | None:
        if layer.custom:
            return None
        before = recomputed()
        y = np.asarray(layer.forward(read, training=own_statistics and layer.role == "batch norm")[0])
        outputs.append(replace(_seen(layer, y), recomputed=recomputed() - before))
        return y

    return outputs, graph.run(x, each)


def kind_of(layer: Layer) -> str | None:
    """The activation that a layer is or ends in, by name."""
    return None if layer.nonlinearity is None else layer.nonlinearity.kind


def last_activation(layers: Sequence[Layer]) -> str | None:
    """The activation that a network ends in, with nothing behind it but a change of shape; None for a linear end."""
    for layer in reversed(layers):
        if layer.role != "flatten":
            return kind_of(layer)
    return None


def _seen(layer: Layer, y: Array) -> Output:
    how, rows = layer.nonlinearity, y.reshape(-1, y.shape[-1])
    several = rows.shape[1] > 1
    if how is not None and how.may_die:
        return Output(layer, len(y), dead=float(np.mean(~rows.any(axis=0))) if several else None)
    if how is None or how.kind not in ("sigmoid", "tanh"):
        return Output(layer, len(y))
    # how far from the middle, from -1 to 1
    level = 2 * rows - 1 if how.kind == "sigmoid" else rows / how.amplitude
    stuck = (level > SATURATED).all(axis=0) | (level < -SATURATED).all(axis=0)
    return Output(
        layer,
        len(y),
        saturated=float(np.mean(np.abs(level) > SATURATED)),
        stuck=float(stuck.mean()) if several else None,
    )
