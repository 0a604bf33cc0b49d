"""Gradients of a tape: of each function against differences, of drawn programs against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid import ops
from pellucid.autodiff import GradientTape, Variable, matrices, rules, tensor
from pellucid.errors import ConfigError
from pellucid.keras import ctc

RNG = np.random.default_rng(21)


def _drawn(*shape: int, low: float = -2.0, high: float = 2.0) -> Any:
    """Numbers that are apart from each other and from 0, where some functions bend."""
    count = int(np.prod(shape))
    steps = np.linspace(low, high, 2 * count + 1)[1::2]
    return RNG.permutation(np.where(np.abs(steps) < 0.03, 0.05, steps)).reshape(shape)


A, B = _drawn(2, 3, 4), _drawn(2, 3, 4, low=-1.9, high=2.11)
ROW, ONE = _drawn(3, 1, low=-1.8, high=1.93), _drawn(low=-1.0, high=1.7)
ABOVE, UNIT = _drawn(3, 4, low=0.3, high=3.0), _drawn(3, 4, low=-0.9, high=0.9)
SQUARE, IMAGE = _drawn(4, 4), _drawn(2, 4, 3, 2)
KEY = (slice(None), [0, 2, 2], slice(1, None, 2))
SPREAD = _drawn(2, 3, 3) + 4 * np.diag([1.0, 2.0, 3.0])
POSITIVE = SPREAD @ np.swapaxes(SPREAD, 1, 2)
OUR_OWN = (
    rules.scattered, ops.normal_below, ctc.losses, rules.inverse_erf, matrices.log_determinant,
    matrices.symmetric_parts, matrices.orthogonal_parts, matrices.singular_parts,
)  # fmt: skip

CASES: dict[Any, list[Callable[..., Any]]] = {
    **{each: [lambda f: f(A, B), lambda f: f(A, ROW), lambda f: f(ONE, A)] for each in (
        np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.arctan2, np.hypot, np.logaddexp,
        np.logaddexp2, np.fmax, np.fmin,
    )},
    **{each: [lambda f: f(A, ABOVE)] for each in (np.remainder, np.fmod)},
    np.nextafter: [lambda f: f(A, B)],
    np.power: [lambda f: f(ABOVE, UNIT), lambda f: f(A, 3), lambda f: f(A, 2.0), lambda f: f(2.0, A)],
    **{each: [lambda f: f(A)] for each in (
        np.negative, np.positive, np.absolute, np.square, np.reciprocal, np.exp, np.exp2, np.expm1, np.sin, np.cos,
        np.tanh, np.sinh, np.cosh, np.arctan, np.arcsinh, np.cbrt, np.copy, np.ravel,
        np.fabs, np.conjugate, np.real, np.deg2rad, np.rad2deg, np.sinc,
    )},
    **{each: [lambda f: f(ABOVE)] for each in (np.sqrt, np.log, np.log2, np.log10, np.log1p)},
    **{each: [lambda f: f(UNIT)] for each in (np.tan, np.arcsin, np.arccos, np.arctanh, rules.inverse_erf)},
    np.arccosh: [lambda f: f(ABOVE + 1.5)],
    np.where: [lambda f: f(A > 0.3, A, B), lambda f: f(ROW > 0, ROW, A)],
    rules.cast: [lambda f: f(A, np.float64)],
    **{each: [lambda f: f(A), lambda f: f(A, axis=1), lambda f: f(A, axis=(0, -1), keepdims=True)] for each in (
        np.sum, np.mean, np.max, np.min, np.prod, np.var, np.std,
    )},
    np.linalg.norm: [lambda f: f(A), lambda f: f(A, axis=-1), lambda f: f(A, axis=1, keepdims=True)],
    **{each: [lambda f: f(A), lambda f: f(A, axis=1)] for each in (np.cumsum, np.cumprod)},
    np.clip: [lambda f: f(A, -0.5, 1.0), lambda f: f(A, None, 0.4), lambda f: f(A, min=0.1, max=None)],
    np.sort: [lambda f: f(A), lambda f: f(A, axis=0)],
    np.reshape: [lambda f: f(A, (4, 6)), lambda f: f(A, -1)],
    np.expand_dims: [lambda f: f(A, 1)],
    np.squeeze: [lambda f: f(ROW), lambda f: f(ROW, axis=1)],
    np.transpose: [lambda f: f(A), lambda f: f(A, (2, 0, 1)), lambda f: f(A, (-1, 0, 1))],
    np.broadcast_to: [lambda f: f(ROW, (2, 3, 4))],
    rules.item: [
        lambda f: f(A, 1), lambda f: f(A, KEY), lambda f: f(A, (..., None, 0)), lambda f: f(A, A > 0),
        lambda f: f(A, (slice(None, None, -1), 2)),
    ],
    np.flip: [lambda f: f(A), lambda f: f(A, axis=1)],
    np.roll: [lambda f: f(A, 2, axis=2)],
    np.rot90: [lambda f: f(A, 1, (1, 2))],
    np.moveaxis: [lambda f: f(A, 0, -1)],
    np.swapaxes: [lambda f: f(A, 0, 2)],
    np.tile: [lambda f: f(A, (2, 1, 3))],
    np.repeat: [lambda f: f(A, 2, axis=1), lambda f: f(A, [1, 0, 3], axis=1)],
    np.take: [lambda f: f(A, [[0, 2], [2, 2]], axis=1), lambda f: f(A, [5, 0])],
    np.take_along_axis: [lambda f: f(A, np.argsort(A, axis=-1)[..., :2], -1)],
    np.pad: [
        lambda f: f(IMAGE, [(0, 0), (1, 2), (2, 1), (0, 0)]),
        lambda f: f(SQUARE, 2, mode="reflect"), lambda f: f(SQUARE, 1, mode="constant", constant_values=3.0),
        lambda f: f(SQUARE, 2, "edge"),
    ],
    np.diagonal: [lambda f: f(SQUARE), lambda f: f(A, 0, -2, -1)],
    np.triu: [lambda f: f(SQUARE)],
    np.tril: [lambda f: f(SQUARE, -1)],
    **{each: [lambda f: f([A, B]), lambda f: f((A, B, A))] for each in (
        np.concatenate, np.stack, np.vstack, np.hstack, np.dstack,
    )},
    np.einsum: [
        lambda f: f("nij,nkj->nik", A, B), lambda f: f("ij,jk", SQUARE, UNIT.T), lambda f: f("nij->j", A),
        lambda f: f("nij,nij->n", A, B),
    ],
    np.tensordot: [lambda f: f(A, B, ([0, 2], [0, 2])), lambda f: f(A, SQUARE, 1)],
    np.dot: [lambda f: f(SQUARE, UNIT.T), lambda f: f(A, SQUARE), lambda f: f(A[0, 0], B[0, 0]), lambda f: f(A, ONE)],
    np.outer: [lambda f: f(A[0, 0], B[0, 1])],
    np.inner: [lambda f: f(A[0], B[0])],
    np.vdot: [lambda f: f(A[0, 0], B[0, 0])],
    np.nan_to_num: [lambda f: f(A)],
    np.average: [lambda f: f(A), lambda f: f(A, axis=1), lambda f: f(A, 2, B[0, 0] + 4)],
    **{each: [lambda f: f(A)] for each in (np.diff, np.fliplr, np.flipud, np.trapezoid)},
    np.append: [lambda f: f(A, B), lambda f: f(A, B, 1)],
    **{each: [lambda f: f(SQUARE), lambda f: f(A[0, 0])] for each in (np.diag, np.diagflat)},
    **{each: [lambda f: f(SPREAD)] for each in (np.linalg.inv, np.linalg.det, matrices.log_determinant)},
    np.linalg.solve: [lambda f: f(SPREAD, A[:, :, :2]), lambda f: f(SPREAD[0], A[0, :, 0])],
    np.linalg.cholesky: [lambda f: f(POSITIVE)],
    matrices.symmetric_parts: [lambda f: f(POSITIVE)],
    matrices.orthogonal_parts: [lambda f: f(SPREAD), lambda f: f(A[0].T.copy())],
    matrices.singular_parts: [lambda f: f(SPREAD), lambda f: f(A[0]), lambda f: f(A[0].T.copy())],
    rules.scattered: [lambda f: f(A[0, 0], np.array([2, 0, 3, 2]), 3)],
    ops.normal_below: [lambda f: f(A)],
    ctc.losses: [lambda f: f(A, np.array([[0, 2, 1], [1, 1, 0]]), np.array([3, 3]), np.array([3, 2]))],
    np.matmul: [
        lambda f: f(A, SQUARE), lambda f: f(A, np.swapaxes(B, 1, 2)), lambda f: f(SQUARE, A[0, 0]),
        lambda f: f(A[0, 0], SQUARE), lambda f: f(A[0, 0], B[0, 0]),
    ],
}  # fmt: skip

EACH = list(dict.fromkeys([*rules.RULES, *CASES]))
"""All with a rule, and those of `COMPOSED`, but for what gives a list."""


def _as_read(function: Any, gradient: Any) -> Any:
    """A gradient by each number by itself: of a symmetric matrix NumPy reads the lower half for both."""
    if function not in (np.linalg.cholesky, matrices.symmetric_parts) or gradient is None:
        return gradient
    both = np.tril(gradient + np.swapaxes(gradient, -1, -2))
    return both * (1 - np.eye(both.shape[-1]) / 2)


def _given(value: Any, wrap: Callable[[Any], Any]) -> Any:
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return wrap(value)
    return type(value)(_given(each, wrap) for each in value) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("function", EACH, ids=lambda each: getattr(each, "__name__", str(each)))
def test_each_functions_gradient_is_that_of_differences(function: Any) -> None:
    """Every rule has cases: one without is a failure here."""
    for case in CASES[function]:
        called: list[Any] = []

        def keep(*args: Any, called: list[Any] = called, **options: Any) -> Any:
            called[:] = [args, options]

        case(keep)
        args, options = called
        weights = np.random.default_rng(1).normal(size=np.shape(function(*args, **options)))

        def total(args: Any, options: Any = options, weights: Any = weights) -> float:
            return float((function(*args, **options) * weights).sum())

        watched: list[Any] = []

        def watch(array: Any, watched: list[Any] = watched) -> Any:
            watched.append(tensor(array.copy()))
            return watched[-1]

        with GradientTape() as tape:
            given = _given(args, lambda array: watch(array))
            tape.watch(watched)
            y = _called(function, given, options)
            loss = (y * weights).sum()
        found = tape.gradient(loss, watched)
        if function is np.where:
            assert found[0] is None or len(watched) == 2
        for place, gradient in enumerate(found):
            _by_differences(args, place, total, _as_read(function, gradient))


CURVED = np.random.default_rng(5).normal(size=4000)
ONCE = {ctc.losses}
"""Whose gradient goes through what has no rule: they say so."""


@pytest.mark.parametrize("function", EACH, ids=lambda each: getattr(each, "__name__", str(each)))
def test_each_gradients_gradient_is_that_of_differences(function: Any) -> None:
    """Of sum(gradient * numbers), the gradient that of sum(sin(y) * numbers), which curves where y does not."""
    for case in CASES[function]:
        called: list[Any] = []
        case(lambda *args, called=called, **options: called.extend([args, options]))  # type: ignore[misc]
        args, options = called

        def bent(args: Any, options: Any = options) -> tuple[Any, list[Any], Any]:
            watched: list[Any] = []
            with GradientTape(persistent=True) as outer:
                given = _given(args, lambda array: watched.append(tensor(array.copy())) or watched[-1])
                outer.watch(watched)
                with GradientTape() as inner:
                    inner.watch(watched)
                    y = _called(function, given, options)
                    loss = (np.sin(y) * CURVED[: np.size(y)].reshape(np.shape(y))).sum()
                first = [d for d in inner.gradient(loss, watched) if d is not None]
                total = sum((d * CURVED[: d.size].reshape(d.shape)).sum() for d in first)
            return total, watched, outer

        if function in ONCE:
            with pytest.raises(ConfigError, match="its gradient is not known"):
                bent(args)
            continue
        total, watched, tape = bent(args)
        for place, gradient in enumerate(tape.gradient(total, watched, unconnected_gradients="zero")):
            _by_differences(args, place, lambda each: float(bent(each)[0]), _as_read(function, gradient), few=6)


def _called(function: Any, given: Any, options: Any) -> Any:
    """Those that are no functions of NumPy's by what they are called by."""
    if function is rules.item:
        return given[0][given[1]]
    if function is rules.cast:
        return given[0].astype(given[1])
    return given[0].through(function, *given[1:]) if function in OUR_OWN else function(*given, **options)


