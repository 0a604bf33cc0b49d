"""The base of a network whose first layers are frozen: what a training step only passes through.

A base has nothing to train and gives in training what it gives in use. So no gradient enters it, it is lowered like a
network that only predicts (two buffers in turn, no records for a way back), and its outputs can be kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.layers import LAYERS, BatchNorm, Dropout, Layer


def base_depth(layers: Sequence[Layer]) -> int:
    """How many leading layers make the base: frozen or without parameters, and the same in training as in use."""
    for depth, layer in enumerate(layers):
        if (layer.trainable and layer.params) or not is_steady(layer):
            return depth
    return len(layers)


def is_steady(layer: Layer) -> bool:
    """Whether a layer that is not trained gives in training what it gives in use.

    A frozen batch norm takes its running statistics; dropout draws anew in each step, unless its rate is 0.
    """
    if type(layer) is BatchNorm:
        return not layer.trainable
    if type(layer) is Dropout:
        return layer.rate == 0
    return LAYERS.get(type(layer).__name__) is type(layer)  # a layer of one's own may do as it likes in training
