"""Keras's activations as functions, of arrays and of a network's values: each is the layer of that name.

A layer takes such a function for its `activation`, as it takes the name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.keras.tensor import tensor
from pellucid.layers import ELU, Activation, Layer, LeakyReLU, ReLU, Softmax
from pellucid.layers.activation import standardize_activation
from pellucid.layers.symbolic import is_symbolic

__all__ = [
    "applied", "deserialize", "elu", "gelu", "get", "hard_sigmoid", "hard_silu", "hard_swish", "leaky_relu", "linear",
    "log_softmax", "relu", "relu6", "selu", "serialize", "sigmoid", "silu", "softmax", "softplus", "softsign", "swish",
    "tanh",
]  # fmt: skip

Function = Callable[..., Any]


def applied(layer: Layer, x: Any) -> Any:
    """What a layer without weights gives for a value of a network, or for an array of any shape."""
    if is_symbolic(x):
        return layer(x)
    array = tensor(x)
    return layer(array.reshape(1, -1) if array.ndim < 2 else array).reshape(array.shape)


def _named(name: str, *, called: str | None = None) -> Function:
    def function(x: Any) -> Any:
        return applied(Activation(name), x)

    function.__name__ = function.__qualname__ = called or name
    function.__doc__ = Activation(name).__doc__
    return function


hard_sigmoid, hard_silu = _named("hard_sigmoid"), _named("hard_silu")
hard_swish, linear, relu6 = _named("hard_silu", called="hard_swish"), _named("linear"), _named("relu6")
selu, sigmoid, silu = _named("selu"), _named("sigmoid"), _named("silu")
softplus, softsign, swish, tanh = _named("softplus"), _named("softsign"), _named("silu", called="swish"), _named("tanh")


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """As the layer `ReLU`."""
    return applied(ReLU(max_value, negative_slope, threshold), x)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """As the layer `LeakyReLU`."""
    return applied(LeakyReLU(negative_slope), x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """As the layer `ELU`."""
    return applied(ELU(alpha), x)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x * P(X <= x), X normal; or its approximation by tanh."""
    return applied(Activation("gelu_tanh" if approximate else "gelu"), x)


def softmax(x: Any, axis: int = -1) -> Any:
    """As the layer `Softmax`."""
    return applied(Softmax(axis), x)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of softmax, which does not overflow."""
    array = tensor(x)
    off = array - np.max(array, axis=axis, keepdims=True)
    return off - np.log(np.sum(np.exp(off), axis=axis, keepdims=True))


def get(identifier: Any) -> Any:
    """The function of this name; a function, or None for `linear`, as it is.

    Errors: ConfigError for an unknown name.
    """
    if identifier is None:
        return linear
    if callable(identifier):
        return identifier
    name = standardize_activation(identifier)
    return _FUNCTIONS.get(name or "linear") or _named(name or "linear")


def serialize(activation: Any) -> str:
    """The function's name."""
    return str(getattr(activation, "__name__", activation))


deserialize = get
_FUNCTIONS = {each.__name__: each for each in (relu, leaky_relu, elu, gelu, softmax, linear, sigmoid, tanh, selu)}
