"""What is drawn over the steps: as many points as a curve has room for, however long a training is."""

from __future__ import annotations

from typing import Any

MAX_POINTS = 2048
"""Of a fuller curve every second point goes."""

TAIL = 32
"""The newest points, which every message of the state brings along."""


class Curve:
    """Points in order of their step. `generation` changes where old points went, so that a copy is to be made anew."""

    def __init__(self) -> None:
        self.generation = 0
        self._points: list[dict[str, Any]] = []
        self._every = self._skipped = 1

    def add(self, point: dict[str, Any]) -> None:
        """Add a point, or leave it out where the curve has become coarser than that."""
        self._skipped += 1
        if self._skipped < self._every and "epoch" not in point:
            return
        self._skipped = 0
        self._points.append(point)
        if len(self._points) >= MAX_POINTS:
            self._points = [each for i, each in enumerate(self._points) if i % 2 == 0 or "epoch" in each]
            self._every *= 2
            self.generation += 1

    def clear(self) -> None:
        """Begin anew."""
        self._points, self._every, self._skipped = [], 1, 1
        self.generation += 1

    def tail(self) -> dict[str, Any]:
        """The newest points: {generation, first, points}, first counting from 0."""
        first = max(0, len(self._points) - TAIL)
        return {"generation": self.generation, "first": first, "points": self._points[first:]}

    def whole(self) -> dict[str, Any]:
        """All points, as `tail` has them."""
        return {"generation": self.generation, "first": 0, "points": list(self._points)}
