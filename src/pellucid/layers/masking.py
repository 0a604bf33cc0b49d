"""Which steps of a series count: what says so, and what is done with it.

A mask is a value of its own in a network, 1 for a step that counts and 0 for one that does not. It is put there by
`Stack.attach`, where a layer that `reads_mask` stands behind one that makes a mask, as Keras does unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid._arguments import flag
from pellucid.autodiff import tensor
from pellucid.errors import ShapeError
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import LARGEST, number


class StepMask(Layer):
    """1 where a step differs from `mask_value`, else 0; of steps with several features, where any of them does.

    Shapes: x (N,T) -> y (N,T,1); with features=True x (N,T,...) -> y (N,T,1).
    """

    role = "mask"
    caption = ("mask",)

    def __init__(self, mask_value: float = 0.0, features: bool = False, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.mask_value = number(mask_value, "StepMask: mask_value", -LARGEST)
        self.features = flag(features, "StepMask: features")

    def output_shape(self, input_shape: Shape) -> Shape:
        if self.features and len(input_shape) < 2:
            raise ShapeError(f"{self.place()} needs input (N, T, C), got (N, {input_shape[0]}){self.source()}")
        return input_shape[0], 1

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        there = (x != self.mask_value).reshape(*x.shape[:2], -1).any(axis=-1, keepdims=True)
        return there.astype(np.float32), x.shape

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        return tensor(self.forward(np.asarray(x))[0])

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return (np.zeros(cache, dy.dtype) if need_dx else None), {}


class Masking(Layer):
    """Steps of which every feature is `mask_value` count for nothing in the layers behind: recurrent ones, attention
    and averages; they are made 0.

    Shapes: x (N,T,...), unchanged.
    """

    role = "mask"
    caption = ("masking",)
    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.mask_value = number(mask_value, "Masking: mask_value", -LARGEST)

    def step_mask(self) -> StepMask:
        return StepMask(self.mask_value, features=True)

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 2:
            raise ShapeError(f"{self.place()} needs input (N, T, C), got (N, {input_shape[0]}){self.source()}")
        return tuple(input_shape)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        kept = (x != self.mask_value).any(axis=-1, keepdims=True)
        return x * kept, kept

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        return x * self.forward(np.asarray(x))[1]

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return (dy * cache if need_dx else None), {}


class StepWeights(Layer):
    """Steps weighted so that their mean is the mean of those that count: y = x * mask * T / sum(mask).

    It stands between a mask and a layer that averages over steps.
    Shapes: [x (N,T,C), mask (N,T,1)] -> (N,T,C).
    """

    merges: ClassVar[bool] = True
    role = "mask"
    caption = ("steps",)

    def output_shape(self, input_shape: Any) -> Shape:
        if len(input_shape) != 2 or input_shape[1] != (input_shape[0][0], 1):
            raise ShapeError(f"{self.place()} reads a series (N, T, C) and its mask (N, T, 1), got {input_shape}")
        return tuple(input_shape[0])

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape([each.shape[1:] for each in x])
        values, mask = x
        weights = mask * (mask.shape[1] / np.maximum(mask.sum(axis=1, keepdims=True), 1)).astype(mask.dtype)
        return values * weights, weights

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        return x[0] * self.forward([np.asarray(each) for each in x])[1]

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        return ([dy * cache, np.zeros_like(cache)] if need_dx else None), {}
