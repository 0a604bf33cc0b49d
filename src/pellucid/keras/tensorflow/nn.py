"""Activations, losses of scores, and what layers do to arrays, by TensorFlow's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras import activations, random
from pellucid.keras.operation import of_values
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow.convolution import avg_pool2d, conv2d, depthwise_conv2d, expect_last, max_pool2d
from pellucid.keras.tensorflow.math import (
    l2_normalize,
    log_softmax,
    numbers,
    reduce_logsumexp,
    sigmoid,
    softplus,
    tanh,
    top_k,
)
from pellucid.keras.tensorflow.naming import also
from pellucid.layers import Dropout
from pellucid.layers.symbolic import is_symbolic

__all__ = [
    "avg_pool", "avg_pool2d", "bias_add", "compute_average_loss", "conv2d", "depth_to_space", "depthwise_conv2d",
    "dropout", "elu", "gelu", "l2_loss", "l2_normalize", "leaky_relu", "log_softmax", "max_pool", "max_pool2d",
    "moments", "relu", "relu6", "scale_regularization_loss", "selu", "sigmoid", "sigmoid_cross_entropy_with_logits",
    "silu", "softmax", "softmax_cross_entropy_with_logits", "softplus", "softsign", "space_to_depth",
    "sparse_softmax_cross_entropy_with_logits", "swish", "tanh", "top_k",
]  # fmt: skip

elu, gelu, relu, relu6, selu, silu, softsign, swish = (
    also(x="features")(getattr(activations, each))
    for each in ["elu", "gelu", "relu", "relu6", "selu", "silu", "softsign", "swish"]
)
leaky_relu = also(x="features", negative_slope="alpha")(activations.leaky_relu)
softmax = also(x="logits")(activations.softmax)
avg_pool, max_pool = also(input="value")(avg_pool2d), also(input="value")(max_pool2d)


@also(input="x")
@of_values
def depth_to_space(input: Any, block_size: int, data_format: str = "NHWC") -> Any:
    """Each pixel's channels as a block of pixels. Shapes: (N,H,W,B*B*C) -> (N,H*B,W*B,C)."""
    expect_last(data_format, "depth_to_space")
    n, h, w, c = np.shape(input)
    blocks = np.reshape(tensor(input), (n, h, w, block_size, block_size, c // block_size**2))
    return np.reshape(np.transpose(blocks, (0, 1, 3, 2, 4, 5)), (n, h * block_size, w * block_size, -1))


@also(input="x")
@of_values
def space_to_depth(input: Any, block_size: int, data_format: str = "NHWC") -> Any:
    """Each block of pixels as the channels of one. Shapes: (N,H*B,W*B,C) -> (N,H,W,B*B*C)."""
    expect_last(data_format, "space_to_depth")
    n, h, w, c = np.shape(input)
    blocks = np.reshape(tensor(input), (n, h // block_size, block_size, w // block_size, block_size, c))
    return np.reshape(np.transpose(blocks, (0, 1, 3, 2, 4, 5)), (n, h // block_size, w // block_size, -1))


def sigmoid_cross_entropy_with_logits(labels: Any = None, logits: Any = None, name: Any = None) -> Any:
    """log(1 + exp(x)) - x * t, number by number."""
    x = numbers(logits, "sigmoid_cross_entropy_with_logits")
    return np.logaddexp(0, x) - x * tensor(labels)


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: int = -1, name: Any = None) -> Any:
    """-sum(t * log softmax(x)) along an axis."""
    x = numbers(logits, "softmax_cross_entropy_with_logits")
    return np.sum(tensor(labels) * (reduce_logsumexp(x, axis, keepdims=True) - x), axis=axis)


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: Any = None) -> Any:
    """The same of class numbers."""
    x = numbers(logits, "sparse_softmax_cross_entropy_with_logits")
    own = np.take_along_axis(x, np.asarray(labels, np.int64)[..., None], -1)
    return reduce_logsumexp(x, -1) - own[..., 0]


def compute_average_loss(per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None) -> Any:
    """The sum of the losses of a batch, over how many pictures it has."""
    losses = numbers(per_example_loss, "compute_average_loss")
    losses = losses if sample_weight is None else losses * tensor(sample_weight)
    return np.sum(losses) / (np.shape(losses)[0] if global_batch_size is None else global_batch_size)


def scale_regularization_loss(regularization_loss: Any) -> Any:
    """The sum of penalties: this process is the only replica."""
    return np.sum(numbers(regularization_loss, "scale_regularization_loss"))


def l2_loss(t: Any, name: Any = None) -> Any:
    """Half the sum of squares."""
    return np.sum(np.square(numbers(t, "l2_loss"))) / 2


def moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None) -> Any:
    """(mean, variance) along axes."""
    array, along = numbers(x, "moments"), tuple(axes)
    return np.mean(array, axis=along, keepdims=keepdims), np.var(array, axis=along, keepdims=keepdims)


def bias_add(value: Any, bias: Any, **more: Any) -> Any:
    """A number added to each channel."""
    return tensor(value) + tensor(bias)


def dropout(x: Any, rate: float, **more: Any) -> Any:
    """Dropout of a network's values while it is trained; of arrays each time."""
    if is_symbolic(x):
        return Dropout(rate)(x)
    return random.dropout(x, rate, more.get("noise_shape"), more.get("seed"))
