"""Every case agrees with the float64 truth, writes where it should and nowhere else; the door refuses what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from case import EPS, Case, guarded
from cases import CASES, OPTIMIZERS

from pellucid import ops
from pellucid.ops.geometry import Array

IN_PLACE = frozenset(OPTIMIZERS)
NO_OUT = IN_PLACE | {"softmax_cross_entropy", "binary_cross_entropy", "mean_squared_error", "mean_absolute_error"}


def changed(values: Any, how: Any) -> Any:
    """Arguments with every float array replaced by how(array)."""
    if isinstance(values, dict):
        return {key: changed(value, how) for key, value in values.items()}
    if isinstance(values, tuple):
        return tuple(changed(value, how) for value in values)
    return how(values) if isinstance(values, np.ndarray) and values.dtype.kind == "f" else values


def call(op: str, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Array, ...]:
    """The results as a tuple; for updates in place, the arrays after it."""
    results = getattr(ops, op)(*args, **options)
    if op in IN_PLACE:
        return args
    return results if isinstance(results, tuple) else (results,)


def truth(case: Case) -> tuple[Array, ...]:
    args, options = changed(case.arguments(), lambda array: array.astype(np.float64))
    if case.op == "gather":  # always gives float32
        source, indices = args
        return (source[indices] * options["scale"] + options["offset"],)
    with ops.recording() as calls:
        results = call(case.op, args, options)
    assert {backend for _, backend in calls} == {"reference"}
    return results


def check(case: Case, got: tuple[Array, ...]) -> None:
    expected = truth(case)
    assert len(got) == len(expected)
    if case.kind == "linear":
        args, options = changed(case.arguments(), lambda array: np.abs(array.astype(np.float64)))
        sizes = call(case.op, args, options)
    else:
        sizes = tuple(np.abs(array).max(initial=0) for array in expected)
    for number, (a, b, size) in enumerate(zip(got, expected, sizes, strict=True)):
        assert a.shape == b.shape
        if b.dtype.kind != "f" or case.kind == "exact":
            np.testing.assert_array_equal(a, b.astype(a.dtype), err_msg=f"result {number}")
            continue
        assert a.dtype == np.float32
        error = np.abs(a.astype(np.float64) - b)
        allowed = case.bound * EPS * size + float(np.finfo(np.float32).tiny)
        worst = float((error / allowed).max())
        assert worst <= 1, f"result {number}: error is {worst:.3g} times the bound {case.bound:.3g}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_float32_agrees_with_the_float64_truth(case: Case) -> None:
    args, options = case.arguments()
    check(case, call(case.op, args, options))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_reference_itself_in_float32_keeps_the_bound(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    if ops.backend().name == "reference":
        pytest.skip("the test above did this")
    monkeypatch.setattr("pellucid.ops.dispatch.native.available", False)
    monkeypatch.setattr("pellucid.ops.dispatch._announce_missing_native", lambda: None)
    args, options = case.arguments()
    with ops.recording() as calls:
        got = call(case.op, args, options)
    assert {backend for _, backend in calls} == {"reference"}
    check(case, got)


@pytest.mark.parametrize("case", [case for case in CASES if case.op not in NO_OUT], ids=str)
def test_out_is_filled_and_nothing_beside_it(case: Case) -> None:
    args, options = case.arguments()
    before = changed(args, np.copy)
    plain = call(case.op, args, options)
    out, untouched = guarded(plain[0].shape, plain[0].dtype)
    again = call(case.op, args, {**options, "out": out})
    assert again[0] is out
    assert untouched()
    for a, b in zip(again, plain, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(args, before, strict=True):
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", [case for case in CASES if case.op in IN_PLACE], ids=str)
def test_updates_change_their_vectors_and_nothing_beside_them(case: Case) -> None:
    args, options = case.arguments()
    fences = [guarded(array.shape, array.dtype) for array in args]
    for (inner, _), array in zip(fences, args, strict=True):
        inner[...] = array
    gradient = args[1].copy()
    call(case.op, tuple(inner for inner, _ in fences), options)
    call(case.op, args, options)
    assert all(untouched() for _, untouched in fences)
    for (inner, _), array in zip(fences, args, strict=True):
        np.testing.assert_array_equal(inner, array)
    np.testing.assert_array_equal(args[1], gradient)
