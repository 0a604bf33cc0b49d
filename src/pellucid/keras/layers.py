"""Keras's layers: ours, by Keras's names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from pellucid._fixed import Maker
from pellucid.keras import older_layers
from pellucid.keras.composed import Lambda as Lambda
from pellucid.keras.composed import Layer as Layer
from pellucid.keras.described import deserialize as deserialize
from pellucid.keras.described import serialize as serialize
from pellucid.keras.lookup import CategoryEncoding as CategoryEncoding
from pellucid.keras.lookup import Discretization as Discretization
from pellucid.keras.lookup import Hashing as Hashing
from pellucid.keras.lookup import IntegerLookup as IntegerLookup
from pellucid.keras.lookup import StringLookup as StringLookup
from pellucid.keras.lookup import TextVectorization as TextVectorization
from pellucid.keras.older_layers import AtrousConvolution2D as AtrousConvolution2D
from pellucid.keras.older_layers import Deconvolution2D as Deconvolution2D
from pellucid.keras.older_layers import Merge as Merge
from pellucid.keras.older_layers import merge as merge
from pellucid.keras.tensor import InputLayer as _InputLayer
from pellucid.layers import NAMES
from pellucid.layers import Concatenate as _Concatenate
from pellucid.layers.names import *  # noqa: F403 (each layer is named once, there)

Input = InputLayer = _InputLayer  # type: ignore[misc]  # in place of ours
Convolution2D = older_layers.Convolution2D  # type: ignore[misc]  # which take a kernel's rows and columns, too
SeparableConvolution2D = older_layers.SeparableConvolution2D  # type: ignore[misc]


class _Joining(Maker):
    """Of `Concatenate`: along the batch axis it is a calculation, and no layer of a network."""

    def __call__(cls, axis: int = -1, **named: Any) -> Any:
        batches = isinstance(axis, int) and axis == 0 and axis is not False
        return Lambda(partial(np.concatenate, axis=0), **named) if batches else _Concatenate(axis, **named)

    def __instancecheck__(cls, layer: object) -> bool:
        return isinstance(layer, _Concatenate)


class Concatenate(_Concatenate, metaclass=_Joining):  # type: ignore[no-redef]
    """`pellucid.layers.Concatenate`, and along axis 0."""


_BEFORE = (*("CategoryEncoding", "Discretization", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"),)
_OLDER = ("AtrousConvolution2D", "Deconvolution2D", "Merge", "merge")
_MERGING = ("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract")


def _merged(kind: str) -> Callable[..., Any]:
    def function(inputs: Any, **named: Any) -> Any:
        return (Concatenate if kind == "Concatenate" else NAMES[kind])(**named)(inputs)

    function.__name__ = function.__qualname__ = kind.lower()
    function.__doc__ = f"What a layer `{kind}` gives for a list of values."
    return function


add, average, concatenate, dot, maximum, minimum, multiply, subtract = map(_merged, _MERGING)

__all__ = sorted([*NAMES, *map(str.lower, _MERGING), "Lambda", "Layer", "deserialize", "serialize", *_BEFORE, *_OLDER])
