"""The base of a network: what no layer being trained feeds, which a training step only passes through.

A base has nothing to train and gives in training what it gives in use. So no gradient enters it, it is lowered like a
network that only predicts (outputs share memory, no records for a way back), and what it gives can be kept.
"""

from __future__ import annotations

from pellucid.layers.graph import INPUT, Graph


def frozen_nodes(graph: Graph) -> list[int]:
    """The nodes of the base, in order: frozen or without parameters, the same in training as in use, fed by such."""
    found: list[int] = []
    for number, node in enumerate(graph.nodes):
        trained = node.layer.trainable and bool(node.layer.params)
        if not trained and node.layer.steady and all(i == INPUT or i in found for i in node.inputs):
            found.append(number)
    return found


def split_base(graph: Graph) -> tuple[Graph, Graph]:
    """The base as far as one value alone goes on from it, and all that is behind; without such a value, no layers."""
    end = next((number for number in reversed(frozen_nodes(graph)) if graph.cuts(number)), INPUT)
    return graph.split(end)
