"""Layers that only move numbers, or do nothing in use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid.convert.onnx.axes import channels_last, flattened
from pellucid.convert.onnx.folding import slices
from pellucid.convert.onnx.reading import BATCH, Held, Inexpressible, Node, Reader
from pellucid.convert.onnx.writing import Value, Writer
from pellucid.layers.graph import Visit
from pellucid.ops import BORDERS
from pellucid.ops.geometry import Array


def write_nothing(writer: Writer, visit: Visit) -> Value:
    """What does something in training alone."""
    return writer.reads(visit)[0]


def write_flatten(writer: Writer, visit: Visit) -> Value:
    """In the order in which it lies: whoever reads it knows."""
    value = writer.reads(visit)[0]
    if len(value.shape) == 1:
        return value
    moved = flattened(value.shape, value.axes) is not None
    flat = (value.shape, value.axes) if moved else None
    return Value(writer.node("Flatten", value.name), visit.output_shape, (1,), flat)


def write_reshape(writer: Writer, visit: Visit) -> Value:
    shape = visit.output_shape
    return Value(writer.shaped(writer.last(visit).name, list(shape)), shape, channels_last(len(shape)))


def write_slice(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    ends = {"starts": [layer.start], "ends": [layer.stop], "axes": [1]}
    held = [writer.array(numbers, name, np.int64) for name, numbers in ends.items()]
    shape = visit.output_shape
    name = writer.node("Slice", writer.last(visit).name, *held)
    return Value(writer.shaped(name, list(shape)), shape, channels_last(len(shape)))


def write_permute(writer: Writer, visit: Visit) -> Value:
    """Moves nothing: where our axes lie is known."""
    layer: Any = visit.layer
    value = writer.settled(writer.reads(visit)[0])
    return Value(value.name, visit.output_shape, tuple(value.axes[axis - 1] for axis in layer.dims))


def write_padding(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    (top, bottom), (left, right) = layer.padding
    pads = writer.array([0, 0, top, left, 0, 0, bottom, right], "pads", np.int64)
    return writer.maps(writer.node("Pad", writer.first(visit).name, pads, mode=layer.mode), visit.output_shape)


def write_cropping(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    (top, _), (left, _) = layer.cropping
    rows, columns, _ = visit.output_shape
    ends = {"starts": [top, left], "ends": [top + rows, left + columns], "axes": [2, 3]}
    held = [writer.array(numbers, name, np.int64) for name, numbers in ends.items()]
    return writer.maps(writer.node("Slice", writer.first(visit).name, *held), visit.output_shape)


def write_upsampling(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    scales = writer.array([1, 1, *layer.size], "scales")
    how = RESIZE[layer.interpolation]
    return writer.maps(writer.node("Resize", writer.first(visit).name, "", scales, **how), visit.output_shape)


def write_series_padding(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    left, right = layer.padding
    pads = writer.array([0, 0, left, 0, 0, right], "pads", np.int64)
    return writer.maps(writer.node("Pad", writer.first(visit).name, pads), visit.output_shape)


def write_series_cropping(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    left = layer.cropping[0]
    ends = {"starts": [left], "ends": [left + visit.output_shape[0]], "axes": [2]}
    held = [writer.array(numbers, name, np.int64) for name, numbers in ends.items()]
    return writer.maps(writer.node("Slice", writer.first(visit).name, *held), visit.output_shape)


def write_repeated(writer: Writer, visit: Visit) -> Value:
    """A row as a series of one sample, which is repeated."""
    layer: Any = visit.layer
    name = writer.shaped(writer.last(visit).name, [visit.input_shape[0], 1])
    times = writer.array([1, 1, layer.n], "times", np.int64)
    return writer.maps(writer.node("Tile", name, times), visit.output_shape)


def write_series_upsampling(writer: Writer, visit: Visit) -> Value:
    layer: Any = visit.layer
    scales = writer.array([1, 1, layer.size], "scales")
    name = writer.node("Resize", writer.first(visit).name, "", scales, **RESIZE["nearest"])
    return writer.maps(name, visit.output_shape)


def write_cut(writer: Writer, visit: Visit) -> Value:
    """Rows and columns by a matrix each."""
    layer: Any = visit.layer
    rows, columns = layer.rows_columns(visit.input_shape)
    name = writer.node("MatMul", writer.array(rows, "rows"), writer.first(visit).name)
    name = writer.node("MatMul", name, writer.array(columns.T, "columns"))
    return writer.maps(name, visit.output_shape)


RESIZE = {
    "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
}
"""Our interpolations as ONNX's modes."""


# Reading


