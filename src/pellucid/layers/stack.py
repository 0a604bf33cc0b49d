"""Layers with their places in a graph: attached, named, built and called; a model is that and more."""

from __future__ import annotations

import copy
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np

from pellucid._arguments import flag, several, word
from pellucid._fixed import Fixed
from pellucid._locks import Turns, building
from pellucid.errors import ConfigError, PellucidError, ShapeError, shown, unknown_name
from pellucid.layers import eager
from pellucid.layers.graph import INPUT, Graph, Node
from pellucid.layers.layer import Layer
from pellucid.layers.masks import with_mask
from pellucid.layers.shape import Input
from pellucid.layers.store import again, each_once
from pellucid.layers.symbolic import call, is_symbolic
from pellucid.ops import Array, Shape, real_array
from pellucid.ops.geometry import expect_numbers, standardize_shape, whole


class Row(list[Layer]):
    """The layers of a model in order, to be read; they are changed by `add` and `pop` alone, which lay out anew."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConfigError("a model's layers are changed by model.add(layer) and model.pop(), not in this list")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = insert = extend = remove = clear = sort = reverse = pop = _refuse

    def __deepcopy__(self, memo: dict[int, Any]) -> Row:
        return Row([copy.deepcopy(layer, memo) for layer in self])

    def __reduce__(self) -> tuple[Any, ...]:
        return Row, (list(self),)


class Stack(Fixed):
    """Layers, and which of them reads what.

    Errors: ConfigError for a layer that belongs to another model or a name used twice; ShapeError where layers do not
    fit together, at the layer that does not fit.
    """

    checks: ClassVar[Mapping[str, Callable[[Any, Any], Any]]] = {
        "name": lambda stack, value: word(value, f"{type(stack).__name__}: name"),
        "seed": lambda stack, value: whole(value, f"{type(stack).__name__}: seed", 2**32 - 1, least=0),
    }

    shares: ClassVar[bool] = False
    """Whether its layers may belong to another model, too; they do to the one that was trained or asked last."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.seed = name, seed
        self._layers = Row()
        self._nodes: tuple[Node, ...] = ()
        self._outputs: tuple[int, ...] = ()
        """The numbers of the nodes that answer; without any the last."""
        self._input_shape: Shape | None = None
        self._input_name: str | None = None
        self._graph: Graph | None = None
        self._symbols: Any = None
        self._listed: Any = None
        """What a model of Keras's knows of its layers besides."""
        self._all_built = False
        self.turns = Turns()
        self._changes = 0

    @property
    def layers(self) -> Any:
        """The layers in order."""
        return self._layers

    @property
    def flat_layers(self) -> Row:
        """The layers of its graph in order, those of models within it, too, each of which Keras lists as one."""
        return self._layers

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The layers at their places."""
        return self._nodes

    @property
    def trainable(self) -> bool:
        """Whether any layer is trained. Setting it freezes all layers, or thaws all; see `Layer.trainable` for one."""
        return any(layer.trainable for layer in self._layers) or not self._layers

    @trainable.setter
    def trainable(self, value: bool) -> None:
        trained = flag(value, f"{self.name}: trainable")
        for layer in self._layers:
            layer.trainable = trained

    @property
    def input_name(self) -> str | None:
        """What its Input was called, where it was given a name: a dictionary may hold the pictures under it."""
        return self._input_name

    @property
    def waits_for_pictures(self) -> bool:
        """Whether nothing but the shape of a picture is missing to build it."""
        return bool(self._layers)

    def take_shape_of(self, x: Any) -> None:
        """Be of pictures as these from now on; only a model that was said to be of any size can."""

    def attach(self, layer: Layer, inputs: tuple[int, ...], shapes: Sequence[Shape] = ()) -> None:
        """Put a layer at the end that reads these nodes' values, see `layers.graph`.

        It is built at once where the input's shape is known. shapes: of those values, where the caller knows them.
        Errors: ConfigError while another thread trains, and for a layer that belongs to a model.
        """
        self.turns.expect_own(self.name, "given layers")
        if isinstance(layer, Input):
            if self.flat_layers or self._input_shape is not None:
                raise ConfigError(
                    f"{self.name}: Input must come first, and once; it came after {len(self.flat_layers)} layers"
                )
            self._input_shape, self._input_name = layer.sizes, None if layer.auto_named else layer.name
            return
        if not isinstance(layer, Layer):
            raise ConfigError(f"{self.name}: only layers can be added, got {shown(layer)}")
        owner = layer.owner() if layer.owner is not None else None
        if owner is not None and owner is not self and not self.shares:
            whose = f"the model {owner.name!r}"
            raise ConfigError(f"layer {layer.name!r} belongs to {whose}; make a new layer, or pop() it there first")
        if any(layer is other for other in self.flat_layers):
            layer = again(layer)
        inputs, shapes = with_mask(self, layer, inputs, shapes)
        first = not self.flat_layers
        stated = layer.input_shape if first else None
        if stated is not None and self._input_shape not in (None, stated):
            raise ShapeError(f"{self.name} has input shape {self._input_shape}, its first layer says {stated}; say one")
        layer = self._named(layer, {other.name for other in self.flat_layers})
        layer.position = len(self.flat_layers)
        layer.fed_by = tuple(self.flat_layers[i].name for i in inputs if i != INPUT)
        source = self._input_shape or stated if first else self._input_shape
        try:
            if shapes:
                self._build_layer(layer, shapes)
            elif source is not None:
                self._build_nodes((*self._nodes, Node(layer, inputs)), source, first=len(self._nodes))
        except PellucidError:  # it stays outside, and may go elsewhere
            layer.position, layer.fed_by = None, ()
            raise
        self._input_shape = source
        if owner is None:
            layer.owner = weakref.ref(self)
        self._layers, self._nodes = Row([*self._layers, layer]), (*self._nodes, Node(layer, inputs))
        self._changed()

    def _named(self, layer: Layer, taken: set[str]) -> Layer:
        """The layer under a name that no other one has. Errors: ConfigError where its own is taken.

        One that is called again, which nobody named, leaves a name to a layer that was given it.
        """
        for other in self.flat_layers if layer.name in taken and not layer.auto_named else ():
            if other.name == layer.name and other.auto_named and other._base_name is not None:
                other.take_name(taken, self.name)
                taken = taken - {layer.name}
        if layer.owner is None or layer.owner() is None or layer.name in taken:
            layer.take_name(taken, self.name)
        return layer

    def detach(self) -> Layer:
        """Take the last layer off and return it, with its weights. Errors: ConfigError while another thread trains."""
        self.turns.expect_own(self.name, "robbed of layers")
        if not self.flat_layers:
            raise ConfigError(f"{self.name} has no layers to pop")
        layer, self._layers, self._nodes = self._layers[-1], Row(self._layers[:-1]), self._nodes[:-1]
        owner = layer.owner() if layer.owner is not None else None
        if owner is None or owner is self:
            if not any(other.store is layer.store for other in self._layers):
                if layer.params:
                    layer.bind({name: np.array(array) for name, array in layer.params.items()})
                layer.owner = None
            layer.position, layer.fed_by = None, ()
        self._outputs = ()
        if not self.flat_layers and layer.input_shape is not None:
            self._input_shape = None
        self._changes += layer.version  # which counts no longer: the sum must not fall
        self._changed()
        return layer

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """The layer of this name, or at this place."""
        if index is not None:
            if isinstance(index, bool) or not isinstance(index, int | np.integer):
                raise ConfigError(f"{self.name}: index must be a whole number, got {shown(index)}")
            if not -len(self.layers) <= index < len(self.layers):
                raise ConfigError(f"{self.name} has {len(self.layers)} layers, no layer {index}")
            return self.layers[index]
        for layer in [*self.layers, *self.flat_layers]:
            if isinstance(name, str) and layer.name == name:
                return layer
        raise unknown_name(f"layer of {self.name}", name, [layer.name for layer in self.layers])

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Make every layer's weights. Shapes: without the batch axis, or with None in front of it, as Keras has it."""
        if input_shape is None and self.built:
            return
        with building:
            self._build(input_shape)

    def _build(self, input_shape: Sequence[int | None] | None) -> None:
        before = self._input_shape
        if input_shape is not None:
            one = isinstance(input_shape, int | np.integer)
            given: list[Any] = [input_shape] if one else several(input_shape, "input_shape")
            trimmed = given[1:] if given and given[0] is None else given
            if any(size is None for size in trimmed):
                raise ConfigError(f"{self.name} is built for one size of picture, got {shown(input_shape)}")
            shape = standardize_shape([size for size in trimmed if size is not None], f"{self.name}: input_shape")
            if self._input_shape is not None and self._input_shape != shape:
                raise ShapeError(f"{self.name} has input shape {self._input_shape}, cannot be built for {shape}")
            self._input_shape = shape
        if self._input_shape is None:
            raise ConfigError(
                f"{self.name} does not know its input's shape; give the first layer input_shape=(H, W, C)"
            )
        try:
            self._build_nodes(self._nodes, self._input_shape)
        except PellucidError:
            self._input_shape = before
            raise

    @property
    def built(self) -> bool:
        """Whether every layer has its weights."""
        if not self._all_built:  # until layers are added or removed
            known = bool(self._layers) and self._input_shape is not None
            self._all_built = known and all(layer.built for layer in self._layers)
        return self._all_built

    @property
    def input_shape(self) -> Shape:
        """(H, W, C) of one picture."""
        if not self._all_built:
            self.build()
        return self._input_shape or ()

    @property
    def output_shape(self) -> Shape:
        """What comes out for one picture. Errors: ConfigError for a model with several outputs."""
        self.build()
        return self.graph.output_shape

    @property
    def graph(self) -> Graph:
        """Which layer reads what."""
        graph = self._graph
        if graph is None:
            self.build()
            graph = self._graph = Graph(self._input_shape or (), self._nodes, self._outputs or (len(self._nodes) - 1,))
        return graph

    @property
    def version(self) -> int:
        """Grows whenever weights change; whoever keeps something made of weights compares it."""
        return self._changes + sum([layer.version for layer in self._layers])

    def touch(self) -> None:
        """Say that the parameters have changed."""
        self._changes += 1

    def count_params(self) -> int:
        """How many numbers the model's weights hold, running means included."""
        self.build()
        return sum(layer.count_params() for layer in each_once(self.flat_layers))

    @property
    def weights(self) -> list[Array]:
        """Live read-only arrays of all layers in order."""
        return [array for layer in each_once(self.flat_layers) for array in layer.weights]

    def get_weights(self) -> list[Array]:
        """Copies of `weights`."""
        with self.turns.taken():
            return [array.copy() for array in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Write new values into all weights, in the order of `weights`."""
        self.build()
        layers = each_once(self.flat_layers)
        parts = shared_out(weights, layers, self.name)
        for layer, part in zip(layers, parts, strict=True):
            layer.check_weights(part)  # all before the first is written
        with self.turns.taken():
            for layer, part in zip(layers, parts, strict=True):
                if part:
                    layer.set_weights(part)

    def __call__(self, x: Any) -> Any:
        """Every layer in turn on a batch of floats, as in use; never scales."""
        if is_symbolic(x):
            return self._handed_over(x)
        y = real_array(x, f"{self.name}: its input")
        if not self.built:
            self.build(y.shape[1:] if self._input_shape is None else None)
        training = None if eager.current() else False  # also for layers that draw unless they are told so
        return self.graph.run(y, lambda number, layer, read: at_node(layer, read, training))

    def _handed_over(self, x: Any) -> Any:
        """What its layers give for a value: they stand in that value's network from now on, and no longer in this."""
        self.turns.expect_own(self.name, "given to another network")
        graph, values = self.graph, self._begun(list(x) if isinstance(x, list | tuple) else [x])
        while self._layers:
            self.detach()
        return self._called(graph, values)

    def _begun(self, given: Sequence[Any]) -> dict[int, Any]:
        """Values, or batches, as this network's inputs, by the numbers under which its layers read them."""
        parts = self.graph.parts
        shapes = [part.target_shape for part in parts.values()] or [self.graph.input_shape]
        found = [tuple(value.sizes if is_symbolic(value) else value.shape[1:]) for value in given]
        if found != [tuple(shape) for shape in shapes]:
            wanted, got = (
                " and ".join(f"(N, {', '.join(map(str, shape))})" for shape in each) for each in (shapes, found)
            )
            raise ShapeError(f"{self.name} takes {wanted}, got {got}")
        return dict(zip(parts or (INPUT,), given, strict=True))

    @staticmethod
    def _called(graph: Graph, values: dict[int, Any], training: Any = None) -> Any:
        """What its layers give for these values, called anew."""
        for number, node in enumerate(graph.nodes):
            if number not in values:
                values[number] = call(node.layer, [values[i] for i in node.inputs], training)
        return graph.answers(values)

    def _build_nodes(self, nodes: Sequence[Node], input_shape: Shape, first: int = 0) -> None:
        """Make the weights of those from `first` on that have none."""
        shapes = {INPUT: input_shape}
        for number, node in enumerate(nodes):
            read = [shapes[i] for i in node.inputs]
            shapes[number] = self._build_layer(node.layer, read) if number >= first else node.layer.output_of(read)

    def _build_layer(self, layer: Layer, shapes: Sequence[Shape]) -> Shape:
        """What comes out of a layer for these inputs; makes its weights if it has none."""
        shape = shapes[0]
        meant = None if layer.built or layer.position or layer.window() is None else channels_last(shape)
        try:
            if not layer.built:
                given = list(shapes) if layer.merges else shape
                layer.ensure_built(given, np.random.default_rng([self.seed, layer.position or 0]))
            result = layer.output_of(shapes)
            expect_numbers(result, f"{layer.place()}: its output")
        except ShapeError as error:
            if meant is None:
                raise
            raise ShapeError(f"{error}; input_shape={shape}: did you mean {meant}?") from error
        if meant is not None and meant[0] == meant[1]:
            warnings.warn(
                f"{self.name} takes pictures (H, W, C), and input_shape={shape} is {shape[0]} high with {shape[2]} "
                f"channels; did you mean {meant}?",
                stacklevel=6,
            )
        return result

    def _changed(self) -> None:
        """What must happen after layers were added or removed."""
        self._all_built = False
        self._graph = None
        self._changes += 1


def shared_out(weights: Sequence[Any], layers: Sequence[Layer], name: str) -> list[list[Any]]:
    """Of these arrays those for each layer. Errors: ShapeError where they are more or fewer."""
    counts = [len(layer.weights) for layer in layers]
    weights = several(weights, f"{name}: weights")
    if len(weights) != sum(counts):
        raise ShapeError(f"{name} has {sum(counts)} weight arrays, got {len(weights)}")
    return [weights[end - number : end] for end, number in zip(np.cumsum(counts).tolist(), counts, strict=True)]


def at_node(layer: Layer, read: Any, training: Any = None) -> Any:
    """What a layer gives at its place in a network, of arrays: what stands behind it is a layer of its own there."""
    return layer(read, training=training) if layer.behind is None else layer.alone(read, training=training)


def channels_last(shape: Shape) -> Shape | None:
    """What was meant by a picture's shape that looks as if the channels came first; None where it does not.

    >>> channels_last((1, 28, 28)), channels_last((28, 28, 1)), channels_last((3, 224, 200))
    ((28, 28, 1), None, (224, 200, 3))
    """
    if len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) > 4:
        return (*shape[1:], shape[0])
    return None
