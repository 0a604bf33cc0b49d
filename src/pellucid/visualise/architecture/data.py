"""A network as a textbook draws it: what to put into one box, and what to write under it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pellucid.layers import (
    RBF,
    Activation,
    Add,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool2D,
    Multiply,
    ReLU,
    ScaledTanh,
    Sigmoid,
    Softmax,
    Subsampling2D,
    TableConv2D,
    Tanh,
    ZeroPadding2D,
)
from pellucid.layers.window import describe_strides
from pellucid.model import Model
from pellucid.ops.geometry import Shape
from pellucid.visualise.drawing.labels import Labels

INPUT, CONVOLUTION, POOLING, DENSE, OTHER = "input", "convolution", "pooling", "dense", "other"
MAX_ROWS = 4
"""Groups of a convolution that are drawn apart; more are only written."""

ACTIVATION_WORDS = {"relu": "ReLU", "leaky_relu": "leaky ReLU"}


@dataclass(frozen=True)
class Block:
    """One box: a layer that makes maps or units, and the small ones behind it (activation, norm, dropout, flatten).

    shape: what the box gives, before a Flatten. parameters: of all its layers. rows: in how many it is drawn, since
    the groups before or behind it each see a part of its channels. flattened: how long the row is that a Flatten behind
    it makes, else 0. apart: it does not read the box before it, but the one that its notes name.
    """

    name: str
    kind: str
    shape: Shape
    what: str
    notes: tuple[str, ...] = ()
    parameters: int = 0
    groups: int = 1
    rows: int = 1
    flattened: int = 0
    apart: bool = False

    @property
    def is_map(self) -> bool:
        """Whether it gives maps, and not a row of units."""
        return len(self.shape) > 1

    @property
    def size(self) -> tuple[int, int, int]:
        """(H, W, C); a series stands upright, a row of units is 1 x 1 x units."""
        if len(self.shape) == 2:
            return self.shape[0], 1, self.shape[1]
        return (1, 1, math.prod(self.shape)) if len(self.shape) != 3 else (self.shape[0], self.shape[1], self.shape[2])


@dataclass(frozen=True)
class Column:
    """Boxes that stand together over one label: equal convolutions and the pooling behind them, or a single one."""

    blocks: tuple[Block, ...]

    @property
    def parameters(self) -> int:
        """Of all its layers."""
        return sum(block.parameters for block in self.blocks)

    @property
    def rows(self) -> int:
        """In how many rows it is drawn."""
        return max(block.rows for block in self.blocks)


def blocks_of(model: Model) -> tuple[Block, ...]:
    """The boxes of a network, the input first. Errors: as `build`, for a model whose input's shape is not known."""
    blocks = [Block("input", INPUT, model.input_shape, "input")]
    boxes = {-1: 0}  # which box each node's value is that of
    for visit in model.graph.walk():
        layer, output = visit.layer, visit.output_shape
        read = sorted({boxes[i] for i in visit.inputs})
        last = blocks[read[-1]]
        others = tuple(f"{_SIGNS.get(type(layer), 'and')} {blocks[i].name}" for i in read[:-1])
        note = _note(layer) if len(visit.inputs) == 1 else "" if type(layer) in _SIGNS else None
        boxes[visit.number] = read[-1]
        if isinstance(layer, Flatten):
            blocks[read[-1]] = replace(last, flattened=output[0])
        elif note is not None:
            notes = (*last.notes, *filter(None, [note]), *others)
            blocks[read[-1]] = replace(last, notes=notes, parameters=last.parameters + layer.count_params())
        else:
            made = _block(layer, output)
            apart = read[-1] != len(blocks) - 1
            others = (*others, f"from {last.name}") if apart else others
            blocks.append(replace(made, notes=(*made.notes, *others), apart=apart))
            boxes[visit.number] = len(blocks) - 1
    return tuple(_in_rows(blocks))


def columns_of(blocks: Sequence[Block]) -> tuple[Column, ...]:
    """Equal convolutions in a row and the pooling behind them as one column, everything else alone."""
    columns: list[list[Block]] = []
    for block in blocks:
        last = columns[-1] if columns else []
        joins = bool(last) and last[-1].kind == CONVOLUTION
        if joins and block.kind == CONVOLUTION:
            joins = replace(block, name="", parameters=0) == replace(last[-1], name="", parameters=0)
        elif block.kind != POOLING or not block.is_map:
            joins = False
        if joins:
            last.append(block)
        else:
            columns.append([block])
    return tuple(Column(tuple(column)) for column in columns)


