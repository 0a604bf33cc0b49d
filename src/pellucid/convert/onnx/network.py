"""The network in an ONNX file: its nodes, one after another, as our layers."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid.convert.network import Draft, Read
from pellucid.convert.network import Held as Stored
from pellucid.convert.onnx.activation import through
from pellucid.convert.onnx.axes import channels_first, channels_last
from pellucid.convert.onnx.file import File
from pellucid.convert.onnx.folding import FOLDED, folded
from pellucid.convert.onnx.gelus import gelus
from pellucid.convert.onnx.reading import Held, Inexpressible, Node, Reader
from pellucid.convert.onnx.table import READERS
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import PellucidError, shown
from pellucid.layers.shape import side_by_side
from pellucid.layers.symbolic import Symbolic, Value, calls_behind
from pellucid.model import Model
from pellucid.model.blank import FAULTS
from pellucid.ops.geometry import MAX_SIDE, Array

MAX_LAYERS = 1000
MAX_LISTED = 8
UINT8 = 2
"""TensorProto's number of that type."""

_STARTS = (b"\x12", b"\x1a", b":", b"B")
"""The fields that may follow the version: producer's name and version, graph, opset."""


def fits(path: Path, start: bytes) -> bool:
    """Whether a file is an ONNX model: by its ending, or by its first field, the version."""
    return path.suffix.lower() == ".onnx" or (start[:1] == b"\x08" and start[1:2] < b"\x20" and start[2:3] in _STARTS)


def read(path: Path) -> Read:
    """The network in an ONNX file.

    Errors: CheckpointError for a file that is damaged or cannot be expressed by our layers, which names what cannot;
    ConfigError where the package onnx is missing.
    """
    file = File(path)
    model, scaling = Nodes(file).network()
    names = ", ".join(f"{version.domain or 'ai.onnx'} {version.version}" for version in file.proto.opset_import)
    producer = file.proto.producer_name or "an unknown program"
    return Read(model, f"an ONNX model of {producer:.40}, opset {names:.60}", scaling)


