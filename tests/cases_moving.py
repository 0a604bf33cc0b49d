"""Cases of operations that move numbers: gathering, augmenting, joining, other orders; and products of two arrays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from agreement import behind
from case import Arguments, Case, given, normal, size_name
from sizes import (
    BLOCKS,
    ORDERS,
    PARTS,
    SLOPES,
)

from pellucid import ops
from pellucid.ops.geometry import Array, Shape


def _gather(shape: Shape, dtype: type, rng: np.random.Generator) -> Arguments:
    source: Array = rng.integers(0, 256, shape).astype(dtype)
    options = {"scale": rng.random(shape[3]).astype(np.float32) / 255, "offset": normal(rng, (shape[3],))}
    return (source, rng.integers(0, shape[0], 5)), options


def gathers() -> Iterator[Case]:
    for shape in ((9, 8, 8, 1), (7, 5, 3, 3), (4, 2, 3, 16), (3, 1, 1, 1)):
        for dtype in (np.uint8, np.float32):
            build = partial(_gather, shape, dtype)
            yield Case("gather", f"{np.dtype(dtype)}-{size_name(shape)}", build, "scaled", 2)


def _augment(shape: Shape, dtype: type, border: str, rng: np.random.Generator) -> Arguments:
    """Pictures turned, zoomed and moved beyond their edges; every second one mixed with its partner."""
    count, (height, width, channels) = 5, shape[1:]
    draws = np.zeros((count, 21))
    angle, size = rng.uniform(-3, 3, count), rng.uniform(0.5, 2, count)
    cos, sin = size * np.cos(angle), size * np.sin(angle)
    draws[:, :6] = np.stack([cos, sin, rng.normal(0, width, count), -sin, cos, rng.normal(0, height, count)], axis=1)
    draws[:, 6:16] = rng.normal(0, 0.5, (count, 10))
    draws[:, 16:20] = rng.uniform(-2, width + 2, (count, 4))
    draws[:, 20] = np.where(np.arange(count) % 2, rng.uniform(0.2, 0.9, count), 1)
    source = rng.integers(0, 256, shape).astype(dtype)
    options = {
        "scale": rng.random(channels).astype(np.float32) / 255,
        "offset": normal(rng, (channels,)),
        "border": border,
    }
    picks = np.append(rng.integers(0, shape[0], count - 1), shape[0] - 1)
    return (source, picks, draws.astype(np.float32)), {**options, "border": border}


def augments() -> Iterator[Case]:
    for shape in ((9, 8, 13, 1), (7, 21, 19, 3), (4, 2, 3, 16), (3, 1, 1, 3)):
        for dtype in (np.uint8, np.float32):
            for border in ops.BORDERS:
                # A place is a sum of three terms up to 3 pictures away: 3 roundings of so many pixels. A pixel further
                # the picture may change by all of its range, times a matrix row of about 1: of 255, brought to about 1.
                bound = 8 + 3 * 3 * 3 * max(shape[1:3])
                build = partial(_augment, shape, dtype, border)
                yield Case("augment", f"{np.dtype(dtype)}-{border}-{size_name(shape)}", build, "scaled", bound)


def products() -> Iterator[Case]:
    """One rounding each; what comes back to a row is summed in double."""
    for shape in BLOCKS:
        for factor in {shape, (shape[0], shape[-1])}:
            build, name = given(shape, factor), f"{size_name(factor)}-of-{size_name(shape)}"
            yield Case("multiply", name, build, "linear", 1)
            yield Case("multiply_backward", name, behind("multiply_backward", build), "linear", 1)


def parts() -> Iterator[Case]:
    for shapes, axis in PARTS:
        name = f"{axis}-of-{'-'.join(map(size_name, shapes))}"
        sizes = [shape[axis] for shape in shapes]
        whole = (*shapes[0][: axis % len(shapes[0])], sum(sizes), *shapes[0][axis % len(shapes[0]) + 1 :])
        yield Case("concatenate", name, partial(_several, shapes, axis), "exact")
        yield Case("split", name, given(whole, rest=[sizes, axis]), "exact")


def _several(shapes: tuple[Shape, ...], axis: int, rng: np.random.Generator) -> Arguments:
    return (tuple(normal(rng, shape) for shape in shapes), axis), {}


def slopes() -> Iterator[Case]:
    """As products."""
    for shape, shared in SLOPES:
        alpha = tuple(1 if axis in shared else size for axis, size in enumerate(shape[1:], 1))
        build, name = given(shape, alpha), f"{size_name(alpha)}-of-{size_name(shape)}"
        yield Case("prelu", name, build, "scaled", 1)
        yield Case("prelu_backward", name, behind("prelu_backward", build), "scaled", 1)


def swaps() -> Iterator[Case]:
    for shape, dims in ORDERS:
        yield Case("permute", f"{size_name(dims)}-{size_name(shape)}", given(shape, rest=[dims]), "exact")
    for shape in ((30, 144, 100), (3, 5, 7), (1, 9, 46), (6, 1, 1), (2, 3, 8)):
        yield Case("swap_axes", size_name(shape), given(shape), "exact")
