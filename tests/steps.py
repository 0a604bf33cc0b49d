"""One step of every kernel, at sizes that cut vectors, tiles and tasks: for what must hold of all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.ops import native
from pellucid.ops.geometry import Array, Pooling

NO_PADS = ((0, 0), (0, 0))
SAME3 = {"strides": (1, 1), "padding": ((1, 1), (1, 1))}
POOL = {"pool_size": (3, 2), "strides": (2, 2), "padding": ((1, 0), (0, 1))}
LRN = {"size": 5, "alpha": 1e-2, "beta": 0.75}
CONTROL = np.array([0.01, 3.0, 0.5])
COUNTER = np.array([7, 9], np.uint32)

Built = tuple[Any, list[Array]]


class Arrays:
    """Seeded arrays: the same numbers for the same call, cut to n examples where `batch` is asked for."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.rng = np.random.default_rng(3)

    def batch(self, *shape: int) -> Array:
        return np.ascontiguousarray(self.rng.standard_normal((9, *shape)).astype(np.float32)[: self.n])

    def fixed(self, *shape: int) -> Array:
        return self.rng.standard_normal(shape).astype(np.float32)

    def out(self, *shape: int) -> Array:
        return np.full((self.n, *shape), np.nan, np.float32)


def conv2d(a: Arrays, c: int = 6, o: int = 30, groups: int = 1) -> Built:
    y = a.out(13, 17, o)
    x, kernel, bias = a.batch(13, 17, c), a.fixed(3, 3, c // groups, o), a.fixed(o)
    return native.conv2d(x, kernel, bias, y, **SAME3, groups=groups, activation="leaky_relu", slope=0.1), [y]


def conv2d_strided(a: Arrays) -> Built:
    y = a.out(6, 8, 45)
    x, kernel = a.batch(13, 17, 3), a.fixed(3, 2, 3, 45)
    return native.conv2d(x, kernel, None, y, strides=(2, 2), padding=NO_PADS, activation="tanh"), [y]


def conv2d_backward_input(a: Arrays) -> Built:
    dx = a.out(13, 17, 36)
    options = {"strides": (2, 3), "padding": ((1, 1), (2, 0)), "dilation": (2, 1), "groups": 2}
    return native.conv2d_backward_input(a.batch(6, 6, 16), a.fixed(3, 2, 18, 16), dx, **options), [dx]


def conv2d_backward_kernel(a: Arrays) -> Built:
    dkernel = np.full((3, 3, 16, 46), np.nan, np.float32)
    return native.conv2d_backward_kernel(a.batch(13, 17, 16), a.batch(13, 17, 46), dkernel, **SAME3), [dkernel]


POOLING: Pooling = {"pool_size": (3, 2), "strides": (2, 2), "padding": ((1, 0), (0, 0))}
POOLED = {"convolution": SAME3, "pooling": POOLING}
POOLED_GROUPS = {"convolution": {**SAME3, "groups": 2}, "pooling": POOLING}


def conv2d_pool(a: Arrays, c: int = 6, o: int = 30, groups: int = 1) -> Built:
    y, argmax = a.out(6, 8, o), np.full((a.n, 6, 8, o), 99, np.uint8)
    x, kernel, bias = a.batch(13, 17, c), a.fixed(3, 3, c // groups, o), a.fixed(o)
    step = native.conv2d_pool(
        x, kernel, bias, y, argmax, convolution={**SAME3, "groups": groups}, pooling=POOLING, activation="relu"
    )
    return step, [y, argmax]


def conv2d_pool_grey(a: Arrays) -> Built:
    y, argmax = a.out(18, 9, 19), np.full((a.n, 18, 9, 19), 99, np.uint8)
    x, kernel, bias = a.batch(41, 23, 1), a.fixed(5, 5, 1, 19), a.fixed(19)
    pooling: Pooling = {"pool_size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}
    step = native.conv2d_pool(
        x, kernel, bias, y, argmax,
        convolution={"strides": (1, 1), "padding": ((0, 0), (0, 0))}, pooling=pooling, activation="relu",
        algorithm="winograd_rows",
    )  # fmt: skip
    return step, [y, argmax]


def conv2d_pool_average(a: Arrays) -> Built:
    y = a.out(6, 8, 45)
    x, kernel = a.batch(13, 17, 3), a.fixed(3, 3, 3, 45)
    return native.conv2d_pool(x, kernel, None, y, None, **POOLED, activation="sigmoid", average=True), [y]


SIDE_BY_SIDE: Pooling = {"pool_size": (2, 3), "strides": (2, 3), "padding": NO_PADS}
MAPPED: dict[str, Any] = {"convolution": SAME3, "pooling": SIDE_BY_SIDE, "activation": "sigmoid"}


def conv2d_pool_map(a: Arrays) -> Built:
    y, planes = a.out(6, 5, 6), a.out(6, 13, 17)
    x, kernel, bias = a.batch(13, 17, 3), a.fixed(3, 3, 3, 6), a.fixed(6)
    return native.conv2d_pool_map(x, kernel, bias, y, planes, **MAPPED), [y, planes]


def conv2d_pool_map_backward_kernel(a: Arrays) -> Built:
    dkernel, dbias = np.full((3, 3, 3, 6), np.nan, np.float32), np.full(6, np.nan, np.float32)
    x, dy, planes = a.batch(13, 17, 3), a.batch(6, 5, 6), np.abs(np.sin(a.batch(6, 13, 17)))
    return native.conv2d_pool_map_backward_kernel(x, dy, planes, dkernel, dbias, **MAPPED), [dkernel, dbias]


def _places(a: Arrays, o: int) -> Array:
    """Places that lie inside, and some that no gradient comes through."""
    chosen = a.rng.choice(np.array([2, 3, 4, 5, 255], np.uint8), (9, 6, 8, o))
    return np.ascontiguousarray(chosen[: a.n])


def conv2d_pool_backward_kernel(a: Arrays) -> Built:
    dkernel, dbias = np.full((3, 3, 18, 46), np.nan, np.float32), np.full(46, np.nan, np.float32)
    x, dy, y, places = a.batch(13, 17, 36), a.batch(6, 8, 46), a.batch(6, 8, 46), _places(a, 46)
    step = native.conv2d_pool_backward_kernel(x, dy, y, places, dkernel, dbias, **POOLED_GROUPS, activation="relu")
    return step, [dkernel, dbias]


def conv2d_pool_backward_input(a: Arrays) -> Built:
    dx = a.out(13, 17, 36)
    dy, y, places = a.batch(6, 8, 46), np.tanh(a.batch(6, 8, 46)), _places(a, 46)
    kernel = a.fixed(3, 3, 18, 46)
    step = native.conv2d_pool_backward_input(dy, y, places, kernel, dx, **POOLED_GROUPS, activation="tanh")
    return step, [dx]


PADDED5 = {"strides": (1, 1), "padding": ((2, 2), (2, 2))}


def conv2d_few_filters(a: Arrays) -> Built:
    y = a.out(21, 30, 6)
    x, kernel, bias = a.batch(21, 30, 1), a.fixed(5, 5, 1, 6), a.fixed(6)
    return native.conv2d(x, kernel, bias, y, **PADDED5, activation="sigmoid"), [y]


def conv2d_few_filters_backward_kernel(a: Arrays) -> Built:
    dkernel = np.full((5, 5, 1, 6), np.nan, np.float32)
    return native.conv2d_backward_kernel(a.batch(21, 30, 1), a.batch(21, 30, 6), dkernel, **PADDED5), [dkernel]


def conv2d_few_channels_backward_input(a: Arrays) -> Built:
    dx = a.out(14, 15, 6)
    kernel = a.fixed(5, 5, 6, 16)
    return native.conv2d_backward_input(a.batch(10, 11, 16), kernel, dx, strides=(1, 1), padding=NO_PADS), [dx]


def bias_backward(a: Arrays) -> Built:
    dbias = np.full(30, np.nan, np.float32)
    return native.bias_backward(a.batch(31, 17, 30), dbias), [dbias]


def dense(a: Arrays) -> Built:
    y = a.out(45)
    return native.dense(a.batch(700), a.fixed(700, 45), a.fixed(45), y, activation="sigmoid"), [y]


def dense_backward_input(a: Arrays) -> Built:
    dx = a.out(700)
    return native.dense_backward_input(a.batch(45), a.fixed(700, 45), dx), [dx]


def dense_backward_kernel(a: Arrays) -> Built:
    dkernel = np.full((700, 45), np.nan, np.float32)
    return native.dense_backward_kernel(a.batch(700), a.batch(45), dkernel), [dkernel]


def max_pool2d(a: Arrays) -> Built:
    y, argmax = a.out(10, 12, 45), np.full((a.n, 10, 12, 45), 99, np.uint8)
    return native.max_pool2d(a.batch(21, 23, 45), y, argmax, **POOL), [y, argmax]


def max_pool2d_backward(a: Arrays) -> Built:
    dx = a.out(21, 23, 45)
    argmax = np.ascontiguousarray(a.rng.integers(0, 6, (9, 10, 12, 45)).astype(np.uint8)[: a.n])
    return native.max_pool2d_backward(a.batch(10, 12, 45), argmax, dx, **POOL), [dx]


def avg_pool2d(a: Arrays) -> Built:
    y = a.out(10, 12, 45)
    return native.avg_pool2d(a.batch(21, 23, 45), y, **POOL), [y]


def avg_pool2d_backward(a: Arrays) -> Built:
    dx = a.out(21, 23, 45)
    return native.avg_pool2d_backward(a.batch(10, 12, 45), dx, **POOL), [dx]


def avg_pool2d_few(a: Arrays) -> Built:
    y = a.out(10, 7, 6)
    return native.avg_pool2d(a.batch(21, 23, 6), y, **SIDE_BY_SIDE), [y]


def avg_pool2d_backward_activation(
    a: Arrays, kind: str = "sigmoid", pool: dict[str, Any] = SIDE_BY_SIDE, size: tuple[int, int, int] = (10, 7, 6)
) -> Built:
    dz, dbias = a.out(21, 23, size[2]), np.full(size[2], np.nan, np.float32)
    y, dy = a.batch(21, 23, size[2]), a.batch(*size)
    return native.avg_pool2d_backward(dy, dz, **pool, y=y, activation=kind, slope=0.1, dbias=dbias), [dz, dbias]


def avg_pool2d_backward_activation_overlapping(a: Arrays) -> Built:
    return avg_pool2d_backward_activation(a, "leaky_relu", POOL, (10, 12, 45))


def global_avg_pool2d(a: Arrays) -> Built:
    y = a.out(45)
    return native.global_avg_pool2d(a.batch(21, 23, 45), y), [y]


def global_avg_pool2d_backward(a: Arrays) -> Built:
    dx = a.out(21, 23, 45)
    return native.global_avg_pool2d_backward(a.batch(45), dx), [dx]


def activation(a: Arrays) -> Built:
    y = a.out(21, 23, 15)
    return native.activation(a.batch(21, 23, 15), y, "tanh"), [y]


def activation_backward(a: Arrays) -> Built:
    dx = a.out(21, 23, 15)
    return native.activation_backward(a.batch(21, 23, 15), a.batch(21, 23, 15), dx, "sigmoid"), [dx]


def softmax(a: Arrays) -> Built:
    y = a.out(1001)
    return native.softmax(a.batch(1001), y), [y]


def softmax_backward(a: Arrays) -> Built:
    dx = a.out(1001)
    return native.softmax_backward(a.batch(1001), a.batch(1001), dx), [dx]


def softmax_cross_entropy(a: Arrays) -> Built:
    losses, hits, dlogits = a.out(), a.out(), a.out(1001)
    labels = np.arange(a.n, dtype=np.int32)
    weights = np.abs(a.batch())
    step = native.softmax_cross_entropy(a.batch(1001), labels, weights, losses, hits, dlogits, label_smoothing=0.1)
    return step, [losses, hits, dlogits]


def dropout(a: Arrays) -> Built:
    y = a.out(21, 23, 15)
    return native.dropout(a.batch(21, 23, 15), y, 0.3, COUNTER, 5), [y]


def local_response_norm(a: Arrays) -> Built:
    y, scale = a.out(21, 23, 15), a.out(21, 23, 15)
    return native.local_response_norm(a.batch(21, 23, 15), y, scale, **LRN, k=2.0), [y, scale]


def local_response_norm_backward(a: Arrays) -> Built:
    dx = a.out(21, 23, 15)
    x, dy, scale = a.batch(21, 23, 15), a.batch(21, 23, 15), 2 + np.abs(a.batch(21, 23, 15))
    return native.local_response_norm_backward(dy, x, x, scale, dx, **LRN), [dx]


def batch_norm(a: Arrays) -> Built:
    y, mean, variance = a.out(21, 23, 45), np.empty(45, np.float32), np.empty(45, np.float32)
    x = a.batch(21, 23, 45)
    step = native.batch_norm(x, a.fixed(45), a.fixed(45), y, mean, variance, epsilon=1e-3)
    return step, [y, mean, variance]


def batch_norm_inference(a: Arrays) -> Built:
    y = a.out(21, 23, 45)
    x, gamma, beta, mean, variance = a.batch(21, 23, 45), *(np.abs(a.fixed(45)) for _ in range(4))
    return native.batch_norm_inference(x, gamma, beta, mean, variance, y, epsilon=1e-3), [y]


def batch_norm_backward(a: Arrays) -> Built:
    dx, dgamma, dbeta = a.out(21, 23, 45), np.empty(45, np.float32), np.empty(45, np.float32)
    x, dy = a.batch(21, 23, 45), a.batch(21, 23, 45)
    gamma, mean, variance = a.fixed(45), a.fixed(45), np.abs(a.fixed(45))
    step = native.batch_norm_backward(dy, x, gamma, mean, variance, dx, dgamma, dbeta, epsilon=1e-3)
    return step, [dx, dgamma, dbeta]


def gather(a: Arrays) -> Built:
    out = a.out(31, 17, 3)
    source = a.rng.integers(0, 256, (40, 31, 17, 3), dtype=np.uint8)
    indices, cursor = a.rng.permutation(40), np.array([4])
    return native.gather(source, indices, out, np.float32([1, 2, 3]), np.float32([4, 5, 6]), cursor), [out]


def gather_labels(a: Arrays) -> Built:
    out = np.zeros(a.n, np.int32)
    return native.gather_labels(np.arange(40, dtype=np.int32), a.rng.permutation(40), out, np.array([4])), [out]


def accumulate(a: Arrays) -> Built:
    totals = np.ones(3)
    return native.accumulate(a.batch(), a.batch(), a.batch(), totals), [totals]


def elementwise_loss(a: Arrays) -> Built:
    losses, hits, gradient = a.out(), a.out(), a.out(13)
    targets = np.abs(np.sin(a.batch(13)))
    step = native.binary_cross_entropy(
        a.batch(13), targets, a.batch(), losses, hits, gradient, accuracy="binary", label_smoothing=0.1
    )
    return step, [losses, hits, gradient]


def add_penalty(a: Arrays) -> Built:
    param, grad, totals = a.fixed(50_001), a.fixed(50_001), np.ones(3)
    return native.add_penalty(param, grad, totals, l1=0.1, l2=0.2, pictures=a.n), [grad, totals]


def swap_axes(a: Arrays) -> Built:
    y = np.full((144, 30, 100), np.nan, np.float32)
    return native.swap_axes(a.fixed(30, 144, 100), y), [y]


def add(a: Arrays) -> Built:
    y = a.batch(700, 30)
    return native.add(a.batch(700, 30), y), [y]


BATCHED: list[Callable[[Arrays], Built]] = [
    conv2d, conv2d_strided, conv2d_backward_input, conv2d_backward_kernel, conv2d_pool, conv2d_pool_grey,
    conv2d_pool_average, conv2d_pool_map, conv2d_pool_map_backward_kernel,
    conv2d_few_filters, conv2d_few_filters_backward_kernel, conv2d_few_channels_backward_input,
    avg_pool2d_few, avg_pool2d_backward_activation, avg_pool2d_backward_activation_overlapping,
    conv2d_pool_backward_kernel, conv2d_pool_backward_input, bias_backward, dense,
    dense_backward_input, dense_backward_kernel, max_pool2d, max_pool2d_backward, avg_pool2d, avg_pool2d_backward,
    global_avg_pool2d, global_avg_pool2d_backward, activation, activation_backward, softmax, softmax_backward,
    softmax_cross_entropy, dropout, local_response_norm, local_response_norm_backward, batch_norm,
    batch_norm_inference, batch_norm_backward, gather, gather_labels, accumulate, elementwise_loss,
    add_penalty, add,
]  # fmt: skip


def sgd(a: Arrays) -> Built:
    param, grad, velocity = (a.fixed(50_001) for _ in range(3))
    step = native.sgd(param, grad, velocity, CONTROL, momentum=0.9, nesterov=True, weight_decay=0.1)
    return step, [param, velocity]


def adam(a: Arrays) -> Built:
    param, grad, m, v = a.fixed(50_001), a.fixed(50_001), a.fixed(50_001), np.abs(a.fixed(50_001))
    step = native.adam(param, grad, m, v, CONTROL, beta1=0.9, beta2=0.99, epsilon=1e-7, weight_decay=0.1)
    return step, [param, m, v]


def adagrad(a: Arrays) -> Built:
    param, grad, square = a.fixed(50_001), a.fixed(50_001), np.abs(a.fixed(50_001))
    return native.adagrad(param, grad, square, CONTROL, epsilon=1e-7, weight_decay=0.1), [param, square]


def rmsprop(a: Arrays) -> Built:
    param, grad, velocity = (a.fixed(50_001) for _ in range(3))
    square, mean = np.abs(a.fixed(50_001)) + np.float32(1), a.fixed(50_001) * np.float32(0.1)
    step = native.rmsprop(param, grad, square, velocity, mean, CONTROL, rho=0.9, momentum=0.9, epsilon=1e-7)
    return step, [param, square, velocity, mean]


def adadelta(a: Arrays) -> Built:
    param, grad, square, delta = a.fixed(50_001), a.fixed(50_001), np.abs(a.fixed(50_001)), np.abs(a.fixed(50_001))
    return native.adadelta(param, grad, square, delta, CONTROL, rho=0.9, epsilon=1e-7), [param, square, delta]


def clip_by_value(a: Arrays) -> Built:
    grad = a.fixed(50_001)
    return native.clip_by_value(grad, limit=0.5), [grad]


def clip_by_norm(a: Arrays) -> Built:
    grad = a.fixed(50_001)
    return native.clip_by_norm(grad, limit=0.5), [grad]


def update_running(a: Arrays) -> Built:
    mean, running = a.fixed(45), a.fixed(45)
    return native.update_running(mean, running, momentum=0.9), [running]


def stop_unless_finite(a: Arrays) -> Built:
    x = np.ones(3)
    return native.stop_unless_finite(x), [x]


def fma_probe(a: Arrays) -> Built:
    out = np.zeros(40, np.float32)
    return native.fma_probe(out, 500), [out]


FLAT: list[Callable[[Arrays], Built]] = [
    sgd, adam, adagrad, rmsprop, adadelta, clip_by_value, clip_by_norm, update_running, swap_axes,
    stop_unless_finite, fma_probe,
]  # fmt: skip
