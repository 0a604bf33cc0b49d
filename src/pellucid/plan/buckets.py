"""Parts of the vector of all gradients: whoever adds them up elsewhere can begin before the way back has ended."""

from __future__ import annotations

from collections.abc import Iterable

from pellucid.layers import Layer
from pellucid.layers.parameters import FlatParameters

PARTS, LEAST = 4, 1 << 16
"""A part is at least one of so many equal ones, and of so many numbers."""


class Buckets:
    """The parts, the last layers' first, as they become whole on the way back.

    bounds: from where to where each lies; what `closed_by` has not closed is the last.
    """

    def __init__(self, parameters: FlatParameters) -> None:
        self._missing = [(s.gradient_offset, s.layer) for s in parameters.segments if s.gradient_offset is not None]
        self._start = self._end = parameters.gradients.size
        self._least = max(self._end // PARTS, LEAST)
        self._whole: set[str] = set()
        self._closed: list[tuple[int, int]] = []

    def closed_by(self, layers: Iterable[Layer]) -> bool:
        """Whether the gradients of these layers, which are whole from now on, fill a part that others follow."""
        self._whole.update(layer.name for layer in layers)
        while self._missing and self._missing[-1][1] in self._whole:
            self._start = self._missing.pop()[0]
        if not self._missing or self._end - self._start < self._least:
            return False
        self._closed.append((self._start, self._end))
        self._end = self._start
        return True

    @property
    def bounds(self) -> list[tuple[int, int]]:
        return [*self._closed, (0, self._end)]
