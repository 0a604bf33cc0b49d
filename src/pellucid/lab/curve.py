"""What is drawn over the steps, as many points as there is room for, however long a training is; how quick it is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pellucid.ops import Array

MAX_POINTS = 2048
"""Of a fuller curve every second point goes."""

TAIL = 32
"""The newest points, which every message of the state brings along."""

COLUMNS = {
    "step": "step",
    "epoch": "epoch",
    "loss": "loss",
    "accuracy": "accuracy",
    "val_loss": "val_loss",
    "val_accuracy": "val_accuracy",
    "rate": "learning_rate",
    "images_per_s": "images_per_s",
}
"""What a point may tell, and what a table calls it."""

COUNTS = ("step", "epoch")

SPEED_S, LEAST_S = 2.0, 0.2
"""Seconds over which images a second are counted: at most, and at least."""


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

    def state(self) -> Mapping[str, Array]:
        """What a checkpoint keeps. Shapes: points (N, COLUMNS), NaN for what a point does not tell."""
        rows = [[point.get(name, np.nan) for name in COLUMNS] for point in self._points]
        return {
            "points": np.array(rows, np.float64).reshape(-1, len(COLUMNS)),
            "every": np.array([self._every, self._skipped], np.float64),
        }

    def resume(self, state: Mapping[str, Array]) -> None:
        """Be as `state` said. Errors: ValueError for what it cannot have said."""
        points, every = state["points"], state["every"]
        if points.ndim != 2 or points.shape[1] != len(COLUMNS) or len(points) > MAX_POINTS or every.shape != (2,):
            raise ValueError(f"a curve of shape {points.shape}")
        self._every, self._skipped = (int(each) for each in every)
        self._points = [
            {name: int(v) if name in COUNTS else v for name, v in zip(COLUMNS, row, strict=True) if v == v}
            for row in points.tolist()
        ]
        self.generation += 1


class Pace:
    """Images a second over the last SPEED_S seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._seen = clock, deque[tuple[float, int]]()

    def add(self, pictures: int) -> None:
        """So many were trained on just now."""
        now = self._clock()
        self._seen.append((now, pictures))
        while now - self._seen[0][0] > SPEED_S and len(self._seen) > 2:
            self._seen.popleft()

    def clear(self) -> None:
        """Begin anew, after a pause."""
        self._seen.clear()

    def per_s(self) -> float:
        """Units: images a second; 0 as long as too little was seen."""
        took_s = self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0
        return sum(count for _, count in list(self._seen)[1:]) / took_s if took_s >= LEAST_S else 0.0
