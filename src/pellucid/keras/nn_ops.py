"""Keras 3's operations of neural networks that TensorFlow has otherwise, or not; `ops.py` lists all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid import _modules, layers
from pellucid.autodiff.rules import scattered
from pellucid.errors import ConfigError
from pellucid.keras import activations, ctc
from pellucid.keras import tensorflow as tf
from pellucid.keras.numpy_ops import clip
from pellucid.keras.operation import of_values
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow.convolution import avg_pool2d, conv2d, depthwise_conv2d, max_pool2d
from pellucid.keras.tensorflow.math import l2_normalize
from pellucid.ops.geometry import Pads, Pair, output_size, pair

_LAST = ("channels_last", None)


def _expect_last(where: str, data_format: Any) -> None:
    """Errors: ConfigError for channels first."""
    if data_format not in _LAST:
        raise ConfigError(f"{where}: pictures are (N, H, W, C) here, got data_format={data_format!r}")


def gelu(x: Any, approximate: bool = True) -> Any:
    """As `activations.gelu`, by its approximation where nothing is said."""
    return activations.gelu(x, approximate)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-t * log p - (1 - t) * log(1 - p) of each number, p kept off 0 and 1; or of scores."""
    t = tensor(target)
    if from_logits:
        return tf.nn.sigmoid_cross_entropy_with_logits(t, output)
    p = clip(output, np.float32(1e-7), np.float32(1 - 1e-7))
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


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


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, **_: Any) -> Any:
    """A row of zeros with a one at each class number."""
    rows = tf.one_hot(x, num_classes)
    return rows if axis == -1 else np.moveaxis(rows, -1, axis)


def depthwise_conv(inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None,
                   dilation_rate: Any = 1) -> Any:  # fmt: skip
    """As the layer DepthwiseConv2D, with a kernel that is given."""
    return depthwise_conv2d(inputs, kernel, strides, padding, data_format, dilation_rate)


def separable_conv(inputs: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: Any = 1,
                   padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1) -> Any:  # fmt: skip
    """As the layer SeparableConv2D, with kernels that are given."""
    return conv(
        depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate), pointwise_kernel
    )


@of_values
def conv_transpose(inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", output_padding: Any = None,
                   data_format: Any = None, dilation_rate: Any = 1) -> Any:  # fmt: skip
    """As the layer Conv2DTranspose, with a kernel that is given: a convolution of pixels that lie strides apart.

    Shapes: inputs (N,H,W,C), kernel (KH,KW,O,C).
    """
    _expect_last("conv_transpose", data_format)
    x, weights = tensor(inputs), tensor(kernel)
    step, rate, window = pair(strides, "strides"), pair(dilation_rate, "dilation_rate"), weights.shape[:2]
    more = None if output_padding is None else pair(output_padding, "output_padding", least=0)
    layer = layers.Conv2DTranspose(weights.shape[2], window, step, padding, more, dilation_rate=rate)
    size, pads = layer.output_shape(tuple(x.shape[1:]))[:2], layer.options(tuple(x.shape[1:]))["padding"]
    n, height, width, channels = x.shape
    apart = np.pad(x[:, :, None, :, None], ((0, 0), (0, 0), (0, step[0] - 1), (0, 0), (0, step[1] - 1), (0, 0)))
    apart = apart.reshape(n, height * step[0], width * step[1], channels)[:, : size[0], : size[1]]
    border = []
    for axis in (0, 1):
        span = (window[axis] - 1) * rate[axis]
        before = span - pads[axis][0]
        border.append((before, size[axis] + span - before - apart.shape[axis + 1]))
    cut = tuple(slice(max(-a, 0), n + min(b, 0)) for (a, b), n in zip(border, apart.shape[1:3], strict=True))
    padded = np.pad(apart[(slice(None), *cut)], ((0, 0), *((max(a, 0), max(b, 0)) for a, b in border), (0, 0)))
    turned = np.swapaxes(weights[::-1, ::-1], 2, 3)
    return conv2d(padded, turned, 1, "valid", None, rate)


def _adaptive(kind: str) -> Any:
    def function(inputs: Any, output_size: Any, data_format: Any = None) -> Any:
        _expect_last(kind, data_format)
        return getattr(layers, f"{kind}{len(inputs.shape) - 2}D")(output_size)(tensor(inputs))

    function.__doc__ = f"As the layers `{kind}1D` and `{kind}2D`."
    return function


