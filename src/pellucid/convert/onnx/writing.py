"""A model's graph as ONNX's nodes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.convert.onnx.axes import Axes, channels_first, channels_last, order
from pellucid.errors import ConfigError
from pellucid.layers.graph import Visit
from pellucid.ops.geometry import Array, Shape

OPSET = 18
MAX_BYTES = 2**31 - 2**20
"""Of weights in one file: protobuf has no longer messages than 2 GiB."""


@dataclass(frozen=True)
class Value:
    """A tensor by its name; where our axes lie in it.

    flat: of a row that was flattened in the tensor's order, the shape of ours before, and its axes.
    """

    name: str
    shape: Shape
    axes: Axes
    flat: tuple[Shape, Axes] | None = None

    @property
    def first(self) -> bool:
        """Whether channels come first."""
        return len(self.axes) > 1 and self.axes == channels_first(len(self.axes))


class Writer:
    """Collects nodes and arrays. `values`: what each node of the graph gives, by its number."""

    def __init__(self, values: Mapping[int, Value]) -> None:
        self.values = dict(values)
        self.nodes: list[Any] = []
        self.arrays: dict[str, Array] = {}
        self._names = {value.name for value in values.values()}
        self._moved: dict[tuple[str, Axes], Value] = {}
        self._bytes = 0
        self.prefix = self.weights = ""
        """What its nodes, and its arrays, are called by; two names for a layer with the weights of one before it."""

    def name(self, wanted: str) -> str:
        """A name that nothing has yet."""
        base = re.sub(r"[^\w./-]+", "_", wanted) or "_"
        names = (base if i == 0 else f"{base}_{i}" for i in itertools.count())
        found = next(name for name in names if name not in self._names)
        self._names.add(found)
        return found

    def array(self, values: Any, name: str, dtype: Any = np.float32) -> str:
        """An array of the file's. Errors: ConfigError where a file cannot hold so many."""
        array = np.ascontiguousarray(values, dtype)
        there = f"{self.weights}/{name}"
        if self.weights != self.prefix and np.array_equal(self.arrays.get(there, ()), array):
            return there
        self._bytes += array.nbytes
        if self._bytes > MAX_BYTES:
            raise ConfigError(
                "the weights take more than the 2 GB that an ONNX file may have; export it as safetensors by save(), "
                "or use a smaller network"
            )
        name = self.name(f"{self.prefix}/{name}")
        self.arrays[name] = array
        return name

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """The name of what an operator gives for these tensors: `output`, or one of its own."""
        from onnx import helper

        output = output or self.name(f"{self.prefix}/{operator.lower()}")
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    # Values

    def reads(self, visit: Visit) -> list[Value]:
        """What a layer reads, as it lies."""
        return [self.values[number] for number in visit.inputs]

    def first(self, visit: Visit) -> Value:
        """What a layer reads, channels first."""
        value = self.values[visit.inputs[0]]
        return self.moved(value, channels_first(len(value.shape)))

    def last(self, visit: Visit) -> Value:
        """What a layer reads, channels last."""
        return self.as_ours(self.values[visit.inputs[0]])

    def as_ours(self, value: Value) -> Value:
        """A value channels last."""
        return self.moved(value, channels_last(len(value.shape)))

    def settled(self, value: Value) -> Value:
        """A value whose numbers lie as its axes say."""
        return value if value.flat is None else self.as_ours(value)

    def maps(self, name: str, shape: Shape) -> Value:
        """A tensor of maps, or a series, channels first."""
        return Value(name, shape, channels_first(len(shape)))

    def moved(self, value: Value, axes: Axes) -> Value:
        """A value with its axes in these places; once for all that read it so."""
        key = value.name, axes
        if key not in self._moved:
            if value.flat is not None:
                shape, places = value.flat
                tensor = self.shaped(value.name, [shape[i] for i in order(places)])
                picture = self.moved(Value(tensor, shape, places), channels_last(len(shape)))
                value = Value(self.node("Flatten", picture.name), value.shape, value.axes)
            name = value.name
            if value.axes != axes:
                permutation = [0, *(value.axes[i] for i in order(axes))]
                name = self.node("Transpose", name, perm=permutation)
            self._moved[key] = replace(value, name=name, axes=axes, flat=None)
        return self._moved[key]

    def shaped(self, name: str, shape: list[int]) -> str:
        """A tensor under another shape behind the batch."""
        return self.node("Reshape", name, self.array([0, *shape], "shape", np.int64))

    def alike(self, visit: Visit) -> list[Value]:
        """All that a layer reads, in one order of axes: channels first where the first of most axes has them so."""
        values = self.reads(visit)
        rank = max(len(value.shape) for value in values)
        first = any(value.first for value in values if len(value.shape) == rank)
        place = channels_first if first else channels_last
        return [self.moved(value, place(len(value.shape))) for value in values]


Write = Callable[[Writer, Visit], Value]
"""What a layer gives, of what it reads."""


def vector(writer: Writer, values: Array, like: Value, name: str) -> str:
    """One number a channel, as an array that a tensor of these axes takes. Shapes: values (C,)."""
    behind = [1] * (len(like.axes) - 1) if like.first else []
    return writer.array(values.reshape(-1, *behind), name)
