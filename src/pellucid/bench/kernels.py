"""Every registered kernel at one typical size, beside what this machine can do; NumPy's matrix product for comparison.

Sizes are those of the seed networks where a kernel has a place in one, and large enough that the arrays leave the
caches where only memory matters. A kernel that is registered and not in the table is found by a test.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import ops
from pellucid.bench.limits import PROBE_TASKS, Limits, probe_flops, probe_limits, seconds
from pellucid.errors import BackendError
from pellucid.ops import native
from pellucid.ops.geometry import NO_PADS, Array, Convolution, Pooling, Shape
from pellucid.ops.memory import aligned_empty, aligned_zeros

if TYPE_CHECKING:
    from pellucid.ops._native import Step

ENOUGH_S = 0.1
"""Runs of one kernel are repeated for so long, and the quickest counts."""
PROBE_ROUNDS = 4_000
SAME3: Convolution = {"strides": (1, 1), "padding": ((1, 1), (1, 1))}
SAME5: Convolution = {"strides": (1, 1), "padding": ((2, 2), (2, 2))}
VALID: Convolution = {"strides": (1, 1), "padding": NO_PADS}
HALVED: Pooling = {"pool_size": (2, 2), "strides": (2, 2), "padding": NO_PADS}
NORM: dict[str, Any] = {"size": 5, "alpha": 1e-4, "beta": 0.75}
MAP: Shape = (16, 56, 56, 64)
LONG: Shape = (64, 56, 56, 64)
"""51 MB: what only passes through memory is measured from there."""


@dataclass(frozen=True)
class KernelRate:
    """One kernel at one size. share: how near the limit it is nearest to, 1 at the limit; see `Limits.share`."""

    kernel: str
    size: str
    ms: float
    gflops: float
    gbytes: float
    share: float


@dataclass(frozen=True)
class Line:
    """A line of the table: a kernel, a typical size in words, and how to make the step."""

    kernel: str
    size: str
    make: Callable[[], Step]


def _random(*shape: int) -> Array:
    array = aligned_empty(shape)
    np.random.default_rng(0).standard_normal(dtype=np.float32, out=array)
    return array


def _new(*shape: int) -> Array:
    return aligned_zeros(shape)


def _places(*shape: int) -> Array:
    """Where the maximum of a window of 2 x 2 was: a quarter of the windows gave nothing through relu."""
    return np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), shape)


CONVOLUTIONS = (
    Line(
        "conv2d",
        "100 x 28x28x1, 5x5, 30",
        lambda: native.conv2d(_random(100, 28, 28, 1), _random(5, 5, 1, 30), None, _new(100, 24, 24, 30), **VALID),
    ),
    Line(
        "conv2d",
        "16 x 56x56x64, 3x3, 64",
        lambda: native.conv2d(_random(*MAP), _random(3, 3, 64, 64), _random(64), _new(*MAP), **SAME3),
    ),
    Line(
        "conv2d",
        "16 x 56x56x64, 1x1, 64",
        lambda: native.conv2d(_random(*MAP), _random(1, 1, 64, 64), _random(64), _new(*MAP), **VALID),
    ),
    Line(
        "conv2d_backward_input",
        "16 x 56x56x64, 3x3, 64",
        lambda: native.conv2d_backward_input(_random(*MAP), _random(3, 3, 64, 64), _new(*MAP), **SAME3),
    ),
    Line(
        "conv2d_backward_kernel",
        "16 x 56x56x64, 3x3, 64",
        lambda: native.conv2d_backward_kernel(_random(*MAP), _random(*MAP), _new(3, 3, 64, 64), **SAME3),
    ),
    Line(
        "conv2d_pool",
        "100 x 28x28x1, 5x5, 30, max 2x2",
        lambda: native.conv2d_pool(
            _random(100, 28, 28, 1), _random(5, 5, 1, 30), _random(30), _new(100, 12, 12, 30),
            _places(100, 12, 12, 30), convolution=VALID, pooling=HALVED, activation="relu",
        ),
    ),
    Line(
        "conv2d_pool_backward_kernel",
        "100 x 28x28x1, 5x5, 30, max 2x2",
        lambda: native.conv2d_pool_backward_kernel(
            _random(100, 28, 28, 1), _random(100, 12, 12, 30), _random(100, 12, 12, 30), _places(100, 12, 12, 30),
            _new(5, 5, 1, 30), _new(30), convolution=VALID, pooling=HALVED, activation="relu",
        ),
    ),
    Line(
        "conv2d_pool_backward_input",
        "32 x 16x16x36, 3x3, 72, max 2x2",
        lambda: native.conv2d_pool_backward_input(
            _random(32, 8, 8, 72), _random(32, 8, 8, 72), _places(32, 8, 8, 72), _random(3, 3, 36, 72),
            _new(32, 16, 16, 36), convolution=SAME3, pooling=HALVED, activation="relu",
        ),
    ),
    Line(
        "conv2d_pool_map",
        "100 x 28x28x1, 5x5, 6, mean 2x2",
        lambda: native.conv2d_pool_map(
            _random(100, 28, 28, 1), _random(5, 5, 1, 6), _random(6), _new(100, 14, 14, 6), _new(100, 6, 28, 28),
            convolution=SAME5, pooling=HALVED, activation="sigmoid",
        ),
    ),
    Line(
        "conv2d_pool_map_backward_kernel",
        "100 x 28x28x1, 5x5, 6, mean 2x2",
        lambda: native.conv2d_pool_map_backward_kernel(
            _random(100, 28, 28, 1), _random(100, 14, 14, 6), _random(100, 6, 28, 28), _new(5, 5, 1, 6), _new(6),
            convolution=SAME5, pooling=HALVED, activation="sigmoid",
        ),
    ),
)  # fmt: skip

DENSE = (
    Line(
        "dense",
        "128 x 4096, 4096",
        lambda: native.dense(_random(128, 4096), _random(4096, 4096), None, _new(128, 4096)),
    ),
    Line(
        "dense_backward_input",
        "128 x 4096, 4096",
        lambda: native.dense_backward_input(_random(128, 4096), _random(4096, 4096), _new(128, 4096)),
    ),
    Line(
        "dense_backward_kernel",
        "128 x 4096, 4096",
        lambda: native.dense_backward_kernel(_random(128, 4096), _random(128, 4096), _new(4096, 4096)),
    ),
    Line("bias_backward", "64 x 56x56x64", lambda: native.bias_backward(_random(*LONG), _new(64))),
)

HALF: Shape = (64, 28, 28, 64)
POOLING = (
    Line(
        "max_pool2d", "64 x 56x56x64, 2x2",
        lambda: native.max_pool2d(_random(*LONG), _new(*HALF), _places(*HALF), **HALVED),
    ),
    Line(
        "max_pool2d_backward", "64 x 56x56x64, 2x2",
        lambda: native.max_pool2d_backward(_random(*HALF), _places(*HALF), _new(*LONG), **HALVED),
    ),
    Line("avg_pool2d", "64 x 56x56x64, 2x2", lambda: native.avg_pool2d(_random(*LONG), _new(*HALF), **HALVED)),
    Line(
        "avg_pool2d_backward", "64 x 56x56x64, 2x2",
        lambda: native.avg_pool2d_backward(_random(*HALF), _new(*LONG), **HALVED),
    ),
    Line("global_avg_pool2d", "64 x 56x56x64", lambda: native.global_avg_pool2d(_random(*LONG), _new(64, 64))),
    Line(
        "global_avg_pool2d_backward", "64 x 56x56x64",
        lambda: native.global_avg_pool2d_backward(_random(64, 64), _new(*LONG)),
    ),
)  # fmt: skip


def _cross_entropy() -> Step:
    labels = np.arange(1024, dtype=np.int32) % 1000
    logits, dlogits = _random(1024, 1000), _new(1024, 1000)
    return native.softmax_cross_entropy(logits, labels, None, _new(1024), _new(1024), dlogits)


def _binary_cross_entropy() -> Step:
    logits, targets, gradient = _random(1024, 1000), np.abs(_random(1024, 1000)), _new(1024, 1000)
    return native.binary_cross_entropy(logits, targets, None, _new(1024), None, gradient)


NONLINEAR = (
    Line("activation", "relu, 64 x 56x56x64", lambda: native.activation(_random(*LONG), _new(*LONG), "relu")),
    Line(
        "activation_backward", "relu, 64 x 56x56x64",
        lambda: native.activation_backward(_random(*LONG), _random(*LONG), _new(*LONG), "relu"),
    ),
    Line("softmax", "1024 x 1000", lambda: native.softmax(_random(1024, 1000), _new(1024, 1000))),
    Line(
        "softmax_backward", "1024 x 1000",
        lambda: native.softmax_backward(_random(1024, 1000), _random(1024, 1000), _new(1024, 1000)),
    ),
    Line("softmax_cross_entropy", "1024 x 1000", _cross_entropy),
    Line("elementwise_loss", "binary cross-entropy, 1024 x 1000", _binary_cross_entropy),
    Line(
        "dropout", "0.25, 64 x 56x56x64",
        lambda: native.dropout(_random(*LONG), _new(*LONG), 0.25, np.array([1, 2], np.uint32), 3),
    ),
)  # fmt: skip

NORMALIZATION = (
    Line(
        "local_response_norm", "64 x 56x56x64, 5",
        lambda: native.local_response_norm(_random(*LONG), _new(*LONG), _new(*LONG), k=2.0, **NORM),
    ),
    Line(
        "local_response_norm_backward", "64 x 56x56x64, 5",
        lambda: native.local_response_norm_backward(
            _random(*LONG), _random(*LONG), _random(*LONG), 2 + np.abs(_random(*LONG)), _new(*LONG), **NORM
        ),
    ),
    Line(
        "batch_norm", "64 x 56x56x64",
        lambda: native.batch_norm(
            _random(*LONG), _random(64), _random(64), _new(*LONG), _new(64), _new(64), epsilon=1e-3
        ),
    ),
    Line(
        "batch_norm_inference", "64 x 56x56x64",
        lambda: native.batch_norm_inference(
            _random(*LONG), _random(64), _random(64), _random(64), np.abs(_random(64)), _new(*LONG), epsilon=1e-3
        ),
    ),
    Line(
        "batch_norm_backward", "64 x 56x56x64",
        lambda: native.batch_norm_backward(
            _random(*LONG), _random(*LONG), _random(64), _random(64), np.abs(_random(64)), _new(*LONG), _new(64),
            _new(64), epsilon=1e-3,
        ),
    ),
    Line("update_running", "512", lambda: native.update_running(_random(512), _new(512), momentum=0.99)),
)  # fmt: skip

PARAMETERS = 16_000_000
CONTROL = np.array([1e-3, 1.0, 1.0])


def _vectors() -> Array:
    return _new(4, PARAMETERS)


def _sgd() -> Step:
    param, grad, velocity, _ = _vectors()
    return native.sgd(param, grad, velocity, CONTROL, momentum=0.9)


def _adam() -> Step:
    param, grad, m, v = _vectors()
    return native.adam(param, grad, m, v, CONTROL, beta1=0.9, beta2=0.999, epsilon=1e-7)


def _adagrad() -> Step:
    param, grad, square, _ = _vectors()
    return native.adagrad(param, grad, square, CONTROL, epsilon=1e-7)


def _rmsprop() -> Step:
    param, grad, square, _ = _vectors()
    return native.rmsprop(param, grad, square, None, None, CONTROL, rho=0.9, momentum=0.0, epsilon=1e-7)


def _adadelta() -> Step:
    param, grad, square, delta = _vectors()
    return native.adadelta(param, grad, square, delta, CONTROL, rho=0.95, epsilon=1e-7)


OPTIMIZERS = (
    Line("sgd", "16,000,000", _sgd),
    Line("adam", "16,000,000", _adam),
    Line("adagrad", "16,000,000", _adagrad),
    Line("rmsprop", "16,000,000", _rmsprop),
    Line("adadelta", "16,000,000", _adadelta),
    Line(
        "add_penalty", "16,000,000",
        lambda: native.add_penalty(
            _random(PARAMETERS), _new(PARAMETERS), np.zeros(3), l1=0.0, l2=1e-4, pictures=1
        ),
    ),
    Line("clip_by_value", "16,000,000", lambda: native.clip_by_value(_random(PARAMETERS), limit=3.0)),
    Line("clip_by_norm", "16,000,000", lambda: native.clip_by_norm(_random(PARAMETERS), limit=1e-3)),
    Line("stop_unless_finite", "3", lambda: native.stop_unless_finite(np.ones(3))),
)  # fmt: skip


def _gather() -> Step:
    source = np.zeros((10_000, 28, 28, 1), np.uint8)
    indices = np.random.default_rng(0).permutation(10_000)
    return native.gather(source, indices, _new(1000, 28, 28, 1), _random(1), _random(1), np.zeros(1, np.int64))


def _gather_labels() -> Step:
    indices = np.random.default_rng(0).permutation(10_000)
    labels = np.arange(10_000, dtype=np.int32)
    return native.gather_labels(labels, indices, np.zeros(1000, np.int32), np.zeros(1, np.int64))


DATA = (
    Line("gather", "1000 x 28x28x1 of uint8", _gather),
    Line("gather_labels", "1000", _gather_labels),
    Line("swap_axes", "30x144x100", lambda: native.swap_axes(_random(30, 144, 100), _new(144, 30, 100))),
    Line("accumulate", "1000", lambda: native.accumulate(_new(1000), _new(1000), None, np.zeros(3))),
    Line("add", "64 x 56x56x64", lambda: native.add(_random(*LONG), _new(*LONG))),
    Line(
        "fma_probe", f"{PROBE_TASKS} x {PROBE_ROUNDS}",
        lambda: native.fma_probe(np.zeros(PROBE_TASKS, np.float32), PROBE_ROUNDS),
    ),
)  # fmt: skip

TABLE = (*CONVOLUTIONS, *DENSE, *POOLING, *NONLINEAR, *NORMALIZATION, *OPTIMIZERS, *DATA)


def kernel_names() -> list[str]:
    """Every kernel that is compiled in."""
    from pellucid.ops import _native

    return sorted(_native.kernel_fields())


def measure_kernels(threads: int | None = None) -> tuple[Limits, tuple[KernelRate, ...]]:
    """The machine's limits and every line of the table, measured in a fresh process.

    Errors: BackendError where there are no compiled kernels.
    """
    if not native.available:
        raise BackendError(f"there are no compiled kernels to measure: {native.reason}")
    count = native.num_threads() if threads is None else threads
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = str(count)  # NumPy's library reads it when it is loaded, in the new process
    try:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(_measure_all, (count,))
    finally:
        if before is None:
            del os.environ["OPENBLAS_NUM_THREADS"]
        else:
            os.environ["OPENBLAS_NUM_THREADS"] = before


def _measure_all(threads: int) -> tuple[Limits, tuple[KernelRate, ...]]:
    ops.set_num_threads(threads)
    limits = probe_limits()
    rates = []
    for line in TABLE:
        rates.append(measure_line(line, limits))
        if line.kernel == "dense":
            rates.append(_numpy_product(limits))
    return limits, tuple(rates)


def measure_line(line: Line, limits: Limits) -> KernelRate:
    """One kernel, timed here."""
    step = line.make()
    spent = native.cost(step)
    flops, num_bytes = spent.flops, spent.num_bytes
    if line.kernel == "fma_probe":
        flops, num_bytes = probe_flops(PROBE_TASKS, PROBE_ROUNDS), 0.0
    algorithm = native.conv2d_algorithm(step)
    size = line.size if algorithm == "auto" else f"{line.size} ({algorithm})"
    return _rate(line.kernel, size, native.Program([step]).run, flops, num_bytes, limits)


def _numpy_product(limits: Limits) -> KernelRate:
    """What `dense` does, by the matrix product that NumPy brings (OpenBLAS, most often), on as many threads."""
    x, kernel, y = _random(128, 4096), _random(4096, 4096), _new(128, 4096)
    flops, num_bytes = 2.0 * 128 * 4096 * 4096, float(x.nbytes + kernel.nbytes + y.nbytes)
    return _rate("NumPy's matmul", "128 x 4096, 4096", lambda: np.matmul(x, kernel, out=y), flops, num_bytes, limits)


def _rate(
    kernel: str, size: str, work: Callable[[], object], flops: float, num_bytes: float, limits: Limits
) -> KernelRate:
    work()
    times = [seconds(work)]
    while sum(times) < ENOUGH_S or len(times) < 3:
        times.append(seconds(work))
    gflops, gbytes = flops / min(times) / 1e9, num_bytes / min(times) / 1e9
    return KernelRate(kernel, size, 1e3 * min(times), gflops, gbytes, limits.share(gflops, gbytes))
