"""Those of Keras 3's operations that TensorFlow has otherwise, or not; `ops.py` lists all."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.errors import ConfigError
from pellucid.keras import activations, losses
from pellucid.keras import tensorflow as tf
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow.convolution import avg_pool2d, conv2d, max_pool2d
from pellucid.keras.tensorflow.math import l2_normalize
from pellucid.keras.tensorflow.naming import also


def _of(function: Any) -> Callable[..., Any]:
    """NumPy's function of one array, with its arguments."""

    def called(x: Any, *args: Any, **options: Any) -> Any:
        return tensor(function(tensor(x), *args, **options))

    called.__name__ = called.__qualname__ = function.__name__
    called.__doc__ = f"As `numpy.{function.__name__}`."
    return called


def _of_two(function: Any) -> Callable[..., Any]:
    def called(x1: Any, x2: Any) -> Any:
        return tensor(function(tensor(x1), tensor(x2)))

    called.__name__ = called.__qualname__ = function.__name__
    called.__doc__ = f"As `numpy.{function.__name__}`."
    return called


argmax, argmin, count_nonzero, diagonal, flip = map(_of, (np.argmax, np.argmin, np.count_nonzero, np.diagonal, np.flip))
moveaxis, ravel, swapaxes, take, tril, triu = map(_of, (np.moveaxis, np.ravel, np.swapaxes, np.take, np.tril, np.triu))
cumsum, cumprod, nan_to_num, average = map(_of, (np.cumsum, np.cumprod, np.nan_to_num, np.average))
diag, diff, median, quantile, rot90 = map(_of, (np.diag, np.diff, np.median, np.quantile, np.rot90))
log2, log10, arcsinh, arccosh, arctanh = map(_of, (np.log2, np.log10, np.arcsinh, np.arccosh, np.arctanh))
bincount, digitize, searchsorted, trunc = map(_of, (np.bincount, np.digitize, np.searchsorted, np.trunc))
dot, logaddexp, outer, isclose = map(_of_two, (np.dot, np.logaddexp, np.outer, np.isclose))
cross, inner, kron, vdot, logical_xor = map(_of_two, (np.cross, np.inner, np.kron, np.vdot, np.logical_xor))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """Numbers from start, by default 0, to below stop."""
    first, last = (0, start) if stop is None else (start, stop)
    return tensor(np.arange(first, last, step or 1, dtype=dtype))


def array(x: Any, dtype: Any = None) -> Any:
    """As a tensor."""
    return tf.constant(x, dtype)


def convert_to_numpy(x: Any) -> Any:
    """As a plain array."""
    return np.asarray(x)


def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Values behind one another."""
    return tf.concat(xs, axis)


def gelu(x: Any, approximate: bool = True) -> Any:
    """As `activations.gelu`, by its approximation where nothing is said."""
    return activations.gelu(x, approximate)


categorical_crossentropy, sparse_categorical_crossentropy = map(
    also(y_true="target", y_pred="output"), (losses.categorical_crossentropy, losses.sparse_categorical_crossentropy)
)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-t * log p - (1 - t) * log(1 - p) of each number, p kept off 0 and 1; or of scores."""
    t = tensor(target)
    if from_logits:
        return tf.nn.sigmoid_cross_entropy_with_logits(t, output)
    p = clip(output, np.float32(1e-7), np.float32(1 - 1e-7))
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def vstack(xs: Sequence[Any]) -> Any:
    """Rows behind one another."""
    return np.vstack(list(map(tensor, xs)))


