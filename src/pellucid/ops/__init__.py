"""All arithmetic: numbers in, numbers out, no state.

Every operation checks its arguments, picks the backend (compiled kernels for float32, the NumPy reference for the
rest) and can say which ran: `backend()`, `backend_of(op, *arrays)`, `recording()`. Pictures are (N, H, W, C),
convolution kernels (KH, KW, C/groups, O), dense kernels (inputs, units). Gradients are named d + what they belong to.
Results go to `out=` where it is given; arrays that are already right are never copied.

geometry: sizes; api: the operations; dispatch: how they are run; reference: the NumPy truth; native: the kernels.
"""

from __future__ import annotations

from pellucid.ops.api.conv import conv2d, conv2d_backward_input, conv2d_backward_kernel, zero_pad2d
from pellucid.ops.api.conv_pool import (
    conv2d_avg_pool2d,
    conv2d_avg_pool2d_map,
    conv2d_avg_pool2d_map_backward_kernel,
    conv2d_max_pool2d,
    conv2d_max_pool2d_backward_input,
    conv2d_max_pool2d_backward_kernel,
)
from pellucid.ops.api.data import gather, swap_axes
from pellucid.ops.api.linear import bias_backward, dense, dense_backward_input, dense_backward_kernel
from pellucid.ops.api.loss import (
    binary_cross_entropy,
    mean_absolute_error,
    mean_squared_error,
    softmax_cross_entropy,
)
from pellucid.ops.api.nonlinear import activation, activation_backward, softmax, softmax_backward
from pellucid.ops.api.normalization import (
    batch_norm,
    batch_norm_backward,
    batch_norm_inference,
    local_response_norm,
    local_response_norm_backward,
)
from pellucid.ops.api.optimizer import (
    adadelta_update,
    adagrad_update,
    adam_update,
    optimizer_update,
    rmsprop_update,
    sgd_update,
)
from pellucid.ops.api.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from pellucid.ops.api.random import dropout
from pellucid.ops.dispatch import Backend, backend, backend_of, num_threads, recomputed, recording, set_num_threads
from pellucid.ops.geometry import Array, Pads, Pair, Shape
from pellucid.ops.given import float32_array, real_array, words_of
from pellucid.ops.native import choose_direct_convolution, direct_convolution

__all__ = [
    "Array",
    "Backend",
    "Pads",
    "Pair",
    "Shape",
    "activation",
    "activation_backward",
    "adadelta_update",
    "adagrad_update",
    "adam_update",
    "avg_pool2d",
    "avg_pool2d_backward",
    "backend",
    "backend_of",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_inference",
    "bias_backward",
    "binary_cross_entropy",
    "choose_direct_convolution",
    "conv2d",
    "conv2d_avg_pool2d",
    "conv2d_avg_pool2d_map",
    "conv2d_avg_pool2d_map_backward_kernel",
    "conv2d_backward_input",
    "conv2d_backward_kernel",
    "conv2d_max_pool2d",
    "conv2d_max_pool2d_backward_input",
    "conv2d_max_pool2d_backward_kernel",
    "dense",
    "dense_backward_input",
    "dense_backward_kernel",
    "direct_convolution",
    "dropout",
    "float32_array",
    "gather",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "mean_absolute_error",
    "mean_squared_error",
    "num_threads",
    "optimizer_update",
    "real_array",
    "recomputed",
    "recording",
    "rmsprop_update",
    "set_num_threads",
    "sgd_update",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "swap_axes",
    "words_of",
    "zero_pad2d",
]
