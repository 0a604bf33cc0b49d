"""Activations, and their gradients as functions of the result y, so that x need not be kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Unpack, cast

import numpy as np

from pellucid.errors import expect_known
from pellucid.ops.geometry import Array
from pellucid.ops.table import LONG, NUMBERS, Numbers, call, op


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), written so that exp never overflows."""
    small = np.exp(-np.abs(x))
    return np.asanyarray(np.where(x >= 0, 1, small) / (1 + small))


@dataclass(frozen=True)
class Formula:
    """An activation f(x, *numbers) and its gradient df(dy, y, *numbers) by the result y.

    usual: the numbers they take, as a layer has them that says nothing else. reads_input: df is given x for y, for from
    y it cannot be computed: two x give the same. All others rise, so that a maximum may be taken before them. divides:
    its slope is divided by, and must be above 0.
    """

    f: Callable[..., Array]
    df: Callable[..., Array]
    usual: Numbers = field(default_factory=Numbers)
    reads_input: bool = False
    divides: bool = False

    def taken(self, given: Numbers) -> Iterator[float]:
        """The numbers for f and df, in order."""
        values: dict[str, Any] = {**NUMBERS, **given}
        return (values[name] for name in self.usual)


SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805

ACTIVATIONS = {
    "relu": Formula(lambda x: np.maximum(x, 0), lambda dy, y: np.where(y > 0, dy, 0)),
    "leaky_relu": Formula(
        lambda x, slope: np.where(x > 0, x, x * slope),
        lambda dy, y, slope: np.where(y > 0, dy, dy * slope),
        {"slope": 0.2},  # Keras has 0.2 in activation="leaky_relu" and 0.3 in its LeakyReLU layer; so do we
    ),
    "sigmoid": Formula(lambda x: sigmoid(x), lambda dy, y: dy * y * (1 - y)),
    "tanh": Formula(lambda x: np.tanh(x), lambda dy, y: dy * (1 - y * y)),
    "elu": Formula(
        lambda x, slope: np.where(x > 0, x, slope * np.expm1(np.minimum(x, 0))),
        lambda dy, y, slope: np.where(y > 0, dy, dy * (y + slope)),
        {"slope": 1.0},
    ),
    "relu6": Formula(
        lambda x, slope, threshold, ceiling: _bounded(x, slope, threshold, ceiling),
        lambda dy, y, slope, threshold, ceiling: np.where(y >= ceiling, 0, np.where(y > 0, dy, dy * slope)),
        {"slope": 0.0, "threshold": 0.0, "ceiling": 6.0},
    ),
    "selu": Formula(
        lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0))),
        lambda dy, y: dy * np.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA),
    ),
    "hard_sigmoid": Formula(
        lambda x: _hard_sigmoid(x),
        lambda dy, y: np.where((y > 0) & (y < 1), dy / 6, 0),
    ),
    "softsign": Formula(
        lambda x: np.clip(x, -1e20, 1e20) / (1 + np.minimum(np.abs(x), 1e20)),
        lambda dy, y: dy * (1 - np.abs(y)) ** 2,
    ),
    "softplus": Formula(lambda x: np.logaddexp(x, 0), lambda dy, y: dy * -np.expm1(-y)),
    "silu": Formula(
        lambda x: _times(x, sigmoid(x)),
        lambda dy, x: dy * (sigmoid(x) + _times(x, sigmoid(x) * sigmoid(-x))),
        reads_input=True,
    ),
    "hard_silu": Formula(
        lambda x: _times(x, _hard_sigmoid(x)),
        lambda dy, x: dy * np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5)),
        reads_input=True,
    ),
    "gelu": Formula(
        lambda x: _times(x, normal_below(x)),
        lambda dy, x: dy * (normal_below(x) + _times(x, np.exp(-x * x / 2) / math.sqrt(2 * math.pi))),
        reads_input=True,
    ),
    "gelu_tanh": Formula(
        lambda x: _times(x, sigmoid(_cubic(x))),
        lambda dy, x: dy * (sigmoid(_cubic(x)) + _times(_cubic_step(x), sigmoid(_cubic(x)) * sigmoid(-_cubic(x)))),
        reads_input=True,
    ),
    # the rare ones; their gradients all read x
    "celu": Formula(
        lambda x, slope: np.where(x > 0, x, slope * np.expm1(np.minimum(x, 0) / slope)),
        lambda dy, x, slope: dy * np.exp(np.minimum(x, 0) / slope),
        {"slope": 1.0},
        reads_input=True,
        divides=True,
    ),
    "exponential": Formula(lambda x: _exp(x), lambda dy, x: dy * _exp(x), reads_input=True),
    "hard_shrink": Formula(
        lambda x, threshold: np.where(np.abs(x) <= threshold, 0, x),
        lambda dy, x, threshold: np.where(np.abs(x) > threshold, dy, 0),
        {"threshold": 0.5},
        reads_input=True,
    ),
    "hard_tanh": Formula(lambda x: np.clip(x, -1, 1), lambda dy, x: np.where(np.abs(x) < 1, dy, 0), reads_input=True),
    "log_sigmoid": Formula(lambda x: -np.logaddexp(-x, 0), lambda dy, x: dy * sigmoid(-x), reads_input=True),
    "mish": Formula(lambda x: _times(x, _mish(x)), lambda dy, x: dy * _mish_step(x), reads_input=True),
    "soft_shrink": Formula(
        lambda x, threshold: x - np.clip(x, -threshold, threshold),
        lambda dy, x, threshold: np.where(np.abs(x) > threshold, dy, 0),
        {"threshold": 0.5},
        reads_input=True,
    ),
    "sparse_plus": Formula(
        lambda x: np.where(x >= 1, x, np.square(np.clip(x + 1, 0, 2)) / 4),
        lambda dy, x: dy * np.clip(x + 1, 0, 2) / 2,
        reads_input=True,
    ),
    "sparse_sigmoid": Formula(
        lambda x: np.clip(x + 1, 0, 2) / 2, lambda dy, x: np.where(np.abs(x) < 1, dy / 2, 0), reads_input=True
    ),
    "squareplus": Formula(
        lambda x, slope: np.where(x > 0, _square_sum(x, slope), slope / _square_sum(x, slope) / 4),
        lambda dy, x, slope: dy * np.abs((x > 0) - slope / _square_sum(x, slope) / _hypotenuse(x, slope) / 4),
        {"slope": 4.0},
        reads_input=True,
        divides=True,
    ),
    "tanh_shrink": Formula(lambda x: x - np.tanh(x), lambda dy, x: dy * np.tanh(x) ** 2, reads_input=True),
}
"""By the words of choices.hpp, all but "linear"; a NaN stays one."""


