"""Whether an operation in float32 agrees with the reference in float64 as closely as its case demands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from case import EPS, Case
from sizes import OPTIMIZERS

from pellucid import ops
from pellucid.ops.geometry import Array

IN_PLACE = frozenset(OPTIMIZERS)
NO_OUT = IN_PLACE | {"softmax_cross_entropy", "binary_cross_entropy", "mean_squared_error", "mean_absolute_error"}


def changed(values: Any, how: Callable[[Array], Array]) -> Any:
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
    if case.kind in ("linear", "tiles"):
        args, options = changed(case.arguments(), lambda array: np.abs(array.astype(np.float64)))
        sizes = call(case.op, args, options)
        if case.kind == "tiles":
            sizes = tuple(array.max(initial=0) for array in sizes)
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
