"""A network as a textbook draws it: what to put into one box, and what to write under it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.ops.geometry import Shape
from pellucid.visualise.drawing.labels import Labels

INPUT, CONVOLUTION, MODULE, POOLING, DENSE, OTHER = "input", "convolution", "module", "pooling", "dense", "other"
STACKED = (CONVOLUTION, MODULE)
"""Kinds of which equal ones in a row stand over one label."""
MAX_ROWS = 4
"""Groups of a convolution that are drawn apart; more are only written."""

KINDS = {
    "convolution": CONVOLUTION,
    "transposed convolution": CONVOLUTION,
    "pooling": POOLING,
    "dense": DENSE,
    "distance": DENSE,
}
"""Of boxes, by their layers' roles; all others are OTHER."""

NOTED = ("activation", "batch norm", "layer norm", "group norm", "response norm", "dropout", "noise", "merge")
"""Roles of layers that are written under the box before, as long as they keep every number's place."""


@dataclass(frozen=True)
class Block:
    """One box: a layer that makes maps or units, and the small ones behind it (activation, norm, dropout, flatten).

    shape: what the box gives, before a Flatten. parameters: of all its layers. rows: in how many it is drawn, since
    the groups before or behind it each see a part of its channels. flattened: how long the row is that a Flatten behind
    it makes, else 0. apart: it does not read the box before it, but the one that its notes name.
    entries, merges: the numbers of boxes that it reads besides the one before it, and of those that are merged with
    what it gives, as its notes say. branches: something else than the next box reads it. layers: the names of all
    that are in it, in order.
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
    entries: tuple[int, ...] = ()
    merges: tuple[int, ...] = ()
    branches: bool = False
    layers: tuple[str, ...] = ()

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


Column = tuple[Block, ...]
"""Boxes that stand together over one label: equal convolutions and the pooling behind them, or a single one."""


def blocks_of(model: Model) -> tuple[Block, ...]:
    """The boxes of a network, the input first. Errors: as `build`, for a model whose input's shape is not known."""
    blocks = [Block("input", INPUT, model.graph.input_shape, "input")]
    boxes = {-1: 0}  # which box each node's value is that of
    for visit in model.graph.walk():
        layer, output = visit.layer, visit.output_shape
        read = sorted({boxes[i] for i in visit.inputs})
        last = blocks[read[-1]]
        joins = visit.keeps_place and layer.role in NOTED
        sign = layer.caption[0] if joins and layer.merges else "and"
        others = tuple(f"{sign} {blocks[i].name}" for i in read[:-1])
        boxes[visit.number] = read[-1]
        if layer.role == "flatten":
            blocks[read[-1]] = replace(last, flattened=output[0], layers=(*last.layers, layer.name))
        elif joins:
            own = () if layer.merges else layer.caption
            notes = (*last.notes, *own, *others)
            parameters, merges = last.parameters + layer.count_params(), (*last.merges, *read[:-1])
            layers = (*last.layers, layer.name)
            blocks[read[-1]] = replace(last, notes=notes, parameters=parameters, merges=merges, layers=layers)
        else:
            made = _block(layer, output)
            apart = read[-1] != len(blocks) - 1
            others = (*others, f"from {last.name}") if apart else others
            entries = tuple(i for i in read if i != len(blocks) - 1)
            blocks.append(replace(made, notes=(*made.notes, *others), apart=apart, entries=entries))
            boxes[visit.number] = len(blocks) - 1
    read_far = {source for block in blocks for source in (*block.entries, *block.merges)}
    return tuple(_in_rows([replace(block, branches=place in read_far) for place, block in enumerate(blocks)]))


def columns_of(blocks: Sequence[Block]) -> tuple[Column, ...]:
    """Equal convolutions in a row and the pooling behind them as one column, so modules alike; everything else alone.

    Boxes are alone too where another way begins or ends between them.
    """
    columns: list[list[Block]] = []
    for block in blocks:
        last = columns[-1] if columns else []
        joins = bool(last) and last[-1].kind in STACKED
        if joins and block.kind in STACKED:
            joins = _kinship(block) == _kinship(last[-1])
        elif block.kind != POOLING or not block.is_map:
            joins = False
        if joins and not (last[-1].branches or last[-1].merges or block.entries or block.merges):
            last.append(block)
        else:
            columns.append([block])
    return tuple(map(tuple, columns))


def _kinship(block: Block) -> object:
    """What is equal for boxes that are drawn as one column; modules may differ in their channels."""
    size = block.shape[:-1] if block.kind == MODULE else block.shape
    return replace(block, name="", parameters=0, shape=size, layers=())


def names_of(blocks: Sequence[Block]) -> str:
    """Names in short: conv3_1-3 for conv3_1, conv3_2, conv3_3; inception4a-e likewise."""
    first, last = blocks[0].name, blocks[-1].name
    parts = [re.fullmatch(r"(.*?)(\d+|(?<=\d)[a-z])", block.name) for block in blocks]
    ends = [part[2] for part in parts if part]
    numbers = [int(end) if end.isdigit() else ord(end) for end in ends]
    prefixes = {part[1] for part in parts if part}
    if len(blocks) == 1:
        return first
    if len(prefixes) == 1 and numbers == list(range(numbers[0], numbers[0] + len(blocks))):
        return f"{first}-{ends[-1]}"
    return f"{first} … {last}" if len(blocks) > 2 else f"{first}, {last}"


def times(shape: Sequence[int]) -> str:
    """(28, 28, 1) as 28x28x1; a row of units as 4,096."""
    return f"{shape[0]:,}" if len(shape) == 1 else "x".join(map(str, shape))


def _block(layer: Layer, output: Shape) -> Block:
    what, *notes = layer.caption
    if layer.nonlinearity is not None:
        notes.append(layer.nonlinearity.word)
    kind, groups = KINDS.get(layer.role, OTHER), getattr(layer, "groups", 1)
    return Block(layer.name, kind, output, what, tuple(notes), layer.count_params(), groups, layers=(layer.name,))


def note_words(note: str, say: Labels) -> str:
    """A note in the language of the labels; the names of layers in it stay as they are."""
    how, _, name = note.partition(" ")
    if re.fullmatch(r"[^\w ]", how):  # the sign of a sum or product
        return note
    return say("and {name}", name=name) if name and how == "and" else say.layer(note)


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
