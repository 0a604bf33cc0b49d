"""The error bounds that hold for all data (docs/accuracy.md): constant, offset, positive, sparse, alternating, bright.

`cases` states bounds for data around 0, whose roundings cancel. Whatever the data, a sum of n products has an error of
at most n u / (1 - n u) of the sum of their absolute values, u = eps / 2 (Higham 2002, section 3.1), in any order;
Winograd's algorithm the same with the numbers that it sums, and as many roundings more as its transforms have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from activation_bounds import backward_bound, forward_bound
from agreement import call, changed
from case import EPS, Case, Conv
from cases import CASES
from groups import grouped
from numpy.lib.stride_tricks import sliding_window_view
from sizes import ACTIVATIONS, SAME3

from pellucid import ops
from pellucid.ops import native, reference
from pellucid.ops.geometry import NO_PADS, Array
from pellucid.ops.table import row

TINY = float(np.finfo(np.float32).tiny)
Kind = Callable[[np.random.Generator, tuple[int, ...]], Array]


def alternating(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return (1 - 2 * (np.indices(shape).sum(axis=0) % 2)) * (1 + 0.1 * rng.random(shape))


def bright(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    x = rng.standard_normal(shape)
    x.reshape(-1)[x.size // 3] *= 1e4
    return x


KINDS: dict[str, Kind] = {
    "constant": lambda rng, shape: np.full(shape, 0.1),
    "offset": lambda rng, shape: 1000 + rng.standard_normal(shape),
    "positive": lambda rng, shape: rng.random(shape),
    "sparse": lambda rng, shape: rng.standard_normal(shape) * (rng.random(shape) < 0.02),
    "alternating": alternating,
    "bright": bright,
    "huge": lambda rng, shape: 1e15 * rng.standard_normal(shape),
    "tiny": lambda rng, shape: 1e-15 * rng.standard_normal(shape),
    "all-sizes": lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 7, shape),
}


def filled(values: Any, kind: str) -> Any:
    """The same arguments with every float array of this kind."""
    rng = np.random.default_rng(3)
    return changed(values, lambda array: KINDS[kind](rng, array.shape).astype(np.float32))


def everywhere(bound: float) -> float:
    """For all data, what a case states as 2 + sqrt(n) and perhaps some roundings for data around 0: n / 2 and those."""
    return bound + (bound - 2) ** 2 / 2


SUMS = [
    case
    for case in CASES
    if case.kind == "linear"
    and "map" not in case.op
    and case.op.startswith(("conv2d", "dense", "bias", "avg_pool2d", "global_avg"))
    and not case.op.startswith(("conv2d_max", "conv2d_avg"))
]


def families() -> Iterator[Case]:
    """Of each operation every third case."""
    for op in sorted({case.op for case in SUMS}):
        yield from [case for case in SUMS if case.op == op][::3]


def largest_excess(got: Array, exact: Array, allowed: Array) -> float:
    error = np.abs(got.astype(np.float64) - exact)
    return float((error / (allowed + float(np.finfo(np.float32).tiny))).max(initial=0))


@pytest.mark.parametrize("kind", KINDS)
@grouped("case", families(), by=lambda case: case.op)
def test_sums_of_any_data(case: Case, kind: str) -> None:
    given = filled(case.arguments(), kind)
    wide = changed(given, lambda array: array.astype(np.float64))
    (got,), (exact,) = call(case.op, *given), call(case.op, *wide)
    (size,) = call(case.op, *changed(wide, np.abs))
    assert largest_excess(got, exact, everywhere(case.bound) * EPS * size) <= 1


ALL_SIZES = np.arange(0, 0x7F000000, 30_011, np.int32).view(np.float32)
"""Float32 numbers of every size, from 0 to half of the largest."""


@pytest.mark.parametrize(("kind", "numbers"), ACTIVATIONS)
def test_activations_of_any_number(kind: str, numbers: dict[str, float]) -> None:
    x = np.concatenate([ALL_SIZES, -ALL_SIZES])
    wide = ops.activation(x.astype(np.float64), kind, **numbers)
    if kind == "exponential":  # which becomes infinite
        assert np.isposinf(ops.activation(x[wide > 3.5e38], kind)).all()
        x, wide = x[wide < 1e38], wide[wide < 1e38]
    error = np.abs(ops.activation(x, kind, **numbers) - wide)
    assert (error <= EPS * forward_bound(x.astype(np.float64), kind, **numbers) + TINY).all()
    read = x if kind in ops.READ_INPUT else wide.astype(np.float32)
    dy = np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)
    args = dy.astype(np.float64), read.astype(np.float64), kind
    error = np.abs(ops.activation_backward(dy, read, kind, **numbers) - ops.activation_backward(*args, **numbers))
    assert (error <= EPS * backward_bound(*args, **numbers) + TINY).all()


# Winograd's algorithm: F(m x m, r x r) with the points of native/winograd/transforms.hpp


def transforms(points: list[float], m: int, r: int) -> tuple[Array, Array, Array]:
    """|B^T|, |G| and |A^T| of Cook and Toom's algorithm at these points and infinity, as the kernels scale them."""
    size = m + r - 1
    a = np.array([[p**i for p in points] + [float(i == m - 1)] for i in range(m)])
    g = np.array([[p**j for j in range(r)] for p in points] + [[float(j == r - 1) for j in range(r)]])
    g[:-1] /= np.array([[np.prod([p - q for q in points if q != p])] for p in points])
    b = np.zeros((size, size))
    for i, p in enumerate(points):
        b[i, : size - 1] = np.poly([q for q in points if q != p])[::-1]
    b[-1] = np.poly(points)[::-1]
    return np.abs(b), np.abs(g), np.abs(a)


