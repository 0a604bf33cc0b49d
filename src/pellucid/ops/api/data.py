"""Pictures in memory become a batch of floats; axes change places."""

from __future__ import annotations

import numpy as np

from pellucid.errors import ConfigError, DataError
from pellucid.ops.dispatch import array, expect_axes, expect_shape, result, run
from pellucid.ops.geometry import Array


def gather(source: Array, indices: Array, *, scale: Array, offset: Array, out: Array | None = None) -> Array:
    """out[i,h,w,c] = source[indices[i],h,w,c] * scale[c] + offset[c].

    Shapes: source (N,H,W,C) uint8 or float32, indices (n,), scale, offset float32 (C,) -> out float32 (n,H,W,C).
    Errors: ShapeError or ConfigError if shapes or dtypes are others; DataError for an index outside the source.
    """
    if not isinstance(source, np.ndarray) or source.dtype not in (np.uint8, np.float32):
        kind = getattr(source, "dtype", type(source).__name__)
        raise ConfigError(f"gather: source must be a uint8 or float32 array, got {kind}; convert it with .astype")
    expect_axes("gather", "source", source, "N, H, W, C")
    picks = np.ascontiguousarray(indices, np.int64)
    expect_axes("gather", "indices", picks, "n")
    if picks.size and not (picks.min() >= 0 and picks.max() < len(source)):
        raise DataError(
            f"gather: indices run from {picks.min()} to {picks.max()}, but there are {len(source)} pictures"
        )
    scale, offset = np.ascontiguousarray(scale, np.float32), np.ascontiguousarray(offset, np.float32)
    for name, value in (("scale", scale), ("offset", offset)):
        expect_shape("gather", name, value, source.shape[3:], "one number for each channel")
    out = result("gather", (len(picks), *source.shape[1:]), (scale, offset), out)
    run("gather", np.ascontiguousarray(source), picks, out, scale, offset, None)
    return out


def swap_axes(x: Array, *, out: Array | None = None) -> Array:
    """y[b,a,c] = x[a,b,c]: rows of flattened pictures from (C, H, W) to (H, W, C), or back.

    Shapes: x (A,B,C) -> y (B,A,C).
    Errors: ShapeError unless x has three axes; ConfigError if it holds no floats.
    """
    x = array("swap_axes", "x", x)
    expect_axes("swap_axes", "x", x, "A, B, C")
    a, b, c = x.shape
    y = result("swap_axes", (b, a, c), (x,), out)
    run("swap_axes", x, y)
    return y
