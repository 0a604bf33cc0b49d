"""An ONNX file: its message, under limits, its arrays, and its network. Nothing that it says is run."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid.convert.network import Read
from pellucid.convert.onnx.activation import through
from pellucid.convert.onnx.axes import channels_first, channels_last
from pellucid.convert.onnx.folding import FOLDED, folded
from pellucid.convert.onnx.gelus import gelus
from pellucid.convert.onnx.needed import needed
from pellucid.convert.onnx.reading import Held, Inexpressible, Node, Reader
from pellucid.convert.onnx.table import READERS
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import CheckpointError, PellucidError, shown
from pellucid.files.inside import Inside, read_bytes, reading
from pellucid.layers.symbolic import Symbolic, Value, calls_behind
from pellucid.model import Model, assemble
from pellucid.model.blank import FAULTS, Blank, drawing
from pellucid.ops.geometry import MAX_SIDE, MAX_WEIGHTS, Array, Shape

MAX_BYTES = 2 << 30
MAX_NODES, MAX_LAYERS = 20_000, 1000
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
    model, scaling = file.network()
    names = ", ".join(f"{version.domain or 'ai.onnx'} {version.version}" for version in file.proto.opset_import)
    producer = file.proto.producer_name or "an unknown program"
    return Read(model, f"an ONNX model of {producer:.40}, opset {names:.60}", scaling)


class File:
    """A message, and the arrays in it and beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.onnx = needed()
        data = read_bytes(path, MAX_BYTES)
        self.proto = self.onnx.ModelProto()
        try:
            self.proto.ParseFromString(data)
        except Exception as error:  # protobuf's own, whose class is none of its public names in every version
            raise self.fault("is no ONNX model, or is cut off") from error
        self.graph = self.proto.graph
        if not self.graph.node:
            raise self.fault("has no nodes: it is no ONNX model, or is cut off")
        if len(self.graph.node) > MAX_NODES:
            raise self.fault(f"has {len(self.graph.node)} nodes, at most {MAX_NODES} are read")
        versions = {each.domain: each.version for each in self.proto.opset_import}
        self.opset = int(versions.get("", versions.get("ai.onnx", 1)))
        if not 7 <= self.opset <= MAX_OPSET:
            raise self.fault(
                f"is of opset {self.opset}, 7 to {MAX_OPSET} are read; onnx.version_converter makes another"
            )

    def fault(self, what: str) -> CheckpointError:
        """The error for this file."""
        return CheckpointError(f"{self.path}: {what:.2000}")

    # Arrays

    def array(self, tensor: Any) -> Array:
        """A tensor's numbers. Errors: CheckpointError where its sizes and its data do not fit each other."""
        name, shape = tensor.name, tuple(tensor.dims)
        count = math.prod(shape)
        if min(shape, default=1) < 0 or count > MAX_WEIGHTS:
            raise self.fault(f"{shown(name)} has sizes {shown(shape)}, at most {MAX_WEIGHTS:,} numbers can be")
        external = tensor.data_location == self.onnx.TensorProto.EXTERNAL
        try:
            kind = self.onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            if external:
                return np.frombuffer(self._beside(tensor, count * kind.itemsize), kind).reshape(shape)
            if tensor.raw_data and len(tensor.raw_data) != count * kind.itemsize:
                raise self.fault(f"{shown(name)} has {len(tensor.raw_data)} bytes for sizes {shape}")
            if not tensor.raw_data and not self._fields(tensor) and count:
                raise self.fault(f"{shown(name)} has no numbers for sizes {shape}")
            return np.asarray(self.onnx.numpy_helper.to_array(tensor))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, PellucidError):
                raise
            raise self.fault(f"{shown(name)}: its numbers cannot be read: {error}") from error

    @staticmethod
    def _fields(tensor: Any) -> int:
        fields = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
        return sum(len(getattr(tensor, field)) for field in fields)

    def _beside(self, tensor: Any, size: int) -> bytes:
        """Bytes of a file in the same folder. Errors: CheckpointError for any other place, and for too few bytes."""
        where = {entry.key: entry.value for entry in tensor.external_data}
        location = where.get("location", "")
        parts = location.split("/")
        if not location or "\\" in location or any(part in ("", ".", "..") for part in parts):
            raise self.fault(f"{shown(tensor.name)} lies in {shown(location)}; only files in its own folder are read")
        try:
            offset, length = int(where.get("offset", 0)), int(where.get("length", size))
        except ValueError:
            raise self.fault(f"{shown(tensor.name)}: its place in {shown(location)} is no number") from None
        if offset < 0 or length != size:
            raise self.fault(f"{shown(tensor.name)} takes {size} bytes, {shown(location)} has {length} for it")
        try:
            with reading(Inside(self.path.parent, *parts)) as file:
                file.seek(offset)
                data = file.read(size)
        except CheckpointError as error:
            raise self.fault(f"{shown(tensor.name)} lies in {shown(location)}: {error}") from error
        if len(data) != size:
            raise self.fault(f"{shown(tensor.name)} takes {size} bytes, {shown(location)} has {len(data)} for it")
        return data

    # The network

    def network(self) -> tuple[Model, str]:
        """The network with its weights, and how pictures are scaled for it, in words."""
        inputs, values = self.inputs()
        if len(inputs) != 1:
            names = ", ".join(map(shown, inputs)) or "none"
            raise self.fault(f"takes {len(inputs)} inputs ({names:.200}); a network here takes one, the pictures")
        (given,) = inputs.values()
        reader = Reader()
        outputs = self.outputs(reader, {**values, **inputs})
        answers = []
        for name, held in outputs.items():
            if not isinstance(held, Held):
                raise self.fault(f"its output {shown(name)} does not depend on the pictures")
            try:
                answers.append(answer(reader, held, given.value, last=self.last))
            except Inexpressible as error:
                raise self.fault(f"its output {shown(name)}: {error}") from error
        return self.assembled(reader, given.value, answers)

    def inputs(self) -> tuple[dict[str, Held], dict[str, Any]]:
        """What is given to it, and the arrays that it holds, by name."""
        held = {tensor.name: self.array(tensor) for tensor in self.graph.initializer}
        if self.graph.sparse_initializer:
            raise self.fault("has sparse weights; export it with dense ones")
        found = {each.name: self._input(each) for each in self.graph.input if each.name not in held}
        return found, held

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
        self.last = rank == 1 or self.proto.producer_name == "pellucid" or self._channels_last(name, rank)
        last = self.last
        axes = channels_last(rank) if last else channels_first(rank)
        try:
            value = L.Input([sizes[axis] for axis in axes])
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

    def outputs(self, reader: Reader, values: dict[str, Any]) -> dict[str, Any]:
        """What comes out, by name. Errors: CheckpointError that names each operator that cannot be expressed."""
        used = {name for node in self.graph.node for name in node.input} | {each.name for each in self.graph.output}
        missing: dict[str, list[str]] = {}
        unknown: set[str] = set()
        spelled = gelus(self.graph.node, values)
        for node in self.graph.node:
            if node.output and isinstance(values.get(spelled.get(node.output[0], "")), Held):
                reader.prefix = _prefix(node.name, node.op_type)
                held = values[spelled[node.output[0]]]
                values[node.output[0]] = through(reader, held, lambda: L.Activation("gelu"))
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
                given = self._given(reader, node, values, used)
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

    def _given(self, reader: Reader, node: Any, values: Mapping[str, Any], used: set[str]) -> Iterable[Any]:
        operator = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        if len(node.attribute) > 50:
            raise Inexpressible(f"{len(node.attribute)} attributes")
        count = max((i for i, name in enumerate(node.output, 1) if name in used), default=1)
        attributes = {} if operator not in KNOWN else {each.name: self._attribute(each) for each in node.attribute}
        if operator == "Constant":
            return [np.asarray(next(iter(attributes.values())))]
        inputs = [values[name] if name else None for name in node.input]
        made = Node(operator, node.name, inputs, attributes, self.opset, count)
        constant = folded(made)
        if constant is not None:
            return [constant]
        read_node = READERS.get(operator)
        if read_node is None:
            raise Inexpressible(NO_LAYER)
        reader.prefix = _prefix(node.name, operator)
        try:
            found = read_node(reader, made)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise Inexpressible(f"its arguments make no sense: {error}") from error
        return found if isinstance(found, list) else [found]

    def _attribute(self, attribute: Any) -> Any:
        value = self.onnx.helper.get_attribute_value(attribute)
        if isinstance(value, self.onnx.TensorProto):
            return self.array(value)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def assembled(self, reader: Reader, given: Symbolic, answers: list[Symbolic]) -> tuple[Model, str]:
        """A model of the values."""
        name = re.sub(r"[^\w.-]+", "-", self.graph.name).strip("-")[:60] or self.path.stem
        calls = calls_behind(answers, given, name)
        scaling, words = self._scaling(given, calls)
        numbers: dict[Symbolic, int] = {given: -1}
        kept: list[Value] = []
        for value in calls:
            if scaling is not None and value is calls[0]:
                numbers[value] = -1
                continue
            numbers[value] = len(kept)
            kept.append(value)
        made = [value.layer for value in kept]
        reads = [[numbers[each] for each in value.inputs] for value in kept]
        outputs = [numbers[value] for value in answers]
        chain = reads == [[i - 1] for i in range(len(made))] and outputs == [len(made) - 1]
        count = sum(array.size for arrays in reader.arrays.values() for array in arrays.values())

        def refuse(shape: Shape) -> CheckpointError:
            return CheckpointError(f"a layer has weights of shape {shape}, the file has {count} numbers in all")

        try:
            with drawing(made, Blank(count, refuse)):
                model = assemble(given.shape, made, None if chain else reads, name, outputs=outputs)
                model.build()
            for layer in made:
                for key, array in reader.arrays.get(layer, {}).items():
                    layer.write(key, array)
            self._notes(model, scaling)
        except FAULTS as error:
            raise self.fault(str(error) or type(error).__name__) from error
        return model, words

    def _scaling(self, given: Symbolic, calls: list[Value]) -> tuple[Preprocessing | None, str]:
        """How levels are scaled, where the graph's first layer does that to uint8; None where it does not."""
        name = next(each for each in self.graph.input if each.name not in {t.name for t in self.graph.initializer})
        if name.type.tensor_type.elem_type != UINT8:
            return None, "floats as they are; uint8 by 255, a guess"
        first = calls[0].layer
        readers = [value for value in calls if given in value.inputs]
        if not isinstance(first, L.Rescaling) or len(readers) != 1 or len(calls) < 2:
            return None, "none: levels from 0 to 255 as they are"
        return preprocessing_of(*first.scale_offset()), "as in the file"

    def _notes(self, model: Model, scaling: Preprocessing | None) -> None:
        """Scaling and class names, where the file has them."""
        notes = {entry.key: entry.value for entry in self.proto.metadata_props}
        name = next(each for each in self.graph.input if each.name not in {t.name for t in self.graph.initializer})
        if name.type.tensor_type.elem_type == UINT8:
            model.preprocessing = scaling or Preprocessing(scale=1.0)
        if scaling is not None and "preprocessing" in notes:
            said = Preprocessing.from_config(json.loads(notes["preprocessing"]))
            channels = model.input_shape[-1]
            pairs = zip(said.scale_offset(channels), scaling.scale_offset(channels), strict=True)
            if all(np.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in pairs):
                model.preprocessing = said
        if "class_names" in notes:
            model.class_names = tuple(json.loads(notes["class_names"]))


MAX_OPSET = 28
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


def answer(reader: Reader, held: Held, given: Symbolic, *, last: bool) -> Symbolic:
    """An output as ours are: of pictures channels last. last: so they lie in the file."""
    held, axes = reader.settled(held), held.rank - 1
    value = held.value
    if len(held.axes) == axes:
        value = reader.arranged(held, channels_last(axes) if last else channels_first(axes))
    return reader.layer(lambda: L.Activation("linear"), value) if value is given else value


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
