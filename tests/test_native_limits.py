"""The native boundary trusts nobody: no size reaches a kernel that its arrays or the arithmetic could not bear."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from pellucid.errors import BackendError
from pellucid.ops import native

pytestmark = pytest.mark.skipif(not native.available, reason="the compiled kernels are missing")

CONV = {"strides": (1, 1), "padding": ((0, 0), (0, 0))}
POOL: dict[str, Any] = {"pool_size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}
EXTREMES = (0, 2**20, 2**31 - 1, 2**31, 2**32 + 1, 2**60 + 1, 2**62, 2**63 - 1, 2**64, 10**30)


def zeros(*shape: int, dtype: Any = np.float32) -> Any:
    return np.zeros(shape, dtype)


def make_honest_steps() -> None:
    """Makes one small step of every kind; whoever listens sees the fields."""
    x, kernel, y, places = zeros(2, 6, 6, 2), zeros(3, 3, 2, 4), zeros(2, 4, 4, 4), zeros(2, 2, 2, 4, dtype=np.uint8)
    pooled, rows, flat = zeros(2, 2, 2, 4), zeros(2, 8), zeros(16)
    merged: dict[str, Any] = {"convolution": CONV, "pooling": POOL}
    native.conv2d(x, kernel, None, y, **CONV)
    native.conv2d_backward_input(y, kernel, x, **CONV)
    native.conv2d_backward_kernel(x, y, kernel, **CONV)
    native.conv2d_pool(x, kernel, None, pooled, places, **merged)
    native.conv2d_pool_backward_kernel(x, pooled, pooled, places, kernel, None, **merged)
    native.conv2d_pool_backward_input(pooled, pooled, places, kernel, x, **merged)
    native.conv2d_pool_map(x, kernel, None, pooled, zeros(2, 4, 4, 4), **merged)
    native.conv2d_pool_map_backward_kernel(x, pooled, zeros(2, 4, 4, 4), kernel, None, **merged)
    native.max_pool2d(y, pooled, places, **POOL)
    native.max_pool2d_backward(pooled, places, y, **POOL)
    native.avg_pool2d(y, pooled, **POOL)
    native.avg_pool2d_backward(pooled, y, **POOL)
    native.global_avg_pool2d(y, zeros(2, 4))
    native.global_avg_pool2d_backward(zeros(2, 4), y)
    native.dense(rows, zeros(8, 3), None, zeros(2, 3))
    native.dense_backward_input(zeros(2, 3), zeros(8, 3), rows)
    native.dense_backward_kernel(rows, zeros(2, 3), zeros(8, 3))
    native.bias_backward(y, zeros(4))
    native.activation(rows, rows, "relu")
    native.activation_backward(rows, rows, rows, "relu")
    native.softmax(rows, rows)
    native.softmax_backward(rows, rows, rows)
    native.softmax_cross_entropy(rows, zeros(2, dtype=np.int32), None, zeros(2), None, None)
    native.mean_squared_error(rows, rows, None, zeros(2), None, None)
    native.dropout(rows, rows, 0.5, zeros(2, dtype=np.uint32), 0)
    native.local_response_norm(y, y, y, size=5, alpha=1.0, beta=1.0, k=1.0)
    native.local_response_norm_backward(y, y, y, y, y, size=5, alpha=1.0, beta=1.0)
    native.batch_norm(y, zeros(4), zeros(4), y, zeros(4), zeros(4), epsilon=1.0)
    native.batch_norm_inference(y, zeros(4), zeros(4), zeros(4), zeros(4), y, epsilon=1.0)
    native.batch_norm_backward(y, y, zeros(4), zeros(4), zeros(4), y, zeros(4), zeros(4), epsilon=1.0)
    native.update_running(zeros(4), zeros(4), momentum=0.5)
    native.sgd(flat, flat, None, zeros(3, dtype=np.float64))
    native.adam(flat, flat, flat, flat, zeros(3, dtype=np.float64), beta1=0.9, beta2=0.9, epsilon=1.0)
    native.adagrad(flat, flat, flat, zeros(3, dtype=np.float64), epsilon=1.0)
    native.rmsprop(flat, flat, flat, None, None, zeros(3, dtype=np.float64), rho=0.9, momentum=0.0, epsilon=1.0)
    native.adadelta(flat, flat, flat, flat, zeros(3, dtype=np.float64), rho=0.9, epsilon=1.0)
    native.add_penalty(flat, flat, None, l1=0.1, l2=0.1, pictures=1)
    native.clip_by_value(flat, limit=1.0)
    native.clip_by_norm(flat, limit=1.0)
    native.accumulate(zeros(2), None, None, zeros(3, dtype=np.float64))
    native.stop_unless_finite(zeros(2, dtype=np.float64))
    native.gather(zeros(4, 2, 3), zeros(2, dtype=np.int64), zeros(2, 2, 3), zeros(3), zeros(3))
    native.gather_labels(zeros(4, dtype=np.int32), zeros(2, dtype=np.int64), zeros(2, dtype=np.int32))
    native.swap_axes(zeros(2, 3, 4), zeros(3, 2, 4))
    native.add(rows, rows)
    native.fma_probe(zeros(2), 3)


@pytest.fixture(name="fields")
def honest_fields(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What one small step of every kernel was given."""
    seen: dict[str, dict[str, Any]] = {}
    make = native.runtime._native.Step
    monkeypatch.setattr(native.runtime._native, "Step", lambda name, given: make(name, seen.setdefault(name, given)))
    make_honest_steps()
    monkeypatch.undo()
    assert set(seen) == set(native.runtime._native.kernel_fields())
    return seen