def hstack(xs: Sequence[Any]) -> Any:
    """Columns behind one another."""
    return np.hstack(list(map(tensor, xs)))


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Parts along an axis: so many, or those that begin at these places."""
    if isinstance(indices_or_sections, int):
        return tf.split(x, indices_or_sections, axis)
    ends = [0, *(int(place) for place in indices_or_sections), tensor(x).shape[axis]]
    return tf.split(x, np.diff(ends).tolist(), axis)


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """No number below the one, none above the other."""
    return np.clip(tensor(x), x_min, x_max)


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, **_: Any) -> Any:
    """A row of zeros with a one at each class number."""
    rows = tf.one_hot(x, num_classes)
    return rows if axis == -1 else np.moveaxis(rows, -1, axis)


def zeros(shape: Any, dtype: Any = None) -> Any:
    """An array of zeros."""
    return tf.zeros(shape, dtype or np.float32)


def ones(shape: Any, dtype: Any = None) -> Any:
    """An array of ones."""
    return tf.ones(shape, dtype or np.float32)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """An array of one number."""
    return tensor(
        np.full(tuple(np.atleast_1d(np.asarray(shape)).tolist()), np.asarray(fill_value), dtype or np.float32)
    )


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """The same of another's shape."""
    return tensor(np.full_like(np.asarray(x), fill_value, dtype))


def linspace(start: Any, stop: Any, num: int = 50, **options: Any) -> Any:
    """Numbers in equal steps, both ends among them."""
    return tensor(np.linspace(start, stop, int(num), **options).astype(np.float32))


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The numbers at these places along an axis."""
    return np.take_along_axis(tensor(x), np.asarray(indices, np.int64), axis)


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """The array with a border."""
    return tf.pad(x, pad_width, mode, 0 if constant_values is None else constant_values)


def normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """Divided by its length along an axis."""
    if order != 2:
        raise ConfigError(f"ops.normalize: order 2 is here, got {order}")
    return l2_normalize(x, axis, 1e-12 if epsilon is None else epsilon)


def moments(x: Any, axes: Any, keepdims: bool = False, **_: Any) -> Any:
    """(mean, variance) along axes."""
    return tf.nn.moments(x, axes, keepdims=keepdims)


def conv(inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None,
         dilation_rate: Any = 1) -> Any:  # fmt: skip
    """As the layer Conv2D, with a kernel that is given."""
    return conv2d(inputs, kernel, strides, padding, data_format, dilation_rate)


def max_pool(inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", **_: Any) -> Any:
    """As the layer MaxPool2D."""
    return max_pool2d(inputs, pool_size, strides, padding)


def average_pool(inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", **_: Any) -> Any:
    """As the layer AvgPool2D."""
    return avg_pool2d(inputs, pool_size, strides, padding)


def fft2(x: tuple[Any, Any]) -> tuple[Any, Any]:
    """Fourier's transform along the last two axes, of a real and an imaginary part.

    As products with matrices, which a tape follows: for axes of hundreds, not of thousands.
    """
    real, imaginary = tensor(x[0]), tensor(x[1])
    for axis in (-1, -2):
        size = real.shape[axis]
        turn = -2 * np.pi * np.outer(np.arange(size), np.arange(size)) / size
        parts = [np.swapaxes(each, axis, -1) for each in (real, imaginary)]
        even, odd = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        real, imaginary = (
            np.swapaxes(each, axis, -1)
            for each in (
                np.matmul(parts[0], even) - np.matmul(parts[1], odd),
                np.matmul(parts[0], odd) + np.matmul(parts[1], even),
            )
        )
    return real, imaginary


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """The array with other numbers from there on."""
    x, new = tensor(inputs), tensor(updates)
    around = [(a, n - a - b) for a, b, n in zip(np.asarray(start_indices).tolist(), new.shape, x.shape, strict=True)]
    return np.where(np.pad(np.ones(new.shape, bool), around), np.pad(new, around), x)


def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """A part of these sizes that begins there."""
    starts, sizes = np.asarray(start_indices).tolist(), np.asarray(shape).tolist()
    return tensor(inputs)[tuple(builtins.slice(a, a + b) for a, b in zip(starts, sizes, strict=True))]


def shape(x: Any) -> Any:
    """The sizes of the axes, as a tuple."""
    return tuple(tensor(x).shape)


def ndim(x: Any) -> int:
    """How many axes."""
    return len(tensor(x).shape)


def size(x: Any) -> Any:
    """How many numbers."""
    return np.size(np.asarray(x))


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What one of two functions gives."""
    return true_fn() if bool(pred) else false_fn()
