"""Arithmetic of arrays, by TensorFlow's names; of a network's values what has a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, shown
from pellucid.keras import activations
from pellucid.keras.tensor import Calculated, tensor
from pellucid.keras.tensorflow.naming import also
from pellucid.layers import GlobalAvgPool2D, GlobalMaxPool2D
from pellucid.layers.symbolic import Symbolic, is_symbolic

__all__ = [
    "abs", "acos", "add", "add_n", "argmax", "argmin", "asin", "atan", "atan2", "ceil", "clip_by_norm",
    "confusion_matrix", "cos", "cosh", "cumprod", "cumsum", "divide", "divide_no_nan", "einsum", "equal", "exp",
    "expm1", "floor", "floordiv", "greater", "greater_equal", "is_finite", "is_inf", "is_nan", "l2_normalize", "less",
    "less_equal", "log", "log1p", "log_softmax", "logical_and", "logical_not", "logical_or", "matmul", "maximum",
    "minimum", "mod", "multiply", "negative", "norm", "not_equal", "pow", "reciprocal", "reduce_all", "reduce_any",
    "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_std", "reduce_sum",
    "reduce_variance", "round", "rsqrt", "scalar_mul", "sigmoid", "sign", "sin", "sinh", "softplus", "sqrt", "square",
    "squared_difference", "stop_gradient", "subtract", "tan", "tanh", "tensordot", "top_k", "truediv",
]  # fmt: skip


log_softmax = also(x="logits")(activations.log_softmax)
softplus = also(x="features")(activations.softplus)
sigmoid, tanh = also()(activations.sigmoid), also()(activations.tanh)


def numbers(x: Any, what: str) -> Any:
    """As a Tensor, a network's value as it is. Errors: ConfigError for a value of a network that is not Keras's."""
    if isinstance(x, Symbolic) and not isinstance(x, Calculated):
        raise ConfigError(f"{what}: pellucid.Input has layers, not functions of arrays; use keras.Input")
    return tensor(x)


def operands(given: Sequence[Any], what: str) -> list[Any]:
    """As `numbers`, each; a number of Python's takes the type of the arrays beside it."""
    plain = [type(each) in (int, float) for each in given]
    kept = plain if not all(plain) else [False] * len(plain)
    return [each if keep else numbers(each, what) for each, keep in zip(given, kept, strict=True)]


def _plain(function: Any) -> Callable[..., Any]:
    def plain(*arrays: Any, name: Any = None, **named: Any) -> Any:
        words = sorted(named, reverse=function is np.arctan2 and "y" in named)  # x before y, but for atan2(y, x)
        return tensor(function(*operands((*arrays, *map(named.get, words)), function.__name__)))

    return plain


def _reduced(function: Any, layer: Any = None) -> Callable[..., Any]:
    @also(x="input_tensor")
    def reduce(x: Any, axis: Any = None, keepdims: bool = False, name: Any = None) -> Any:
        axes = tuple(axis) if isinstance(axis, list) else axis
        if is_symbolic(x) and layer is not None and axes in ((1, 2), (-3, -2)) and len(x.shape) == 4:
            return layer(keepdims=keepdims)(x)
        return function(numbers(x, f"reduce_{function.__name__}"), axis=axes, keepdims=keepdims)

    return reduce


abs, ceil, cos, exp, floor, log = map(_plain, (np.abs, np.ceil, np.cos, np.exp, np.floor, np.log))
round, sign, sin, sqrt, square = map(_plain, (np.round, np.sign, np.sin, np.sqrt, np.square))
acos, asin, atan, cosh, sinh, tan = map(_plain, (np.arccos, np.arcsin, np.arctan, np.cosh, np.sinh, np.tan))
atan2, expm1, log1p, reciprocal = map(_plain, (np.arctan2, np.expm1, np.log1p, np.reciprocal))
negative, mod, floordiv = map(_plain, (np.negative, np.remainder, np.floor_divide))
is_nan, is_finite, is_inf = map(_plain, (np.isnan, np.isfinite, np.isinf))
rsqrt = _plain(lambda x: 1 / np.sqrt(x))
squared_difference = _plain(lambda x, y: np.square(x - y))
divide_no_nan = _plain(lambda x, y: x / np.where(y == 0, 1, y) * (y != 0))
divide, maximum, minimum, pow = map(_plain, (np.divide, np.maximum, np.minimum, np.power))
truediv, scalar_mul = divide, _plain(np.multiply)
equal, greater, greater_equal, less = map(_plain, (np.equal, np.greater, np.greater_equal, np.less))
less_equal, not_equal = map(_plain, (np.less_equal, np.not_equal))
logical_and, logical_not, logical_or = map(_plain, (np.logical_and, np.logical_not, np.logical_or))
reduce_all, reduce_any, reduce_min = map(_reduced, (np.all, np.any, np.min))
reduce_prod, reduce_std, reduce_sum, reduce_variance = map(_reduced, (np.prod, np.std, np.sum, np.var))
reduce_max, reduce_mean = _reduced(np.max, GlobalMaxPool2D), _reduced(np.mean, GlobalAvgPool2D)