def read_nothing(reader: Reader, node: Node) -> Held:
    """What does nothing in use. Errors: Inexpressible for a dropout that is told to train, or for its mask."""
    if node.operator == "Dropout":
        training = node.constant(2)
        ratio = node.attributes.get("ratio", node.constant(1, 0.5))
        if node.outputs > 1 or (
            training is not None and bool(np.all(training)) and float(np.reshape(ratio, -1)[0]) > 0
        ):
            raise Inexpressible("as in training, or with its mask as an output")
    if node.operator == "Cast" and node.attributes["to"] not in FLOATS:
        raise Inexpressible("values as whole numbers")
    return node.held()


FLOATS = (1, 10, 11, 16)
"""TensorProto's numbers of float, float16, double and bfloat16, all of which are computed as float32."""


def read_flatten(reader: Reader, node: Node) -> Held:
    held = node.held()
    axis = int(node.attributes.get("axis", 1))
    if axis % held.rank != 1 and math.prod(held.sizes[: axis % held.rank - 1] if axis % held.rank else [2]) != 1:
        raise Inexpressible(f"axis {axis}, which joins the batch with another")
    return reader.reshaped(held, [BATCH, -1])


def read_reshape(reader: Reader, node: Node) -> Held:
    """A first axis of -1 or of a number is the batch's where the others say that it is."""
    held, target = node.held(), list(np.asarray(node.given("shape", 1)).reshape(-1))
    return reader.reshaped(held, target)


def read_transpose(reader: Reader, node: Node) -> Held:
    held = node.held()
    return reader.transposed(held, list(node.attributes.get("perm", range(held.rank)[::-1])))


def read_squeeze(reader: Reader, node: Node) -> Held:
    held, axes = node.held(), node.numbers("axes", 1)
    gone = [held.axis(axis) for axis in axes] if axes else [i for i, size in enumerate(held.sizes, 1) if size == 1]
    if any(held.sizes[axis - 1] != 1 for axis in gone):
        raise Inexpressible("an axis with more than one place")
    return reader.reshaped(held, [BATCH, *(size for i, size in enumerate(held.sizes, 1) if i not in gone)])


def read_unsqueeze(reader: Reader, node: Node) -> Held:
    held, axes = node.held(), node.numbers("axes", 1) or []
    rank = held.rank + len(axes)
    new = sorted(axis % rank for axis in axes)
    if 0 in new or len(set(new)) < len(new):
        raise Inexpressible("an axis before the batch's, or the same twice")
    sizes = iter(held.sizes)
    return reader.reshaped(held, [BATCH, *(1 if axis in new else next(sizes) for axis in range(1, rank))])


def read_pad(reader: Reader, node: Node) -> Held:
    """Zeros, mirrored or repeated pixels around pictures by a layer; any other padding by a matrix for each axis."""
    held = reader.settled(node.held())
    mode = node.attributes.get("mode", "constant")
    given = node.numbers("pads", 1) or []
    value = node.attributes.get("value", node.constant(2, 0.0))
    axes = node.numbers("axes", 3) or list(range(held.rank))
    pads = {axis % held.rank: (given[i], given[i + len(axes)]) for i, axis in enumerate(axes)}
    if any(pads.get(0, (0, 0))):
        raise Inexpressible("along the batch")
    used = {axis: ends for axis, ends in pads.items() if any(ends)}
    fill = float(np.reshape(value, -1)[0]) if mode == "constant" and np.size(value) else 0.0
    held = reader.scaled(held, 1.0, -fill) if fill else held
    plain = held.rank == 4 and set(used) <= {2, 3} and min((min(ends) for ends in used.values()), default=0) >= 0
    if used and plain and mode in BORDERS and (mode != "reflect" or _narrow(held, used)):
        borders = used.get(2, (0, 0)), used.get(3, (0, 0))
        made = lambda: L.ZeroPadding2D(borders) if mode == "constant" else L.Padding2D(borders, mode)  # noqa: E731
        held = reader.of_maps(reader.layer(made, reader.maps(held)))
    else:
        for axis, (before, behind) in used.items():
            held = reader.mixed(held, axis, _padding_matrix(held.sizes[axis - 1], before, behind, mode))
    return reader.scaled(held, 1.0, fill) if fill else held


def _narrow(held: Held, used: dict[int, tuple[int, int]]) -> bool:
    return all(max(ends) < held.sizes[axis - 1] for axis, ends in used.items())


def _padding_matrix(size: int, before: int, behind: int, mode: str) -> Array:
    """Shapes: -> (size, before + size + behind)."""
    expect_side(before + size + behind)
    places = np.arange(-before, size + behind)
    inside = (places >= 0) & (places < size)
    if mode == "wrap":
        places = places % size
    elif mode == "reflect":
        period = max(2 * size - 2, 1)
        places = np.abs((places + size - 1) % period - (size - 1)) if size > 1 else places * 0
    places = np.clip(places, 0, size - 1)
    matrix = np.zeros((size, len(places)), np.float32)
    matrix[places, np.arange(len(places))] = inside if mode == "constant" else 1
    return matrix


