"""Keras's activations as functions, of arrays and of a network's values: each is the layer of that name.

A layer takes such a function for its `activation`, as it takes the name.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, shown
from pellucid.keras.older import renamed
from pellucid.keras.tensor import tensor
from pellucid.layers import ELU, Activation, Layer, LeakyReLU, ReLU, Softmax
from pellucid.layers.activation import ACTIVATIONS, Elementwise, standardize_activation
from pellucid.layers.symbolic import is_symbolic
from pellucid.layers.traits import Nonlinearity
from pellucid.ops.geometry import above_zero, whole

Function = Callable[..., Any]


def applied(layer: Layer, x: Any) -> Any:
    """What a layer without weights gives for a value of a network, or for an array of any shape; a tape records it."""
    if is_symbolic(x):
        return layer(x)
    array = tensor(x)
    return layer(array.reshape(1, -1) if array.ndim < 2 else array).reshape(array.shape)


def _named(name: str, *, called: str | None = None) -> Function:
    def function(x: Any) -> Any:
        return applied(Activation(name), x)

    function.__name__ = function.__qualname__ = called or name
    function.__doc__ = f"As the layer `Activation({name!r})`."
    return function


hard_sigmoid, hard_silu = _named("hard_sigmoid"), _named("hard_silu")
hard_swish, linear, relu6 = _named("hard_silu", called="hard_swish"), _named("linear"), _named("relu6")
selu, sigmoid, silu = _named("selu"), _named("sigmoid"), _named("silu")
softplus, softsign, swish, tanh = _named("softplus"), _named("softsign"), _named("silu", called="swish"), _named("tanh")
exponential, hard_tanh, log_sigmoid, mish = map(_named, ("exponential", "hard_tanh", "log_sigmoid", "mish"))
sparse_plus, sparse_sigmoid, tanh_shrink = map(_named, ("sparse_plus", "sparse_sigmoid", "tanh_shrink"))


@renamed(alpha="negative_slope")
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """As the layer `ReLU`."""
    return applied(ReLU(max_value, negative_slope, threshold), x)


@renamed(alpha="negative_slope")
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """As the layer `LeakyReLU`."""
    return applied(LeakyReLU(negative_slope), x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """As the layer `ELU`."""
    return applied(ELU(alpha), x)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x * P(X <= x), X normal; or its approximation by tanh."""
    return applied(Activation("gelu_tanh" if approximate else "gelu"), x)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """x where x > 0, else alpha * (exp(x / alpha) - 1)."""
    return _scaled("celu", x, "slope", above_zero(alpha, "celu: alpha"), alpha)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """0 up to the threshold in size, else x."""
    return _scaled("hard_shrink", x, "threshold", above_zero(threshold, "hard_shrink: threshold"), threshold / 0.5)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x brought nearer to 0 by the threshold, or to 0."""
    return _scaled("soft_shrink", x, "threshold", above_zero(threshold, "soft_shrink: threshold"), threshold / 0.5)


def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x^2 + b)) / 2."""
    return _scaled("squareplus", x, "slope", above_zero(b, "squareplus: b"), math.sqrt(b) / 2)


class _Numbered(Elementwise):
    """An activation with a number that no layer takes."""

    nonlinearity: Nonlinearity | None = None

    def __init__(self, how: Nonlinearity) -> None:
        super().__init__()
        self.nonlinearity = how


def _scaled(name: str, x: Any, number: str, value: float, scale: float) -> Any:
    """f with another number than the layer has: of a network's value scale * f(x / scale)."""
    if not is_symbolic(x):
        return applied(_Numbered(Nonlinearity(name, **{number: value})), x)
    return Activation(name)(x) if scale == 1 else Activation(name)(x / scale) * scale


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x above the threshold, else the default value. Errors: ConfigError for a network's value with a default but 0."""
    if not is_symbolic(x):
        array = tensor(x).astype(np.float32)
        return np.where(array <= threshold, np.float32(default_value), array)
    if default_value:
        raise ConfigError(f"threshold: default_value={shown(default_value)} has no layer; ReLU(threshold=...) gives 0")
    return ReLU(threshold=threshold)(x)


def glu(x: Any, axis: int = -1) -> Any:
    """The first half along the axis times the sigmoid of the second. Errors: ConfigError for a network's value."""
    if is_symbolic(x):
        raise ConfigError(
            "glu halves a value, which no layer does; multiply two: Multiply()([a, Activation('sigmoid')(b)])"
        )
    array = tensor(x).astype(np.float32)
    size = array.shape[whole(axis, "glu: axis", array.ndim - 1, least=-array.ndim)]
    if size % 2:
        raise ConfigError(f"glu needs an even number along axis {axis}, got {size}")
    halves = np.moveaxis(array, axis, 0)
    return np.moveaxis(halves[: size // 2] * sigmoid(halves[size // 2 :]), 0, axis)


def softmax(x: Any, axis: int = -1) -> Any:
    """As the layer `Softmax`."""
    return applied(Softmax(axis), x)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of the softmax. Errors: ConfigError for another axis than the last of a network's value."""
    return _along("log_softmax", x, axis)


def sparsemax(x: Any, axis: int = -1) -> Any:
    """The nearest numbers of at least 0 that sum to 1; Keras 3.15's do only where one of them is not 0.

    Errors: as `log_softmax`.
    """
    return _along("sparsemax", x, axis)


def _along(name: str, x: Any, axis: int) -> Any:
    if not is_symbolic(x):
        array = tensor(x)
        axis = whole(axis, f"{name}: axis", array.ndim - 1, least=-array.ndim)
        return np.moveaxis(applied(Activation(name), np.moveaxis(array, axis, -1)), -1, axis)
    if axis not in (-1, len(x.shape)):
        raise ConfigError(f"{name}: axis={shown(axis)} must be -1, the last; bring it there by Permute")
    return Activation(name)(x)


def get(identifier: Any) -> Any:
    """The function of this name; a function, or None for `linear`, as it is.

    Errors: ConfigError for an unknown name.
    """
    if identifier is None:
        return linear
    if callable(identifier):
        return identifier
    name = standardize_activation(identifier) or "linear"
    return vars(sys.modules[__name__]).get(name) or _named(name)


def serialize(activation: Any) -> str:
    """The function's name."""
    return str(getattr(activation, "__name__", activation))


deserialize = get
__all__ = sorted(
    ({*ACTIVATIONS} - {"gelu_tanh"})
    | {"applied", "deserialize", "get", "glu", "hard_swish", "serialize", "swish", "threshold"}
)
