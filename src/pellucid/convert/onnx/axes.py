"""Where the axes of our pictures lie in ONNX's tensors."""

from __future__ import annotations

import math

import numpy as np

from pellucid.ops.geometry import Array, Shape

Axes = tuple[int, ...]
"""For each axis of ours, without the batch, the axis that it is in a tensor, whose axis 0 is the batch."""


def channels_last(rank: int) -> Axes:
    """As ours lie, with so many axes besides the batch.

    >>> channels_last(3), channels_first(3)
    ((1, 2, 3), (2, 3, 1))
    """
    return tuple(range(1, rank + 1))


def channels_first(rank: int) -> Axes:
    """(N,C,H,W) for pictures (H,W,C)."""
    return (*range(2, rank + 1), 1)


def order(axes: Axes) -> tuple[int, ...]:
    """The places of our axes in a tensor's order. Shapes: (2, 3, 1) -> (2, 0, 1)."""
    return tuple(int(place) for place in np.argsort(axes))


def flattened(shape: Shape, axes: Axes) -> Array | None:
    """Where each number of a flattened tensor stands among ours flattened; None where in the same place.

    Shapes: shape of ours; -> (inputs,).
    """
    places = np.arange(math.prod(shape)).reshape(shape).transpose(order(axes)).reshape(-1)
    return None if (places == np.arange(places.size)).all() else places
