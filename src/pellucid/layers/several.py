"""Layers that read a list of values, of which some may be missing, and layers that give several.

What gives several values gives them as one row, of which a `Slice` takes each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.errors import ConfigError
from pellucid.layers.layer import Layer
from pellucid.layers.shape import Slice, SliceRest
from pellucid.layers.symbolic import call, is_symbolic
from pellucid.ops import Array, Shape


def called_with_mask(layer: Any, given: list[Any], seed: int | None, training: Any, mask: Any) -> Any:
    """Call a layer that reads a list, a mask (N,T) behind it, and take apart what it gives."""
    if is_symbolic(given):
        if mask is not None:
            raise ConfigError(f"{layer.place()}: in a network masks come of Embedding(mask_zero=True) and Masking")
        value: Any = call(layer, given, training)
        parts = layer.parts_of([each.sizes for each in given])
        if parts is None:
            return value
        ends = np.cumsum([0, *(math.prod(part) for part in parts[1:])]).tolist()
        first: Layer = SliceRest(ends[-1], parts[0][-1]) if len(parts[0]) == 2 else Slice(ends[-1], parts[0])
        rest = zip(ends, parts[1:], strict=False)
        return [call(first, value), *(call(Slice(start, part), value) for start, part in rest)]
    if mask is not None:
        given.append(np.asarray(mask, np.float32)[..., None])
    row = Layer.__call__(layer, given, seed, training)
    parts = layer.parts_of([np.shape(each)[1:] for each in given])
    return row if parts is None else unpack(row, [(len(row), *part) for part in parts])


def joined(shapes: Sequence[Shape]) -> Shape:
    """The shape of several values as one: a row, unless it is one."""
    return shapes[0] if len(shapes) == 1 else (sum(map(math.prod, shapes)),)


def pack(parts: Sequence[Array]) -> Array:
    """Several values as one row each, the first behind the others: it may have any number of steps."""
    if len(parts) == 1:
        return np.ascontiguousarray(parts[0])
    return np.concatenate([part.reshape(len(part), -1) for part in (*parts[1:], parts[0])], axis=1)


def unpack(row: Any, shapes: Sequence[Shape]) -> list[Any]:
    """The values again. Shapes: with the batch."""
    if len(shapes) == 1:
        return [row]
    ends = np.cumsum([0, *(math.prod(shape[1:]) for shape in shapes[1:])]).tolist()
    rest = [row[:, a:b].reshape(shape) for a, b, shape in zip(ends[:-1], ends[1:], shapes[1:], strict=True)]
    return [row[:, ends[-1] :].reshape(shapes[0]), *rest]