adaptive_average_pool, adaptive_max_pool = map(_adaptive, ("AdaptiveAvgPool", "AdaptiveMaxPool"))


# Normalizations, by numbers that are given


def _along(given: Any, x: Any, axis: Any) -> Any:
    """A row of numbers for an axis, in the shape that stretches along the others."""
    axes = [int(i) % len(x.shape) for i in np.atleast_1d(axis)]
    return np.reshape(tensor(given), [size if i in axes else 1 for i, size in enumerate(x.shape)])


def _scaled(x: Any, scale: Any, offset: Any, axis: Any) -> Any:
    y = x if scale is None else x * _along(scale, x, axis)
    return y if offset is None else y + _along(offset, x, axis)


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


@of_values
def batch_normalization(x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None,
                        epsilon: float = 1e-3) -> Any:  # fmt: skip
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, each a row along the axis."""
    given = tensor(x)
    standard = (given - _along(mean, given, axis)) / np.sqrt(_along(variance, given, axis) + epsilon)
    return _scaled(standard, scale, offset, axis)


@of_values
def layer_normalization(x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1,
                        epsilon: float | None = None) -> Any:  # fmt: skip
    """The same by the mean and variance along the axis."""
    given, axes = tensor(x), _axes(axis)
    off = given - np.mean(given, axis=axes, keepdims=True)
    spread = np.mean(np.square(off), axis=axes, keepdims=True)
    return _scaled(off / np.sqrt(spread + (1e-7 if epsilon is None else epsilon)), gamma, beta, axis)


@of_values
def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Any:
    """Divided by the root of the mean square along the axis."""
    given, axes = tensor(x), _axes(axis)
    square = np.mean(np.square(given), axis=axes, keepdims=True)
    return _scaled(given / np.sqrt(square + (1e-7 if epsilon is None else epsilon)), scale, None, axis)


@of_values
def dot_product_attention(query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None,
                          scale: float | None = None, is_causal: bool = False, flash_attention: Any = None,
                          attn_logits_soft_cap: Any = None) -> Any:  # fmt: skip
    """The mean of the values by how well their keys fit each query: softmax(q k' * scale + bias) v, of each head.

    Shapes: query (B,T,N,H), key and value (B,S,N,H), of which N may be fewer; bias and mask (B,N,T,S) -> (B,T,N,H).
    Errors: ConfigError for a soft cap.
    """
    if attn_logits_soft_cap is not None:
        raise ConfigError("dot_product_attention: attn_logits_soft_cap is not here; use None")
    q, k, v = map(tensor, (query, key, value))
    k, v = (np.repeat(x, q.shape[2] // x.shape[2], 2) for x in (k, v))
    logits = np.einsum("btnh,bsnh->bnts", q, k) * np.float32(1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    logits = logits if bias is None else logits + tensor(bias)
    allowed = np.ones(logits.shape[-2:], bool) if mask is None else np.asarray(mask, bool)
    allowed = np.tril(np.ones(logits.shape[-2:], bool)) & allowed if is_causal else allowed
    return np.einsum("bnts,bsnh->btnh", activations.softmax(np.where(allowed, logits, np.float32(-1e30))), v)


# Numbers that move


def _blocks(x: Any, block_size: int, data_format: Any, where: str) -> tuple[Any, int]:
    _expect_last(where, data_format)
    return tensor(x), int(block_size)


@of_values
def depth_to_space(x: Any, block_size: int, data_format: Any = None) -> Any:
    """The channels of a pixel as a block of pixels. Shapes: (N,H,W,B*B*C) -> (N,H*B,W*B,C)."""
    given, side = _blocks(x, block_size, data_format, "depth_to_space")
    n, height, width, channels = given.shape
    parts = given.reshape(n, height, width, side, side, channels // side**2).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(n, height * side, width * side, channels // side**2)


@of_values
def space_to_depth(x: Any, block_size: int, data_format: Any = None) -> Any:
    """The way back. Shapes: (N,H*B,W*B,C) -> (N,H,W,B*B*C)."""
    given, side = _blocks(x, block_size, data_format, "space_to_depth")
    n, height, width, channels = given.shape
    parts = given.reshape(n, height // side, side, width // side, side, channels).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(n, height // side, width // side, channels * side**2)


def _window_places(size: Pair, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    """For each number of each window its place among the pixels, counted from 1, or 0 beyond the border.

    Shapes: (KH*KW, windows).
    """
    window, rate, step = (pair(x, "unfold", least=1) for x in (kernel_size, dilation, stride))
    above, left = pair(padding, "padding", least=0)
    pads: Pads = ((above, above), (left, left))
    numbers = np.pad(np.arange(1, math.prod(size) + 1).reshape(size), pads)
    count = output_size(size, window, step, pads, rate)
    rows, columns = (
        np.arange(side)[:, None] * apart + np.arange(many) * each
        for side, apart, many, each in zip(window, rate, count, step, strict=True)
    )
    return numbers[rows[:, None, :, None], columns[None, :, None, :]].reshape(math.prod(window), -1)


@of_values
def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Each window's numbers as a column. Shapes: (N,C,H,W) -> (N,C*KH*KW,windows)."""
    given = tensor(x)
    places = _window_places(given.shape[2:], kernel_size, dilation, padding, stride)
    flat = np.pad(given.reshape(*given.shape[:2], -1), ((0, 0), (0, 0), (1, 0)))
    return flat[:, :, places].reshape(given.shape[0], -1, places.shape[1])


@of_values
def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The way back, what overlaps is added. Shapes: (N,C*KH*KW,windows) -> (N,C,H,W)."""
    given, size = tensor(x), pair(output_size, "output_size")
    places = _window_places(size, kernel_size, dilation, padding, stride)
    pictures, count = given.shape[0] * given.shape[1] // len(places), math.prod(size)
    every = np.where(places > 0, places + count * np.arange(pictures)[:, None, None], 0)
    sums = tensor(given.reshape(-1)).through(scattered, every.ravel(), count * pictures)
    return sums.astype(given.dtype).reshape(given.shape[0], -1, *size)


# Losses, and what is counted


def multi_hot(inputs: Any, num_classes: int, axis: int = -1, dtype: Any = None, **_: Any) -> Any:
    """A row with a one for each class number among those of a row."""
    rows = np.asarray(one_hot(inputs, num_classes, dtype=dtype))
    return tensor(np.moveaxis(rows.max(1 if rows.ndim > 2 else 0), -1, axis))


def psnr(x1: Any, x2: Any, max_val: Any) -> Any:
    """10 log10(max_val^2 / mean squared difference)."""
    return 20 * math.log10(max_val) - 10 * np.log10(np.mean(np.square(tensor(x1) - tensor(x2))))


def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether the own class is among the k largest."""
    scores = np.asarray(predictions)
    own = np.take_along_axis(scores, np.asarray(targets, np.int64)[:, None], -1)
    return tensor((scores > own).sum(-1) < k)


def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Any:
    """-log of the probability of each word, over all ways to place its letters; of scores.

    Shapes: target (N,L), output (N,T,K), lengths (N,) -> (N,).
    """
    letters, last = np.asarray(target, np.int64), np.shape(output)[-1] - 1
    order = [i for i in range(last + 1) if i != mask_index % (last + 1)]
    logs = np.take(activations.log_softmax(output), np.asarray([*order, mask_index % (last + 1)]), -1)
    letters = np.where(letters > mask_index, letters - 1, letters)
    return ctc.word_losses(logs, letters, output_length, target_length)[:, 0]


def ctc_decode(inputs: Any, sequence_lengths: Any, strategy: str = "greedy", beam_width: int = 100,
               top_paths: int = 1, merge_repeated: bool = True, mask_index: int = 0) -> Any:  # fmt: skip
    """(the likeliest class of each step without repeats and blanks, -1 behind, the negative sum of their scores).

    Shapes: inputs (N,T,K) -> (1,N,T), (N,1). Errors: ConfigError for another strategy.
    """
    if strategy != "greedy":
        raise ConfigError(f'ctc_decode: only strategy="greedy" is here, got {strategy!r}')
    scores = np.asarray(inputs)
    within = np.arange(scores.shape[1]) < np.asarray(sequence_lengths)[:, None]
    best = np.where(within, scores.argmax(-1), mask_index)
    kept = best != mask_index
    if merge_repeated:
        kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    order = np.argsort(~kept, 1, kind="stable")
    words = np.take_along_axis(np.where(kept, best, -1), order, 1)
    return tensor(words[None]), -np.sum(np.where(within, np.max(tensor(inputs), -1), 0), 1, keepdims=True)


__all__ = _modules.written(globals())