def expect_side(size: int) -> None:
    """Errors: Inexpressible for a side by which matrices would be too large."""
    if not 1 <= size <= MAX_MATRIX_SIDE:
        raise Inexpressible(f"an axis of {size} places, where 1 to {MAX_MATRIX_SIDE} can be")


MAX_MATRIX_SIDE = 4096


def read_slice(reader: Reader, node: Node) -> Held:
    held = node.held()
    for axis, start, end, step in slices(node, held.rank):
        if axis == 0:
            if (start, step) == (0, 1) and end > 2**30:
                continue
            raise Inexpressible("along the batch")
        kept = range(held.sizes[axis - 1])[start:end:step]
        held = taken(reader, held, axis, list(kept))
    return held


def taken(reader: Reader, held: Held, axis: int, places: list[int]) -> Held:
    """Places of an axis: rows and columns of pictures are cropped, others taken by a matrix of zeros and ones."""
    size = held.sizes[axis - 1]
    if not places:
        raise Inexpressible("nothing is left of an axis")
    if places == list(range(size)):
        return held
    held = reader.settled(held)
    if held.rank == 4 and axis in (2, 3) and places == list(range(places[0], places[-1] + 1)):
        ends = places[0], size - 1 - places[-1]
        cropping = (ends, (0, 0)) if axis == 2 else ((0, 0), ends)
        return reader.of_maps(reader.layer(lambda: L.Cropping2D(cropping), reader.maps(held)))
    expect_side(size)
    expect_side(len(places))
    matrix = np.zeros((size, len(places)), np.float32)
    matrix[places, np.arange(len(places))] = 1
    return reader.mixed(held, axis, matrix)


def read_repeated(reader: Reader, node: Node) -> Held:
    """A tensor several times behind itself along an axis; an axis of one place as often as is asked for."""
    held, given = node.held(), [int(size) if size is not BATCH else 1 for size in np.reshape(node.constant(1), -1)]
    given = [1] * (held.rank - len(given)) + given
    if len(given) > held.rank or given[0] not in (1, *((-1,) if node.operator == "Expand" else ())):
        raise Inexpressible("along the batch, or more axes")
    for axis, (size, wanted) in enumerate(zip(held.sizes, given[1:], strict=True), 1):
        times = wanted if node.operator == "Tile" or size == 1 else 1
        if times > 1:
            expect_side(size * times)
            held = reader.mixed(held, axis, np.tile(np.eye(size, dtype=np.float32), (1, times)))
    return held


def read_split(reader: Reader, node: Node) -> list[Held]:
    held = node.held()
    axis = held.axis(int(node.attributes.get("axis", 0)))
    size, parts = held.sizes[axis - 1], node.numbers("split", 1)
    if parts is None:
        each = -(-size // node.outputs)
        parts = [min(each, size - i * each) for i in range(node.outputs)]
    ends = np.cumsum(parts).tolist()
    return [taken(reader, held, axis, list(range(end - part, end))) for part, end in zip(parts, ends, strict=True)]


def read_gather(reader: Reader, node: Node) -> Held:
    held, index = node.held(), np.asarray(node.constant(1)).astype(np.int64)
    axis = held.axis(int(node.attributes.get("axis", 0)))
    size = held.sizes[axis - 1]
    if index.ndim > 1 or (abs(index + 0.5) > size).any():
        raise Inexpressible("indices of several axes, or beyond the end")
    found = taken(reader, held, axis, [int(i) % size for i in index.reshape(-1)])
    if index.ndim == 1:
        return found
    return reader.reshaped(found, [BATCH, *(each for i, each in enumerate(found.sizes, 1) if i != axis)])


def read_depth_to_space(reader: Reader, node: Node) -> Held:
    held, block = node.held(), int(node.attributes["blocksize"])
    channels, rows, columns = held.sizes
    if node.operator == "SpaceToDepth":
        split = reader.reshaped(held, [BATCH, channels, rows // block, block, columns // block, block])
        turned = reader.transposed(split, [0, 3, 5, 1, 2, 4])
        return reader.reshaped(turned, [BATCH, channels * block**2, rows // block, columns // block])
    deep = channels // block**2
    first = node.attributes.get("mode", "DCR") == "DCR"
    shape = [block, block, deep] if first else [deep, block, block]
    split = reader.reshaped(held, [BATCH, *shape, rows, columns])
    turned = reader.transposed(split, [0, 3, 4, 1, 5, 2] if first else [0, 1, 4, 2, 5, 3])
    return reader.reshaped(turned, [BATCH, deep, rows * block, columns * block])
