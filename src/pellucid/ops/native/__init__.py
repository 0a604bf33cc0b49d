"""Thin binding to the compiled kernels: every function makes one `Step`, a kernel bound to the arrays given.

Twins of the functions in `reference`: same names, same arguments, the arrays for the results given. `run(step)` runs
one; `Program(steps)` runs many in one call with the GIL released once. Arrays are float32 and C-contiguous unless said
otherwise. Whoever calls, no step can be made whose sizes exceed its arrays or the kernels' limits: BackendError.

`PELLUCID_ISA` forces an instruction set (baseline, avx2, avx512), `PELLUCID_NUM_THREADS` the number of threads.
"""

from __future__ import annotations

from pellucid.ops.native.conv import (
    choose_direct_convolution,
    conv2d,
    conv2d_algorithm,
    conv2d_backward_input,
    conv2d_backward_kernel,
    conv2d_choice,
    conv2d_pool,
    conv2d_pool_backward_input,
    conv2d_pool_backward_kernel,
    conv2d_pool_map,
    conv2d_pool_map_backward_kernel,
    conv2d_pool_map_pays,
    convolves_directly,
    direct_convolution,
)
from pellucid.ops.native.cost import Cost, cost
from pellucid.ops.native.data import (
    accumulate,
    add,
    fma_probe,
    gather,
    gather_labels,
    stop_unless_finite,
    swap_axes,
)
from pellucid.ops.native.linear import (
    bias_backward,
    dense,
    dense_backward_input,
    dense_backward_kernel,
)
from pellucid.ops.native.loss import (
    binary_cross_entropy,
    mean_absolute_error,
    mean_squared_error,
    softmax_cross_entropy,
)
from pellucid.ops.native.nonlinear import (
    activation,
    activation_backward,
    dropout,
    softmax,
    softmax_backward,
)
from pellucid.ops.native.normalization import (
    batch_norm,
    batch_norm_backward,
    batch_norm_inference,
    local_response_norm,
    local_response_norm_backward,
    update_running,
)
from pellucid.ops.native.optimizer import (
    adadelta,
    adagrad,
    adam,
    add_penalty,
    clip_by_norm,
    clip_by_value,
    rmsprop,
    sgd,
)
from pellucid.ops.native.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from pellucid.ops.native.runtime import (
    MAX_POOL_TAPS,
    MAX_THREADS,
    Program,
    Step,
    available,
    instruction_set,
    instruction_sets,
    num_threads,
    reason,
    recomputed,
    run,
    set_num_threads,
)

__all__ = [
    "MAX_POOL_TAPS",
    "MAX_THREADS",
    "Cost",
    "Program",
    "Step",
    "accumulate",
    "activation",
    "activation_backward",
    "adadelta",
    "adagrad",
    "adam",
    "add",
    "add_penalty",
    "available",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_inference",
    "bias_backward",
    "binary_cross_entropy",
    "choose_direct_convolution",
    "clip_by_norm",
    "clip_by_value",
    "conv2d",
    "conv2d_algorithm",
    "conv2d_backward_input",
    "conv2d_backward_kernel",
    "conv2d_choice",
    "conv2d_pool",
    "conv2d_pool_backward_input",
    "conv2d_pool_backward_kernel",
    "conv2d_pool_map",
    "conv2d_pool_map_backward_kernel",
    "conv2d_pool_map_pays",
    "convolves_directly",
    "cost",
    "dense",
    "dense_backward_input",
    "dense_backward_kernel",
    "direct_convolution",
    "dropout",
    "fma_probe",
    "gather",
    "gather_labels",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "instruction_set",
    "instruction_sets",
    "local_response_norm",
    "local_response_norm_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "mean_absolute_error",
    "mean_squared_error",
    "num_threads",
    "reason",
    "recomputed",
    "rmsprop",
    "run",
    "set_num_threads",
    "sgd",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "stop_unless_finite",
    "swap_axes",
    "update_running",
]