class Nodes:
    """What a file's nodes are in our layers."""

    def __init__(self, file: File) -> None:
        self.file, self.graph, self.fault = file, file.graph, file.fault
        self.reader = Reader()
        self.arrays: dict[str, Any] = {tensor.name: file.array(tensor) for tensor in self.graph.initializer}
        if self.graph.sparse_initializer:
            raise self.fault("has sparse weights; export it with dense ones")
        self.given = [each for each in self.graph.input if each.name not in self.arrays]
        self.first: dict[str, bool] = {}
        """Of each input whether its channels come first."""

    def network(self) -> tuple[Model, str]:
        """The network with its weights, and how pictures are scaled for it, in words."""
        inputs = {each.name: self._input(each) for each in self.given}
        if not inputs:
            raise self.fault("takes no input; a network here takes pictures")
        sources = [held.value for held in inputs.values()]
        source: L.Input = sources[0]  # type: ignore[assignment]
        try:
            if len(sources) > 1:
                source, parts = side_by_side(sources, "the model")  # type: ignore[arg-type]
                for part, (name, held) in zip(parts, inputs.items(), strict=True):
                    inputs[name] = Held(part(source), held.axes, held.rank)
                    self.reader.names.add(part.name)
        except PellucidError as error:
            raise self.fault(str(error)) from error
        outputs, answers = self.outputs({**self.arrays, **inputs}), []
        for name, found in outputs.items():
            if not isinstance(found, Held):
                raise self.fault(f"its output {shown(name)} does not depend on the pictures")
            try:
                answers.append(self.answer(name, found, list(inputs.values())))
            except Inexpressible as error:
                raise self.fault(f"its output {shown(name)}: {error}") from error
        return self._filled(source, answers)

    def _input(self, given: Any) -> Held:
        name, tensor = given.name, given.type.tensor_type
        dims = list(tensor.shape.dim)
        sizes = [int(dim.dim_value) if dim.HasField("dim_value") else 0 for dim in dims]
        if len(dims) < 2:
            raise self.fault(f"its input {shown(name)} has {len(dims)} axes; pictures have a batch axis and more")
        if min(sizes[1:]) < 1:
            raise self.fault(
                f"its input {shown(name)} has no fixed size ({', '.join(map(str, sizes))}, 0 for any); fix it by "
                "python -m onnxruntime.tools.make_dynamic_shape_fixed"
            )
        if max(sizes[1:]) > MAX_SIDE:
            raise self.fault(f"its input {shown(name)} is {shown(tuple(sizes))}, a side can be {MAX_SIDE:,}")
        rank = len(sizes) - 1
        last = rank == 1 or self.file.proto.producer_name == "pellucid" or self._channels_last(name, rank)
        self.first[name] = not last
        axes = channels_last(rank) if last else channels_first(rank)
        try:
            value = L.Input([sizes[axis] for axis in axes], name=_word(name) or None)
        except PellucidError as error:
            raise self.fault(f"its input {shown(name)}: {error}") from error
        return Held(value, axes, rank + 1)

    def _channels_last(self, name: str, rank: int) -> bool:
        """Whether the first thing that moves axes of an input brings channels to the front."""
        for node in self.graph.node:
            if name in node.input:
                if node.op_type == "Transpose":
                    return list(node.attribute[0].ints) == [0, rank, *range(1, rank)] if node.attribute else False
                if node.op_type not in ("Cast", "Mul", "Add", "Sub", "Div", "Identity"):
                    return False
                name = node.output[0]
        return False

    def outputs(self, values: dict[str, Any]) -> dict[str, Any]:
        """What comes out, by name. Errors: CheckpointError that names each operator that cannot be expressed."""
        reader = self.reader
        used = {name for node in self.graph.node for name in node.input} | {each.name for each in self.graph.output}
        missing: dict[str, list[str]] = {}
        unknown: set[str] = set()
        spelled = gelus(self.graph.node, values)
        for node in self.graph.node:
            held = values.get(spelled[node.output[0]]) if node.output and node.output[0] in spelled else None
            if isinstance(held, Held):
                reader.prefix = _prefix(node.name, node.op_type)
                values[node.output[0]] = through(reader, held, partial(L.Activation, "gelu"))
                continue
            absent = next((name for name in node.input if name and name not in values and name not in unknown), None)
            if absent is not None:
                raise self.fault(
                    f"{node.op_type} {shown(node.name)} reads {shown(absent)}, which nothing before it gives"
                )
            if any(name in unknown for name in node.input):
                if node.op_type not in KNOWN:
                    missing.setdefault(node.op_type, []).append(NO_LAYER)
                unknown.update(node.output)
                continue
            try:
                given = self._given(node, values, used)
            except Inexpressible as error:
                missing.setdefault(node.op_type, []).append(str(error))
                unknown.update(node.output)
                continue
            values.update(zip(node.output, given, strict=False))
            if len(reader.names) > MAX_LAYERS:
                raise self.fault(f"is a network of more than {MAX_LAYERS} layers")
        found = {each.name: values.get(each.name) for each in self.graph.output}
        if missing and any(name in unknown for name in found):
            raise self.fault(_inexpressible(missing))
        if not found or any(value is None for value in found.values()):
            raise self.fault("has an output that no node gives")
        return found

    def _given(self, node: Any, values: Mapping[str, Any], used: set[str]) -> Iterable[Any]:
        operator = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        if len(node.attribute) > 50:
            raise Inexpressible(f"{len(node.attribute)} attributes")
        count = max((i for i, name in enumerate(node.output, 1) if name in used), default=1)
        attributes = {} if operator not in KNOWN else {each.name: self._attribute(each) for each in node.attribute}
        if operator == "Constant":
            if not attributes:
                raise Inexpressible("it has no value")
            return [np.asarray(next(iter(attributes.values())))]
        inputs = [values[name] if name else None for name in node.input]
        made = Node(operator, node.name, inputs, attributes, self.file.opset, count)
        constant = folded(made)
        if constant is not None:
            return [constant]
        read_node = READERS.get(operator)
        if read_node is None:
            raise Inexpressible(NO_LAYER)
        self.reader.prefix = _prefix(node.name, operator)
        try:
            found = read_node(self.reader, made)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise Inexpressible(f"its arguments make no sense: {error}") from error
        return found if isinstance(found, list) else [found]

    def _attribute(self, attribute: Any) -> Any:
        value = self.file.onnx.helper.get_attribute_value(attribute)
        if isinstance(value, self.file.onnx.TensorProto):
            return self.file.array(value)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def answer(self, name: str, held: Held, inputs: list[Held]) -> Symbolic:
        """An output as ours are, of pictures channels last; the layer that gives it is called as it is."""
        held, axes = self.reader.settled(held), held.rank - 1
        value = held.value
        if len(held.axes) == axes:
            first = any(self.first.values())
            value = self.reader.arranged(held, channels_first(axes) if first else channels_last(axes))
        if any(value is each.value for each in inputs):
            value = self.reader.layer(lambda: L.Activation("linear"), value)
        called = _word(name)
        if called and called not in self.reader.names and self.file.proto.producer_name != "pellucid":
            self.reader.names.add(called)
            value.layer.name = called  # type: ignore[attr-defined]
        return value

    def _filled(self, source: L.Input, answers: list[Symbolic]) -> tuple[Model, str]:
        """A model of the values, with its weights."""
        name = re.sub(r"[^\w.-]+", "-", self.graph.name).strip("-")[:60] or self.file.path.stem
        calls = calls_behind(answers, source, name)
        scaling, words = self._scaling(source, calls)
        if scaling is not None:  # by the model before its first layer
            for value in calls:
                value.inputs = tuple(source if each is calls[0] else each for each in value.inputs)
            calls = calls[1:]
        in_row = len(answers) == 1 and all(
            value.inputs == (before,) for value, before in zip(calls, [source, *calls], strict=False)
        )
        self._name_apart(calls)
        draft = Draft(self.file.path, source, answers, in_row=in_row)
        for layer, arrays in self.reader.arrays.items():
            draft.arrays[layer] = [
                Stored(f"{layer.name}/{key}", array.shape, lambda array=array: array)  # type: ignore[misc]
                for key, array in arrays.items()
            ]
        model = draft.network(name)
        try:
            self._notes(model, scaling)
        except FAULTS as error:
            raise self.fault(str(error) or type(error).__name__) from error
        return model, words

    @staticmethod
    def _name_apart(calls: list[Value]) -> None:
        """A layer that took another one's place has its name, and the other may be read by somebody else, too."""
        taken = {value.layer.name for value in calls}
        seen: set[str] = set()
        for value in calls:
            if value.layer.name in seen:
                names = (f"{value.layer.name}_{number}" for number in itertools.count(1))
                value.layer.name = next(name for name in names if name not in taken)
                taken.add(value.layer.name)
            seen.add(value.layer.name)

    @property
    def _in_bytes(self) -> bool:
        return len(self.given) == 1 and self.given[0].type.tensor_type.elem_type == UINT8

    def _scaling(self, source: Symbolic, calls: list[Value]) -> tuple[Preprocessing | None, str]:
        """How levels are scaled, where the graph's first layer does that to uint8; None where it does not."""
        if not self._in_bytes:
            return None, "floats as they are; uint8 by 255, a guess"
        first = calls[0].layer
        readers = [value for value in calls if source in value.inputs]
        if not isinstance(first, L.Rescaling) or len(readers) != 1 or len(calls) < 2:
            return None, "none: levels from 0 to 255 as they are"
        return preprocessing_of(*first.scale_offset()), "as in the file"

    def _notes(self, model: Model, scaling: Preprocessing | None) -> None:
        """Scaling and class names, where the file has them."""
        notes = {entry.key: entry.value for entry in self.file.proto.metadata_props}
        if self._in_bytes:
            model.preprocessing = scaling or Preprocessing(scale=1.0)
        if scaling is not None and "preprocessing" in notes:
            said = Preprocessing.from_config(json.loads(notes["preprocessing"]))
            channels = model.graph.input_shape[-1]
            pairs = zip(said.scale_offset(channels), scaling.scale_offset(channels), strict=True)
            if all(np.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in pairs):
                model.preprocessing = said
        if "class_names" in notes:
            model.class_names = tuple(json.loads(notes["class_names"]))