def _by_differences(args: Any, place: int, total: Callable[[Any], float], gradient: Any, few: int = 10**6) -> None:
    """few: how many of its numbers are looked at."""
    arrays: list[Any] = []
    _given(args, lambda array: arrays.append(array))
    wanted = np.zeros_like(arrays[place])
    indices = list(np.ndindex(wanted.shape))[:: max(1, wanted.size // few)]
    for index in indices:
        ends = []
        for step in (1e-6, -1e-6):
            number = -1

            def moved(array: Any, step: float = step, index: Any = index) -> Any:
                nonlocal number
                number += 1
                if number != place:
                    return array
                other = np.array(array)
                other[index] += step
                return other

            ends.append(total(_given(args, moved)))
        wanted[index] = (ends[0] - ends[1]) / 2e-6
    assert np.shape(gradient) == wanted.shape and indices
    for index in indices:
        np.testing.assert_allclose(np.asarray(gradient)[index], wanted[index], rtol=1e-5, atol=1e-6)


# Drawn programs, both here and in PyTorch

STEPS: list[tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]] = [
    (lambda x: np.tanh(x) * 1.5, lambda t, x: t.tanh(x) * 1.5),
    (lambda x: np.exp(-np.square(x)), lambda t, x: t.exp(-t.square(x))),
    (lambda x: x / (1 + abs(x)), lambda t, x: x / (1 + t.abs(x))),
    (lambda x: np.concatenate([x, x * x], axis=-1), lambda t, x: t.cat([x, x * x], -1)),
    (lambda x: x - np.mean(x, axis=0, keepdims=True), lambda t, x: x - x.mean(0, keepdim=True)),
    (lambda x: np.transpose(x) @ x / 9, lambda t, x: x.T @ x / 9),
    (lambda x: x[:, ::2], lambda t, x: x[:, ::2]),
    (lambda x: np.maximum(x, 0.1) + np.mean(x), lambda t, x: t.clamp(x, min=0.1) + x.mean()),
    (lambda x: np.log(1 + np.square(x)), lambda t, x: t.log(1 + t.square(x))),
    (lambda x: np.stack([x, x / 2]).max(axis=0), lambda t, x: t.maximum(x, x / 2)),
    (lambda x: np.reshape(x, (-1, x.shape[0])), lambda t, x: t.reshape(x, (-1, x.shape[0]))),
    (lambda x: x / np.sqrt(np.sum(np.square(x)) + 1), lambda t, x: x / t.sqrt(t.sum(t.square(x)) + 1)),
]


@pytest.mark.parametrize("seed", range(40))
def test_drawn_programs_have_pytorchs_gradients(seed: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    start, weight = rng.normal(size=(3, 4)), rng.normal(size=(4, 4))
    program = [STEPS[i] for i in rng.integers(len(STEPS), size=6)]
    w = Variable(weight, dtype=np.float64)
    with GradientTape() as tape:
        x = tensor(start.copy())
        tape.watch(x)
        y: Any = x @ w
        for ours, _ in program:
            y = ours(y)
        loss = np.sum(np.sin(y))
    found = tape.gradient(loss, [x, w])
    theirs = [torch.tensor(each, requires_grad=True) for each in (start, weight)]
    z = theirs[0] @ theirs[1]
    for _, step in program:
        z = step(torch, z)
    torch.sin(z).sum().backward()
    for ours_, wanted in zip(found, theirs, strict=True):
        np.testing.assert_allclose(ours_, wanted.grad.numpy(), rtol=1e-7, atol=1e-9)


# What a tape promises


def test_a_tape_is_asked_once_unless_it_is_persistent() -> None:
    x = tensor(np.array([3.0]))
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
    assert tape.gradient(y, x).numpy().tolist() == [6.0]
    with pytest.raises(ConfigError, match="persistent=True"):
        tape.gradient(y, x)
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, z = x * x, x**3
    assert [float(tape.gradient(each, x)[0]) for each in (y, z)] == [6.0, 27.0]
    assert tape.gradient({"a": y, "b": z}, {"x": x})["x"].numpy() == 33.0


def test_what_the_target_does_not_come_from_has_no_gradient() -> None:
    v, other = Variable(2.0), Variable(5.0)
    frozen = Variable(3.0, trainable=False)
    with GradientTape(persistent=True) as tape:
        y = v * 2 + np.floor(v) * frozen
        with tape.stop_recording():
            y = y + other * 0 + v.numpy()
    assert tape.gradient(y, [v, other, frozen]) == [None, None, None], "what came after is not on this tape"
    with GradientTape(persistent=True) as tape:
        z = v * 2 + np.floor(v) * frozen + float(v)
    assert [None if d is None else float(d) for d in tape.gradient(z, [v, other, frozen])] == [2.0, None, None]
    assert float(tape.gradient(z, other, unconnected_gradients="zero")) == 0.0


def test_an_earlier_tapes_values_are_constants() -> None:
    v = Variable(3.0)
    with GradientTape():
        before = v * v
    with GradientTape() as tape:
        y = before * v
    assert float(tape.gradient(y, v)) == 9.0


def test_what_cannot_be_recorded_says_so() -> None:
    x = tensor(np.arange(4.0))
    with GradientTape() as tape:
        tape.watch(x)
        for wrong, word in (
            (lambda: np.linalg.svd(x[None] + 1), "svd: its gradient is not known"),
            (lambda: np.add(x, 1, out=np.zeros(4)), "not written into"),
            (lambda: x.__setitem__(0, 1.0), "not written into"),
            (lambda: np.sum(x, where=x.numpy() > 1), "not known with these arguments"),
            (lambda: tape.watch([1.0]), "convert_to_tensor"),
            (lambda: tape.gradient(x, [np.zeros(3)]), "variables or watched tensors"),
        ):
            with pytest.raises(ConfigError, match=word):
                wrong()


def test_a_gradient_has_a_gradient() -> None:
    v = Variable(2.0)
    with GradientTape() as third:
        with GradientTape() as second:
            with GradientTape() as first:
                y = v**4
            slope = first.gradient(y, v)
        curve = second.gradient(slope, v)
        z = curve * 2.0
    assert (float(slope), float(curve)) == (32.0, 48.0)
    assert float(third.gradient(z, v)) == 96.0
    with GradientTape(persistent=True) as one:
        y = v**3
        slope = one.gradient(y, v)
    assert float(one.gradient(slope, v)) == 12.0, "of itself, as it is persistent"


def test_deep_programs_need_no_deep_stack() -> None:
    v = Variable(1.0, dtype=np.float64)
    with GradientTape() as tape:
        y = v * 1.0
        for _ in range(3000):
            y = y * 1.0005 + 0.0 * y
    assert float(tape.gradient(y, v)) == pytest.approx(1.0005**3000)


def test_variables_are_live() -> None:
    v = Variable([1.0, 2.0], name="scale")
    assert v.assign_add([1.0, 1.0]) is v and v.numpy().tolist() == [2.0, 3.0]
    assert v.assign_sub(1.0).numpy().tolist() == [1.0, 2.0] and v.name == "scale" and v.shape == (2,)
    assert float((v * v).sum()) == 5.0 and v.dtype == np.float32 and "scale" in repr(v)
    with pytest.raises(Exception, match=r"assign needs shape \(2,\)"):
        v.assign([1.0, 2.0, 3.0])