def names_of(blocks: Sequence[Block]) -> str:
    """Names in short: conv3_1-3 for conv3_1, conv3_2, conv3_3."""
    first, last = blocks[0].name, blocks[-1].name
    parts = [re.fullmatch(r"(.*?)(\d+)", block.name) for block in blocks]
    numbers = [int(part[2]) for part in parts if part]
    prefixes = {part[1] for part in parts if part}
    if len(blocks) == 1:
        return first
    if len(prefixes) == 1 and numbers == list(range(numbers[0], numbers[0] + len(blocks))):
        return f"{first}-{numbers[-1]}"
    return f"{first} … {last}" if len(blocks) > 2 else f"{first}, {last}"


def times(shape: Sequence[int]) -> str:
    """(28, 28, 1) as 28x28x1; a row of units as 4,096."""
    return f"{shape[0]:,}" if len(shape) == 1 else "x".join(map(str, shape))


def _block(layer: Layer, output: Shape) -> Block:
    kind, what, groups = OTHER, type(layer).__name__, 1
    notes: list[str] = []
    if isinstance(layer, Conv2D):
        kind, groups = CONVOLUTION, layer.groups
        what = f"conv {_window(layer.kernel_size, len(output))}{describe_strides(layer.strides)}"
        if layer.dilation_rate != (1, 1):
            notes.append(f"dilation {_window(layer.dilation_rate, len(output))}")
        if groups > 1:
            notes.append(f"{groups} groups")
        if isinstance(layer, TableConv2D):
            notes.append(layer.detail().rpartition(", ")[2] + " links")
    elif isinstance(layer, MaxPool2D | AvgPool2D | Subsampling2D):
        kind = POOLING
        word = next((word for kind_of, word in _POOLING if isinstance(layer, kind_of)), "pooling")
        strides = "" if layer.strides == layer.pool_size else describe_strides(layer.strides) or ", stride 1"
        what = f"{word} {_window(layer.pool_size, len(output))}{strides}"
    elif isinstance(layer, GlobalAvgPool2D):
        kind, what = POOLING, "global mean pool"
    elif isinstance(layer, Dense | RBF):
        kind, what = DENSE, "dense" if isinstance(layer, Dense) else "RBF units"
    elif isinstance(layer, ZeroPadding2D):
        what = "zero padding"
    activation = getattr(layer, "activation", None)
    if isinstance(activation, str):
        notes.append(ACTIVATION_WORDS.get(activation, activation))
    return Block(layer.name, kind, output, what, tuple(notes), layer.count_params(), groups)


def _window(size: tuple[int, int], axes: int) -> str:
    return str(size[1]) if axes == 2 else f"{size[0]}x{size[1]}"


def _note(layer: Layer) -> str | None:
    """What a small layer adds to the box before it: "" for nothing worth a word, None for a box of its own."""
    if isinstance(layer, Dropout):
        return f"dropout {layer.rate:g}"
    if isinstance(layer, Activation):
        return ACTIVATION_WORDS.get(layer.activation or "", layer.activation or "")
    for kinds, words in _NOTES:
        if isinstance(layer, kinds):
            return words
    return None


def note_words(note: str, say: Labels) -> str:
    """A note in the language of the labels; the names of layers in it stay as they are."""
    how, _, name = note.partition(" ")
    if how in _SIGNS.values():
        return note
    if name and how == "from":
        return say("from {name}", name=name)
    return say("and {name}", name=name) if name and how == "and" else say.layer(note)


_SIGNS: dict[type[Layer], str] = {Add: "+", Multiply: "*"}
_POOLING: tuple[tuple[type[Layer], str], ...] = (
    (MaxPool2D, "max pool"),
    (AvgPool2D, "mean pool"),
    (Subsampling2D, "subsampling"),
)
_NOTES: tuple[tuple[type[Layer], str], ...] = (
    (BatchNorm, "batch norm"),
    (LocalResponseNorm, "LRN"),
    (ReLU, "ReLU"),
    (LeakyReLU, "leaky ReLU"),
    (Sigmoid, "sigmoid"),
    (ScaledTanh, "scaled tanh"),
    (Tanh, "tanh"),
    (Softmax, "softmax"),
)


def _in_rows(blocks: Sequence[Block]) -> list[Block]:
    """How many rows each box takes: its groups, or those of the convolution that reads it."""
    rows = []
    read_by = 1
    for block in reversed(blocks):
        own = block.groups if 1 < block.groups <= MAX_ROWS else 1
        rows.append(1 if block.kind == INPUT or not block.is_map else max(own, read_by))
        if block.kind != POOLING:
            read_by = own
    rows.reverse()
    for place in range(1, len(blocks)):
        if blocks[place].kind == POOLING and blocks[place].is_map:
            rows[place] = max(rows[place], rows[place - 1])
    return [
        replace(block, rows=count if block.size[2] % count == 0 else 1)
        for block, count in zip(blocks, rows, strict=True)
    ]
