"""What a step costs in arithmetic and in memory traffic, from its sizes alone: what benchmarks divide by its time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pellucid.ops.native.signature import product, signatures
from pellucid.ops.table import TABLE, Op

if TYPE_CHECKING:
    from pellucid.ops._native import Step


@dataclass(frozen=True)
class Cost:
    """flops counts a multiply-add as two, as a direct computation would need; num_bytes each passage over an array."""

    flops: float
    num_bytes: float


@cache
def _rows() -> dict[str, Op]:
    """A row of each kernel. Operations that share one cost the same."""
    return {op.kernel: op for op in TABLE.values()}


def cost(step: Step, n: int | None = None) -> Cost:
    """The cost of one run for n pictures (None: as many as it was built for)."""
    op, sizes, arrays = _rows()[step.kernel], step.sizes, signatures()[step.kernel].arrays
    if n is not None and "N" in sizes:
        sizes["N"] = n
    if "INDICES" in sizes:
        sizes["COUNT"] = sizes["N"]  # only what is gathered is read
    if "WIDTH" in sizes:
        sizes["WIDTH"] = sizes["C"]  # of each row some columns are read or written
    num_bytes = 0.0
    for name in step.arrays:
        axes = arrays[name].axes
        if not axes[0].isdecimal():  # a few settings
            itemsize = np.dtype(arrays[name].dtype).itemsize
            num_bytes += product(" * ".join(axes), sizes) * itemsize * op.passes.get(name, 1)
    terms = [op.flops] if isinstance(op.flops, str) else [op.flops[name] for name in step.arrays if name in op.flops]
    return Cost(sum(product(term, sizes) for term in terms), num_bytes)
