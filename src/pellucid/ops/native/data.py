"""Steps that gather a batch, move arrays and take small sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import BackendError
from pellucid.ops.geometry import Array
from pellucid.ops.native.runtime import expect_axes, expect_shape, inner, step

if TYPE_CHECKING:
    from pellucid.ops._native import Step


def gather(source: Array, indices: Array, out: Array, scale: Array, offset: Array, cursor: Array | None = None) -> Step:
    """out[i] = source[indices[cursor + i]] * scale + offset; an index out of range is an error when the step runs.

    Shapes: source uint8 or float32 (M,...,C), indices int64 (K,), out (N,...,C), scale, offset (C,), cursor int64 (1,).
    """
    expect_axes("gather", 1, indices=indices)
    if source.ndim < 2 or source.shape[-1] < 1:
        raise BackendError(f"gather: expected pictures (M, ..., C), got shape {source.shape}")
    channels = source.shape[-1]
    expect_shape("gather", (out.shape[0], *source.shape[1:]), out=out)
    expect_shape("gather", (channels,), scale=scale, offset=offset)
    expect_shape("gather", (1,), cursor=cursor)
    as_bytes = source.dtype == np.uint8
    return step(
        "gather",
        bytes=source if as_bytes else None,
        floats=None if as_bytes else source,
        indices=indices,
        out=out,
        scale=scale,
        offset=offset,
        cursor=cursor,
        N=out.shape[0],
        COUNT=source.shape[0],
        INDICES=indices.size,
        INNER=int(np.prod(source.shape[1:-1])),
        C=channels,
    )


def gather_labels(labels: Array, indices: Array, out: Array, cursor: Array | None = None) -> Step:
    """out[i] = labels[indices[cursor + i]]; labels and out int32."""
    expect_axes("gather_labels", 1, labels=labels, indices=indices, out=out)
    expect_shape("gather_labels", (1,), cursor=cursor)
    sizes = {"N": out.size, "COUNT": labels.size, "INDICES": indices.size}
    return step("gather_labels", labels=labels, indices=indices, out=out, cursor=cursor, **sizes)


def swap_axes(x: Array, y: Array) -> Step:
    """y[b,a,c] = x[a,b,c]."""
    expect_axes("swap_axes", 3, x=x, y=y)
    a, b, c = x.shape
    expect_shape("swap_axes", (b, a, c), y=y)
    return step("swap_axes", x=x, y=y, A=a, B=b, C=c)


def accumulate(losses: Array, hits: Array | None, weights: Array | None, totals: Array) -> Step:
    """totals (float64) += sum of weights * losses, sum of hits, number of examples."""
    expect_axes("accumulate", 1, losses=losses)
    expect_shape("accumulate", losses.shape, hits=hits, weights=weights)
    expect_shape("accumulate", (3,), totals=totals)
    return step("accumulate", losses=losses, hits=hits, weights=weights, totals=totals, N=losses.size)


def stop_unless_finite(x: Array) -> Step:
    """Ends a program here where x (float64) holds NaN or an infinity; steps after it do not run."""
    return step("stop_unless_finite", x=x, COUNT=x.size)


def fma_probe(out: Array, rounds: int) -> Step:
    """One task an entry of out, each of `rounds` rounds of 12 vectors multiplied and added: nothing but arithmetic."""
    expect_axes("fma_probe", 1, out=out)
    return step("fma_probe", out=out, TASKS=out.size, ROUNDS=rounds, factor=0.999)


def add(x: Array, y: Array) -> Step:
    """y += x."""
    expect_shape("add", x.shape, y=y)
    return step("add", x=x, y=y, N=x.shape[0], INNER=inner(x))
