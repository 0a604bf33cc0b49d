"""What a network is made of, layer by layer: plain data first, a table for 80 columns second."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

from pellucid import losses, optimizers
from pellucid._display import Shown
from pellucid._text import printable, text_columns, wrapped
from pellucid.errors import ConfigError
from pellucid.layers import Layer
from pellucid.layers.graph import INPUT, Graph, Visit
from pellucid.layers.parameters import FlatParameters
from pellucid.losses import Loss
from pellucid.ops.geometry import Shape
from pellucid.ops.macs import activation_bytes
from pellucid.ops.receptive_field import ReceptiveField
from pellucid.optimizers import Optimizer
from pellucid.plan import Memory, inference_memory, training_memory

WIDTH = 80


@dataclass(frozen=True)
class LayerSummary:
    """One row. Units: macs in multiply-accumulates for one picture; activation_bytes for one picture's float32 output.

    receptive_field: (rows, columns) of input pixels that one output sees, the whole picture at most; None after the
    maps are flattened.
    """

    name: str
    type: str
    output_shape: Shape
    kernel: str
    parameters: int
    trainable_parameters: int
    trainable: bool
    macs: int
    receptive_field: tuple[int, int] | None
    activation_bytes: int

    def cells(self) -> tuple[str, ...]:
        """Name, output, kernel, parameters, MACs and receptive field as texts, empty where there is nothing to say."""
        return (
            printable(self.name) + (" (frozen)" if self.parameters and not self.trainable else ""),
            by(self.output_shape),
            printable(self.kernel),
            f"{self.parameters:,}" if self.parameters else "",
            short(self.macs) if self.macs else "",
            "" if self.receptive_field is None else by(self.receptive_field),
        )


class InnerSummary(LayerSummary):
    """A row of what the row above it is made of, which totals leave out."""


@dataclass(frozen=True)
class Summary(Shown):
    """A network's rows and totals; `str()` is the table."""

    name: str
    input_shape: Shape
    rows: tuple[LayerSummary, ...]
    input_name: str = "input"

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self._counted)

    @property
    def trainable_parameters(self) -> int:
        return sum(row.trainable_parameters for row in self._counted)

    @property
    def macs(self) -> int:
        return sum(row.macs for row in self._counted)

    @property
    def activation_bytes(self) -> int:
        return sum(row.activation_bytes for row in self._counted)

    @property
    def _counted(self) -> list[LayerSummary]:
        return [row for row in self.rows if not isinstance(row, InnerSummary)]

    def to_json(self) -> dict[str, Any]:
        """Plain data: name, input_shape, layers, totals."""
        return {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "layers": [asdict(row) for row in self.rows],
            "totals": {
                "parameters": self.parameters,
                "trainable_parameters": self.trainable_parameters,
                "macs": self.macs,
                "activation_bytes": self.activation_bytes,
            },
        }

    def __str__(self) -> str:
        head = ("layer", "output", "kernel", "params", "MACs", "sees", "memory")
        lines = [
            (
                printable(self.input_name),
                by(self.input_shape),
                "",
                "",
                "",
                "",
                size(activation_bytes(self.input_shape)),
            ),
            *((*row.cells(), size(row.activation_bytes)) for row in self.rows),
        ]
        total = ("total", "", "", f"{self.parameters:,}", short(self.macs), "", size(self.activation_bytes))
        widths = [max(text_columns(line[i]) for line in (head, *lines, total)) for i in range(len(head))]
        room = WIDTH - sum(widths) - 2 * (len(head) - 1)
        for column, least in ((2, 14), (0, 8), (2, 6)):  # what is too wide gives way: kernels, names, kernels again
            if room < 0:
                narrower = min(widths[column], max(least, widths[column] + room))
                room += widths[column] - narrower
                widths[column] = narrower
        left = (0, 2)

        def render(line: Sequence[str]) -> str:
            names = wrapped(line[0], widths[0])
            kernels = [row for part in folded(line[2], widths[2]) for row in wrapped(part, widths[2])]
            (name, kernel), *more = zip_longest(names, kernels, fillvalue="")
            rows = [(name, line[1], kernel, *line[3:]), *((name, "", kernel, *[""] * 4) for name, kernel in more)]
            return "\n".join("  ".join(map(cell, row, range(len(row)), widths)).rstrip() for row in rows)

        def cell(text: str, column: int, width: int) -> str:
            gap = " " * (width - text_columns(text))
            return text + gap if column in left else gap + text

        rule = "-" * (sum(widths) + 2 * (len(head) - 1))
        table = [render(head), rule, *map(render, lines), rule, render(total)]
        frozen = self.parameters - self.trainable_parameters
        if frozen:
            table.append(f"{self.trainable_parameters:,} parameters are trained, {frozen:,} are not")
        table.append("MACs and memory (float32 activations) are for one picture;")
        table.append("an output sees so many rows and columns of it, at most")
        return "\n".join(table)


