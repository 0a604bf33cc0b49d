"""The native layer: steps, programs, threads, instruction sets. That kernels agree with the truth: test_ops.py."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.errors import BackendError
from pellucid.ops import native, reference
from pellucid.ops.geometry import Array, Pooling

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")

ROOT = Path(__file__).resolve().parent.parent
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


def _conv2d(a: Arrays, c: int = 6, o: int = 30, groups: int = 1) -> Built:
    y = a.out(13, 17, o)
    x, kernel, bias = a.batch(13, 17, c), a.fixed(3, 3, c // groups, o), a.fixed(o)
    return native.conv2d(x, kernel, bias, y, **SAME3, groups=groups, activation="leaky_relu", slope=0.1), [y]


def _conv2d_strided(a: Arrays) -> Built:
    y = a.out(6, 8, 45)
    x, kernel = a.batch(13, 17, 3), a.fixed(3, 2, 3, 45)
    return native.conv2d(x, kernel, None, y, strides=(2, 2), padding=NO_PADS, activation="tanh"), [y]


def _conv2d_backward_input(a: Arrays) -> Built:
    dx = a.out(13, 17, 36)
    options = {"strides": (2, 3), "padding": ((1, 1), (2, 0)), "dilation": (2, 1), "groups": 2}
    return native.conv2d_backward_input(a.batch(6, 6, 16), a.fixed(3, 2, 18, 16), dx, **options), [dx]


def _conv2d_backward_kernel(a: Arrays) -> Built:
    dkernel = np.full((3, 3, 16, 46), np.nan, np.float32)
    return native.conv2d_backward_kernel(a.batch(13, 17, 16), a.batch(13, 17, 46), dkernel, **SAME3), [dkernel]


POOLING: Pooling = {"pool_size": (3, 2), "strides": (2, 2), "padding": ((1, 0), (0, 0))}
POOLED = {"convolution": SAME3, "pooling": POOLING}
POOLED_GROUPS = {"convolution": {**SAME3, "groups": 2}, "pooling": POOLING}


def _conv2d_pool(a: Arrays, c: int = 6, o: int = 30, groups: int = 1) -> Built:
    y, argmax = a.out(6, 8, o), np.full((a.n, 6, 8, o), 99, np.uint8)
    x, kernel, bias = a.batch(13, 17, c), a.fixed(3, 3, c // groups, o), a.fixed(o)
    step = native.conv2d_pool(
        x, kernel, bias, y, argmax, convolution={**SAME3, "groups": groups}, pooling=POOLING, activation="relu"
    )
    return step, [y, argmax]


def _conv2d_pool_average(a: Arrays) -> Built:
    y = a.out(6, 8, 45)
    x, kernel = a.batch(13, 17, 3), a.fixed(3, 3, 3, 45)
    return native.conv2d_pool(x, kernel, None, y, None, **POOLED, activation="sigmoid", average=True), [y]


def _places(a: Arrays, o: int) -> Array:
    """Places that lie inside, and some that no gradient comes through."""
    chosen = a.rng.choice(np.array([2, 3, 4, 5, 255], np.uint8), (9, 6, 8, o))
    return np.ascontiguousarray(chosen[: a.n])


def _conv2d_pool_backward_kernel(a: Arrays) -> Built:
    dkernel, dbias = np.full((3, 3, 18, 46), np.nan, np.float32), np.full(46, np.nan, np.float32)
    x, dy, y, places = a.batch(13, 17, 36), a.batch(6, 8, 46), a.batch(6, 8, 46), _places(a, 46)
    step = native.conv2d_pool_backward_kernel(x, dy, y, places, dkernel, dbias, **POOLED_GROUPS, activation="relu")
    return step, [dkernel, dbias]


def _conv2d_pool_backward_input(a: Arrays) -> Built:
    dx = a.out(13, 17, 36)
    dy, y, places = a.batch(6, 8, 46), np.tanh(a.batch(6, 8, 46)), _places(a, 46)
    kernel = a.fixed(3, 3, 18, 46)
    step = native.conv2d_pool_backward_input(dy, y, places, kernel, dx, **POOLED_GROUPS, activation="tanh")
    return step, [dx]


PADDED5 = {"strides": (1, 1), "padding": ((2, 2), (2, 2))}


def _conv2d_few_filters(a: Arrays) -> Built:
    y = a.out(21, 30, 6)
    x, kernel, bias = a.batch(21, 30, 1), a.fixed(5, 5, 1, 6), a.fixed(6)
    return native.conv2d(x, kernel, bias, y, **PADDED5, activation="sigmoid"), [y]


def _conv2d_few_filters_backward_kernel(a: Arrays) -> Built:
    dkernel = np.full((5, 5, 1, 6), np.nan, np.float32)
    return native.conv2d_backward_kernel(a.batch(21, 30, 1), a.batch(21, 30, 6), dkernel, **PADDED5), [dkernel]


def _conv2d_few_channels_backward_input(a: Arrays) -> Built:
    dx = a.out(14, 15, 6)
    kernel = a.fixed(5, 5, 6, 16)
    return native.conv2d_backward_input(a.batch(10, 11, 16), kernel, dx, strides=(1, 1), padding=NO_PADS), [dx]


def _bias_backward(a: Arrays) -> Built:
    dbias = np.full(30, np.nan, np.float32)
    return native.bias_backward(a.batch(31, 17, 30), dbias), [dbias]


def _dense(a: Arrays) -> Built:
    y = a.out(45)
    return native.dense(a.batch(700), a.fixed(700, 45), a.fixed(45), y, activation="sigmoid"), [y]


def _dense_backward_input(a: Arrays) -> Built:
    dx = a.out(700)
    return native.dense_backward_input(a.batch(45), a.fixed(700, 45), dx), [dx]


def _dense_backward_kernel(a: Arrays) -> Built:
    dkernel = np.full((700, 45), np.nan, np.float32)
    return native.dense_backward_kernel(a.batch(700), a.batch(45), dkernel), [dkernel]


def _max_pool2d(a: Arrays) -> Built:
    y, argmax = a.out(10, 12, 45), np.full((a.n, 10, 12, 45), 99, np.uint8)
    return native.max_pool2d(a.batch(21, 23, 45), y, argmax, **POOL), [y, argmax]


def _max_pool2d_backward(a: Arrays) -> Built:
    dx = a.out(21, 23, 45)
    argmax = np.ascontiguousarray(a.rng.integers(0, 6, (9, 10, 12, 45)).astype(np.uint8)[: a.n])
    return native.max_pool2d_backward(a.batch(10, 12, 45), argmax, dx, **POOL), [dx]


def _avg_pool2d(a: Arrays) -> Built:
    y = a.out(10, 12, 45)
    return native.avg_pool2d(a.batch(21, 23, 45), y, **POOL), [y]


def _avg_pool2d_backward(a: Arrays) -> Built:
    dx = a.out(21, 23, 45)
    return native.avg_pool2d_backward(a.batch(10, 12, 45), dx, **POOL), [dx]


SIDE = {"pool_size": (2, 3), "strides": (2, 3), "padding": NO_PADS}


def _avg_pool2d_few(a: Arrays) -> Built:
    y = a.out(10, 7, 6)
    return native.avg_pool2d(a.batch(21, 23, 6), y, **SIDE), [y]


def _avg_pool2d_backward_activation(
    a: Arrays, kind: str = "sigmoid", pool: dict[str, Any] = SIDE, size: tuple[int, int, int] = (10, 7, 6)
) -> Built:
    dz, dbias = a.out(21, 23, size[2]), np.full(size[2], np.nan, np.float32)
    y, dy = a.batch(21, 23, size[2]), a.batch(*size)
    return native.avg_pool2d_backward(dy, dz, **pool, y=y, activation=kind, slope=0.1, dbias=dbias), [dz, dbias]


def _avg_pool2d_backward_activation_overlapping(a: Arrays) -> Built:
    return _avg_pool2d_backward_activation(a, "leaky_relu", POOL, (10, 12, 45))


def _global_avg_pool2d(a: Arrays) -> Built:
    y = a.out(45)
    return native.global_avg_pool2d(a.batch(21, 23, 45), y), [y]


def _global_avg_pool2d_backward(a: Arrays) -> Built:
    dx = a.out(21, 23, 45)
    return native.global_avg_pool2d_backward(a.batch(45), dx), [dx]


def _activation(a: Arrays) -> Built:
    y = a.out(21, 23, 15)
    return native.activation(a.batch(21, 23, 15), y, "tanh"), [y]


def _activation_backward(a: Arrays) -> Built:
    dx = a.out(21, 23, 15)
    return native.activation_backward(a.batch(21, 23, 15), a.batch(21, 23, 15), dx, "sigmoid"), [dx]


def _softmax(a: Arrays) -> Built:
    y = a.out(1001)
    return native.softmax(a.batch(1001), y), [y]


def _softmax_backward(a: Arrays) -> Built:
    dx = a.out(1001)
    return native.softmax_backward(a.batch(1001), a.batch(1001), dx), [dx]


def _softmax_cross_entropy(a: Arrays) -> Built:
    losses, hits, dlogits = a.out(), a.out(), a.out(1001)
    labels = np.arange(a.n, dtype=np.int32)
    weights = np.abs(a.batch())
    step = native.softmax_cross_entropy(a.batch(1001), labels, weights, losses, hits, dlogits, label_smoothing=0.1)
    return step, [losses, hits, dlogits]


def _dropout(a: Arrays) -> Built:
    y = a.out(21, 23, 15)
    return native.dropout(a.batch(21, 23, 15), y, 0.3, COUNTER, 5), [y]


def _local_response_norm(a: Arrays) -> Built:
    y, scale = a.out(21, 23, 15), a.out(21, 23, 15)
    return native.local_response_norm(a.batch(21, 23, 15), y, scale, **LRN, k=2.0), [y, scale]


def _local_response_norm_backward(a: Arrays) -> Built:
    dx = a.out(21, 23, 15)
    x, dy, scale = a.batch(21, 23, 15), a.batch(21, 23, 15), 2 + np.abs(a.batch(21, 23, 15))
    return native.local_response_norm_backward(dy, x, x, scale, dx, **LRN), [dx]


def _batch_norm(a: Arrays) -> Built:
    y, mean, variance = a.out(21, 23, 45), np.empty(45, np.float32), np.empty(45, np.float32)
    x = a.batch(21, 23, 45)
    step = native.batch_norm(x, a.fixed(45), a.fixed(45), y, mean, variance, epsilon=1e-3)
    return step, [y, mean, variance]


def _batch_norm_inference(a: Arrays) -> Built:
    y = a.out(21, 23, 45)
    x, gamma, beta, mean, variance = a.batch(21, 23, 45), *(np.abs(a.fixed(45)) for _ in range(4))
    return native.batch_norm_inference(x, gamma, beta, mean, variance, y, epsilon=1e-3), [y]


def _batch_norm_backward(a: Arrays) -> Built:
    dx, dgamma, dbeta = a.out(21, 23, 45), np.empty(45, np.float32), np.empty(45, np.float32)
    x, dy = a.batch(21, 23, 45), a.batch(21, 23, 45)
    gamma, mean, variance = a.fixed(45), a.fixed(45), np.abs(a.fixed(45))
    step = native.batch_norm_backward(dy, x, gamma, mean, variance, dx, dgamma, dbeta, epsilon=1e-3)
    return step, [dx, dgamma, dbeta]


def _gather(a: Arrays) -> Built:
    out = a.out(31, 17, 3)
    source = a.rng.integers(0, 256, (40, 31, 17, 3), dtype=np.uint8)
    indices, cursor = a.rng.permutation(40), np.array([4])
    return native.gather(source, indices, out, np.float32([1, 2, 3]), np.float32([4, 5, 6]), cursor), [out]


def _gather_labels(a: Arrays) -> Built:
    out = np.zeros(a.n, np.int32)
    return native.gather_labels(np.arange(40, dtype=np.int32), a.rng.permutation(40), out, np.array([4])), [out]


def _accumulate(a: Arrays) -> Built:
    totals = np.ones(3)
    return native.accumulate(a.batch(), a.batch(), a.batch(), totals), [totals]


def _elementwise_loss(a: Arrays) -> Built:
    losses, hits, gradient = a.out(), a.out(), a.out(13)
    targets = np.abs(np.sin(a.batch(13)))
    step = native.binary_cross_entropy(
        a.batch(13), targets, a.batch(), losses, hits, gradient, accuracy="binary", label_smoothing=0.1
    )
    return step, [losses, hits, gradient]


def _add_penalty(a: Arrays) -> Built:
    param, grad, totals = a.fixed(50_001), a.fixed(50_001), np.ones(3)
    return native.add_penalty(param, grad, totals, l1=0.1, l2=0.2, pictures=a.n), [grad, totals]


def _add(a: Arrays) -> Built:
    y = a.batch(700, 30)
    return native.add(a.batch(700, 30), y), [y]


BATCHED: list[Callable[[Arrays], Built]] = [
    _conv2d, _conv2d_strided, _conv2d_backward_input, _conv2d_backward_kernel, _conv2d_pool, _conv2d_pool_average,
    _conv2d_few_filters, _conv2d_few_filters_backward_kernel, _conv2d_few_channels_backward_input,
    _avg_pool2d_few, _avg_pool2d_backward_activation, _avg_pool2d_backward_activation_overlapping,
    _conv2d_pool_backward_kernel, _conv2d_pool_backward_input, _bias_backward, _dense,
    _dense_backward_input, _dense_backward_kernel, _max_pool2d, _max_pool2d_backward, _avg_pool2d, _avg_pool2d_backward,
    _global_avg_pool2d, _global_avg_pool2d_backward, _activation, _activation_backward, _softmax, _softmax_backward,
    _softmax_cross_entropy, _dropout, _local_response_norm, _local_response_norm_backward, _batch_norm,
    _batch_norm_inference, _batch_norm_backward, _gather, _gather_labels, _accumulate, _elementwise_loss,
    _add_penalty, _add,
]  # fmt: skip


def _sgd(a: Arrays) -> Built:
    param, grad, velocity = (a.fixed(50_001) for _ in range(3))
    step = native.sgd(param, grad, velocity, CONTROL, momentum=0.9, nesterov=True, weight_decay=0.1)
    return step, [param, velocity]


def _adam(a: Arrays) -> Built:
    param, grad, m, v = a.fixed(50_001), a.fixed(50_001), a.fixed(50_001), np.abs(a.fixed(50_001))
    step = native.adam(param, grad, m, v, CONTROL, beta1=0.9, beta2=0.99, epsilon=1e-7, weight_decay=0.1)
    return step, [param, m, v]


def _adagrad(a: Arrays) -> Built:
    param, grad, square = a.fixed(50_001), a.fixed(50_001), np.abs(a.fixed(50_001))
    return native.adagrad(param, grad, square, CONTROL, epsilon=1e-7, weight_decay=0.1), [param, square]


def _rmsprop(a: Arrays) -> Built:
    param, grad, velocity = (a.fixed(50_001) for _ in range(3))
    square, mean = np.abs(a.fixed(50_001)) + np.float32(1), a.fixed(50_001) * np.float32(0.1)
    step = native.rmsprop(param, grad, square, velocity, mean, CONTROL, rho=0.9, momentum=0.9, epsilon=1e-7)
    return step, [param, square, velocity, mean]


def _adadelta(a: Arrays) -> Built:
    param, grad, square, delta = a.fixed(50_001), a.fixed(50_001), np.abs(a.fixed(50_001)), np.abs(a.fixed(50_001))
    return native.adadelta(param, grad, square, delta, CONTROL, rho=0.9, epsilon=1e-7), [param, square, delta]


def _clip_by_value(a: Arrays) -> Built:
    grad = a.fixed(50_001)
    return native.clip_by_value(grad, limit=0.5), [grad]


def _clip_by_norm(a: Arrays) -> Built:
    grad = a.fixed(50_001)
    return native.clip_by_norm(grad, limit=0.5), [grad]


def _update_running(a: Arrays) -> Built:
    mean, running = a.fixed(45), a.fixed(45)
    return native.update_running(mean, running, momentum=0.9), [running]


def _stop_unless_finite(a: Arrays) -> Built:
    x = np.ones(3)
    return native.stop_unless_finite(x), [x]


def _fma_probe(a: Arrays) -> Built:
    out = np.zeros(40, np.float32)
    return native.fma_probe(out, 500), [out]


FLAT: list[Callable[[Arrays], Built]] = [
    _sgd, _adam, _adagrad, _rmsprop, _adadelta, _clip_by_value, _clip_by_norm, _update_running,
    _stop_unless_finite, _fma_probe,
]  # fmt: skip


@pytest.mark.parametrize("kind", ["linear", "relu", "leaky_relu", "sigmoid", "tanh"])
@pytest.mark.parametrize(("pool", "size"), [(SIDE, (10, 7, 6)), (SIDE, (10, 7, 19)), (POOL, (10, 12, 5))])
def test_average_pooling_goes_back_through_an_activation(
    kind: str, pool: dict[str, Any], size: tuple[int, int, int]
) -> None:
    """The three steps it stands for, in float64; sums of 4347 gradients, a column of 21 of them in float."""
    a = Arrays(9)
    y, dy = a.batch(21, 23, size[2]).astype(np.float64), Arrays(9).batch(*size).astype(np.float64)
    dz = np.empty_like(y)
    reference.avg_pool2d_backward(dy, dz, **pool)
    if kind != "linear":
        reference.activation_backward(dz, y, dz, kind, slope=0.1)
    a = Arrays(9)
    map_, found_dy = a.batch(21, 23, size[2]), Arrays(9).batch(*size)
    dbias = np.empty(size[2], np.float32)
    native.run(native.avg_pool2d_backward(found_dy, map_, **pool, y=map_, activation=kind, slope=0.1, dbias=dbias))
    np.testing.assert_allclose(map_, dz, rtol=1e-5, atol=1e-6)
    total, size_of = dz.sum((0, 1, 2)), np.abs(dz).sum((0, 1, 2))
    assert (np.abs(dbias - total) <= 21 * np.finfo(np.float32).eps * size_of).all()


def test_the_probe_computes_what_its_twin_does() -> None:
    out, expected = np.zeros(40, np.float32), np.zeros(40, np.float32)
    native.run(native.fma_probe(out, 500))
    reference.fma_probe(expected, 500)
    np.testing.assert_allclose(out, expected, rtol=500 * 2**-23)


def _name(build: Callable[[Arrays], Built]) -> str:
    return build.__name__[1:]


@pytest.fixture
def threads() -> Any:
    """Sets the number of threads; puts it back."""
    before = native.num_threads()
    yield native.set_num_threads
    native.set_num_threads(before)


def test_every_kernel_is_exercised_here() -> None:
    from pellucid.ops import _native

    assert set(_native.kernel_fields()) <= {_name(build) for build in BATCHED + FLAT}


@pytest.mark.parametrize("build", BATCHED + FLAT, ids=_name)
def test_same_bits_for_any_number_of_threads(build: Callable[[Arrays], Built], threads: Any) -> None:
    results = []
    for count in (1, 2, 3, 8):
        threads(count)
        step, outputs = build(Arrays(9))
        native.run(step)
        results.append([out.tobytes() for out in outputs])
        assert all(not np.isnan(out).any() for out in outputs if out.dtype.kind == "f")
    assert results[1:] == results[:1] * 3


@pytest.mark.parametrize("build", BATCHED, ids=_name)
def test_a_program_run_with_fewer_equals_one_built_for_fewer(build: Callable[[Arrays], Built]) -> None:
    large, large_outputs = build(Arrays(9))
    small, small_outputs = build(Arrays(4))
    native.Program([large]).run(4)
    native.Program([small]).run()
    for a, b in zip(large_outputs, small_outputs, strict=True):
        whole = a.shape == b.shape
        np.testing.assert_array_equal(a if whole else a[:4], b)
        if not whole and _name(build) != "add" and a.dtype == np.float32:
            assert np.isnan(a[4:]).all(), "wrote past the batch"


@pytest.mark.parametrize("build", BATCHED, ids=_name)
def test_an_empty_batch_runs(build: Callable[[Arrays], Built]) -> None:
    step, _ = build(Arrays(9))
    native.Program([step]).run(0)


@pytest.mark.parametrize("build", BATCHED, ids=_name)
def test_nothing_outside_the_results_is_written(build: Callable[[Arrays], Built], monkeypatch: Any) -> None:
    guards: list[Array] = []

    def guarded(self: Arrays, *shape: int) -> Array:
        size = self.n * int(np.prod(shape))
        memory = np.full(size + 64, np.float32(12345))
        guards.append(memory)
        memory[32 : 32 + size] = np.nan
        return memory[32 : 32 + size].reshape(self.n, *shape)

    monkeypatch.setattr(Arrays, "out", guarded)
    step, _ = build(Arrays(9))
    native.run(step)
    for memory in guards:
        assert (memory[:32] == 12345).all() and (memory[-32:] == 12345).all()


def test_a_program_runs_its_steps_in_order_on_one_workspace() -> None:
    a = Arrays(9)
    x, y, z = a.batch(13, 17, 6), a.out(13, 17, 30), a.out(13, 17, 30)
    kernel, bias = a.fixed(3, 3, 6, 30), a.fixed(30)
    steps = [native.conv2d(x, kernel, bias, y, **SAME3), native.activation(y, z, "relu"), native.add(y, z)]
    program = native.Program(steps)
    assert len(program) == 3 and program.batch == 9
    assert program.workspace_bytes == max(step.workspace_bytes for step in steps) > 0
    program.run()
    expected = np.empty_like(y)
    reference.conv2d(x, kernel, bias, expected, **SAME3, dilation=(1, 1), groups=1)
    np.testing.assert_allclose(z, np.maximum(expected, 0) + expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(BackendError, match="built for N = 9 cannot run N = 10"):
        program.run(10)


def test_control_arrays_are_read_when_a_program_runs() -> None:
    param, grad, control = np.zeros(5, np.float32), np.ones(5, np.float32), np.array([0.5, 1.0, 1.0])
    program = native.Program([native.sgd(param, grad, None, control)])
    program.run()
    control[0] = 2.0
    program.run()
    np.testing.assert_array_equal(param, np.full(5, -2.5, np.float32))


def test_many_runs_in_one_call() -> None:
    param, grad, control = np.zeros(5, np.float32), np.ones(5, np.float32), np.array([0.5, 1.0, 1.0])
    program = native.Program([native.sgd(param, grad, None, control)])
    controls, params = np.array([[0.5, 1, 1], [2, 2, 1], [0.25, 3, 1]]), np.zeros((3, 5), np.float32)
    assert program.run_steps(0, 3, [(control, controls)], [(param, params)]) == 3
    np.testing.assert_array_equal(params[:, 0], [-0.5, -2.5, -2.75])
    with pytest.raises(BackendError, match="an array of 24 bytes was given values of 48 bytes for 3 runs"):
        program.run_steps(0, 3, [(control, controls[:2])], [])
    with pytest.raises(BackendError, match="writable C-contiguous"):
        program.run_steps(0, 3, [(control, controls[:, ::2])], [])


def test_many_runs_end_where_a_number_is_not_finite() -> None:
    x, values, seen = np.zeros(2), np.array([[1.0, 2], [3, np.inf], [5, 6]]), np.zeros((3, 2))
    program = native.Program([native.stop_unless_finite(x)])
    assert program.run_steps(0, 3, [(x, values)], [(x, seen)]) == 1
    np.testing.assert_array_equal(seen, [[1, 2], [3, np.inf], [0, 0]])


def test_wrong_arrays_make_no_step() -> None:
    a = Arrays(2)
    x, kernel, y = a.batch(5, 5, 2), a.fixed(3, 3, 2, 4), a.out(5, 5, 4)
    with pytest.raises(BackendError, match="y must have shape"):
        native.conv2d(x, kernel, None, a.out(5, 4, 4), **SAME3)
    with pytest.raises(BackendError, match="'x' must be float32"):
        native.conv2d(x.astype(np.float64), kernel, None, y, **SAME3)
    with pytest.raises(BackendError, match="'kernel' must be a C-contiguous"):
        native.conv2d(x, a.fixed(3, 3, 2, 8)[..., ::2], None, y, **SAME3)
    y.flags.writeable = False
    with pytest.raises(BackendError, match="'y' must be a writable"):
        native.conv2d(x, kernel, None, y, **SAME3)
    with pytest.raises(BackendError, match="unknown activation 'gelu'"):
        native.activation(x, x, "gelu")
    x.flags.writeable = False  # an input may be read-only
    native.run(native.conv2d(x, kernel, None, a.out(5, 5, 4), **SAME3))


def test_wrong_data_are_reported_and_not_read() -> None:
    a = Arrays(2)
    source, out, one = a.fixed(3, 4, 4, 1), a.out(4, 4, 1), np.ones(1, np.float32)
    for indices in (np.array([0, 3]), np.array([-1, 0])):
        with pytest.raises(BackendError, match="an index lies outside"):
            native.run(native.gather(source, indices, out, one, one))
    with pytest.raises(BackendError, match="an index lies outside"):
        native.run(native.gather(source, np.array([0, 1]), out, one, one, np.array([1])))
    labels = np.array([0, 10], np.int32)
    with pytest.raises(BackendError, match="a label lies outside"):
        native.run(native.softmax_cross_entropy(a.batch(10), labels, None, a.out(), a.out(), a.out(10)))


@pytest.mark.parametrize(("kind", "truth"), [("sigmoid", lambda x: 1 / (1 + np.exp(-x))), ("tanh", np.tanh)])
def test_vector_functions_are_within_a_few_units_in_the_last_place(kind: str, truth: Any) -> None:
    x = np.concatenate([np.linspace(-20, 20, 400_001), np.logspace(-30, 1, 10_000), [0.0, 88.0, -88.0, 100.0, -80.0]])
    x = np.append(x, [np.inf, -np.inf]).astype(np.float32)[:, None]
    y = np.empty_like(x)
    native.run(native.activation(x, y, kind))
    expected = truth(x.astype(np.float64))
    unit = np.spacing(np.maximum(np.abs(expected).astype(np.float32), np.float32(1e-37)))
    assert (np.abs(y - expected) / unit).max() <= 3
    x[0] = np.nan
    native.run(native.activation(x, y, kind))
    assert np.isnan(y[0, 0])


def test_two_python_threads_at_once() -> None:
    step, (expected,) = _conv2d(Arrays(9))
    native.run(step)
    wrong: list[int] = []

    def work() -> None:
        for _ in range(30):
            mine, (y,) = _conv2d(Arrays(9))
            native.run(mine)
            if y.tobytes() != expected.tobytes():
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def _in_child(queue: Any) -> None:
    step, (y,) = _conv2d(Arrays(9))
    native.run(step)
    queue.put(y.tobytes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_pool_works_on_both_sides_of_a_fork(threads: Any) -> None:
    threads(3)
    step, (y,) = _conv2d(Arrays(9))
    native.run(step)  # the pool's threads exist now; the child has none of them
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=30) == y.tobytes()
    child.join(timeout=30)
    assert child.exitcode == 0
    native.run(step)


def _python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_environment_forces_instruction_set_and_threads() -> None:
    code = "from pellucid.ops import native; print(native.instruction_set(), native.num_threads())"
    for isa in native.instruction_sets():
        assert _python(code, PELLUCID_ISA=isa, PELLUCID_NUM_THREADS="3").stdout.split() == [isa, "3"]
    refused = _python(code, PELLUCID_ISA="mmx")
    assert "BackendError: instruction set 'mmx' is unknown; here: " in refused.stderr
    assert "PELLUCID_NUM_THREADS must be a whole number" in _python(code, PELLUCID_NUM_THREADS="two").stderr


@pytest.mark.parametrize("isa", [isa for isa in native.instruction_sets() if isa != native.instruction_sets()[0]])
def test_other_instruction_sets_pass_every_case(isa: str) -> None:
    if os.environ.get("PELLUCID_ISA"):
        pytest.skip("an instruction set is forced already")
    files = ("ops", "native", "winograd")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", *(str(ROOT / "tests" / f"test_{name}.py") for name in files)],
        env={**os.environ, "PELLUCID_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]


def test_compiled_objects_share_nothing_and_do_not_spill() -> None:
    folders = [path.parent for path in ROOT.glob("build/*/CMakeFiles")]
    # 16-wide code on 8-wide registers must spill, and a sanitizer calls its own functions
    special = re.compile(r"PELLUCID_EMULATE_AVX512:BOOL=(ON|1|TRUE)|PELLUCID_SANITIZE:STRING=\w")
    folders = [folder for folder in folders if not special.search((folder / "CMakeCache.txt").read_text())]
    if not folders or sys.platform != "linux":
        pytest.skip("no build folder here")
    spec = importlib.util.spec_from_file_location("check_kernels", ROOT / "scripts" / "check_kernels.py")
    assert spec and spec.loader
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    assert [check.main(folder) for folder in folders] == [0] * len(folders)
