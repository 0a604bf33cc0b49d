"""Layers that keep numbers in range."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.convert.onnx.writing import Value, Writer, vector
from pellucid.errors import ConfigError
from pellucid.layers.graph import Visit


def write_batch_norm(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    value = writer.first(visit)
    gamma, beta = layer.gamma_beta(visit.input_shape)
    arrays = {"gamma": gamma, "beta": beta, **layer.state}
    held = [writer.array(array, name) for name, array in arrays.items()]
    return replace(value, name=writer.node("BatchNormalization", value.name, *held, epsilon=layer.epsilon))


def write_layer_norm(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    value = writer.last(visit)
    gamma, beta = layer.gamma_beta(visit.input_shape)
    held = writer.array(gamma, "gamma"), writer.array(beta, "beta")
    name = writer.node("LayerNormalization", value.name, *held, axis=-gamma.ndim, epsilon=layer.epsilon)
    return replace(value, name=name)


def write_group_norm(writer: Writer, visit: Visit) -> Value:
    """As InstanceNormalization of the groups: what GroupNormalization's scale is of has changed with the opset."""
    layer: Any = visit.layer
    value, channels = writer.first(visit), visit.input_shape[-1]
    gamma, beta = layer.gamma_beta(visit.input_shape)
    groups = layer.groups_of(channels)
    if groups == channels and len(visit.input_shape) > 1:
        held = writer.array(gamma, "gamma"), writer.array(beta, "beta")
        return replace(value, name=writer.node("InstanceNormalization", value.name, *held, epsilon=layer.epsilon))
    name = writer.shaped(value.name, [groups, -1])
    held = writer.array(np.ones(groups), "ones"), writer.array(np.zeros(groups), "zeros")
    name = writer.node("InstanceNormalization", name, *held, epsilon=layer.epsilon)
    name = writer.shaped(name, [channels, *visit.input_shape[:-1]])
    name = writer.node("Mul", name, vector(writer, gamma, value, "gamma"))
    return replace(value, name=writer.node("Add", name, vector(writer, beta, value, "beta")))


def write_response_norm(writer: Writer, visit: Visit) -> Value:
    """ONNX divides alpha by the size.

    Errors: ConfigError for an even size, whose window begins one channel earlier in ours.
    """
    layer: Any = visit.layer
    if layer.size % 2 == 0:
        raise ConfigError(f"{layer.place()}: ONNX has another window of {layer.size} channels; choose an odd size")
    value = writer.first(visit)
    numbers = {"size": layer.size, "alpha": layer.alpha * layer.size, "beta": layer.beta, "bias": layer.k}
    return replace(value, name=writer.node("LRN", value.name, **numbers))