KNOWN = {*READERS, *FOLDED, "Constant", "Shape"}
NO_LAYER = "no layer for it"


def preprocessing_of(scale: Array, offset: Array) -> Preprocessing | None:
    """x * scale + offset as a preprocessing; None where it is none: a scale that is not above 0."""
    if scale.min() <= 0:
        return None
    scales, offsets = np.broadcast_arrays(scale.reshape(-1), offset.reshape(-1))
    one = float(scales[0])
    std = None if (scales == one).all() else tuple((one / scales).tolist())
    mean = None if not offsets.any() else tuple((-offsets * (one / scales)).tolist())
    return Preprocessing(scale=one, mean=mean, std=std)


def _word(name: str) -> str:
    """A name of a file's for an input or a layer; nothing for a number, as some programs call all values."""
    word = re.sub(r"[^\w.-]+", "_", name).strip("_")[:80]
    return word if word[:1].isalpha() else ""


def _prefix(name: str, operator: str) -> str:
    """What a layer is called after a node: "/features/features.0/Conv" -> "features.features.0"."""
    parts = [re.sub(r"[^\w.-]+", "_", part) for part in name.strip("/").split("/") if part]
    if len(parts) > 1 and re.fullmatch(rf"{re.escape(operator)}(_\d+)?", parts[-1], re.IGNORECASE):
        parts.pop()
    return ".".join(parts)[:80]


def _inexpressible(missing: Mapping[str, list[str]]) -> str:
    """Each operator that has no layer, how often, and why."""
    said = []
    for operator, reasons in itertools.islice(missing.items(), MAX_LISTED):
        times = f" ({len(reasons)} times)" if len(reasons) > 1 else ""
        said.append(f"{operator:.60}{times}: {reasons[0]:.160}")
    more = f", and {len(missing) - MAX_LISTED} more" if len(missing) > MAX_LISTED else ""
    return (
        f"cannot be expressed by layers: {'; '.join(said)}{more}. Export the network without these; where they follow "
        "the answers, as boxes do, end the graph before them"
    )
