"""Steps of pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.errors import BackendError
from pellucid.ops import geometry
from pellucid.ops.geometry import Array, Pads, Pair
from pellucid.ops.native.runtime import activation_code, expect_axes, expect_shape, pixels, step

if TYPE_CHECKING:
    from pellucid.ops._native import Step


def _pool_sizes(op: str, x: Array, y: Array, pool_size: Pair, strides: Pair, padding: Pads) -> dict[str, int]:
    expect_axes(op, 4, x=x, y=y)
    expect_shape(op, geometry.pool2d_shape(x.shape, pool_size, strides, padding), y=y)
    (n, h, w, c), (_, oh, ow, _) = x.shape, y.shape
    (top, _), (left, _) = padding
    return {
        "N": n, "H": h, "W": w, "C": c, "OH": oh, "OW": ow, "PH": pool_size[0], "PW": pool_size[1],
        "SH": strides[0], "SW": strides[1], "TOP": top, "LEFT": left,
    }  # fmt: skip


def max_pool2d(x: Array, y: Array, argmax: Array, *, pool_size: Pair, strides: Pair, padding: Pads) -> Step:
    """y = largest of each window, argmax (uint8) = its place a*PW + b there; windows of at most 255 taps."""
    sizes = _pool_sizes("max_pool2d", x, y, pool_size, strides, padding)
    expect_shape("max_pool2d", y.shape, argmax=argmax)
    return step("max_pool2d", x=x, y=y, argmax=argmax, **sizes)


def max_pool2d_backward(dy: Array, argmax: Array, dx: Array, *, pool_size: Pair, strides: Pair, padding: Pads) -> Step:
    """dx of max_pool2d; written whole."""
    sizes = _pool_sizes("max_pool2d_backward", dx, dy, pool_size, strides, padding)
    expect_shape("max_pool2d_backward", dy.shape, argmax=argmax)
    return step("max_pool2d_backward", dy=dy, argmax=argmax, dx=dx, **sizes)


def avg_pool2d(x: Array, y: Array, *, pool_size: Pair, strides: Pair, padding: Pads) -> Step:
    """y = mean of each window's pixels; padding is not counted."""
    return step("avg_pool2d", x=x, y=y, **_pool_sizes("avg_pool2d", x, y, pool_size, strides, padding))


def avg_pool2d_backward(
    dy: Array,
    dx: Array,
    *,
    pool_size: Pair,
    strides: Pair,
    padding: Pads,
    y: Array | None = None,
    activation: str = "linear",
    slope: float = 0.0,
    dbias: Array | None = None,
) -> Step:
    """dx of avg_pool2d; written whole.

    y: what was pooled, where it is an activation of something; dx is then the gradient of that, and may be y itself.
    dbias: the sum of dx over all pixels.
    """
    op = "avg_pool2d_backward"
    sizes = _pool_sizes(op, dx, dy, pool_size, strides, padding)
    expect_shape(op, dx.shape, y=y)
    expect_shape(op, dx.shape[-1:], dbias=dbias)
    code = activation_code(op, activation)
    if code and y is None:
        raise BackendError(f"{op}: the gradient of {activation!r} needs y, which it gave")
    return step(op, dy=dy, y=y, dx=dx, dbias=dbias, **sizes, ACTIVATION=code, slope=slope)


def global_avg_pool2d(x: Array, y: Array) -> Step:
    """y[n,c] = mean of x[n,:,:,c]."""
    sizes = pixels("global_avg_pool2d", x)
    expect_shape("global_avg_pool2d", (sizes["N"], sizes["C"]), y=y)
    return step("global_avg_pool2d", x=x, y=y, **sizes)


def global_avg_pool2d_backward(dy: Array, dx: Array) -> Step:
    """dx of global_avg_pool2d."""
    sizes = pixels("global_avg_pool2d_backward", dx)
    expect_shape("global_avg_pool2d_backward", (sizes["N"], sizes["C"]), dy=dy)
    return step("global_avg_pool2d_backward", dy=dy, dx=dx, **sizes)