def test_extreme_sizes_are_refused_or_harmless(fields: dict[str, dict[str, Any]]) -> None:
    refused = 0
    for name, given in fields.items():
        sizes = [field for field, kind, *_ in native.runtime._native.kernel_fields()[name] if kind == "size"]
        for field in sizes:
            for value in EXTREMES:
                try:
                    step = native.runtime._native.Step(name, given | {field: value})
                    if field != "ROUNDS":  # which costs time and nothing else
                        native.run(step)
                except BackendError as error:
                    assert str(error).startswith(f"{name}: ") and len(str(error)) < 200
                    refused += 1
    assert refused > 2000


def test_arrays_that_are_too_short_missing_or_crooked_are_refused(fields: dict[str, dict[str, Any]]) -> None:
    for name, given in fields.items():
        for field, value in given.items():
            if not isinstance(value, np.ndarray):
                continue
            with pytest.raises(BackendError, match=f"'{field}' has {value.size - 1} entries, the kernel would use"):
                native.runtime._native.Step(name, given | {field: value.reshape(-1)[:-1].copy()})
            if value.itemsize > 1:
                crooked = np.frombuffer(bytearray(value.nbytes + 1), np.uint8)[1:].view(value.dtype)
                with pytest.raises(BackendError, match="must lie at a multiple"):
                    native.runtime._native.Step(name, given | {field: crooked})
            try:
                native.run(native.runtime._native.Step(name, given | {field: None}))
            except BackendError as error:
                # of two arrays that stand for each other, the first is named
                assert re.fullmatch(f"{name} cannot run without '({field}|bytes|labels)'", str(error))


def test_a_cursor_at_the_end_of_the_numbers_reads_nothing() -> None:
    cursor, order = np.array([2**63 - 1]), np.zeros(3, np.int64)[1:]
    step = native.gather_labels(np.zeros(4, np.int32), order, np.zeros(2, np.int32), cursor)
    with pytest.raises(BackendError, match="an index lies outside"):
        native.run(step)


def test_runs_that_cannot_be_counted_are_refused() -> None:
    program = native.Program([native.add(np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32))])
    for count in (2**31, 2**62, 2**63 - 1):
        with pytest.raises(BackendError, match="cannot make"):
            program.run_steps(2, count, [], [])


@pytest.mark.parametrize("stride", [2**20, 2**20 - 1, 70_001])
def test_a_stride_beyond_the_picture_is_as_good_as_one_to_its_end(stride: int) -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 6, 7, 3), np.float32), rng.standard_normal((3, 2, 3, 4), np.float32)
    results = []
    for strides in ((stride, stride), (9, 9)):
        y, dx, dkernel = zeros(2, 1, 1, 4), zeros(2, 6, 7, 3), zeros(3, 2, 3, 4)
        window: dict[str, Any] = {"strides": strides, "padding": ((1, 0), (0, 1)), "dilation": (2, 2)}
        native.run(native.conv2d(x, kernel, None, y, **window))
        backward = native.conv2d_backward_input(y, kernel, dx, **window)
        assert backward.workspace_bytes < 1 << 20
        native.run(backward)
        native.run(native.conv2d_backward_kernel(x, y, dkernel, **window))
        results.append((y, dx, dkernel))
    for far, near in zip(*results, strict=True):
        np.testing.assert_array_equal(far, near)