def _hard_sigmoid(x: Array) -> Array:
    """min(max(x / 6 + 1/2, 0), 1), written so that nothing cancels."""
    return np.asanyarray(np.clip(x + 3, 0, 6) / 6)


_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def normal_below(x: Array) -> Array:
    """The share of a normal distribution below x."""
    if through := getattr(x, "through", None):  # of an array that is recorded
        return cast(Array, through(normal_below))
    return np.asanyarray(_erfc(np.divide(x, -math.sqrt(2), dtype=np.float64)) / 2, x.dtype)


def _cubic(x: Array) -> Array:
    """Twice what GELU's approximation takes the tanh of: 1 + tanh(u) is 2 sigmoid(2 u)."""
    return 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def _cubic_step(x: Array) -> Array:
    """x times the derivative of `_cubic`."""
    return 2 * math.sqrt(2 / math.pi) * (x + 3 * 0.044715 * x**3)


def _times(x: Array, factor: Array) -> Array:
    """x * factor, and 0 where the factor is 0, of infinities too."""
    return np.where(factor != 0, x, 0) * factor


def _exp(x: Array) -> Array:
    with np.errstate(over="ignore"):  # infinity, as the kernel has it
        return np.asanyarray(np.exp(x))


def _mish(x: Array) -> Array:
    """tanh(log(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2)."""
    e = np.exp(np.minimum(x, 20))
    return np.asanyarray(e * (e + 2) / (e * (e + 2) + 2))


