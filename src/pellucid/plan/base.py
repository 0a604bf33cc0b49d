"""The base of a network whose first layers are frozen: what a training step only passes through.

A base has nothing to train and gives in training what it gives in use. So no gradient enters it, it is lowered like a
network that only predicts (two buffers in turn, no records for a way back), and its outputs can be kept.
"""

from __future__ import annotations

from pellucid.layers.graph import Graph


def base_depth(graph: Graph) -> int:
    """How many leading nodes make the base: frozen or without parameters, and the same in training as in use.

    The rest reads one value of them alone.
    """
    depth = 0
    for number, node in enumerate(graph.nodes, start=1):
        if (node.layer.trainable and node.layer.params) or not node.layer.steady:
            break
        depth = number if graph.cuts(number) else depth
    return depth