F4 = transforms([0, 0.75, -0.75, 1.5, -1.5], 4, 3)
F2 = transforms([0, 1, -1], 2, 3)
F5 = transforms([0, 0.75, -0.75, 1.5, -1.5], 2, 5)
ROUNDINGS = 32
"""Of both ways of both transforms, and of the one back: at most five sums and three products an axis each."""


def windows(x: Array, size: int, step: int, pad: int) -> Array:
    """|windows| of all tiles: (N, tiles, tiles, size, size, C)."""
    n, h, w, c = x.shape
    wide = np.zeros((n, h + pad + size + step, w + pad + size + step, c))
    wide[:, pad : pad + h, pad : pad + w] = np.abs(x)
    tiles = sliding_window_view(wide, (size, size), axis=(1, 2))[:, ::step, ::step]
    return tiles[:, : -(-h // step), : -(-w // step)].transpose(0, 1, 2, 4, 5, 3)


def forward_sizes(x: Array, kernel: Array, matrices: tuple[Array, Array, Array]) -> Array:
    """The absolute values that a tile sums, where it is computed with the magnitudes of all numbers."""
    b, g, a = matrices
    m, size, r = a.shape[0], len(b), kernel.shape[0]
    v = np.einsum("pi,nyxijc,qj->nyxpqc", b, windows(x, size, m, r // 2), b)
    u = np.einsum("pi,ijco,qj->pqco", g, np.abs(kernel), g)
    y = np.einsum("ip,nyxpqo,jq->nyxijo", a, np.einsum("nyxpqc,pqco->nyxpqo", v, u), a)
    n, down, across = y.shape[:3]
    whole = y.transpose(0, 1, 3, 2, 4, 5).reshape(n, down * m, across * m, -1)
    return whole[:, : x.shape[1], : x.shape[2]]


def kernel_sizes(x: Array, dy: Array, r: int, matrices: tuple[Array, Array, Array]) -> Array:
    b, g, a = matrices
    m, size = a.shape[0], len(b)
    v = np.einsum("pi,nyxijc,qj->nyxpqc", b, windows(x, size, m, r // 2), b)
    w = np.einsum("ip,nyxijo,jq->nyxpqo", a, windows(dy, m, m, 0), a)
    return np.einsum("pi,pqco,qj->ijco", g, np.einsum("nyxpqc,nyxpqo->pqco", v, w), g)


WINOGRAD = {
    "winograd": (Conv("3x3", (2, 11, 9, 20), (3, 3), 17, padding=SAME3), F4),
    "winograd2": (Conv("3x3", (2, 11, 9, 20), (3, 3), 17, padding=SAME3), F2),
    "winograd-5x5": (Conv("5x5", (2, 11, 9, 12), (5, 5), 9, padding=((2, 2), (2, 2))), F5),
}


@pytest.mark.skipif(not native.available, reason="the kernels are not built")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WINOGRAD)
def test_winograd_of_any_data(name: str, kind: str) -> None:
    (c, matrices), algorithm = WINOGRAD[name], name.partition("-")[0]
    x, kernel, dy = filled((np.empty(c.x), np.empty(c.kernel_shape), np.empty(c.y)), kind)
    wide_x, wide_kernel, wide_dy = (array.astype(np.float64) for array in (x, kernel, dy))
    turned = wide_kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    tiles = int(np.prod([c.y[0], *(-(-edge // len(matrices[2])) for edge in c.y[1:3])]))
    to_input, to_kernel = forward_sizes(wide_dy, turned, matrices), kernel_sizes(wide_x, wide_dy, c.kernel[0], matrices)
    runs: dict[str, tuple[Any, ...]] = {
        "conv2d": ((x, kernel), c.y, (wide_x, wide_kernel, None), forward_sizes(wide_x, wide_kernel, matrices), c.x[3]),
        "conv2d_backward_input": ((dy, kernel), c.x, (wide_dy, wide_kernel), to_input, c.filters),
        "conv2d_backward_kernel": ((x, dy), c.kernel_shape, (wide_x, wide_dy), to_kernel, tiles),
    }
    for op, (arrays, shape, wide, size, terms) in runs.items():
        extra = (None,) if op == "conv2d" else ()
        got, exact = np.empty(shape, np.float32), np.empty(shape)
        native.run(getattr(native, op)(*arrays, *extra, got, **c.options, algorithm=algorithm))
        row(op).twin(*wide, exact, **c.options)
        assert largest_excess(got, exact, (terms + ROUNDINGS) / 2 * EPS * size) <= 1, op


POOLING: Any = {"pool_size": (2, 2), "strides": (2, 2), "padding": NO_PADS}
F8 = transforms([0, 1, -1, 2, -2, 0.5, -0.5], 4, 5)
POOLED = {
    "direct": (Conv("3x3", (2, 12, 10, 20), (3, 3), 17, padding=SAME3), None),
    "winograd": (Conv("3x3", (2, 12, 10, 20), (3, 3), 17, padding=SAME3), F4),
    "winograd_rows": (Conv("grey", (2, 16, 16, 1), (5, 5), 6), F8),
}


def rows_sizes(x: Array, kernel: Array, matrices: tuple[Array, Array, Array]) -> Array:
    """The absolute values that F(4, 5) along rows sums, over the kernel's 5 rows."""
    b, g, a = matrices
    height, width = x.shape[1] - 4, x.shape[2] - 4
    tiles = sliding_window_view(np.abs(x[..., 0]), 8, axis=2)[:, :, ::4]
    v, u = np.einsum("pi,nyti->nytp", b, tiles), np.einsum("pi,rio->rpo", g, np.abs(kernel[:, :, 0]))
    m = sum(np.einsum("nytp,po->nytpo", v[:, r : r + height], u[r]) for r in range(5))
    return np.einsum("ip,nytpo->nytio", a, m).reshape(len(x), height, width, -1)


@pytest.mark.skipif(not native.available, reason="the kernels are not built")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", POOLED)
def test_pooled_convolutions_of_any_data(name: str, kind: str) -> None:
    """A largest, or mean, of four is off by no more than the worst of them, and a mean by three roundings more."""
    c, matrices = POOLED[name]
    x, kernel = filled((np.empty(c.x), np.empty(c.kernel_shape)), kind)
    wide_x, wide_kernel = x.astype(np.float64), kernel.astype(np.float64)
    exact, size = np.empty(c.y), np.empty(c.y)
    reference.conv.conv2d(wide_x, wide_kernel, None, exact, **c.options)
    reference.conv.conv2d(abs(wide_x), abs(wide_kernel), None, size, **c.options)
    terms = float(kernel[..., 0].size)
    if matrices is not None:
        terms = (5 if c.grey else c.x[3]) + ROUNDINGS
        size = (rows_sizes if c.grey else forward_sizes)(wide_x, wide_kernel, matrices)

    def of_four(array: Array) -> Array:
        n, h, w, o = array.shape
        return array.reshape(n, h // 2, 2, w // 2, 2, o).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, o, 4)

    worst, four = of_four(size).max(axis=-1), of_four(exact)
    settings: Any = {"convolution": c.options, "pooling": POOLING}
    for places in (True, False):
        got, argmax = np.empty(worst.shape, np.float32), np.empty(worst.shape, np.uint8) if places else None
        native.run(native.conv2d_pool(x, kernel, None, got, argmax, **settings, algorithm=name))
        assert largest_excess(got, four.max(axis=-1), terms / 2 * EPS * worst) <= 1
    if name == "direct":
        native.run(native.conv2d_pool(x, kernel, None, got, None, **settings, average=True, algorithm=name))
        assert largest_excess(got, four.mean(axis=-1), (terms + 4) / 2 * EPS * worst) <= 1


def test_the_worst_case_is_the_one_stated() -> None:
    """84 times the products of the largest numbers, of which a result sums nine."""
    b, g, a = F4
    assert round(float((a @ ((g.sum(axis=1)) * b.sum(axis=1))).max()) ** 2 / 9) == 84
