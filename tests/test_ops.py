"""Every case agrees with the float64 truth, writes where it should and nowhere else."""

from __future__ import annotations

from operator import attrgetter

import numpy as np
import pytest
from agreement import IN_PLACE, NO_OUT, call, changed, check
from case import Case, guarded
from cases import CASES
from groups import grouped

from pellucid import ops
from pellucid.ops import native

OP = attrgetter("op")


@grouped("case", CASES, by=OP)
def test_float32_agrees_with_the_float64_truth(case: Case) -> None:
    args, options = case.arguments()
    check(case, call(case.op, args, options))


@pytest.mark.skipif(not native.available, reason="the test above does this")
@grouped("case", CASES, by=OP)
def test_the_reference_itself_in_float32_keeps_the_bound(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.ops.dispatch.native.available", False)
    monkeypatch.setattr("pellucid.ops.dispatch._announce_missing_native", lambda: None)
    args, options = case.arguments()
    with ops.recording() as calls:
        got = call(case.op, args, options)
    assert {backend for _, backend in calls} == {"reference"}
    check(case, got)


@grouped("case", [case for case in CASES if case.op not in NO_OUT], by=OP)
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


@grouped("case", [case for case in CASES if case.op in IN_PLACE], by=OP)
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
