"""The NumPy truth: every operation in plain array arithmetic, any float dtype; slow, short, and checked against others.

Each function is the twin of a native kernel: same name, same arguments in the same order, the arrays for the results
given. They trust their arguments; `pellucid.ops` checks them. Float32 in gives float32 out, with long sums
kept in float64.

conv, linear, pool, nonlinear, normalization, random, loss, optimizer: one file a family; data: gathering, small sums.
"""

from __future__ import annotations

from pellucid.ops.reference.conv import conv2d, conv2d_backward_input, conv2d_backward_kernel, zero_pad2d
from pellucid.ops.reference.conv_pool import (
    conv2d_pool,
    conv2d_pool_backward_input,
    conv2d_pool_backward_kernel,
    conv2d_pool_map,
    conv2d_pool_map_backward_kernel,
)
from pellucid.ops.reference.data import accumulate, add, fma_probe, gather, gather_labels, swap_axes
from pellucid.ops.reference.linear import bias_backward, dense, dense_backward_input, dense_backward_kernel
from pellucid.ops.reference.loss import (
    binary_cross_entropy,
    mean_absolute_error,
    mean_squared_error,
    softmax_cross_entropy,
)
from pellucid.ops.reference.nonlinear import KINDS, activation, activation_backward, softmax, softmax_backward
from pellucid.ops.reference.normalization import (
    batch_norm,
    batch_norm_backward,
    batch_norm_inference,
    local_response_norm,
    local_response_norm_backward,
    update_running,
)
from pellucid.ops.reference.optimizer import (
    adadelta,
    adagrad,
    adam,
    add_penalty,
    clip_by_norm,
    clip_by_value,
    rmsprop,
    sgd,
)
from pellucid.ops.reference.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from pellucid.ops.reference.random import dropout, threefry

__all__ = [
    "KINDS",
    "accumulate",
    "activation",
    "activation_backward",
    "adadelta",
    "adagrad",
    "adam",
    "add",
    "add_penalty",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_inference",
    "bias_backward",
    "binary_cross_entropy",
    "clip_by_norm",
    "clip_by_value",
    "conv2d",
    "conv2d_backward_input",
    "conv2d_backward_kernel",
    "conv2d_pool",
    "conv2d_pool_backward_input",
    "conv2d_pool_backward_kernel",
    "conv2d_pool_map",
    "conv2d_pool_map_backward_kernel",
    "dense",
    "dense_backward_input",
    "dense_backward_kernel",
    "dropout",
    "fma_probe",
    "gather",
    "gather_labels",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "mean_absolute_error",
    "mean_squared_error",
    "rmsprop",
    "sgd",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "swap_axes",
    "threefry",
    "update_running",
    "zero_pad2d",
]
