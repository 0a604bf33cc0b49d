"""Layers built without drawing their weights: these are read from a file, or nobody asks for more than their sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from pellucid.errors import PellucidError
from pellucid.initializers import Initializer
from pellucid.layers import Layer
from pellucid.ops.geometry import Array, Shape

FAULTS = (
    PellucidError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""Whatever the constructors make of arguments that a stranger chose."""


class Blank(Initializer):
    """Zeros, which take no memory until somebody writes there; refuses more than `limit` of them in all.

    refuse: the error for weights of a shape that are too many.
    """

    def __init__(self, limit: int, refuse: Callable[[Shape], PellucidError]) -> None:
        self.left, self._refuse = limit, refuse

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        self.left -= math.prod(shape)
        if self.left < 0:
            raise self._refuse(shape)
        return np.zeros(shape, np.float32)


@contextmanager
def drawing(layers: Sequence[Layer], blank: Blank) -> Iterator[None]:
    """While the block runs these layers draw from `blank`; then they have their own initializers again."""
    own = [{name: value for name, value in vars(layer).items() if name.endswith("_initializer")} for layer in layers]
    for layer, initializers in zip(layers, own, strict=True):
        vars(layer).update(dict.fromkeys(initializers, blank))
    try:
        yield
    finally:
        for layer, initializers in zip(layers, own, strict=True):
            vars(layer).update(initializers)
