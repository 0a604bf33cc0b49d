"""The NumPy truth: every operation in plain array arithmetic, any float dtype; slow, short, and checked against others.

Each function is the twin of a native kernel: same name, same arguments in the same order, the arrays for the results
given; above it stands its row of `ops.table`. They trust their arguments; `pellucid.ops` checks them. Float32 in gives
float32 out, with long sums kept in float64.
"""

from __future__ import annotations

from pellucid.ops.reference import (
    conv,
    conv_pool,
    data,
    linear,
    loss,
    nonlinear,
    normalization,
    optimizer,
    pool,
    random,
)

__all__ = [
    "conv",
    "conv_pool",
    "data",
    "linear",
    "loss",
    "nonlinear",
    "normalization",
    "optimizer",
    "pool",
    "random",
]
