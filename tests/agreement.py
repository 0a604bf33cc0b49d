"""Whether an operation in float32 agrees with the reference in float64 as closely as its case demands."""

from __future__ import annotations

import inspect
import re
from functools import partial
from typing import Any

import numpy as np
from case import EPS, Arguments, Build, Case, changed, normal
from sizes import OPTIMIZERS

from pellucid import ops
from pellucid.ops.geometry import Array
from pellucid.ops.table import row

IN_PLACE = frozenset(OPTIMIZERS)
NO_OUT = IN_PLACE | {
    "split",
    "softmax_cross_entropy",
    "binary_cross_entropy",
    "mean_squared_error",
    "mean_absolute_error",
}


def update(rule: str, param: Array, grad: Array, *moments: Array, **options: Any) -> None:
    """The step of an optimizer by its rule, its moments in their order."""
    names = row(rule).arrays[2:-1]
    ops.optimizer_update(rule, param, grad, dict(zip(names, moments, strict=False)), **options)


def call(op: str, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Array, ...]:
    """The results as a tuple; for updates in place, the arrays after it."""
    results = (getattr(ops, op, None) or partial(update, op))(*args, **options)
    if op in IN_PLACE:
        return args
    return results if isinstance(results, tuple) else (results,)


def named(op: str, args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, in float64."""
    return changed(inspect.signature(getattr(ops, op)).bind(*args, **options).arguments, np.float64)


def known_behind(op: str, given: dict[str, Any]) -> dict[str, Any]:
    """What operations behind this one may take, by name: what it took and gives, and the shapes of x and kernel."""
    with ops.recording() as calls:
        results = call(op, (), given)
    of = row(calls[0][0])
    made = [name for name in of.arrays if name not in {"bias", *given, *of.defaults}]
    shapes = {"input_shape": given["x"].shape, "kernel_shape": np.shape(given.get("kernel"))}
    known = given | dict(zip(made, results, strict=False)) | shapes
    return known | {"y": given["x"]} if given.get("kind") in ops.READ_INPUT else known


def behind(op: str, build: Build, *, zeros: float = 0.0) -> Build:
    """Arguments of an operation behind another (`conv2d_backward_kernel` behind `conv2d`): what that is given by
    `build`, what it gives in float64, and a random dy of which a share is zero, as behind a dropout."""
    forward = re.sub("_(backward(_input|_kernel)?|inference)$", "", op)
    wanted = inspect.signature(getattr(ops, op))

    def made(rng: np.random.Generator) -> Arguments:
        known = changed(known_behind(forward, named(forward, *build(rng))), np.float32)
        known["dy"] = (normal(rng, known["y"].shape) * (rng.random(known["y"].shape) >= zeros)).astype(np.float32)
        bound = wanted.bind(**{name: known[name] for name in wanted.parameters if name in known})
        return bound.args, bound.kwargs

    return made


def in_float64(case: Case) -> Arguments:
    return changed(case.arguments(), np.float64)


def truth(case: Case, wide: Arguments) -> tuple[Array, ...]:
    """What the reference gives for the case's arguments in float64; those of an update are changed."""
    args, options = wide
    if case.op == "gather":  # always gives float32
        source, indices = args
        return (source[indices] * options["scale"] + options["offset"],)
    with ops.recording() as calls:
        results = call(case.op, args, options)
    assert {backend for _, backend in calls} == {"reference"}
    return results


def check(case: Case, got: tuple[Array, ...]) -> None:
    wide = in_float64(case)
    expected = truth(case, changed(wide, np.copy))
    assert len(got) == len(expected)
    if case.kind in ("linear", "tiles"):
        args, options = changed(wide, np.abs)
        if "ceiling" in options:  # of what is cut off, the error is that of the whole
            options = {**options, "ceiling": np.inf}
        sizes = call(case.op, args, options)
        if case.kind == "tiles":
            sizes = tuple(array.max(initial=0) for array in sizes)
    elif case.kind == "pointwise":
        assert callable(case.bound)
        args, options = wide
        sizes = (case.bound(*args, **options),)
    else:
        sizes = tuple(np.abs(array).max(initial=0) for array in expected)
    bound = 1.0 if callable(case.bound) else case.bound
    for number, (a, b, size) in enumerate(zip(got, expected, sizes, strict=True)):
        assert a.shape == b.shape
        if b.dtype.kind != "f" or case.kind == "exact":
            np.testing.assert_array_equal(a, b.astype(a.dtype), err_msg=f"result {number}")
            continue
        assert a.dtype == np.float32
        error = np.abs(a.astype(np.float64) - b)
        allowed = bound * EPS * size + float(np.finfo(np.float32).tiny)
        worst = float((error / allowed).max())
        assert worst <= 1, f"result {number}: error is {worst:.3g} times the bound {bound:.3g}"
