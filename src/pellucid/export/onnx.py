"""A model as an ONNX file: opset 18, any number of pictures, scaling and class names inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid._arguments import path_of
from pellucid.convert.onnx.axes import channels_last
from pellucid.convert.onnx.needed import needed
from pellucid.convert.onnx.table import WRITERS
from pellucid.convert.onnx.writing import OPSET, Value, Writer
from pellucid.errors import ConfigError, expect_known
from pellucid.files.atomic import replacing
from pellucid.layers.graph import INPUT
from pellucid.ops.geometry import Shape

if TYPE_CHECKING:
    from pellucid.model import Model

IR_VERSION = 10
"""What ONNX Runtime has read since 2024."""

PICTURES, ANSWERS = "pictures", "answers"
KINDS = ("uint8", "float32")


def to_onnx(model: Model, path: str | Path, *, pictures: str | None = None) -> None:
    """Write the model as an .onnx file.

    The graph takes what `predict` takes: `pictures` (N,H,W,C), or each input that has a name under that, and gives
    `answers`, or an output by the name of each layer that answers. pictures: "uint8", scaled inside as the model's
    preprocessing says, or "float32", taken as they are; None: what it was trained on, uint8 where nothing is said.
    metadata_props: class_names (a JSON list), preprocessing (JSON: scale, mean, std, size, resize rule).
    Errors: ConfigError for a layer that ONNX cannot say, a model of more than 2 GB, and where the package onnx is
    missing; CheckpointError for what cannot be written.
    """
    data = to_bytes(model, pictures)
    with replacing(path_of(path, "to_onnx: path")) as file:
        file.write(data)


def to_bytes(model: Model, pictures: str | None = None) -> bytes:
    """What `to_onnx` writes."""
    onnx = needed()
    model.build()
    kind = _kind(model) if pictures is None else expect_known("kind of pictures", pictures, KINDS)
    with model.turns.taken():
        return bytes(_proto(onnx, model, kind).SerializeToString())


def files(model: Model, name: str) -> dict[str, bytes]:
    """See `formats.Format`."""
    return {f"{name}.onnx": to_bytes(model)}


def _kind(model: Model) -> str:
    floats = model.trained_on.get("range") or len(model.graph.input_shape) != 3
    return "float32" if floats else "uint8"


def _proto(onnx: Any, model: Model, kind: str) -> Any:
    helper, types = onnx.helper, onnx.TensorProto
    parts = model.graph.parts
    given = {number: (part.name, part.target_shape) for number, part in parts.items()}
    given = given or {INPUT: (model.input_name or PICTURES, model.graph.input_shape)}
    values = {number: Value(name, shape, channels_last(len(shape))) for number, (name, shape) in given.items()}
    writer = Writer(values)
    if kind == "uint8":
        _scale(writer, model, types.FLOAT)
    first: dict[int, str] = {}
    for visit in model.graph.walk():
        if visit.number in parts:
            continue
        writer.prefix = visit.layer.name
        writer.weights = first.setdefault(id(visit.layer.store), visit.layer.name)
        write = WRITERS.get(type(visit.layer))
        if write is None:
            raise ConfigError(
                f"{visit.layer.place()} has no counterpart in ONNX; take another layer, or export the part without it"
            )
        writer.values[visit.number] = write(writer, visit)
    outputs = _answers(writer, model)
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        writer.nodes,
        model.name,
        [
            tensor(name, types.UINT8 if kind == "uint8" else types.FLOAT, ["N", *shape])
            for name, shape in given.values()
        ],
        [tensor(name, types.FLOAT, ["N", *each]) for name, each in outputs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in writer.arrays.items()],
    )
    proto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="pellucid"
    )
    helper.set_model_props(proto, _metadata(model))
    return proto


def _scale(writer: Writer, model: Model, dtype: int) -> None:
    """Pictures of levels as the first layer gets them."""
    writer.prefix = writer.weights = "preprocessing"
    value = writer.values[INPUT]
    scale, offset = (np.asarray(each) for each in model.preprocessing.scale_offset(value.shape[-1]))
    name = writer.node("Mul", writer.node("Cast", value.name, to=dtype), writer.array(scale, "scale"))
    if offset.any():
        name = writer.node("Add", name, writer.array(offset, "offset"))
    writer.values[INPUT] = Value(name, value.shape, value.axes)


def _answers(writer: Writer, model: Model) -> dict[str, Shape]:
    """The outputs, each under its name, and their shapes without the batch."""
    numbers = model.graph.outputs
    shapes = {}
    for number in numbers:
        layer = model.graph.nodes[number].layer
        value = writer.as_ours(writer.values[number])
        writer.prefix = name = writer.name(ANSWERS) if len(numbers) == 1 else layer.name
        writer.node("Identity", value.name, output=name)
        shapes[name] = value.shape
    return shapes


def _metadata(model: Model) -> dict[str, str]:
    found = {"preprocessing": json.dumps(model.preprocessing.to_config())}
    if model.class_names is not None:
        found["class_names"] = json.dumps(list(model.class_names), ensure_ascii=False)
    return found
