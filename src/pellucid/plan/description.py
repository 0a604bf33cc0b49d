"""A plan as plain data: which kernel runs on which bytes of one memory, for an interpreter that knows no Python."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.ops.memory import CACHE_LINE
from pellucid.ops.native.signature import signatures
from pellucid.plan.work import AsBuilt, WorkSequence

Span = tuple[int, int]
"""Where some bytes begin in this process, and where they end."""


@dataclass(frozen=True)
class Description:
    """Programs on one memory of so many bytes, which begins with zeros and `contents`.

    head: plain data. "kernels" says of each that is used its number among all, what its fields are (a letter each:
    "a"rray, "s"ize, "r"eal) and which of them is N. "programs": of each its steps, those that come before its first
    run and whenever the weights have changed ("prepare"), and whether what kernels make of weights is kept until then
    ("fixed"). A step is its kernel's name and fields, arrays by their place in the memory or null, and true where it
    runs for as many pictures as it was built for. "places": where arrays are that somebody writes or reads, with
    element type and shape. "spans": where in the memory the contents go, one after another, and how long each is.
    """

    head: dict[str, Any]
    contents: bytes


def in_python(sequence: WorkSequence) -> bool:
    """Whether some of the work is no kernel's, so that it cannot be described."""
    return not all(isinstance(item, native.Step | AsBuilt) for item in sequence.work)


def describe(
    programs: Mapping[str, WorkSequence],
    *,
    given: Mapping[str, Array],
    read: Mapping[str, Array],
    kept: Iterable[Array],
) -> Description:
    """The programs, all of kernels, on the memory that they have in common.

    given, read: what is written before a run, and read after it. kept: what steps change and go on from. Of all other
    arrays those are contents that a step reads and none before it writes, such as weights.
    """
    numbers = {name: number for number, name in enumerate(signatures())}
    runs = {name: list(_runs(sequence)) for name, sequence in programs.items()}
    steps = [step for found in runs.values() for step, *_ in found]
    memory = _Memory([*(array for step in steps for array, _ in _arrays(step)), *given.values(), *read.values()])
    known = _joined(map(_span, kept))
    pieces: list[tuple[Span, Array]] = []
    for found in runs.values():
        written = _joined(map(_span, given.values()))
        for step, *_ in found:
            for array, writable in _arrays(step):
                for span in _without(_span(array), written):
                    pieces += [(part, array) for part in (_common(span, known) if writable else [span])]
            written = _joined([*written, *(_span(array) for array, writable in _arrays(step) if writable)])
    spans, contents = memory.laid_out(pieces)
    head = {
        "bytes": memory.num_bytes,
        "kernels": {step.kernel: {"number": numbers[step.kernel], **_layout(step)} for step in steps},
        "programs": {
            name: {
                "prepare": [memory.step(step, as_built) for step, first, as_built in found if first],
                "steps": [memory.step(step, as_built) for step, first, as_built in found if not first],
                "fixed": programs[name].fixed_weights,
            }
            for name, found in runs.items()
        },
        "places": {
            name: [memory.place(array), array.dtype.name, list(array.shape)]
            for name, array in {**given, **read}.items()
        },
        "spans": spans,
    }
    return Description(head, contents)


def _runs(sequence: WorkSequence) -> Iterator[tuple[native.Step, bool, bool]]:
    """Each step in order, whether it comes before the first run, and whether it runs as it was built."""
    yield from ((step, True, True) for step in sequence.preparing)
    for item in sequence.work:
        if isinstance(item, AsBuilt):
            yield from ((step, False, True) for step in item.steps)
        elif isinstance(item, native.Step):
            yield item, False, False
        else:
            raise AssertionError("unreachable: who describes has asked `in_python`")


def _arrays(step: native.Step) -> list[tuple[Array, bool]]:
    """Those that a step was given, first those that it only reads, and whether it writes them."""
    known = signatures()[step.kernel].arrays
    found = [(one, known[name].writable) for name, one in step.fields.items() if isinstance(one, np.ndarray)]
    return sorted(found, key=lambda one: one[1])


def _layout(step: native.Step) -> dict[str, Any]:
    """What its fields are, and which of them is N."""
    known, names = signatures()[step.kernel], list(step.fields)
    letters = ("a" if name in known.arrays else "s" if name in known.sizes else "r" for name in names)
    return {"fields": "".join(letters), "batch": names.index("N") if "N" in names else None}


class _Memory:
    """Where arrays lie that overlap in this process, each group of them moved together to a place of one memory."""

    def __init__(self, arrays: Iterable[Array]) -> None:
        self._groups: list[tuple[int, int]] = []
        self.num_bytes = 0
        for start, stop in _joined(map(_span, arrays)):
            first = self.num_bytes + (start - self.num_bytes) % CACHE_LINE  # aligned as it is here
            self._groups.append((start, first - start))
            self.num_bytes = first + stop - start

    def place(self, array: Array) -> int:
        """Where an array of these begins."""
        return self._moved(_span(array)[0])

    def _moved(self, address: int) -> int:
        _, shift = self._groups[bisect_right(self._groups, (address, math.inf)) - 1]
        return address + shift

    def step(self, step: native.Step, as_built: bool) -> list[Any]:
        """A step as data; a number that JSON has not, as JavaScript writes it."""
        return [step.kernel, [self._field(value) for value in step.fields.values()], as_built]

    def _field(self, value: object) -> object:
        if isinstance(value, np.ndarray):
            return self.place(value)
        if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return value

    def laid_out(self, pieces: Sequence[tuple[Span, Array]]) -> tuple[list[Span], bytes]:
        """Where in the memory the bytes of pieces of arrays lie, each once, and how many; and these. No zeros."""
        spans: list[Span] = []
        contents: list[bytes] = []
        known = 0
        for (start, stop), array in sorted(pieces, key=lambda piece: piece[0]):
            first, begin = max(start, known), _span(array)[0]
            part = array.reshape(-1).view(np.uint8)[first - begin : max(stop - begin, 0)]
            if first < stop and part.any():
                spans.append((self._moved(first), stop - first))
                contents.append(part.tobytes())
            known = max(known, stop)
        return spans, b"".join(contents)


def _span(array: Array) -> Span:
    start = array.__array_interface__["data"][0]
    return start, start + array.nbytes


def _joined(spans: Iterable[Span]) -> list[Span]:
    """In order; those that overlap or touch are one."""
    found: list[Span] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(stop, found[-1][1])
        else:
            found.append((start, stop))
    return found


def _without(span: Span, others: Sequence[Span]) -> list[Span]:
    """What of a span lies in none of these, which are in order."""
    left, (start, stop) = [], span
    for first, last in others:
        if first < stop and last > start:
            if start < first:
                left.append((start, first))
            start = last
    return [*left, (start, stop)] if start < stop else left


def _common(span: Span, others: Sequence[Span]) -> list[Span]:
    """What of a span lies in one of these."""
    parts = ((max(span[0], first), min(span[1], last)) for first, last in others)
    return [(first, last) for first, last in parts if first < last]
