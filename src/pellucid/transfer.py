"""Transfer learning: a network that starts from another's weights, and layers that stay as they are.

>>> from pellucid import zoo
>>> source = zoo.simple_convnet((8, 8, 1), 10, pad=2)
>>> model = zoo.simple_convnet((8, 8, 1), 3, pad=2, seed=1)
>>> print(take_weights(model, source))
2 of 3 layers; affine2 starts anew: 3 classes here, 10 there
>>> freeze(model, "features").trained
('affine1', 'affine2')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from pellucid import layers as layer_types
from pellucid.errors import ConfigError, ShapeError, unknown_name
from pellucid.layers import Layer
from pellucid.model import Model, assemble
from pellucid.ops.geometry import Shape

__all__ = [
    "FEATURES",
    "Frozen",
    "Taken",
    "features_depth",
    "freeze",
    "frozen",
    "like",
    "matching",
    "take_weights",
]

FEATURES = "features"
"""The name of all layers that find features: those up to the flatten or global pooling, it included."""


@dataclass(frozen=True)
class Taken:
    """What `take_weights` did. taken, fresh, unused: names of layers with weights, in order.

    fresh: layers of the network that start anew; reason says why. unused: layers that only the source has.
    """

    taken: tuple[str, ...]
    fresh: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        count = f"{len(self.taken)} of {len(self.taken) + len(self.fresh)} layers"
        if not self.fresh:
            return count
        verb = "starts" if len(self.fresh) == 1 else "start"
        return f"{count}; {', '.join(self.fresh)} {verb} anew: {self.reason}"


@dataclass(frozen=True)
class Frozen:
    """Which layers with weights stay as they are and which are trained, and how many numbers each set holds."""

    frozen: tuple[str, ...]
    trained: tuple[str, ...]
    frozen_parameters: int
    trained_parameters: int


def features_depth(model: Model) -> int | None:
    """How many layers find features, see `Graph.features_depth`; None where nothing ends them."""
    return model.graph.features_depth()


def take_weights(model: Model, source: Model) -> Taken:
    """Copy the weights of all layers that have the same name and shapes; the head may differ, and then starts anew.

    The head is what comes behind the features. From its first layer on that does not fit, all of it starts anew; so
    does its last layer alone where both networks name their classes, and name other ones.
    Errors: ShapeError that lists everything else that does not fit; nothing is written then.
    """
    model.build()
    theirs = {layer.name: _shapes(layer) for layer in source.flat_layers if layer.weights}
    own = [layer for layer in model.flat_layers if layer.weights]
    fresh, reason = _fresh(model, source, own, theirs)
    kept = [layer for layer in own if layer not in fresh]
    names = {layer.name for layer in own}
    unused = tuple(name for name in theirs if name not in names)
    wrong = [f"{layer.name} {_difference(layer, theirs)}" for layer in kept if theirs.get(layer.name) != _shapes(layer)]
    features = features_depth(source) or len(source.flat_layers)
    wrong += [f"{layer.name} only there" for layer in source.flat_layers[:features] if layer.name in unused]
    if wrong:
        raise ShapeError(
            f"these weights, of a network {source.name!r}, do not fit {model.name!r}: {'; '.join(wrong)}; take weights "
            "of the same network, made with the same settings"
        )
    if not kept:
        raise ShapeError(f"{model.name} takes nothing of these weights, of a network {source.name!r}: {reason}")
    for layer in kept:
        layer.set_weights(source.get_layer(layer.name).weights)
    return Taken(tuple(layer.name for layer in kept), tuple(layer.name for layer in fresh), unused, reason)


def freeze(model: Model, names: str | Sequence[str]) -> Frozen:
    """Set `trainable = False` on layers: "features", a layer's name, or a pattern such as "conv1*".

    Errors: ConfigError for a name that no layer with weights has, and where nothing would be left to train; nothing
    is frozen then.
    """
    chosen: list[Layer] = []
    for name in [names] if isinstance(names, str) else names:
        chosen += matching(model, name)
    left = [layer for layer in model.flat_layers if layer.params and layer.trainable and layer not in chosen]
    if not left:
        last = next((layer.name for layer in reversed(model.flat_layers) if layer.params), "the last one")
        raise ConfigError(f"{model.name}: that freezes every layer, and nothing is left to train; leave out {last!r}")
    for layer in chosen:
        layer.trainable = False
    return frozen(model)


def frozen(model: Model) -> Frozen:
    """Which layers of a model are frozen."""
    parts: dict[bool, list[Layer]] = {True: [], False: []}
    for layer in model.flat_layers:
        if layer.params:
            parts[layer.trainable].append(layer)
    sizes = {key: sum(array.size for layer in part for array in layer.params.values()) for key, part in parts.items()}
    names = {key: tuple(layer.name for layer in part) for key, part in parts.items()}
    return Frozen(names[False], names[True], sizes[False], sizes[True])


def matching(model: Model, name: str) -> list[Layer]:
    """The layers of this name, of a pattern such as "conv1*", or of "features".

    Errors: ConfigError where no layer with weights has it.
    """
    if name == FEATURES and not any(layer.name == FEATURES for layer in model.flat_layers):
        depth = features_depth(model)
        if depth is None:
            raise ConfigError(
                f"{model.name} has no flatten or global pooling, so nobody can tell its features from its head; name "
                f"the layers: {', '.join(layer.name for layer in model.flat_layers if layer.params)}"
            )
        return model.flat_layers[:depth]
    found = [layer for layer in model.flat_layers if fnmatchcase(layer.name, name)]
    if not any(layer.params for layer in found):
        raise unknown_name(
            f"layer with weights of {model.name}",
            name,
            [FEATURES, *(layer.name for layer in model.flat_layers if layer.params)],
        )
    return found


def like(source: Model, *, input_shape: Shape | None = None, classes: int | None = None, seed: int = 0) -> Model:
    """A new network of the same layers, nothing taken and nothing frozen, for other pictures or classes.

    Errors: ConfigError for another number of classes where the last layer with weights does not make these.
    """
    configs = [{**config, "trainable": True} for config in layer_types.configs_of(source.flat_layers)]
    if classes is not None and source.graph.output_shape[-1] != classes:
        last = max((i for i, layer in enumerate(source.flat_layers) if layer.params), default=-1)
        outputs = {"dense": "units", "convolution": "filters"}.get(source.flat_layers[last].role if last >= 0 else "")
        if outputs is None or len(source.graph.output_shape) not in (1, 3):
            kind = type(source.flat_layers[last]).__name__ if source.flat_layers else "nothing"
            raise ConfigError(
                f"{source.name} ends in {kind}, not in a layer of classes, and has outputs "
                f"{source.graph.output_shape}; build a network for {classes} classes yourself and take_weights"
            )
        named = {config["name"]: config for config in configs}
        named[configs[last].get("again", source.flat_layers[last].name)][outputs] = classes
    made = layer_types.from_configs({k: v for k, v in config.items() if k != "input_shape"} for config in configs)
    shape = source.graph.input_shape if input_shape is None else input_shape
    return assemble(shape, made, source.reads, source.name, outputs=source.graph.outputs, seed=seed)


def _fresh(
    model: Model, source: Model, own: Sequence[Layer], theirs: dict[str, dict[str, Shape]]
) -> tuple[list[Layer], str]:
    """The layers of the head that start anew, and why."""
    depth = features_depth(model)
    behind = own[-1:] if depth is None else [layer for layer in own if layer in model.flat_layers[depth:]]
    for number, layer in enumerate(behind):
        if theirs.get(layer.name) != _shapes(layer):
            return list(behind[number:]), _classes_differ(model, source, layer) or (
                f"{layer.name} {_difference(layer, theirs)}"
            )
    names, others = model.class_names, source.class_names
    if behind and names is not None and others is not None and tuple(names) != tuple(others):
        return list(behind[-1:]), "other classes there"
    return [], ""


def _classes_differ(model: Model, source: Model, layer: Layer) -> str:
    """That nothing but the number of outputs keeps the last layer from fitting; "" where something else does."""
    there = next((other for other in source.flat_layers if other.name == layer.name), None)
    if there is None or layer.role != there.role or layer.role not in ("dense", "convolution"):
        return ""
    (*inputs, units), (*their_inputs, their_units) = (np.shape(each.params["kernel"]) for each in (layer, there))
    last = layer is [each for each in model.flat_layers if each.weights][-1]
    return (
        f"{units} classes here, {their_units} there" if inputs == their_inputs and last and units != their_units else ""
    )


def _shapes(layer: Layer) -> dict[str, Shape]:
    return {name: tuple(np.shape(array)) for name, array in (layer.params | layer.state).items()}


def _difference(layer: Layer, theirs: dict[str, dict[str, Shape]]) -> str:
    """What differs, in words: "kernel (3, 3, 3, 64) here, (11, 11, 3, 96) there"."""
    if layer.name not in theirs:
        return "only here"
    own, others = _shapes(layer), theirs[layer.name]
    different = [name for name in {**own, **others} if own.get(name) != others.get(name)]
    name = different[0]
    return f"{name} {own.get(name, 'none')} here, {others.get(name, 'none')} there"
