"""The native boundary trusts nobody: no size reaches a kernel that its arrays or the arithmetic could not bear."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from steps import SMALL, Arrays, typical

from pellucid.errors import BackendError
from pellucid.ops import native
from pellucid.ops.table import TABLE

pytestmark = pytest.mark.skipif(not native.available, reason="the compiled kernels are missing")

CONV = {"strides": (1, 1), "padding": ((0, 0), (0, 0))}
POOL: dict[str, Any] = {"pool_size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}
EXTREMES = (0, 2**20, 2**31 - 1, 2**31, 2**32 + 1, 2**60 + 1, 2**62, 2**63 - 1, 2**64, 10**30)


def zeros(*shape: int, dtype: Any = np.float32) -> Any:
    return np.zeros(shape, dtype)


@pytest.fixture(name="fields")
def honest_fields(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What one small step of every kernel was given."""
    seen: dict[str, dict[str, Any]] = {}
    make = native.runtime.Step
    monkeypatch.setattr(native.runtime, "Step", lambda name, given: make(name, seen.setdefault(name, given)))
    for op in TABLE.values():
        if op.typical:
            typical(op, SMALL)(Arrays(2))
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