@also(a="x1", b="x2")
def matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, name: Any = None) -> Any:
    """The product of matrices, which may be turned."""
    first, second = numbers(a, "matmul"), numbers(b, "matmul")
    first = np.swapaxes(first, -1, -2) if transpose_a else first
    return np.matmul(first, np.swapaxes(second, -1, -2) if transpose_b else second)


@also(x="x1", y="x2")
def add(x: Any, y: Any, name: Any = None) -> Any:
    """x + y."""
    first, second = (x, y) if is_symbolic([x, y]) else operands((x, y), "add")
    return first + second if is_symbolic([x, y]) else tensor(first + second)


def add_n(inputs: Sequence[Any], name: Any = None) -> Any:
    """The sum of all."""
    return reduce(add, inputs)


@also(x="x1", y="x2")
def subtract(x: Any, y: Any, name: Any = None) -> Any:
    """x - y."""
    first, second = (x, y) if is_symbolic([x, y]) else operands((x, y), "subtract")
    return first - second if is_symbolic([x, y]) else tensor(first - second)


@also(x="x1", y="x2")
def multiply(x: Any, y: Any, name: Any = None) -> Any:
    """x * y."""
    first, second = (x, y) if is_symbolic([x, y]) else operands((x, y), "multiply")
    return first * second if is_symbolic([x, y]) else tensor(first * second)


@also(x="input_tensor")
def reduce_logsumexp(x: Any, axis: Any = None, keepdims: bool = False, name: Any = None) -> Any:
    """log(sum(exp(x))), which does not overflow."""
    array = numbers(x, "reduce_logsumexp")
    most = stop_gradient(np.max(array, axis=axis, keepdims=True))
    total = np.log(np.sum(np.exp(array - most), axis=axis, keepdims=True)) + most
    return total if keepdims else np.squeeze(total, axis=axis)


@also(x="input variable")
def stop_gradient(x: Any, name: Any = None) -> Any:
    """The same numbers, through which no gradient goes."""
    return tensor(np.asarray(x))


def cumsum(x: Any, axis: int = 0, name: Any = None) -> Any:
    """Each with the sum of those before it."""
    return np.cumsum(numbers(x, "cumsum"), axis=axis)


def cumprod(x: Any, axis: int = 0, name: Any = None) -> Any:
    """Each times the product of those before it."""
    return np.cumprod(numbers(x, "cumprod"), axis=axis)


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: Any = None) -> Any:
    """Divided by its length along axes, or by the root of epsilon where that is longer."""
    array, axes = numbers(x, "l2_normalize"), tuple(axis) if isinstance(axis, list) else axis
    return array / np.sqrt(np.maximum(np.sum(np.square(array), axis=axes, keepdims=True), epsilon))


@also(tensor_="tensor x")
def norm(tensor_: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, name: Any = None) -> Any:
    """The length along axes, of all numbers where none are given. ord: "euclidean", 1 for the sum of their sizes."""
    array, axes = numbers(tensor_, "norm"), tuple(axis) if isinstance(axis, list) else axis
    if ord == 1:
        return np.sum(np.abs(array), axis=axes, keepdims=keepdims)
    if ord not in (None, 2, "euclidean", "fro"):
        raise ConfigError(f'norm: ord must be "euclidean" or 1, got {shown(ord)}')
    return np.sqrt(np.sum(np.square(array), axis=axes, keepdims=keepdims))


def clip_by_norm(t: Any, clip_norm: float, axes: Any = None, name: Any = None) -> Any:
    """Shortened to this length where it is longer."""
    array = numbers(t, "clip_by_norm")
    return array * (clip_norm / np.maximum(norm(array, axis=axes, keepdims=axes is not None), clip_norm))


@also(equation="subscripts")
def einsum(equation: str, *inputs: Any, **more: Any) -> Any:
    """Sums of products, spelled by letters."""
    return np.einsum(equation, *(numbers(each, "einsum") for each in inputs))


@also(a="x1", b="x2")
def tensordot(a: Any, b: Any, axes: Any = 2, name: Any = None) -> Any:
    """Sums of products along these axes."""
    return np.tensordot(numbers(a, "tensordot"), numbers(b, "tensordot"), axes)


@also(input="x")
def top_k(input: Any, k: int = 1, sorted: bool = True, **more: Any) -> Any:
    """(the k largest of the last axis, where they stand), the largest first."""
    array = numbers(input, "top_k")
    places = np.argsort(-np.asarray(array), axis=-1, kind="stable")[..., : int(k)]
    return np.take_along_axis(array, places, -1), tensor(places.astype(np.int32))


@also(x="input")
def argmax(x: Any, axis: int | None = 0, **more: Any) -> Any:
    """Where the largest number stands along an axis."""
    return tensor(np.argmax(tensor(x), axis=axis))


@also(x="input")
def argmin(x: Any, axis: int | None = 0, **more: Any) -> Any:
    """Where the smallest number stands along an axis."""
    return tensor(np.argmin(tensor(x), axis=axis))


def confusion_matrix(labels: Any, predictions: Any, num_classes: int | None = None, **more: Any) -> Any:
    """How often class i was taken for class j, at [i, j]."""
    from pellucid import metrics

    return tensor(metrics.confusion_matrix(np.asarray(labels), np.asarray(predictions), num_classes))