def _mish_step(x: Array) -> Array:
    """t + x s (1 - t^2), t as above, s the sigmoid of x: the derivative of x t."""
    e, x = np.exp(np.minimum(x, 20)), np.minimum(x, 20)
    rest = 2 / (e * (e + 2) + 2)
    return np.asanyarray(_mish(x) + _times(x, e / (1 + e) * rest * (1 + _mish(x))))


def _hypotenuse(x: Array, b: float) -> Array:
    """sqrt(x^2 + b), which beyond 1e9 is |x|."""
    return np.maximum(np.abs(x), np.sqrt(np.square(np.minimum(np.abs(x), 1e9)) + b))


def _square_sum(x: Array, b: float) -> Array:
    """(|x| + sqrt(x^2 + b)) / 2."""
    return np.asanyarray((np.abs(x) + _hypotenuse(x, b)) / 2)


def _bounded(x: Array, slope: float, threshold: float, ceiling: float) -> Array:
    """x above the threshold, at most the ceiling; slope * (x - threshold) below; NaN stays."""
    below = slope * (np.minimum(x, threshold) - threshold) if slope else np.zeros_like(x)
    return np.where(x <= threshold, below, np.minimum(x, ceiling))


def formula(kind: str) -> Formula:
    """Errors: ConfigError for an unknown activation."""
    return ACTIVATIONS[expect_known("activation", kind, ACTIVATIONS)]


@op(fields={"kind": "ACTIVATION"}, typical=[call("relu, 64 x 56x56x64", x=LONG, kind="relu")])
def activation(x: Array, y: Array, kind: str, **numbers: Unpack[Numbers]) -> None:
    """y = f(x), f by its name in ACTIVATIONS. y may be x."""
    y[...] = formula(kind).f(x, *formula(kind).taken(numbers))


@op(fields={"kind": "ACTIVATION"}, typical=[call("relu, 64 x 56x56x64", dy=LONG, kind="relu")])
def activation_backward(dy: Array, y: Array, dx: Array, kind: str, **numbers: Unpack[Numbers]) -> None:
    """dx = dy * f'(x) by y = f(x), f by its name in ACTIVATIONS. dx may be dy."""
    dx[...] = formula(kind).df(dy, y, *formula(kind).taken(numbers))


_CHANNELS = call("64 x 56x56x64, a channel each", x=(64, 1, 1, 56 * 56, 64), alpha=(1, 64))


@op(typical=[_CHANNELS])
def prelu(x: Array, alpha: Array, y: Array) -> None:
    """y = x where x > 0, else alpha * x. Shapes: x (N,SHARED,OUTER,INNER,C), alpha (OUTER,C). y may be x."""
    y[...] = np.where(x > 0, x, alpha[:, None] * x)


@op(passes={"dy": 2, "x": 2}, typical=[_CHANNELS])
def prelu_backward(dy: Array, x: Array, alpha: Array, dx: Array | None, dalpha: Array | None) -> None:
    """dx = dy where x > 0, else alpha * dy; dalpha = sum of dy * x below 0. dx may be dy."""
    if dalpha is not None:
        dalpha[...] = (dy * np.minimum(x, 0)).sum(axis=(0, 1, 3), dtype=np.float64)
    if dx is not None:
        dx[...] = np.where(x > 0, dy, alpha[:, None] * dy)


@op(typical=[call("1024 x 1000", x=(1024, 1000))])
def softmax(x: Array, y: Array) -> None:
    """y = exp(x - max) / sum of exp(x - max), over the last axis. y may be x."""
    np.exp(x - x.max(axis=-1, keepdims=True), out=y)
    y /= y.sum(axis=-1, keepdims=True)


@op(typical=[call("1024 x 1000", dy=(1024, 1000))])
def softmax_backward(dy: Array, y: Array, dx: Array) -> None:
    """dx = y * (dy - sum of dy*y), over the last axis. dx may be dy."""
    dx[...] = y * (dy - (dy * y).sum(axis=-1, keepdims=True))