@dataclass(frozen=True)
class MemorySummary:
    """What training and prediction make a process grow by; training is None where nothing is trainable."""

    batch_size: int
    optimizer: str
    training: Memory | None
    inference: Memory

    def to_json(self) -> dict[str, Any]:
        """Plain data: bytes of each kind and their total."""
        kinds = {"training": self.training, "inference": self.inference}
        bytes_of = {name: asdict(one) | {"total": one.total} for name, one in kinds.items() if one is not None}
        return {"batch_size": self.batch_size, "optimizer": self.optimizer, **bytes_of}

    def __str__(self) -> str:
        head = f"batches of {self.batch_size:,} take {size(self.inference.total)} to predict"
        if self.training is None:
            return head
        parts = asdict(self.training)
        parts["buffers"] += parts.pop("workspace")
        shares = ", ".join(f"{size(number)} {name}" for name, number in parts.items() if number)
        return f"{head}, {size(self.training.total)} to train with {self.optimizer}:\n  {shares}"


def memory_of(
    graph: Graph,
    parameters: FlatParameters,
    *,
    batch_size: int,
    optimizer: Optimizer | None = None,
    loss: Loss | None = None,
) -> MemorySummary:
    """What built layers will take in batches of this size, with Adam and cross-entropy where none are chosen.

    Errors: ConfigError for a batch that this machine cannot address.
    """
    chosen = optimizers.get("adam") if optimizer is None else optimizer
    judge = losses.get("categorical_crossentropy") if loss is None else loss
    training = None
    try:
        inference = inference_memory(graph, parameters, capacity=batch_size)
        if parameters.gradients.size:
            training = training_memory(graph, parameters, loss=judge, optimizer=chosen, capacity=batch_size)
    except MemoryError:
        raise ConfigError(
            f"batches of {batch_size:,} are more than this machine can hold; take a smaller size"
        ) from None
    return MemorySummary(batch_size, type(chosen).__name__, training, inference)


def summarize(name: str, graph: Graph) -> Summary:
    """Rows for built layers, in order."""
    rows, input_shape = [], graph.input_shape
    first = {id(layer.store): layer for layer in reversed(graph.layers)}
    fields: dict[int, ReceptiveField | None] = {INPUT: ReceptiveField() if len(input_shape) == 3 else None}
    for visit in graph.walk():
        layer, output = visit.layer, visit.output_shape
        window, read = layer.window(), [fields[i] for i in visit.inputs]
        field = max((each for each in read if each is not None), key=lambda each: each.size, default=None)
        if field is not None:
            field = field.enlarged(*layer.enlarges) if window is None else field.step(*window)
            field = field if len(output) == 3 and layer.role != "rearrangement" else None
        fields[visit.number] = field
        shared = first[id(layer.store)] if first[id(layer.store)] is not layer else None
        rows.append(
            LayerSummary(
                layer.name,
                type(layer).__name__,
                output,
                ", ".join(filter(None, _notes(graph, visit, shared))),
                0 if shared else layer.count_params(),
                sum(array.size for array in layer.params.values()) if layer.trainable and not shared else 0,
                layer.trainable,
                visit.macs,
                None if field is None else (min(field.size[0], input_shape[0]), min(field.size[1], input_shape[1])),
                activation_bytes(output),
            )
        )
    return Summary(name, input_shape, tuple(rows))


def _notes(graph: Graph, visit: Visit, shared: Layer | None) -> tuple[str, ...]:
    return visit.layer.detail(), _shares(shared), _reads(graph, visit), _output(graph, visit.number)


def _shares(layer: Layer | None) -> str:
    """Whose weights a layer has that has another one's."""
    return f"weights of {layer.name}" if layer is not None and (layer.params or layer.state) else ""


def _reads(graph: Graph, visit: Visit) -> str:
    """What a layer reads that reads anything but the one before; else nothing."""
    if visit.inputs == (visit.number - 1,):
        return ""
    return "from " + ", ".join("input" if i == INPUT else graph.nodes[i].layer.name for i in visit.inputs)


def _output(graph: Graph, number: int) -> str:
    """Which output a layer gives, where there are several."""
    return f"output {graph.outputs.index(number) + 1}" if number in graph.outputs and len(graph.outputs) > 1 else ""


def by(shape: Shape) -> str:
    """(28, 28, 1) as 28x28x1."""
    return "x".join(map(str, shape))


def short(number: int) -> str:
    """A count in at most five characters.

    >>> short(999), short(12_345), short(3_456_789), short(15_470_264_320)
    ('999', '12.3K', '3.46M', '15.5G')
    """
    for unit, size_ in (("G", 10**9), ("M", 10**6), ("K", 10**3)):
        if number >= size_:
            return f"{number / size_:.3g}{unit}"
    return str(number)


def size(num_bytes: int) -> str:
    """Bytes for people.

    >>> size(512), size(69_120), size(1_034_240), size(12_845_056)
    ('512 B', '67.5 KB', '1010 KB', '12.2 MB')
    """
    for unit, size_ in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)):
        if num_bytes >= size_:
            number = num_bytes / size_
            return f"{number:.3g} {unit}" if number < 999.5 else f"{number:.0f} {unit}"
    return f"{num_bytes} B"


def folded(text: str, width: int) -> list[str]:
    """Text in lines of at most `width`, broken behind commas; what is longer without one stays longer.

    >>> folded("11x11, stride 4, padding 0, relu", 22)
    ['11x11, stride 4,', 'padding 0, relu']
    """
    first, *parts = re.split(r"(?<=,) ", text)
    lines = [first]
    for part in parts:
        joined = f"{lines[-1]} {part}"
        if len(joined) > width:
            lines.append(part)
        else:
            lines[-1] = joined
    return lines
