"""Layers that keep numbers in range."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid.convert.onnx.reading import Held, Inexpressible, Node, Reader
from pellucid.convert.onnx.writing import Value, Writer, vector
from pellucid.errors import ConfigError
from pellucid.layers.graph import Visit
from pellucid.layers.symbolic import Symbolic


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
    """As InstanceNormalization of the groups, as PyTorch writes it: GroupNormalization of opset 18 is withdrawn."""
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


# Reading


def _channels(reader: Reader, held: Held) -> tuple[Symbolic, tuple[int, ...]]:
    """A value whose last axis is the tensor's axis 1."""
    held = reader.settled(held)
    axes = (*(axis for axis in held.axes if axis != 1), 1)
    return reader.arranged(held, axes), axes


def read_batch_norm(reader: Reader, node: Node) -> Held:
    if node.attributes.get("training_mode", 0) or not node.attributes.get("spatial", 1):
        raise Inexpressible("as in training, or of each place")
    held = node.held()
    value, axes = _channels(reader, held)
    names = ("gamma", "beta", "mean", "variance")
    arrays = {name: node.weights(i) for i, name in enumerate(names, 1)}
    epsilon, momentum = (
        float(node.attributes.get(name, default)) for name, default in (("epsilon", 1e-5), ("momentum", 0.9))
    )
    made = lambda: L.BatchNorm(momentum=min(momentum, 0.999), epsilon=epsilon)  # noqa: E731
    return Held(reader.layer(made, value, **arrays), axes, held.rank)


def read_instance_norm(reader: Reader, node: Node) -> Held:
    """Of groups that were made by a reshape, and are undone by another, a GroupNorm stands there instead."""
    value, axes = _channels(reader, node.held())
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    made = lambda: L.GroupNorm(-1, epsilon=epsilon)  # noqa: E731
    arrays = {"gamma": node.weights(1), "beta": node.weights(2)}
    given = Held(reader.layer(made, value, **arrays), axes, node.held().rank)
    origin = reader.origins.get(node.held().value)
    if origin is not None and (arrays["gamma"] == 1).all() and not arrays["beta"].any():
        before, groups = origin, len(arrays["gamma"])
        if before.sizes[0] % groups == 0 and node.held().sizes[0] == groups:
            channels, places = _channels(reader, before)
            ones = {"gamma": np.ones(before.sizes[0]), "beta": np.zeros(before.sizes[0])}
            whole = reader.layer(lambda: L.GroupNorm(groups, epsilon=epsilon), channels, **ones)
            reader.undone[given.value] = Held(whole, places, before.rank)
    return given


def read_group_norm(reader: Reader, node: Node) -> Held:
    """Before opset 21 scale and bias are of groups, from then on of channels."""
    value, axes = _channels(reader, node.held())
    groups, epsilon = int(node.attributes["num_groups"]), float(node.attributes.get("epsilon", 1e-5))
    arrays = {name: node.weights(i) for i, name in enumerate(("gamma", "beta"), 1)}
    arrays = {name: np.repeat(array, value.shape[-1] // array.size) for name, array in arrays.items()}
    return Held(reader.layer(lambda: L.GroupNorm(groups, epsilon=epsilon), value, **arrays), axes, node.held().rank)


def read_layer_norm(reader: Reader, node: Node) -> Held:
    held = reader.settled(node.held())
    if node.outputs > 1:
        raise Inexpressible("mean and deviation as outputs")
    first = held.axis(int(node.attributes.get("axis", -1)))
    over = tuple(range(first, held.rank))
    axes = (*(axis for axis in held.axes if axis < first), *over)
    value = reader.arranged(held, axes)
    shape = value.shape[-len(over) :]
    gamma = np.broadcast_to(node.weights(1), shape)
    bias = node.constant(2)
    beta = np.zeros(shape) if bias is None else np.broadcast_to(np.asarray(bias), shape)
    epsilon, numbers = float(node.attributes.get("epsilon", 1e-5)), tuple(range(-len(over), 0))
    made = lambda: L.LayerNorm(numbers if len(numbers) > 1 else -1, epsilon=epsilon)  # noqa: E731
    return Held(reader.layer(made, value, gamma=gamma, beta=beta), axes, held.rank)


def read_response_norm(reader: Reader, node: Node) -> Held:
    size, numbers = int(node.attributes["size"]), node.attributes
    if size % 2 == 0:
        raise Inexpressible(f"a window of {size} channels, which begins elsewhere in ours; an odd one does not")
    value = reader.maps(node.held())
    alpha, beta, k = (
        float(numbers.get(name, default)) for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    return reader.of_maps(reader.layer(lambda: L.LocalResponseNorm(size, alpha / size, beta, k), value))
