"""Getting pictures into a batch, axes in another order, and the small sums and products of a training step."""

from __future__ import annotations

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.ops.table import LONG, call, op


def chosen(indices: Array, count: int, cursor: Array | None) -> Array:
    """Those of a batch that begins at the cursor."""
    start = 0 if cursor is None else int(cursor[0])
    return indices[start : start + count]


@op(
    fields={"source": ("bytes", "floats")},
    typical=[
        call(
            "1000 x 28x28x1 of uint8", source=(10_000, 28, 28, 1), indices=(10_000,), out=(1000, 28, 28, 1), cursor=(1,)
        )
    ],
)
def gather(source: Array, indices: Array, out: Array, scale: Array, offset: Array, cursor: Array | None = None) -> None:
    """out[i] = source[indices[cursor + i]] * scale + offset, a scale and an offset for each channel."""
    np.multiply(source[chosen(indices, len(out), cursor)], scale, out=out)
    out += offset


@op(
    fields={"labels": ("labels", "bytes")},
    typical=[call("1000", labels=(10_000,), indices=(10_000,), out=(1000,), cursor=(1,))],
)
def gather_labels(labels: Array, indices: Array, out: Array, cursor: Array | None = None) -> None:
    """out[i] = labels[indices[cursor + i]], of numbers or masks."""
    out[...] = labels[chosen(indices, len(out), cursor)]


@op(typical=[call("30x144x100", x=(30, 144, 100))])
def swap_axes(x: Array, y: Array) -> None:
    """y[b,a,c] = x[a,b,c]."""
    y[...] = x.transpose(1, 0, 2)


@op(typical=[call("64 x 56x56x64 by channels", x=(64, 1, 56 * 56, 64, 1))])
def permute(x: Array, y: Array) -> None:
    """y[n,o,b,...,a,c] = x[n,o,a,...,b,c]: two axes of each picture change places."""
    y[...] = x.swapaxes(2, -2)


_BEHIND = {"x": (64, 56 * 56, 64), "y": (64, 56 * 56, 128), "first": 64}


@op(passes={"y": 2}, typical=[call("64 x 56x56x64, behind as many", **_BEHIND)])
def concatenate(x: Array, y: Array, first: int) -> None:
    """y[n,o,first+c] = x[n,o,c]; other columns stay as they are."""
    y[..., first : first + x.shape[-1]] = x


@op(typical=[call("64 x 56x56x64, behind as many", **_BEHIND)])
def split(y: Array, x: Array, first: int) -> None:
    """x[n,o,c] = y[n,o,first+c]."""
    x[...] = y[..., first : first + x.shape[-1]]


@op(passes={"totals": 2}, typical=[call("1000", losses=(1000,), weights=None)])
def accumulate(losses: Array, hits: Array | None, weights: Array | None, totals: Array) -> None:
    """totals += (sum of weights * losses, sum of hits, number of pictures), in float64."""
    weighted = losses if weights is None else losses.astype(np.float64) * weights
    totals[0] += weighted.sum(dtype=np.float64)
    totals[1] += 0 if hits is None else hits.sum(dtype=np.float64)
    totals[2] += len(losses)


@op(fixed={"factor": 0.999}, typical=[call("64 x 4000", out=(64,), rounds=4000)])
def fma_probe(out: Array, rounds: int) -> None:
    """out[task] = sum over 12 chains of what `rounds` times x = 0.999 x + 0.001 makes of task, task + 1, ..."""
    factor, term = np.float32(0.999), np.float32(1 - 0.999)
    chains = np.arange(len(out), dtype=np.float32)[:, None] + np.arange(12, dtype=np.float32)
    for _ in range(rounds):
        chains = chains * factor + term
    out[...] = chains.sum(axis=1)


@op(passes={"y": 2}, typical=[call("64 x 56x56x64", x=LONG)])
def add(x: Array, y: Array) -> None:
    """y += x."""
    y += x


_SCALED = call("64 x 56x56x64, a channel each", x=(64, 1, 56 * 56, 64), factor=(64, 1, 64))
_ALIKE = call("64 x 56x56x64, alike", x=(64, 56 * 56, 1, 64), factor=(64, 56 * 56, 64))


@op(typical=[_SCALED, _ALIKE])
def multiply(x: Array, factor: Array, y: Array) -> None:
    """y[n,o,i,c] = x[n,o,i,c] * factor[n,o,c]. y may be x."""
    y[...] = x * factor[:, :, None]


@op(typical=[_SCALED, _ALIKE])
def multiply_backward(dy: Array, x: Array, factor: Array, dx: Array | None, dfactor: Array | None) -> None:
    """dx = dy * factor; dfactor[n,o,c] = sum over i of dy * x. dx may be dy."""
    if dfactor is not None:
        dfactor[...] = (dy * x).sum(axis=2, dtype=np.float64)
    if dx is not None:
        multiply(dy, factor, dx)


@op(typical=[call("3", x=(3,))])
def stop_unless_finite(x: Array) -> None:
    """Ends a program where x (float64) holds NaN or an infinity, before the steps behind it; alone it does nothing."""
